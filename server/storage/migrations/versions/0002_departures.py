"""Departures from a village; the county's word on a held change that it closed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the column; an older server goes on without them."""
    op.create_table(
        "departure",
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("record_id", sa.String(length=17), nullable=False),
        sa.Column("village_code", sa.String(length=12), nullable=False),
        sa.Column("to_village", sa.String(length=12), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "county", "kind", "record_id", "village_code", name=op.f("pk_departure")
        ),
    )
    op.create_index(op.f("ix_departure_county_seq"), "departure", ["county", "seq"])
    op.create_index(
        op.f("ix_departure_county_village_code"), "departure", ["county", "village_code"]
    )
    op.add_column("change", sa.Column("note", sa.Text(), nullable=True))


def downgrade() -> None:
    """Not offered: a restored backup is the way back."""
    raise NotImplementedError
