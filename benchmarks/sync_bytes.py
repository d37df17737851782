"""Bytes on the wire for a new record, for one edited field and for a sync with nothing to do.

`python -m benchmarks.sync_bytes [RECORDS]`. The real phone and `chushan serve`; beside them Anki and
PouchDB with the same records and the same edits. Headers are counted.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import anki_peer, pouchdb_peer
from benchmarks.databases import fresh_database
from benchmarks.links import Link, Passed, Relay, link_to
from benchmarks.measure import Section
from benchmarks.service import (
    AT_MS,
    Record,
    WirePhone,
    corpus,
    enrolled_store,
    first_changes,
    hand_in,
    running_server,
)
from shared_schemas.changes import Change

RECORDS = 1_000
BATCH = 100
FIELD = "phone"


def _new_value(number: int) -> str:
    return f"{15_400_000_000 + number}"


def in_batches(households: list[Record], members: list[Record]) -> tuple[Passed, Passed]:
    """Push new members, and then a field of each, in batches of 100, without a phone's database."""
    with (
        fresh_database("SQLite") as url,
        running_server(url) as service,
        link_to(service.port, Link()) as relay,
    ):
        phone = WirePhone(relay.url, service.tokens[0])
        phone.push(first_changes("household", households, 1), 500)
        changes = first_changes("member", members, len(households) + 1)
        relay.taken()
        phone.push(changes, BATCH)
        new = relay.taken()
        # The members were written one after the other behind the households.
        edits = [
            Change(changes[-1].n + 1 + i, "member", m["id"], 1 << 40, AT_MS + 1 + i,
                   {FIELD: _new_value(i)})
            for i, m in enumerate(members)
        ]  # fmt: skip
        phone.push(edits, BATCH)
        return new, relay.taken()


def by_a_phone(households: list[Record], members: list[Record]) -> dict[str, Passed]:
    """Let a real phone sync new members, a field of each, a field of one, and nothing."""
    from mobile.sync.attempt import sync_once

    def synced(relay: Relay, store: Any) -> Passed:
        result = sync_once(store)
        if result.error or result.remaining:
            raise RuntimeError(f"not synced: {result}")
        return relay.taken()

    with (
        tempfile.TemporaryDirectory() as folder,
        fresh_database("SQLite") as url,
        running_server(url) as service,
        link_to(service.port, Link()) as relay,
    ):
        store = enrolled_store(Path(folder) / "phone.db", service, url=relay.url)
        hand_in(store, [("household", record) for record in households])
        synced(relay, store)
        hand_in(store, [("member", record) for record in members])
        taken = {"new": synced(relay, store)}
        _edit(store, members)
        taken["edits"] = synced(relay, store)
        _edit(store, members[:1])
        taken["one"] = synced(relay, store)
        taken["told"] = synced(relay, store)  # how the county counts the last change
        taken["nothing"] = synced(relay, store)
        store.close()
    return taken


def _edit(store: Any, members: list[Record]) -> None:
    from mobile.storage import outbox
    from mobile.storage.database import get

    with store.writing() as connection:
        epoch = get(connection, "epoch")
        for i, member in enumerate(members):
            row = connection.execute(
                "SELECT seq, phone FROM member WHERE id = ?", (member["id"],)
            ).fetchone()
            value = _new_value(i + (row["phone"] == _new_value(i)))
            new = outbox.NewChange(
                "member", member["id"], {FIELD: value}, epoch, row["seq"], AT_MS + i
            )
            outbox.add(connection, member["household_id"], [new])


def measure(records: int = RECORDS) -> Section:
    """Measure all three."""
    households, members = corpus(records)
    documents = [json.dumps(m, ensure_ascii=False, separators=(",", ":")) for m in members]
    edited = [
        json.dumps({**m, FIELD: _new_value(i)}, ensure_ascii=False, separators=(",", ":"))
        for i, m in enumerate(members)
    ]
    new, edits = in_batches(households, members)
    phone = by_a_phone(households, members)
    rows = [
        [f"Chushan, batches of {BATCH}", *_each((new, edits), records), "", "", ""],
        ["Chushan's phone, a whole sync", *_each((phone["new"], phone["edits"]), records),
         *_nothing(phone["nothing"])],
    ]  # fmt: skip
    for name, (fresh, changed, nothing) in (
        ("Anki", anki_peer.bytes_of(documents, edited)),
        ("PouchDB", pouchdb_peer.bytes_of(members, FIELD)),
    ):
        rows.append([name, *_each((fresh, changed), records), *_nothing(nothing)])
    one, told = phone["one"], phone["told"]
    return Section(
        title="Sync: bytes on the wire",
        command="python -m benchmarks.sync_bytes",
        told=(
            f"{records:,} new members, then a new telephone number for each of them, then a sync"
            " with nothing to do; all bytes, headers included. Chushan twice: pushes of"
            f" {BATCH} changes alone, and whole syncs of the real phone (hello, push in growing"
            " batches, pull of what the county made of it). Goals (design/sync.md 5): ≤ 75 bytes up"
            " a record at batches of 100, ≤ 30 an edited field, one request and < 500 bytes for"
            " nothing."
        ),
        head=(
            "", "new record, up", "down", "edited field, up", "down",
            "nothing to do, requests", "up", "down",
        ),
        rows=rows,
        notes=[
            f"One edited field alone, whole sync of the phone: {one.requests} requests,"
            f" {one.up:,} bytes up, {one.down:,} down; and the first sync after it, in which the"
            f" county tells how it counts what it got: {told.requests} request, {told.up:,} up,"
            f" {told.down:,} down."
        ],
    )  # fmt: skip


def _each(passed: tuple[Passed, ...], records: int) -> list[object]:
    return [f"{size / records:.0f}" for one in passed for size in (one.up, one.down)]


def _nothing(passed: Passed) -> list[object]:
    return [passed.requests, passed.up, passed.down]


if __name__ == "__main__":
    print(measure(*(int(argument) for argument in sys.argv[1:])).markdown())
