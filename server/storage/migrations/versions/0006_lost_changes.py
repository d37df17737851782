"""Held changes keep in mind that they come from before the database was restored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column that may be empty; an older server goes on without it."""
    op.add_column("change", sa.Column("lost", sa.Boolean(), nullable=True))


def downgrade() -> None:
    """Not offered: a restored backup is the way back."""
    raise NotImplementedError
