"""Keeps the index of who is registered in a county, and gives it to the county's phones.

It follows the county's feed: whoever asks first brings it up to date, a little at a time, so that
nothing of it is done inside a push. The slow hashing happens outside of transactions.
"""

from __future__ import annotations

import secrets
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine

from server.storage import phone_index as storage
from server.storage.divisions import places_within
from server.storage.engine import reading, write_once
from server.storage.feed import present_seq
from server.storage.meta import epoch_of
from server.storage.phone_index import Index
from shared_schemas.phone_index import (
    KEY_BYTES,
    SUM_MODULUS,
    Change,
    Entry,
    entry_sum,
    fingerprint,
    keys_of,
    pack_changes,
    pack_page,
)

BATCH = 200
MOST_CHANGES = 20_000
MOST_TOWNSHIPS = 255
CHANGES_KEPT_MS = 90 * 86_400_000


def follow(engine: Engine, county: str, *, now_ms: int, for_s: float) -> bool:
    """Bring a county's index up to date, for about so many seconds; True when it is.

    May run twice at once: what one has done the other sees as done.
    """
    until = time.monotonic() + for_s
    write_once(engine, lambda conn: _begin(conn, county))
    while True:
        with reading(engine) as conn:
            index, *older = storage.indexes(conn, county)
            seq = present_seq(conn, county)
        behind = [each for each in (index, *older) if not each.complete or each.upto_seq < seq]
        if not behind:
            if older:
                write_once(engine, partial(_drop_before, index))
            return True
        if time.monotonic() > until:
            return False
        for each in behind:
            _follow_some(engine, each, seq, now_ms)


def _drop_before(index: Index, conn: Connection) -> None:
    storage.drop_before(conn, index.county, index.generation)


def _begin(conn: Connection, county: str) -> None:
    if not storage.indexes(conn, county):
        storage.add_index(conn, county, 1, secrets.token_hex(KEY_BYTES))


def rotate(conn: Connection, county: str) -> int:
    """Begin a generation with another key, as after the loss of a phone; return its number.

    Phones keep the old one until the new one holds everybody, and then fetch it whole.
    """
    known = storage.indexes(conn, county)
    generation = known[0].generation + 1 if known else 1
    storage.add_index(conn, county, generation, secrets.token_hex(KEY_BYTES))
    return generation


def _follow_some(engine: Engine, index: Index, seq: int, now_ms: int) -> None:
    with reading(engine) as conn:
        rows = storage.members_after(conn, index.county, index.upto_seq, BATCH)
        present = storage.entries_of(conn, index, [row.id for row in rows])
    townships = list(index.townships)
    key = bytes.fromhex(index.key)
    wanted: dict[tuple[str, str], Entry] = {}
    for row in rows:
        place = _number_of((row.village_code or "")[:9], townships)
        if not row.deleted and place:
            for kind, text in keys_of(dict(row._mapping)).items():
                wanted[row.id, kind] = (fingerprint(key, text), place)
    gone = {at: entry for at, entry in present.items() if wanted.get(at) != entry}
    new = {at: entry for at, entry in wanted.items() if present.get(at) != entry}
    changes: list[Change] = [(*entry, False) for entry in gone.values()]
    changes += [(*entry, True) for entry in new.values()]
    total = sum(map(entry_sum, new.values())) - sum(map(entry_sum, gone.values()))
    is_whole = len(rows) < BATCH
    moved = replace(
        index,
        upto_seq=seq if is_whole else rows[-1].seq,
        number=index.number + len(changes) if index.complete else 0,
        entries=index.entries + len(new) - len(gone),
        total=(index.total + total) % SUM_MODULUS,
        townships=tuple(townships),
        complete=index.complete or is_whole,
    )

    def write(conn: Connection) -> None:
        if storage.move_on(conn, index, moved):
            storage.write_entries(conn, index, gone=gone, new=new)
            if index.complete:  # before, no phone has anything that could change
                storage.add_changes(conn, index, changes, after=index.number, at_ms=now_ms)
                storage.forget_changes_before(conn, index.county, now_ms - CHANGES_KEPT_MS)

    write_once(engine, write)


def _number_of(township: str, townships: list[str]) -> int:
    """Return a township's number, 0 for none and for one too many."""
    if len(township) != 9:
        return 0
    if township not in townships:
        if len(townships) == MOST_TOWNSHIPS:
            return 0
        townships.append(township)
    return townships.index(township) + 1


def tell_index(
    conn: Connection, county: str, *, generation: str | None, after: int | None
) -> dict[str, Any]:
    """Return the answer as `messages.IndexAnswer` describes it."""
    index = _shown(conn, county)
    if index is None:
        return {"ready": False}
    answer: dict[str, Any] = {
        "ready": True,
        "generation": _name(conn, index),
        "key": index.key,
        "number": index.number,
        "entries": index.entries,
        "total": index.total,
        "townships": _named(conn, index),
        "changes": None,
        "more": False,
    }
    if generation != answer["generation"] or after is None or after > index.number:
        return answer
    rows = storage.changes_after(conn, index, after, MOST_CHANGES)
    if after < index.number and (not rows or rows[0].number != after + 1):
        return answer  # the changes in between are kept no more
    answer["changes"] = _text(pack_changes((r.fingerprint, r.township, r.added) for r in rows))
    answer["more"] = after + len(rows) < index.number
    return answer


def tell_pages(
    conn: Connection, county: str, *, generation: str, first: int, count: int
) -> dict[str, Any]:
    """Return the answer as `messages.IndexPages` describes it; of another generation, no page."""
    index = _shown(conn, county)
    if index is None or _name(conn, index) != generation:
        return {"pages": []}
    return {
        "pages": [
            {"page": page, "number": index.number,
             "data": _text(pack_page(_of_page(conn, index, page)))}
            for page in range(first, min(first + count, 256))
        ]
    }  # fmt: skip


def _of_page(conn: Connection, index: Index, page: int) -> Sequence[Entry]:
    return storage.entries_between(conn, index, page << 24, (page << 24) + 0xFFFFFF)


def _shown(conn: Connection, county: str) -> Index | None:
    return next((each for each in storage.indexes(conn, county) if each.complete), None)


def _name(conn: Connection, index: Index) -> str:
    # A database that was restored numbers its changes anew, so its index is another one.
    return f"{epoch_of(conn)}.{index.generation}"


def _named(conn: Connection, index: Index) -> list[dict[str, str]]:
    names = {place.code[:9]: place.name for place in places_within(conn, index.county)
             if place.level == 4}  # fmt: skip
    return [{"code": code, "name": names.get(code, code)} for code in index.townships]


def _text(data: bytes) -> str:
    return b64encode(data).decode()
