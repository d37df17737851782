"""Fills the division table: the nation from GB/T 2260, a county's villages from its own file."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from server.storage.divisions import store_divisions
from server.storage.meta import meta_value, set_meta_value
from shared_schemas.codes.divisions import Division, level_of, national_divisions, pad12

NATION = "nation"
"""Fact of `meta`: which edition of the nation's table was stored."""

REQUIRED = ("code", "name")
OPTIONAL = ("valid_from", "valid_to", "successor", "urban_rural")


def store_nation(conn: Connection) -> int:
    """Store provinces to counties where this edition is not stored yet; return how many."""
    nation = national_divisions()
    edition = hashlib.blake2b(repr(nation).encode(), digest_size=8).hexdigest()
    if meta_value(conn, NATION) == edition:
        return 0
    set_meta_value(conn, NATION, edition)
    return store_places(conn, nation)


def store_places(conn: Connection, places: Iterable[Division]) -> int:
    """Store divisions; return how many."""
    return store_divisions(
        conn,
        [
            {
                "code": place.code12,
                "name": place.name,
                "level": place.level,
                "parent": place.parent or None,
                "valid_from": place.valid_from or None,
                "valid_to": place.valid_to or None,
                "successor": place.successor or None,
                "urban_rural": place.urban_rural or None,
            }
            for place in places
        ],
    )


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of a division file that cannot be used, and why."""

    line: int
    reason: str


def read_places(data: bytes) -> tuple[list[Division], list[BadLine]]:
    """Return the divisions of a CSV file and its bad lines; UTF-8 or GB18030.

    Headings: code (9 or 12 digits), name, and where known valid_from, valid_to, successor,
    urban_rural. ValueError where code or name is missing from the headings.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030")
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"no column {', '.join(missing)}")
    good, bad = [], []
    for row in reader:
        place = _place({name: (row.get(name) or "").strip() for name in REQUIRED + OPTIONAL})
        if isinstance(place, str):
            bad.append(BadLine(reader.line_num, place))
        else:
            good.append(place)
    return good, bad


_WIDTHS = {1: 2, 2: 4, 3: 6, 4: 9, 5: 12}


def _place(row: dict[str, str]) -> Division | str:
    code = row["code"]
    if not (code.isascii() and code.isdigit()) or len(code) not in (6, 9, 12) or code[0] == "0":
        return "code is not 6, 9 or 12 digits"
    if not row["name"]:
        return "no name"
    level = level_of(code)
    above = pad12(code)[: _WIDTHS[level - 1]] if level > 1 else ""
    return Division(
        code12=pad12(code),
        name=row["name"],
        level=level,
        parent=pad12(above) if above else "",
        **{name: row[name] for name in OPTIONAL},
    )
