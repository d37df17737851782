"""Hand-over files: those that were taken, and the pieces of those that are on their way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables; an older server goes on without them."""
    op.create_table(
        "handover",
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.String(length=17), nullable=False),
        sa.Column("incarnation", sa.String(length=13), nullable=False),
        sa.Column("first_n", sa.BigInteger(), nullable=False),
        sa.Column("last_n", sa.BigInteger(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("fault", sa.String(length=40), nullable=True),
        sa.Column("taken_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("carried_by_user", sa.String(length=17), nullable=True),
        sa.Column("carried_by_device", sa.String(length=17), nullable=True),
        sa.PrimaryKeyConstraint("county", "sha256", name=op.f("pk_handover")),
    )
    op.create_index(op.f("ix_handover_county_taken_at_ms"), "handover", ["county", "taken_at_ms"])
    op.create_table(
        "handover_piece",
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.Column("carrier_id", sa.String(length=17), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "county", "carrier_id", "sha256", "start", name=op.f("pk_handover_piece")
        ),
    )
    op.create_index(op.f("ix_handover_piece_county_at_ms"), "handover_piece", ["county", "at_ms"])


def downgrade() -> None:
    """Not offered: a restored backup is the way back."""
    raise NotImplementedError
