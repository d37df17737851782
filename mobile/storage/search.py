"""Finding a person among fifty thousand while he is being typed: an index in the phone's own database.

Each member has a row in `searched` and a few keys in `search_key`: what a query may begin with. A
query is a range of keys, so it reads what it shows and no more. Triggers note in `search_waiting`
whose name or number changed: no way of storing a member, today's or tomorrow's, can pass it by.
His keys lie scattered over the whole index, a page to write and to encrypt for nearly each. So who
changed waits, and is compared as he stands, until there are many or a sync ends (`index_waiting`).
Drafts are few and change with every touch; they are compared as they stand too.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from mobile.storage import pinyin
from shared_schemas.names import normal_name

VERSION = 1
"""Of how keys are made; another one has the index built anew."""

MOST_WAITING = 200
"""Members who are compared one by one; with one more, all of them are taken into the index."""

MOST = 40
"""People shown for one query: who is not among them types one more letter."""

NAME, INITIALS, PINYIN, ID_NO, PHONE = "name", "initials", "pinyin", "id_no", "phone"

# The first letter of a key says what it is. A capital one begins with the name's first character.
_WHOLE = {NAME: "C", INITIALS: "I", PINYIN: "P"}
_INNER = {NAME: "c", INITIALS: "i", PINYIN: "p"}
_NUMBER = {ID_NO: "n", PHONE: "t"}
_MOST_READINGS = 6
_LAST = "\U0010ffff"

FIELDS = ("name", "id_no", "phone", "deleted")
"""Fields of a member on which his keys hang."""


@dataclass(frozen=True, slots=True)
class Found:
    """A person who fits a query, and why: `why` is NAME, INITIALS, PINYIN, ID_NO or PHONE."""

    member_id: str
    household_id: str
    name: str
    why: str
    said: str
    """What of him fits: how he is read, or the end of his number."""
    village_code: str
    village: str
    address: str
    head_name: str


def keys_of(values: Mapping[str, Any]) -> set[str]:
    """Return the keys of a member; none for one who was taken out."""
    if values.get("deleted"):
        return set()
    keys = set()
    name = normal_name(str(values.get("name") or ""))
    read = pinyin.readings(name)
    for start in range(len(name)):
        tag = _INNER if start else _WHOLE
        keys.add(tag[NAME] + name[start:])
        for syllables in islice(product(*read[start:]), _MOST_READINGS):
            keys.add(tag[PINYIN] + "".join(syllables))
            keys.add(tag[INITIALS] + "".join(syllable[0] for syllable in syllables))
    for field, letter in _NUMBER.items():
        if values.get(field):
            keys.add(letter + str(values[field])[::-1])
    return keys


def plain_query(typed: str) -> str:
    """Return typed words as keys are written: without spaces, dots, tones' apostrophes and capitals."""
    return normal_name(typed)


def ranges_of(query: str) -> list[tuple[str, str]]:
    """Return (why, beginning of the key) for a plain query, the likeliest first."""
    if not query:
        return []
    digits = query.upper()
    if digits.rstrip("X").isdigit() and len(digits) > 1:
        return [(field, letter + digits[::-1]) for field, letter in _NUMBER.items()]
    if not query.isascii():
        return [(NAME, tag[NAME] + query) for tag in (_WHOLE, _INNER)]
    return [(why, tag[why] + query) for tag in (_WHOLE, _INNER) for why in (PINYIN, INITIALS)]


def find_people(connection: sqlite3.Connection, typed: str, *, most: int = MOST) -> list[Found]:
    """Return people by name, pinyin, initials, the end of the ID number or of the phone number.

    Whoever's name begins so stands first. `weixl` finds 韦秀兰 too: some characters in full, of
    others the first letter.
    """
    query = plain_query(typed)
    drafted = _drafted(connection)
    unindexed = _waiting(connection) | drafted
    keys = {member_id: keys_of(values) for member_id, values in unindexed.items()}
    hits: dict[str, str] = {}
    for why, beginning in ranges_of(query):
        if len(hits) >= most:
            break
        for member_id in _between(connection, beginning, most):
            if member_id not in unindexed:
                hits.setdefault(member_id, why)
        for member_id, of_member in keys.items():
            if any(key.startswith(beginning) for key in of_member):
                hits.setdefault(member_id, why)
    if len(hits) < most and query.isascii() and query.isalpha():
        for member_id in _mixed(connection, query, unindexed, most):
            hits.setdefault(member_id, PINYIN)
    rows = (_found(connection, key, why, query, drafted) for key, why in hits.items())
    return list(islice((row for row in rows if row is not None), most))


def _between(connection: sqlite3.Connection, beginning: str, most: int) -> list[str]:
    # One person may have several keys in a range: a few more are read than are shown.
    rows = connection.execute(
        "SELECT s.member_id FROM"
        " (SELECT n FROM search_key WHERE key >= ? AND key < ? ORDER BY key LIMIT ?) k"
        " JOIN searched s ON s.n = k.n",
        (beginning, beginning + _LAST, 2 * most),
    )
    return [row[0] for row in rows]


