"""Indexes of the log: outcomes of one phone, and only what waits for the county."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Count a phone's outcomes from an index; keep held changes in one that only they are in."""
    op.create_index(
        op.f("ix_change_county_incarnation_outcome"), "change", ["county", "incarnation", "outcome"]
    )
    held = sa.text("outcome = 'held'")
    op.create_index(
        "ix_change_held",
        "change",
        ["county", "resolution", "reason"],
        sqlite_where=held,
        postgresql_where=held,
    )
    op.drop_index(op.f("ix_change_county_outcome_resolution"), table_name="change")


def downgrade() -> None:
    """Not offered: a restored backup is the way back."""
    raise NotImplementedError
