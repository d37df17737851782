"""People who stand in two counties: the hashes that find them, and what each county says."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add three tables; an older server goes on without them."""
    op.create_table(
        "cross_key",
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.Column("record_id", sa.String(length=17), nullable=False),
        sa.Column("kind", sa.String(length=4), nullable=False),
        sa.Column("key_hash", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("county", "record_id", "kind", name=op.f("pk_cross_key")),
    )
    op.create_table(
        "cross_key_state",
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.Column("key_mark", sa.String(length=8), nullable=False),
        sa.Column("upto_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("county", name=op.f("pk_cross_key_state")),
    )
    op.create_table(
        "county_double",
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.Column("id", sa.String(length=17), nullable=False),
        sa.Column("other_county", sa.String(length=6), nullable=False),
        sa.Column("record_id", sa.String(length=17), nullable=False),
        sa.Column("strength", sa.String(length=8), nullable=False),
        sa.Column("word", sa.String(length=8), nullable=False),
        sa.Column("word_by", sa.String(length=17), nullable=True),
        sa.Column("word_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("verdict_by", sa.String(length=17), nullable=True),
        sa.Column("verdict_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("found_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("county", "id", name=op.f("pk_county_double")),
    )
    op.create_index(op.f("ix_cross_key_key_hash"), "cross_key", ["key_hash"])
    op.create_index(
        op.f("ix_county_double_county_record_id"), "county_double", ["county", "record_id"]
    )


def downgrade() -> None:
    """Not offered: a restored backup is the way back."""
    raise NotImplementedError
