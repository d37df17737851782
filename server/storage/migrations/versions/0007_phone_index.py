"""The index of who is registered that phones carry, and how it changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add three tables; an older server goes on without them."""
    op.create_table(
        "phone_index",
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("upto_seq", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("townships", sa.Text(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("county", "generation", name=op.f("pk_phone_index")),
    )
    op.create_table(
        "index_entry",
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.String(length=17), nullable=False),
        sa.Column("kind", sa.String(length=4), nullable=False),
        sa.Column("fingerprint", sa.BigInteger(), nullable=False),
        sa.Column("township", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "county", "generation", "member_id", "kind", name=op.f("pk_index_entry")
        ),
    )
    op.create_index(
        op.f("ix_index_entry_county_generation_fingerprint"),
        "index_entry",
        ["county", "generation", "fingerprint"],
    )
    op.create_table(
        "index_change",
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.BigInteger(), nullable=False),
        sa.Column("township", sa.Integer(), nullable=False),
        sa.Column("added", sa.Boolean(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("county", "generation", "number", name=op.f("pk_index_change")),
    )
    op.create_index(op.f("ix_index_change_county_at_ms"), "index_change", ["county", "at_ms"])


def downgrade() -> None:
    """Not offered: a restored backup is the way back."""
    raise NotImplementedError
