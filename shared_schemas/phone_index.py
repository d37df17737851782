"""The phone's index of who is registered in its county: what is in it and how it is written.

It answers one question without a network: is a person with this ID number, or this name and birth
date, registered already, and in which township? It holds no name and no number: an entry is 32 bits
of a keyed, deliberately slow hash, and a township. docs/phone-index.md says what it cannot hide.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from shared_schemas import resident_id
from shared_schemas.match_features import birth_parts, id_number
from shared_schemas.names import normal_name

ID_NO, NAME_BIRTH = "id", "name"
"""What a registration is looked up by."""

PAGES = 256
"""The index is kept and fetched in pages, by the first byte of the fingerprint."""

KEY_BYTES = 16
SUM_MODULUS = 1 << 52
"""Sums stay below what every JSON reader holds exactly."""

_MEMORY_BLOCKS = 1024
"""Of 1 KiB: a guess costs 1 MiB and about 2 ms of a desktop core, a look-up 10 to 20 ms of a phone's."""

Entry = tuple[int, int]
"""A fingerprint of 32 bits, and the number of a township in the index's list, from 1."""

Change = tuple[int, int, bool]
"""A fingerprint, a township, and whether the entry was added; else it was taken out."""


def keys_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts by which a member's values are looked up; without an ID number or birth, fewer.

    An ID number that breaks its checksum names nobody, so it is left out.
    """
    found = {}
    number = id_number(values.get("id_no"))
    if number and resident_id.slip(number) is None:
        found[ID_NO] = f"{ID_NO}:{number}"
    name = normal_name(str(values.get("name") or ""))
    day, _, _ = birth_parts(values.get("birth_date"))
    if len(name) > 1 and day is not None:
        found[NAME_BIRTH] = f"{NAME_BIRTH}:{name}:{day}"
    return found


def fingerprint(key: bytes, text: str) -> int:
    """Return the 32 bits that stand for a text under a county's key; slow on purpose."""
    digest = hashlib.scrypt(text.encode(), salt=key, n=_MEMORY_BLOCKS, r=8, p=1, dklen=4)
    return int.from_bytes(digest)


def page_of(fingerprint_: int) -> int:
    """Return the page that a fingerprint stands on."""
    return fingerprint_ >> 24


def pack_page(entries: Iterable[Entry]) -> bytes:
    """Return a page: its entries in order, byte by byte in columns, deflated."""
    rows = sorted(entries)
    columns = [bytes(mark >> shift & 255 for mark, _ in rows) for shift in (16, 8, 0)]
    return zlib.compress(b"".join(columns) + bytes(township for _, township in rows), 9)


def unpack_page(page: int, data: bytes) -> list[Entry]:
    """Return the entries of a page; ValueError when it is damaged."""
    try:
        raw = zlib.decompress(data)
    except zlib.error as error:
        raise ValueError("a damaged page") from error
    count, rest = divmod(len(raw), 4)
    if rest:
        raise ValueError("a damaged page")
    high, middle, low, townships = (raw[count * i : count * (i + 1)] for i in range(4))
    return [
        (page << 24 | a << 16 | b << 8 | c, township)
        for a, b, c, township in zip(high, middle, low, townships, strict=True)
    ]


def changed(entries: Iterable[Entry], changes: Iterable[Change]) -> list[Entry]:
    """Return the entries after changes. Two registrations may share an entry: it then stands twice."""
    rows = list(entries)
    for mark, township, is_added in changes:
        if is_added:
            rows.append((mark, township))
        elif (mark, township) in rows:
            rows.remove((mark, township))
    return rows


def pack_changes(changes: Iterable[Change]) -> bytes:
    """Return changes as 6 bytes each: the fingerprint, the township, 1 for added and 0 for taken out."""
    return b"".join(
        mark.to_bytes(4) + bytes((township, is_added)) for mark, township, is_added in changes
    )


def unpack_changes(data: bytes) -> list[Change]:
    """Return changes from their bytes; ValueError when some are missing."""
    if len(data) % 6:
        raise ValueError("damaged changes")
    return [
        (int.from_bytes(data[i : i + 4]), data[i + 4], bool(data[i + 5]))
        for i in range(0, len(data), 6)
    ]


def entry_sum(entry: Entry) -> int:
    """Return what an entry adds to the index's sum, by which two sides compare theirs."""
    mark, township = entry
    return (mark * 256 + township) * 1_000_003 % SUM_MODULUS
