"""The keys of the members stand in their primary key alone; filled when the server starts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table anew; an older server goes on with it, and finds fewer until it is filled."""
    op.drop_table("match_key")
    op.create_table(
        "match_key",
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.Column("key_hash", sa.String(length=16), nullable=False),
        sa.Column("member_id", sa.String(length=17), nullable=False),
        sa.PrimaryKeyConstraint("county", "key_hash", "member_id", name=op.f("pk_match_key")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Not offered: a restored backup is the way back."""
    raise NotImplementedError
