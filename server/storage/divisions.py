"""The division table: provinces to counties of the nation, villages of the counties served here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from server.storage.engine import upsert
from server.storage.tables import division

COUNTY, TOWNSHIP, VILLAGE = 3, 4, 5


@dataclass(frozen=True, slots=True)
class Place:
    """A division: its twelve digits, its name, its level (1 province to 5 village)."""

    code: str
    name: str
    level: int


def store_divisions(conn: Connection, rows: Iterable[Mapping[str, Any]]) -> int:
    """Add or replace divisions; each row has the columns of the table. Returns how many."""
    listed = [dict(row) for row in rows]
    if listed:
        conn.execute(upsert(conn, division, ["code"]), listed)
    return len(listed)


def count_divisions(conn: Connection, level: int | None = None) -> int:
    """Return how many divisions are known, of one level or of all."""
    query = select(func.count()).select_from(division)
    return int(
        conn.execute(
            query if level is None else query.where(division.c.level == level)
        ).scalar_one()
    )


def places_within(conn: Connection, prefix: str, *, from_level: int = COUNTY) -> list[Place]:
    """Return the valid places inside a division prefix, and those that it lies in, by code."""
    padded = prefix.ljust(12, "0")
    above = {padded[:width].ljust(12, "0") for width in (6, 9) if width <= len(prefix)}
    query = (
        select(division.c.code, division.c.name, division.c.level)
        .where(
            division.c.level >= from_level,
            division.c.valid_to.is_(None),
            division.c.code.between(padded, prefix.ljust(12, "9")) | division.c.code.in_(above),
        )
        .order_by(division.c.code)
    )
    return [Place(row.code, row.name, row.level) for row in conn.execute(query)]


def known_villages(conn: Connection, codes: Collection[str]) -> set[str]:
    """Return which of these are villages in the list, ended ones too."""
    return set(conn.execute(_KNOWN_VILLAGES, {"codes": list(codes)}).scalars())


_KNOWN_VILLAGES = select(division.c.code).where(
    division.c.code.in_(bindparam("codes", expanding=True)), division.c.level == VILLAGE
)


def place_names(conn: Connection, codes: Collection[str]) -> dict[str, str]:
    """Return the names of places by their twelve digits."""
    if not codes:
        return {}
    query = select(division.c.code, division.c.name).where(division.c.code.in_(list(codes)))
    return {row.code: row.name for row in conn.execute(query)}
