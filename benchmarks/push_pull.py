"""Push and pull of 20,000 member records over real HTTP, beside Anki's sync server.

`python -m benchmarks.push_pull [RECORDS]`. The server is `chushan serve` as an office runs it; the
phone is `mobile.sync` with its real database. Every byte passes a relay that counts it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from benchmarks import anki_peer
from benchmarks.databases import KINDS, fresh_database
from benchmarks.measure import (
    LOOPBACK,
    Counted,
    Relay,
    Section,
    free_port,
    median,
    peak_memory_mb,
    relay_to,
    spread,
    wait_for_port,
)
from server.demo.people import invent_households
from server.services.divisions import store_places
from server.services.enrol import hash_token, make_enrolment
from server.services.upgrade import upgrade_database
from server.storage.accounts import User, add_user
from server.storage.devices import Device, add_device
from server.storage.engine import open_engine, writing
from shared_schemas import SCHEMA_VERSION, ids, wire
from shared_schemas.changes import Change
from shared_schemas.codes import divisions
from shared_schemas.protocol import PACKED, PROTOCOL
from shared_schemas.records import record_kind

RECORDS = 20_000
COUNTY = "522326"
RUNS = 3
CADRE = "bench00000000"
AT_MS = 1_795_000_000_000

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """One run on one database."""

    seconds: float
    wire: Counted
    server_mb: float


def corpus(count: int) -> tuple[list[Record], list[Record]]:
    """Return the households and `count` members, adults and children as they live."""
    villages = [place.code12 for place in divisions.divisions_within(COUNTY, divisions.VILLAGE)]
    households: list[Record] = []
    members: list[Record] = []
    for whole in invent_households(1, count, villages):
        households.append(whole.household)
        members += whole.members
        if len(members) >= count:
            break
    return households, members[:count]


def first_changes(kind: str, records: Sequence[Record], first_n: int) -> list[Change]:
    """Return the changes that register new records."""
    return [
        Change(first_n + i, kind, r["id"], 0, AT_MS, {k: v for k, v in r.items() if k != "id"})
        for i, r in enumerate(records)
    ]


@dataclass(frozen=True, slots=True)
class Service:
    """A running server with one enrolled phone."""

    relay: Relay
    process: subprocess.Popen[bytes]
    token: str

    @property
    def url(self) -> str:
        """Address through the relay."""
        return f"http://{LOOPBACK}:{self.relay.port}"


@contextlib.contextmanager
def running_server(database_url: str) -> Iterator[Service]:
    """Start `chushan serve` on an empty database with the county's villages and one phone."""
    token = secrets.token_urlsafe(32)
    _prepare(database_url, token)
    port = free_port()
    with tempfile.TemporaryDirectory() as data_dir:
        environ = os.environ | {
            "CHUSHAN_DATABASE_URL": database_url,
            "CHUSHAN_DATA_DIR": data_dir,
            "CHUSHAN_LOG_LEVEL": "WARNING",
            # One phone works here as fast as a thousand would.
            "CHUSHAN_REQUESTS_PER_MINUTE": "1000000",
        }
        command = [Path(sys.executable).parent / "chushan", "serve", "--port", str(port)]
        process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
        try:
            wait_for_port(port, process)
            with relay_to(port) as relay:
                yield Service(relay, process, token)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _prepare(database_url: str, token: str) -> None:
    engine = open_engine(database_url)
    upgrade_database(engine)
    with writing(engine) as conn:
        store_places(conn, divisions.demo_divisions())
        cadre = User(CADRE, "bench", "测试干部", "cadre", COUNTY)
        add_user(conn, cadre, password_hash=None, now_ms=AT_MS)
        phone = Device("bench0000phone", COUNTY, cadre.id, COUNTY, "bench", "active")
        add_device(conn, phone, token_hash=hash_token(token), now_ms=AT_MS)
    engine.dispose()


