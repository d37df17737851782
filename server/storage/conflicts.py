"""Conflicts: two values of one field, neither of whose authors had seen the other's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, select, update

from server.storage.engine import in_county
from server.storage.tables import conflict

Branch = tuple[str, str, str, str]
"""What an open conflict stands once for: kind, record id, field, the arriving incarnation."""


def open_branches(
    conn: Connection, county: str, record_ids: Collection[str]
) -> dict[Branch, RowMapping]:
    """Return the open conflicts of these records by branch."""
    if not record_ids:
        return {}
    rows = conn.execute(_OPEN_OF_RECORDS, {"county": county, "ids": record_ids}).mappings()
    return {
        (row["kind"], row["record_id"], row["field"], row["theirs_incarnation"] or ""): row
        for row in rows
    }


_OPEN_OF_RECORDS = select(conflict).where(
    in_county(conflict.c.record_id, "ids"),
    conflict.c.state == "open",
)


def count_open(conn: Connection, county: str, household_ids: Collection[str]) -> dict[str, int]:
    """Return how many conflicts are open in each of these households."""
    if not household_ids:
        return {}
    rows = conn.execute(_COUNT_OPEN, {"county": county, "ids": household_ids})
    return {row[0]: row[1] for row in rows}


_COUNT_OPEN = (
    select(conflict.c.household_id, func.count())
    .where(
        in_county(conflict.c.household_id, "ids"),
        conflict.c.state == "open",
    )
    .group_by(conflict.c.household_id)
)


def conflicts_of(
    conn: Connection, county: str, household_ids: Collection[str]
) -> list[tuple[str, str]]:
    """Return (id, household id) of every conflict of these households, decided ones too."""
    query = select(conflict.c.id, conflict.c.household_id).where(
        conflict.c.county == county, conflict.c.household_id.in_(sorted(household_ids))
    )
    return [(row.id, row.household_id) for row in conn.execute(query)]


def add_conflicts(conn: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add conflicts; each row has the columns of the table."""
    listed = [dict(row) for row in rows]
    if listed:
        conn.execute(insert(conflict), listed)


def extend_conflicts(conn: Connection, county: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the newer arriving value of open conflicts: `id` and the columns to change."""
    for row in rows:
        values = {name: value for name, value in row.items() if name != "id"}
        conn.execute(
            update(conflict)
            .where(conflict.c.county == county, conflict.c.id == bindparam("b_id"))
            .values(**values),
            {"b_id": row["id"]},
        )


def conflict_by_id(conn: Connection, county: str, conflict_id: str) -> RowMapping | None:
    """Return one conflict."""
    query = select(conflict).where(conflict.c.county == county, conflict.c.id == conflict_id)
    return conn.execute(query).mappings().first()