def _mixed(
    connection: sqlite3.Connection, query: str, unindexed: Mapping[str, Any], most: int
) -> Iterator[str]:
    """Yield whose characters can be read one after the other so that the query says each or its start.

    Each way to break the query into syllables and letters gives initials to look up.
    """
    names: dict[str, str] = {}
    for initials in sorted(_initials_of(query)):
        rows = connection.execute(
            "SELECT s.member_id, m.name FROM"
            " (SELECT n FROM search_key WHERE key >= ? AND key < ? LIMIT ?) k"
            " JOIN searched s ON s.n = k.n JOIN member m ON m.id = s.member_id",
            (f"I{initials}", f"I{initials}{_LAST}", 10 * most),
        )
        names |= {row[0]: row[1] or "" for row in rows}
    names |= {key: str(values.get("name") or "") for key, values in unindexed.items()}
    for member_id, name in names.items():
        if _says(query, pinyin.readings(name)):
            yield member_id


def _initials_of(query: str) -> set[str]:
    """Return the initials that a query like weixl may stand for, where it has a full syllable and more."""
    found: set[str] = set()
    beginnings = pinyin.beginnings()

    def walk(at: int, initials: str, letters: int) -> None:
        if at == len(query):
            if letters > len(initials) > 1:
                found.add(initials)
            return
        if len(initials) == 5:
            return
        for end in range(at + 1, min(len(query), at + 6) + 1):
            if query[at:end] in beginnings:
                walk(end, initials + query[at], letters + end - at)

    if 3 <= len(query) <= 18:
        walk(0, "", 0)
    # Short initials hold the long ones' people too: whose initials begin with them.
    return {i for i in found if not any(o != i and i.startswith(o) for o in found)}


def _says(query: str, read: list[tuple[str, ...]]) -> bool:
    """Tell whether a query says the first characters one by one, each in full or by its start."""
    if not query:
        return True
    if not read:
        return False
    return any(
        query.startswith(syllable[:length]) and _says(query[length:], read[1:])
        for syllable in read[0]
        for length in range(len(syllable), 0, -1)
    )


