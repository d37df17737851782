"""Households that may be listed twice: pairs to decide about, and which list counts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table and a column; an older server goes on without them."""
    op.create_table(
        "household_pair",
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.Column("left_id", sa.String(length=17), nullable=False),
        sa.Column("right_id", sa.String(length=17), nullable=False),
        sa.Column("shared", sa.Integer(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("stays", sa.String(length=17), nullable=True),
        sa.Column("undo", sa.Text(), nullable=True),
        sa.Column("proposed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(length=17), nullable=True),
        sa.Column("decided_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("county", "left_id", "right_id", name=op.f("pk_household_pair")),
    )
    op.create_index(
        op.f("ix_household_pair_county_state_shared"),
        "household_pair",
        ["county", "state", "shared"],
    )
    op.create_index(
        op.f("ix_household_pair_county_right_id"), "household_pair", ["county", "right_id"]
    )
    op.add_column("review", sa.Column("same_as", sa.String(length=17), nullable=True))


def downgrade() -> None:
    """Not offered: a restored backup is the way back."""
    raise NotImplementedError
