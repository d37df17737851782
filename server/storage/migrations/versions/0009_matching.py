"""What members are compared by, and the county's own model; filled when the server starts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add three tables; an older server goes on without them."""
    op.create_table(
        "match_features",
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.Column("member_id", sa.String(length=17), nullable=False),
        sa.Column("household_id", sa.String(length=13), nullable=False),
        sa.Column("features", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("county", "member_id", name=op.f("pk_match_features")),
    )
    op.create_table(
        "match_key",
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.Column("key_hash", sa.String(length=16), nullable=False),
        sa.Column("member_id", sa.String(length=17), nullable=False),
        sa.PrimaryKeyConstraint("county", "key_hash", "member_id", name=op.f("pk_match_key")),
    )
    op.create_table(
        "linkage_model",
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("county", name=op.f("pk_linkage_model")),
    )
    op.create_index(
        op.f("ix_match_features_county_household_id"), "match_features", ["county", "household_id"]
    )
    op.create_index(op.f("ix_match_key_county_member_id"), "match_key", ["county", "member_id"])


def downgrade() -> None:
    """Not offered: a restored backup is the way back."""
    raise NotImplementedError
