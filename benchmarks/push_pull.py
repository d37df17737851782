"""Push and pull of 20,000 member records over real HTTP, beside Anki and PouchDB.

`python -m benchmarks.push_pull [RECORDS]`. The server is `chushan serve` as an office runs it; the
phone is `mobile.sync` with its real database. Every byte passes a relay that counts it.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import anki_peer, pouchdb_peer
from benchmarks.databases import KINDS, fresh_database
from benchmarks.links import Link, Passed, Relay, link_to
from benchmarks.measure import Section, median, peak_memory_mb, processor_s, spread
from benchmarks.service import (
    Record,
    Service,
    WirePhone,
    corpus,
    enrolled_store,
    first_changes,
    running_server,
)
from shared_schemas.records import record_kind

RECORDS = 20_000
RUNS = 3


@dataclass(frozen=True, slots=True)
class Result:
    """One run on one database."""

    seconds: float
    wire: Passed
    server_mb: float
    server_s: float


def push_and_pull(
    database_url: str, households: list[Record], members: list[Record], batch: int
) -> tuple[Result, Result]:
    """Push the households untimed and the members timed, then pull all into a new phone."""
    with running_server(database_url) as service, link_to(service.port, Link()) as relay:
        phone = WirePhone(relay.url, service.tokens[0])
        phone.push(first_changes("household", households, 1), 500)
        changes = first_changes("member", members, len(households) + 1)
        relay.taken()
        used = processor_s(service.process.pid)
        start = time.perf_counter()
        phone.push(changes, batch)
        seconds = time.perf_counter() - start
        pushed = _result(seconds, service, relay, used)
        return pushed, _pull(service, relay, len(households) + len(members))


def _result(seconds: float, service: Service, relay: Relay, used_before: float) -> Result:
    pid = service.process.pid
    return Result(seconds, relay.taken(), peak_memory_mb(pid), processor_s(pid) - used_before)


def _pull(service: Service, relay: Relay, expected: int) -> Result:
    from mobile.sync.attempt import sync_once

    with tempfile.TemporaryDirectory() as folder:
        store = enrolled_store(Path(folder) / "phone.db", service, url=relay.url)
        relay.taken()
        used = processor_s(service.process.pid)
        start = time.perf_counter()
        result = sync_once(store, timeout_s=120)
        seconds = time.perf_counter() - start
        store.close()
    if result.error is not None or result.received < expected:
        raise RuntimeError(f"the pull was not whole: {result}")
    return _result(seconds, service, relay, used)


def plain_sqlite(members: Sequence[Record]) -> float:
    """Return the seconds of inserting the same rows with sqlite3 alone, 1,000 a transaction."""
    names = list(record_kind("member").fields)
    rows = [
        [m["id"], *(_plain(m.get(name)) for name in names)]
        for m in members
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(Path(folder) / "plain.db", isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute(f"CREATE TABLE member (id TEXT PRIMARY KEY, {', '.join(names)})")
        insert = f"INSERT INTO member VALUES ({', '.join('?' * (len(names) + 1))})"
        start = time.perf_counter()
        for first in range(0, len(rows), 1000):
            database.execute("BEGIN IMMEDIATE")
            database.executemany(insert, rows[first : first + 1000])
            database.execute("COMMIT")
        seconds = time.perf_counter() - start
        database.close()
    return seconds


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value


def measure(count: int = RECORDS, runs: int = RUNS) -> Section:
    """Run everything, in turns so that a busy minute of the machine hits all alike."""
    households, members = corpus(count)
    documents = [json.dumps(m, ensure_ascii=False, separators=(",", ":")) for m in members]
    plain: list[float] = []
    anki: list[anki_peer.AnkiResult] = []
    pouchdb: list[pouchdb_peer.PouchResult] = []
    pushed: dict[tuple[str, int], list[Result]] = {}
    pulled: dict[str, list[Result]] = {}
    for _ in range(runs):
        plain.append(count / plain_sqlite(members))
        anki.append(anki_peer.run(documents))
        pouchdb.append(pouchdb_peer.run(members))
        for kind in KINDS:
            for batch in (100, 500):
                with fresh_database(kind) as url:
                    up, down = push_and_pull(url, households, members, batch)
                pushed.setdefault((kind, batch), []).append(up)
                pulled.setdefault(kind, []).append(down)
    anki_push = median(count / r.push_s for r in anki)
    anki_pull = median(count / r.pull_s for r in anki)
    everything = count + len(households)
    rows = [
        _line(f"Push, {kind}, batches of {batch}", results, count, anki_push)
        for (kind, batch), results in pushed.items()
    ] + [
        _line(f"Pull into a phone, {kind}", results, everything, anki_pull)
        for kind, results in pulled.items()
    ]
    for name, results in (("Anki", anki), ("PouchDB", pouchdb)):
        memory = f"{median(r.server_mb for r in results):.0f}"
        pushes = [count / r.push_s for r in results]
        pulls = [count / r.pull_s for r in results]
        rows += [
            [f"{name}, push", spread(pushes), f"{median(r.up_bytes for r in results) / count:.0f}",
             "", memory, "", f"{median(pushes) / anki_push:.2f}"],
            [f"{name}, pull", spread(pulls), "",
             f"{median(r.down_bytes for r in results) / count:.0f}", memory, "",
             f"{median(pulls) / anki_pull:.2f}"],
        ]  # fmt: skip
    rows.append(
        ["Plain sqlite3 insert, 1,000 a transaction", spread(plain), "", "", "", "",
         f"{median(plain) / anki_push:.2f}"]
    )  # fmt: skip
    return Section(
        title="Sync: push and pull",
        command="python -m benchmarks.push_pull",
        told=(
            f"{count:,} invented members ({len(households):,} households) are pushed to `chushan"
            " serve` over HTTP in the packed form, each change authenticated, checked, merged,"
            " logged with its outcome and its household rechecked by all rules, durable before the"
            " answer; and pulled into the database of a new phone, with households and reviews, as"
            " the app does it. Beside it, with the same documents as JSON, Anki's sync server and"
            " client, and PouchDB replicating in its default batches of 100 to express-pouchdb,"
            " both on leveldb: these check and recheck nothing. And a bare insert of the same rows."
            " Bytes are those on the wire, headers included; memory is the sum of the peaks of all"
            " server processes, pages that they share counted in each; CPU is that of the server's"
            " processes, without PostgreSQL's own. Records a second are medians (lowest–highest)"
            f" of {len(plain)} runs. Goals (design/sync.md 5): push ≥ Anki's, pull ≥ Anki's, ≤ 75"
            " bytes a record up at batches of 100, server memory ≤ 90 MB."
        ),
        head=(
            "", "records/s", "bytes/record up", "bytes/record down",
            "server peak MB", "server CPU ms/record", "× Anki",
        ),
        rows=rows,
    )  # fmt: skip


def _line(name: str, results: Sequence[Result], count: int, anki_rate: float) -> list[object]:
    rates = [count / r.seconds for r in results]
    return [
        name,
        spread(rates),
        f"{median(r.wire.up for r in results) / count:.0f}",
        f"{median(r.wire.down for r in results) / count:.0f}",
        f"{median(r.server_mb for r in results):.0f}",
        f"{median(r.server_s for r in results) / count * 1000:.2f}",
        f"{median(rates) / anki_rate:.2f}",
    ]


if __name__ == "__main__":
    print(measure(*(int(argument) for argument in sys.argv[1:])).markdown())
