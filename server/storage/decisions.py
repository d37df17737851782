"""What the county decides, as rows: reviews, labourers of a voided household."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from server.storage.tables import conflict, labourer, review

CHUNK = 500
"""Ids in one IN list: well under the parameter limits of both databases."""


def review_to_decide(conn: Connection, county: str, household_id: str) -> Row[Any] | None:
    """Return a review and make other writers of it wait (PostgreSQL)."""
    query = (
        select(review)
        .where(review.c.county == county, review.c.household_id == household_id)
        .with_for_update()
    )
    return conn.execute(query).first()


def decide(conn: Connection, county: str, household_id: str, values: Mapping[str, Any]) -> None:
    """Write a decision into a review."""
    conn.execute(
        update(review)
        .where(review.c.county == county, review.c.household_id == household_id)
        .values(**values)
    )


def open_conflicts(conn: Connection, county: str, household_id: str) -> int:
    """Return how many conflicts of a household are open."""
    query = select(func.count()).where(
        conflict.c.county == county,
        conflict.c.household_id == household_id,
        conflict.c.state == "open",
    )
    return int(conn.execute(query).scalar_one())


def green_waiting(conn: Connection, county: str, scope: str, village: str) -> dict[str, int]:
    """Return the bundle_seq of the green new households of a village that wait, locked."""
    query = (
        select(review.c.household_id, review.c.bundle_seq)
        .where(
            review.c.county == county,
            review.c.village_code.startswith(scope, autoescape=True),
            review.c.village_code == village,
            review.c.state == "in_review",
            review.c.lane == "green",
            review.c.approved_at_ms.is_(None),
        )
        .order_by(review.c.household_id)
        .with_for_update()
    )
    return {row.household_id: row.bundle_seq for row in conn.execute(query)}


def approve_many(
    conn: Connection,
    county: str,
    approved: Sequence[tuple[str, int, list[Any]]],
    *,
    by: str,
    now_ms: int,
) -> None:
    """Write the approval of many households: (household id, seq, approved values)."""
    conn.execute(
        update(review)
        .where(review.c.county == county, review.c.household_id == bindparam("b_household"))
        .values(
            seq=bindparam("b_seq"),
            approved_values=bindparam("b_values"),
            state="approved",
            comments=[],
            decided_by=by,
            decided_at_ms=now_ms,
            approved_at_ms=now_ms,
        ),
        [
            {"b_household": household_id, "b_seq": seq, "b_values": values}
            for household_id, seq, values in approved
        ],
    )


def forget_labourers(conn: Connection, county: str, household_id: str) -> None:
    """Take the labourers of a household off every list for good."""
    conn.execute(
        delete(labourer).where(labourer.c.county == county, labourer.c.household_id == household_id)
    )


def open_conflicts_of_field(
    conn: Connection, county: str, kind: str, record_id: str, field: str
) -> list[str]:
    """Return the ids of the open conflicts of one field, locked: there is one for each branch."""
    query = (
        select(conflict.c.id)
        .where(
            conflict.c.county == county,
            conflict.c.kind == kind,
            conflict.c.record_id == record_id,
            conflict.c.field == field,
            conflict.c.state == "open",
        )
        .order_by(conflict.c.id)
        .with_for_update()
    )
    return list(conn.execute(query).scalars())


def close_conflicts(
    conn: Connection, county: str, ids: Sequence[str], *, value: Any, by: str, now_ms: int
) -> None:
    """Mark conflicts as decided; both values stay in the row."""
    conn.execute(
        update(conflict)
        .where(conflict.c.county == county, conflict.c.id.in_(ids))
        .values(state="decided", decided_value=value, decided_by=by, decided_at_ms=now_ms)
    )


def number_conflicts(conn: Connection, county: str, numbered: Mapping[str, int]) -> None:
    """Give conflicts their new place in the feed, {id: seq}."""
    conn.execute(
        update(conflict)
        .where(conflict.c.county == county, conflict.c.id == bindparam("b_id"))
        .values(seq=bindparam("b_seq")),
        [{"b_id": one, "b_seq": seq} for one, seq in numbered.items()],
    )
