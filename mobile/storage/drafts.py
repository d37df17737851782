"""Drafts of open visits, one row for each touched field, and which question is open."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mobile.storage.database import dumps


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer that is not submitted. `epoch` and `base` say which version it was given over."""

    kind: str
    record_id: str
    field: str
    value: Any
    epoch: str
    base: int
    at_ms: int


def keep(connection: sqlite3.Connection, household_id: str, drafts: Iterable[Draft]) -> None:
    """Keep answers. A field touched again keeps the version that it was first given over.

    It belongs to the visit in which it was touched last.
    """
    connection.executemany(
        "INSERT INTO draft (record_id, field, kind, household_id, value, epoch, base, at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (record_id, field) DO UPDATE SET"
        " value = excluded.value, at_ms = excluded.at_ms, household_id = excluded.household_id",
        [
            (d.record_id, d.field, d.kind, household_id, dumps(d.value), d.epoch, d.base, d.at_ms)
            for d in drafts
        ],
    )


def of_household(connection: sqlite3.Connection, household_id: str) -> list[Draft]:
    """Return the drafts of a household in the order in which the fields were first touched."""
    return [
        Draft(
            row["kind"],
            row["record_id"],
            row["field"],
            json.loads(row["value"]),
            row["epoch"],
            row["base"],
            row["at_ms"],
        )
        for row in connection.execute(
            "SELECT * FROM draft WHERE household_id = ? ORDER BY rowid", (household_id,)
        )
    ]


def follow(connection: sqlite3.Connection, kinds: Iterable[str]) -> None:
    """Let the drafts of records of these kinds go with them to the household where they are now.

    The county may move a member while a visit waits to be handed in. Not from under the cadre's
    hands: an open visit keeps its drafts.
    """
    for kind in kinds:
        home = f'(SELECT household_id FROM "{kind}" WHERE id = draft.record_id)'  # noqa: S608
        connection.execute(
            f"UPDATE draft SET household_id = {home}"  # noqa: S608
            f" WHERE kind = ? AND {home} <> household_id"
            " AND household_id NOT IN (SELECT household_id FROM position WHERE open = 1)",
            (kind,),
        )
    _follow_unborn(connection)


def _follow_unborn(connection: sqlite3.Connection) -> None:
    """Let what a member began to say in this visit, a wish or a consent, go where he has gone."""
    moved = connection.execute(
        "SELECT d.record_id, m.household_id AS home FROM draft d"
        " JOIN member m ON d.field = 'member_id' AND json_quote(m.id) = d.value"
        " WHERE m.household_id <> d.household_id"
        " AND d.household_id NOT IN (SELECT household_id FROM position WHERE open = 1)"
    ).fetchall()
    for record in moved:
        connection.execute(
            "UPDATE draft SET household_id = :home,"
            " value = CASE field WHEN 'household_id' THEN json_quote(:home) ELSE value END"
            " WHERE record_id = :record_id",
            dict(record),
        )


def drop_record(connection: sqlite3.Connection, record_id: str) -> None:
    """Throw the drafts of one record away."""
    connection.execute("DELETE FROM draft WHERE record_id = ?", (record_id,))


def drop_field(connection: sqlite3.Connection, record_id: str, field: str) -> None:
    """Throw the draft of one field away."""
    connection.execute("DELETE FROM draft WHERE record_id = ? AND field = ?", (record_id, field))


def drop_household(connection: sqlite3.Connection, household_id: str) -> None:
    """Throw every draft of a household away, and the memory of the open question."""
    connection.execute("DELETE FROM draft WHERE household_id = ?", (household_id,))
    connection.execute("DELETE FROM position WHERE household_id = ?", (household_id,))


@dataclass(frozen=True, slots=True)
class Place:
    """The open question of a visit."""

    household_id: str
    village_code: str
    record_id: str
    group: str
    field: str


def keep_place(connection: sqlite3.Connection, place: Place) -> None:
    """Remember the open question; its visit is the one to reopen at start."""
    connection.execute("UPDATE position SET open = 0 WHERE open = 1")
    connection.execute(
        "INSERT INTO position"
        " (household_id, village_code, record_id, group_name, field, open) VALUES (?,?,?,?,?,1)"
        " ON CONFLICT (household_id) DO UPDATE SET village_code = excluded.village_code,"
        " record_id = excluded.record_id, group_name = excluded.group_name,"
        " field = excluded.field, open = 1",
        (place.household_id, place.village_code, place.record_id, place.group, place.field),
    )


def leave(connection: sqlite3.Connection) -> None:
    """Remember that no visit is open."""
    connection.execute("UPDATE position SET open = 0 WHERE open = 1")


def place_of(connection: sqlite3.Connection, household_id: str) -> Place | None:
    """Return the question that was last open in a visit."""
    row = connection.execute(
        "SELECT * FROM position WHERE household_id = ?", (household_id,)
    ).fetchone()
    return None if row is None else _place(row)


def open_place(connection: sqlite3.Connection) -> Place | None:
    """Return the question to reopen at start."""
    row = connection.execute("SELECT * FROM position WHERE open = 1").fetchone()
    return None if row is None else _place(row)


def _place(row: sqlite3.Row) -> Place:
    return Place(
        row["household_id"],
        row["village_code"],
        row["record_id"],
        row["group_name"],
        row["field"],
    )
