"""The review row of each household: its state, its lane, the rules that it breaks."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from server.storage.engine import in_county, upsert
from server.storage.tables import review


@dataclass(frozen=True, slots=True)
class Review:
    """What the recheck after a write may change of a review, and what it must know of it."""

    household_id: str
    village_code: str | None
    seq: int
    state: str
    lane: str | None
    hits: list[dict[str, Any]]
    bundle_seq: int
    submitted_at_ms: int | None = None
    submitted_by: str | None = None
    comments: list[dict[str, Any]] = field(default_factory=list)
    approved_at_ms: int | None = None


_KEPT = (
    "decided_by",
    "decided_at_ms",
    "approved_at_ms",
    "approved_values",
    "comments",
    "same_as",
)
"""What the county decided; a recheck never touches it."""


_REVIEWS = (
    select(*(review.c[name] for name in Review.__slots__))
    .where(in_county(review.c.household_id, "ids"))
    .order_by(review.c.household_id)
)
_REVIEWS_LOCKED = _REVIEWS.with_for_update()


def reviews_of(
    conn: Connection, county: str, household_ids: Collection[str], *, lock: bool = False
) -> dict[str, Review]:
    """Return the reviews of these households; `lock` makes other writers wait (PostgreSQL)."""
    if not household_ids:
        return {}
    query = _REVIEWS_LOCKED if lock else _REVIEWS
    rows = conn.execute(query, {"county": county, "ids": household_ids})
    return {row.household_id: Review(*row) for row in rows}


def write_reviews(conn: Connection, county: str, reviews: Iterable[Review]) -> None:
    """Write what a recheck found; what the county decided of an existing review stays."""
    rows = [
        {
            "county": county,
            **{name: getattr(entry, name) for name in Review.__slots__ if name not in _KEPT},
            "comments": [],
        }
        for entry in reviews
    ]
    if not rows:
        return
    conn.execute(upsert(conn, review, ["county", "household_id"], keep=_KEPT), rows)