def _waiting(connection: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """Return the members who changed since the index was written, as they are stored."""
    rows = connection.execute(
        "SELECT w.member_id, m.name, m.id_no, m.phone, m.deleted, m.household_id"
        " FROM search_waiting w LEFT JOIN member m ON m.id = w.member_id"
    )
    return {row["member_id"]: dict(row) for row in rows}


def _drafted(connection: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """Return the members that open visits touched, as they stand there."""
    values: dict[str, dict[str, Any]] = {}
    for row in connection.execute(
        "SELECT record_id, household_id, field, value FROM draft WHERE kind = 'member'"
    ):
        of_member = values.setdefault(row["record_id"], {})
        of_member["household_id"] = row["household_id"]
        if row["field"] in FIELDS:
            of_member[row["field"]] = json.loads(row["value"])
    for member_id, drafted in values.items():
        values[member_id] = {**_stored(connection, member_id), **drafted}
    return values


def _stored(connection: sqlite3.Connection, member_id: str) -> dict[str, Any]:
    row = connection.execute(
        "SELECT name, id_no, phone, deleted, household_id FROM member WHERE id = ?", (member_id,)
    ).fetchone()
    return dict(row) if row else {}


def _found(
    connection: sqlite3.Connection,
    member_id: str,
    why: str,
    query: str,
    drafted: Mapping[str, Mapping[str, Any]],
) -> Found | None:
    values = drafted.get(member_id) or _stored(connection, member_id)
    home = values.get("household_id") or member_id[:13]
    row = connection.execute(
        "SELECT h.deleted, h.village_code, h.group_no, h.address, d.name AS village,"
        " (SELECT name FROM member WHERE id = h.head_member_id) AS head"
        " FROM household h LEFT JOIN division d ON d.code = h.village_code WHERE h.id = ?",
        (home,),
    ).fetchone()
    place = dict(row) if row else _drafted_home(connection, home)
    if values.get("deleted") or place.get("deleted"):
        return None
    name = str(values.get("name") or "")
    return Found(
        member_id=member_id,
        household_id=home,
        name=name,
        why=why,
        said=_said(values, why, query),
        village_code=place.get("village_code") or "",
        village=place.get("village") or place.get("village_code") or "",
        address=" ".join(filter(None, (place.get("group_no"), place.get("address")))),
        head_name=place.get("head") or "",
    )


def _drafted_home(connection: sqlite3.Connection, household_id: str) -> dict[str, Any]:
    values = {
        row["field"]: json.loads(row["value"])
        for row in connection.execute(
            "SELECT field, value FROM draft WHERE record_id = ?", (household_id,)
        )
    }
    village = connection.execute(
        "SELECT name FROM division WHERE code = ?", (values.get("village_code"),)
    ).fetchone()
    return {**values, "village": village["name"] if village else None}


def _said(values: Mapping[str, Any], why: str, query: str) -> str:
    if why in _NUMBER:
        return str(values.get(why) or "")[-max(4, len(query)) :]
    read = pinyin.readings(str(values.get("name") or ""))
    return " ".join(_best(read, query)) if why != NAME else ""


def _best(read: list[tuple[str, ...]], query: str) -> list[str]:
    """Return how a name is read where the query said it so, else as it is likeliest read."""
    for start in range(len(read)):
        for syllables in islice(product(*read[start:]), _MOST_READINGS):
            if _says(query, [(syllable,) for syllable in syllables]):
                return [*(of[0] for of in read[:start]), *syllables]
    return [of[0] for of in read]


# Keeping the index


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables and triggers; index everybody where the index is new or of another version."""
    from mobile.storage.database import get, put

    for statement in _TABLES:
        connection.execute(statement)
    if get(connection, "search_version") == VERSION:
        return
    connection.execute("DELETE FROM search_key")
    connection.execute("DELETE FROM searched")
    connection.execute("DELETE FROM search_waiting")
    connection.execute("INSERT INTO search_waiting (member_id) SELECT id FROM member")
    index_waiting(connection)
    put(connection, "search_version", VERSION)


def follow(connection: sqlite3.Connection) -> None:
    """Take those who wait into the index where they have become too many to compare one by one."""
    if connection.execute("SELECT count(*) FROM search_waiting").fetchone()[0] > MOST_WAITING:
        index_waiting(connection)


def index_waiting(connection: sqlite3.Connection) -> None:
    """Write the keys of those anew who changed since theirs were written."""
    waiting = connection.execute("SELECT * FROM search_waiting").fetchall()
    for row in waiting:
        _reindex(connection, row["member_id"], keys_of(dict(row)))
    if waiting:
        connection.execute("DELETE FROM search_waiting")


def _reindex(connection: sqlite3.Connection, member_id: str, before: Iterable[str]) -> None:
    after = keys_of(_stored(connection, member_id))
    before = set(before)
    row = connection.execute("SELECT n FROM searched WHERE member_id = ?", (member_id,)).fetchone()
    if row is None and after:
        connection.execute("INSERT INTO searched (member_id) VALUES (?)", (member_id,))
        number = connection.execute("SELECT last_insert_rowid()").fetchone()[0]
    elif row is None:
        return
    else:
        number = row["n"]
    connection.executemany(
        "DELETE FROM search_key WHERE key = ? AND n = ?",
        [(key, number) for key in before - after],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO search_key (key, n) VALUES (?, ?)",
        [(key, number) for key in after - before],
    )
    if not after:
        connection.execute("DELETE FROM searched WHERE n = ?", (number,))


_CHANGED = " OR ".join(f"old.{name} IS NOT new.{name}" for name in FIELDS)
_OLD = ", ".join(f"old.{name}" for name in FIELDS)
# The first change since his keys were written says how the member was. Not OR IGNORE: where the
# statement that fired the trigger is an upsert, its own way with conflicts takes the place of the
# trigger's.
_FIRST = "WHERE NOT EXISTS (SELECT 1 FROM search_waiting WHERE member_id ="
_NOTE_OLD = f"INSERT INTO search_waiting SELECT old.id, {_OLD} {_FIRST} old.id); END"
_NOTE_NEW = f"INSERT INTO search_waiting (member_id) SELECT new.id {_FIRST} new.id); END"
_TABLES = (
    # Of an older app, which let nobody wait longer than a transaction.
    *(f"DROP TRIGGER IF EXISTS search_{deed}" for deed in ("insert", "update", "delete")),
    "DROP TABLE IF EXISTS search_stale",
    "CREATE TABLE IF NOT EXISTS searched (n INTEGER PRIMARY KEY, member_id TEXT UNIQUE)",
    "CREATE TABLE IF NOT EXISTS search_key (key TEXT, n INTEGER, PRIMARY KEY (key, n))"
    " WITHOUT ROWID",
    # As a member was when his keys were written, by which they are found; empty for a new one.
    f"CREATE TABLE IF NOT EXISTS search_waiting (member_id TEXT PRIMARY KEY, {', '.join(FIELDS)})"
    " WITHOUT ROWID",
    f"CREATE TRIGGER IF NOT EXISTS search_born AFTER INSERT ON member BEGIN {_NOTE_NEW}",
    f"CREATE TRIGGER IF NOT EXISTS search_changed AFTER UPDATE OF {', '.join(FIELDS)} ON member"
    f" WHEN {_CHANGED} BEGIN {_NOTE_OLD}",
    f"CREATE TRIGGER IF NOT EXISTS search_gone AFTER DELETE ON member BEGIN {_NOTE_OLD}",
)
