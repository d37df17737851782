"""A running `chushan serve` for the benchmarks, and phones that talk to it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import func, select

from benchmarks.measure import LOOPBACK, free_port, wait_for_port
from server.demo.people import invent_households
from server.services.divisions import store_places
from server.services.enrol import hash_token, make_enrolment
from server.services.upgrade import upgrade_database
from server.storage.accounts import User, add_user
from server.storage.devices import Device, add_device
from server.storage.engine import open_engine, reading, writing
from server.storage.tables import record_tables
from shared_schemas import SCHEMA_VERSION, ids, wire
from shared_schemas.changes import Change
from shared_schemas.codes import divisions
from shared_schemas.protocol import PACKED, PROTOCOL

COUNTY = "522326"
CADRE = "bench00000000"
AT_MS = 1_795_000_000_000

Record = dict[str, Any]


def villages() -> list[str]:
    """Return the county's villages."""
    return [place.code12 for place in divisions.divisions_within(COUNTY, divisions.VILLAGE)]


def corpus(count: int) -> tuple[list[Record], list[Record]]:
    """Return the households and `count` members, adults and children as they live."""
    households: list[Record] = []
    members: list[Record] = []
    for whole in invent_households(1, count, villages()):
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


# --- the server ---


@dataclass(frozen=True, slots=True)
class Service:
    """A running server with enrolled phones."""

    port: int
    process: subprocess.Popen[bytes]
    database_url: str
    tokens: Sequence[str]

    @property
    def url(self) -> str:
        """Address without anything between."""
        return f"http://{LOOPBACK}:{self.port}"

    def enrolment_code(self, scope: str = COUNTY) -> str:
        """Return a code for one more phone, as the county's page makes it."""
        engine = open_engine(self.database_url)
        with writing(engine) as conn:
            now_ms = time.time_ns() // 1_000_000
            code = make_enrolment(conn, user_id=CADRE, scope=scope, made_by=None, now_ms=now_ms)
        engine.dispose()
        return code

    def count_records(self, kind: str) -> int:
        """Return how many records of a kind the county has."""
        engine = open_engine(self.database_url)
        with reading(engine) as conn:
            count = conn.execute(select(func.count()).select_from(record_tables()[kind])).scalar()
        engine.dispose()
        return int(count or 0)


def prepare(database_url: str, tokens: Sequence[str]) -> None:
    """Make an empty database the county's: its villages, a cadre, a phone for each token."""
    engine = open_engine(database_url)
    upgrade_database(engine)
    with writing(engine) as conn:
        store_places(conn, divisions.demo_divisions())
        cadre = User(CADRE, "bench", "测试干部", "cadre", COUNTY)
        add_user(conn, cadre, password_hash=None, now_ms=AT_MS)
        for i, token in enumerate(tokens):
            phone = Device(f"bench{i:08}", COUNTY, cadre.id, COUNTY, "bench", "active")
            add_device(conn, phone, token_hash=hash_token(token), now_ms=AT_MS)
    engine.dispose()


def environment(database_url: str, data_dir: str) -> dict[str, str]:
    """Return the settings of a server that is measured."""
    return {
        "CHUSHAN_DATABASE_URL": database_url,
        "CHUSHAN_DATA_DIR": data_dir,
        "CHUSHAN_LOG_LEVEL": "WARNING",
        # One phone works here as fast as a thousand would.
        "CHUSHAN_REQUESTS_PER_MINUTE": "1000000",
    }


@contextlib.contextmanager
def running_server(database_url: str, *, phones: int = 1) -> Iterator[Service]:
    """Start `chushan serve` on an empty database with the county's villages and some phones."""
    tokens = [secrets.token_urlsafe(32) for _ in range(phones)]
    prepare(database_url, tokens)
    port = free_port()
    with tempfile.TemporaryDirectory() as data_dir:
        environ = os.environ | environment(database_url, data_dir)
        command = [Path(sys.executable).parent / "chushan", "serve", "--port", str(port)]
        process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
        try:
            wait_for_port(port, process)
            yield Service(port, process, database_url, tokens)
        finally:
            process.terminate()
            process.wait(timeout=30)


# --- phones ---


class WirePhone:
    """The phone's wire format without its database: packs, sends, checks each outcome."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"
        self.incarnation = ids.incarnation_id(secrets.randbits(64))
        hello = self.session.get(
            f"{url}/sync/v1/hello", params={"incarnation": self.incarnation}, timeout=60
        )
        hello.raise_for_status()
        self.epoch = hello.json()["epoch"]

    def push(self, changes: Sequence[Change], batch: int) -> list[float]:
        """Push in batches; return the seconds that each took.

        RuntimeError where a change was not simply applied.
        """
        took = []
        for start in range(0, len(changes), batch):
            part = changes[start : start + batch]
            began = time.perf_counter()
            answer = self.session.post(
                f"{self.url}/sync/v1/push",
                data=self.packed(part),
                headers={"Content-Type": PACKED, "Accept": PACKED},
                timeout=120,
            )
            if not answer.ok:
                raise RuntimeError(answer.text)
            outcomes = wire.unpack(answer.content)["outcomes"]
            took.append(time.perf_counter() - began)
            if {o["outcome"] for o in outcomes} != {"applied"} or len(outcomes) != len(part):
                raise RuntimeError(f"not all applied: {outcomes[:3]}")
        return took

    def packed(self, changes: Sequence[Change]) -> bytes:
        """Return the body of a push."""
        return wire.pack(
            {
                "protocol": PROTOCOL,
                "schema": SCHEMA_VERSION,
                "incarnation": self.incarnation,
                "epoch": self.epoch,
                "sent_at_ms": time.time_ns() // 1_000_000,
                "changes": wire.group_changes(changes),
            }
        )


def enrolled_store(path: Path, service: Service, *, url: str = "", scope: str = COUNTY) -> Any:
    """Return the database of a real phone that is enrolled at a server; `url`: the way to it."""
    from mobile.storage.database import open_store
    from mobile.sync.enrol import Enrolment, enrol

    store = open_store(path)
    enrol(store, Enrolment(url or service.url, service.enrolment_code(scope)))
    return store


def reach_by(store: Any, url: str) -> None:
    """Make a phone reach its server at another address, by a link."""
    from mobile.storage.database import put

    with store.writing() as connection:
        put(connection, "server", url)


def hand_in(store: Any, records: Iterable[tuple[str, Record]]) -> None:
    """Put new records into a phone's outbox, as a submit does, without the visits before it."""
    from mobile.storage import outbox

    with store.writing() as connection:
        for kind, record in records:
            values = {name: value for name, value in record.items() if name != "id"}
            new = outbox.NewChange(kind, record["id"], values, "", 0, AT_MS)
            outbox.add(connection, record["id"][:13], [new])


def run_in_process(deed: Callable[..., Any], *arguments: Any) -> Any:
    """Do a deed in a process of its own and return its answer: no client shares another's Python."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(deed, *arguments).result()
