"""The phone's index of who is registered in its county: kept page by page, asked at the door.

It stands in the phone's database, key and all, and is as safe as that is: docs/phone-index.md.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mobile.storage.database import get, put
from shared_schemas.phone_index import (
    PAGES,
    SUM_MODULUS,
    Change,
    changed,
    entry_sum,
    fingerprint,
    keys_of,
    pack_page,
    page_of,
    unpack_page,
)

KEPT = "county_index"
"""Under this key of `meta`: generation, key, number, townships, and when it was last asked for."""


def state(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return what is known of the index, empty before the first answer."""
    return dict(get(connection, KEPT) or {})


def keep_state(connection: sqlite3.Connection, **known: Any) -> None:
    """Note more about the index."""
    put(connection, KEPT, {**state(connection), **known})


def forget(connection: sqlite3.Connection) -> None:
    """Let go of the index and its key."""
    connection.execute("DELETE FROM county_index")
    put(connection, KEPT, None)


def begin(connection: sqlite3.Connection, answer: Mapping[str, Any]) -> None:
    """Begin another generation: nothing of the one before is of use under its key."""
    forget(connection)
    keep_state(
        connection, generation=answer["generation"], key=answer["key"],
        townships=answer["townships"],
    )  # fmt: skip


def missing_page(connection: sqlite3.Connection) -> int | None:
    """Return the first page that has not come yet, None when all have."""
    have = {row["page"] for row in connection.execute("SELECT page FROM county_index")}
    return next((page for page in range(PAGES) if page not in have), None)


def oldest_number(connection: sqlite3.Connection) -> int:
    """Return the change up to which all pages have come."""
    row = connection.execute("SELECT min(number) AS number FROM county_index").fetchone()
    return int(row["number"] or 0)


def keep_page(connection: sqlite3.Connection, page: int, number: int, data: bytes) -> None:
    """Keep a page as it came; ValueError when it is damaged."""
    unpack_page(page, data)
    connection.execute(
        "INSERT OR REPLACE INTO county_index (page, number, data) VALUES (?, ?, ?)",
        (page, number, data),
    )


def keep_changes(connection: sqlite3.Connection, changes: Sequence[Change], *, after: int) -> None:
    """Write changes, numbered from `after` + 1, into the pages that do not have them yet."""
    by_page: dict[int, list[tuple[int, Change]]] = {}
    for number, change in enumerate(changes, start=after + 1):
        by_page.setdefault(page_of(change[0]), []).append((number, change))
    for page, numbered in by_page.items():
        row = connection.execute(
            "SELECT number, data FROM county_index WHERE page = ?", (page,)
        ).fetchone()
        new = [change for number, change in numbered if number > row["number"]]
        if new:
            data = pack_page(changed(unpack_page(page, row["data"]), new))
            connection.execute("UPDATE county_index SET data = ? WHERE page = ?", (data, page))
    connection.execute("UPDATE county_index SET number = max(number, ?)", (after + len(changes),))


def is_equal(connection: sqlite3.Connection, entries: int, total: int) -> bool:
    """Tell whether the index holds as many entries as the county's, and the same."""
    count = added = 0
    for row in connection.execute("SELECT page, data FROM county_index"):
        page = unpack_page(row["page"], row["data"])
        count += len(page)
        added += sum(map(entry_sum, page))
    return (count, added % SUM_MODULUS) == (entries, total)


def own_townships(
    connection: sqlite3.Connection, kind: str, text: str, values: Mapping[str, Any]
) -> list[str]:
    """Return the townships of the phone's own registrations that the county has under a text."""
    rows = connection.execute(
        "SELECT member.id_no, member.name, member.birth_date, household.village_code"
        " FROM member JOIN household ON household.id = member.household_id"
        " WHERE member.seq > 0 AND member.deleted IS NOT 1"
        " AND (member.id_no = ? OR member.birth_date = ?)",
        (values.get("id_no"), values.get("birth_date")),
    )
    return [
        str(row["village_code"] or "")[:9] for row in rows if keys_of(dict(row)).get(kind) == text
    ]


def townships_of(
    connection: sqlite3.Connection,
    text: str,
    *,
    own: Callable[[], Sequence[str]] = lambda: (),
) -> list[str]:
    """Return the names of the townships in which somebody stands under a text (`keys_of`).

    `own` gives the townships of registrations of this phone's that the county has under the same
    text: they are what the entries may stand for. It is asked only where there is an entry.
    """
    known = state(connection)
    if not known.get("is_whole"):
        return []
    mark = fingerprint(bytes.fromhex(known["key"]), text)
    row = connection.execute(
        "SELECT data FROM county_index WHERE page = ?", (page_of(mark),)
    ).fetchone()
    found = [
        known["townships"][township - 1]
        for other, township in unpack_page(page_of(mark), row["data"])
        if other == mark and township <= len(known["townships"])
    ]
    left = list(own()) if found else []
    names = []
    for place in found:
        if place["code"] in left:
            left.remove(place["code"])
        elif place["name"] not in names:
            names.append(place["name"])
    return names
