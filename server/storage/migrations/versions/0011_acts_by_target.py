"""What was done about a registration or a household is found by its id, however long the audit is."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add an index; an older server goes on without it."""
    op.create_index(op.f("ix_audit_county_target_id"), "audit", ["county", "target_id"])


def downgrade() -> None:
    """Not offered: a restored backup is the way back."""
    raise NotImplementedError
