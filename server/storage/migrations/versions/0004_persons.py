"""Persons of several registrations: pairs to decide about, links, and what follows from them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add three tables; an older server goes on without them."""
    op.create_table(
        "candidate_pair",
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.Column("left_id", sa.String(length=17), nullable=False),
        sa.Column("right_id", sa.String(length=17), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("breakdown", sa.Text(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("proposed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(length=17), nullable=True),
        sa.Column("decided_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("county", "left_id", "right_id", name=op.f("pk_candidate_pair")),
    )
    op.create_index(
        op.f("ix_candidate_pair_county_state_score"),
        "candidate_pair",
        ["county", "state", "score"],
    )
    op.create_index(
        op.f("ix_candidate_pair_county_right_id"), "candidate_pair", ["county", "right_id"]
    )
    op.create_table(
        "person_link",
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.Column("id", sa.String(length=17), nullable=False),
        sa.Column("left_id", sa.String(length=17), nullable=False),
        sa.Column("right_id", sa.String(length=17), nullable=False),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("chosen", sa.Text(), nullable=False),
        sa.Column("confirmed", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("linked_by", sa.String(length=17), nullable=True),
        sa.Column("linked_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_by", sa.String(length=17), nullable=True),
        sa.Column("withdrawn_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("county", "id", name=op.f("pk_person_link")),
    )
    in_force = sa.text("withdrawn_at_ms IS NULL")
    op.create_index(
        "uq_person_link_one_in_force",
        "person_link",
        ["county", "left_id", "right_id"],
        unique=True,
        sqlite_where=in_force,
        postgresql_where=in_force,
    )
    op.create_index(op.f("ix_person_link_county_right_id"), "person_link", ["county", "right_id"])
    op.create_table(
        "person_member",
        sa.Column("county", sa.String(length=6), nullable=False),
        sa.Column("member_id", sa.String(length=17), nullable=False),
        sa.Column("household_id", sa.String(length=17), nullable=False),
        sa.Column("village_code", sa.String(length=12), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.String(length=13), nullable=True),
        sa.Column("registrations", sa.Integer(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("county", "member_id", name=op.f("pk_person_member")),
    )
    for column in ("person_id", "household_id", "seq", "village_code"):
        op.create_index(
            op.f(f"ix_person_member_county_{column}"), "person_member", ["county", column]
        )


def downgrade() -> None:
    """Not offered: a restored backup is the way back."""
    raise NotImplementedError