class WirePhone:
    """The phone's wire format without its database: packs, sends, checks each outcome."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {service.token}"
        self.incarnation = ids.incarnation_id(secrets.randbits(64))
        hello = self.session.get(
            f"{service.url}/sync/v1/hello", params={"incarnation": self.incarnation}, timeout=30
        )
        hello.raise_for_status()
        self.epoch = hello.json()["epoch"]

    def push(self, changes: Sequence[Change], batch: int) -> None:
        """Push in batches; RuntimeError where a change was not simply applied."""
        for start in range(0, len(changes), batch):
            part = changes[start : start + batch]
            message = {
                "protocol": PROTOCOL,
                "schema": SCHEMA_VERSION,
                "incarnation": self.incarnation,
                "epoch": self.epoch,
                "sent_at_ms": time.time_ns() // 1_000_000,
                "changes": wire.group_changes(part),
            }
            answer = self.session.post(
                f"{self.service.url}/sync/v1/push",
                data=wire.pack(message),
                headers={"Content-Type": PACKED, "Accept": PACKED},
                timeout=120,
            )
            if not answer.ok:
                raise RuntimeError(answer.text)
            outcomes = wire.unpack(answer.content)["outcomes"]
            if {o["outcome"] for o in outcomes} != {"applied"} or len(outcomes) != len(part):
                raise RuntimeError(f"not all applied: {outcomes[:3]}")


def push_and_pull(
    database_url: str, households: list[Record], members: list[Record], batch: int
) -> tuple[Result, Result]:
    """Push the households untimed and the members timed, then pull all into a new phone."""
    with running_server(database_url) as service:
        phone = WirePhone(service)
        phone.push(first_changes("household", households, 1), 500)
        changes = first_changes("member", members, len(households) + 1)
        service.relay.taken()
        start = time.perf_counter()
        phone.push(changes, batch)
        seconds = time.perf_counter() - start
        pushed = Result(seconds, service.relay.taken(), peak_memory_mb(service.process.pid))
        return pushed, _pull(service, database_url, len(households) + len(members))


def _pull(service: Service, database_url: str, expected: int) -> Result:
    from mobile.storage.database import open_store
    from mobile.sync.attempt import sync_once
    from mobile.sync.enrol import Enrolment, enrol

    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "phone.db")
        enrol(store, Enrolment(service.url, _enrolment_code(database_url)))
        service.relay.taken()
        start = time.perf_counter()
        result = sync_once(store, timeout_s=120)
        seconds = time.perf_counter() - start
        store.close()
    if result.error is not None or result.received < expected:
        raise RuntimeError(f"the pull was not whole: {result}")
    return Result(seconds, service.relay.taken(), peak_memory_mb(service.process.pid))


def _enrolment_code(database_url: str) -> str:
    engine = open_engine(database_url)
    with writing(engine) as conn:
        now_ms = time.time_ns() // 1_000_000
        code = make_enrolment(conn, user_id=CADRE, scope=COUNTY, made_by=None, now_ms=now_ms)
    engine.dispose()
    return code


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
    pushed: dict[tuple[str, int], list[Result]] = {}
    pulled: dict[str, list[Result]] = {}
    for _ in range(runs):
        plain.append(count / plain_sqlite(members))
        anki.append(anki_peer.run(documents))
        for kind in KINDS:
            for batch in (100, 500):
                with fresh_database(kind) as url:
                    up, down = push_and_pull(url, households, members, batch)
                pushed.setdefault((kind, batch), []).append(up)
                pulled.setdefault(kind, []).append(down)
    return _section(count, len(households), plain, anki, pushed, pulled)


def _section(
    count: int,
    household_count: int,
    plain: list[float],
    anki: list[anki_peer.AnkiResult],
    pushed: dict[tuple[str, int], list[Result]],
    pulled: dict[str, list[Result]],
) -> Section:
    anki_push = median(count / r.push_s for r in anki)
    anki_pull = median(count / r.pull_s for r in anki)
    rows: list[list[object]] = []
    for (kind, batch), results in pushed.items():
        rates = [count / r.seconds for r in results]
        rows.append(
            [
                f"Push, {kind}, batches of {batch}",
                spread(rates),
                f"{median(r.wire.up for r in results) / count:.0f}",
                f"{median(r.wire.down for r in results) / count:.0f}",
                f"{median(r.server_mb for r in results):.0f}",
                f"{median(rates) / anki_push:.2f}",
            ]
        )
    everything = count + household_count
    for kind, results in pulled.items():
        rates = [everything / r.seconds for r in results]
        rows.append(
            [
                f"Pull into a phone, {kind}",
                spread(rates),
                f"{median(r.wire.up for r in results) / everything:.0f}",
                f"{median(r.wire.down for r in results) / everything:.0f}",
                f"{median(r.server_mb for r in results):.0f}",
                f"{median(rates) / anki_pull:.2f}",
            ]
        )
    memory = f"{median(r.server_mb for r in anki):.0f}"
    rows += [
        ["Anki, push", spread([count / r.push_s for r in anki]),
         f"{median(r.up_bytes for r in anki) / count:.0f}", "", memory, "1"],
        ["Anki, pull", spread([count / r.pull_s for r in anki]),
         "", f"{median(r.down_bytes for r in anki) / count:.0f}", memory, "1"],
        ["Plain sqlite3 insert, 1,000 a transaction", spread(plain), "", "", "",
         f"{median(plain) / anki_push:.2f}"],
    ]  # fmt: skip
    return Section(
        title="Sync: push and pull",
        command="python -m benchmarks.push_pull",
        told=(
            f"{count:,} invented members ({household_count:,} households) are pushed to `chushan"
            " serve` over HTTP in the packed form, each change authenticated, checked, merged,"
            " logged with its outcome and its household rechecked by all rules, durable before the"
            " answer; and pulled into the database of a new phone, with households and reviews, as"
            " the app does it. Beside it Anki's sync server and client with the same documents as"
            " JSON, which checks and rechecks nothing, and a bare insert of the same rows. Bytes"
            " are those on the wire, headers included; memory is the sum of the peaks of all server"
            " processes, pages that they share counted in each. Records a second are medians (lowest–highest)"
            f" of {len(plain)} runs."
        ),
        head=(
            "", "records/s", "bytes/record up", "bytes/record down",
            "server peak MB", "× Anki",
        ),
        rows=rows,
    )  # fmt: skip


if __name__ == "__main__":
    print(measure(int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS).markdown())
