"""kill -9 of real servers and of real phones in the middle of their work, and then the books are checked.

`python -m benchmarks.kill [KILLS]`. A half of the kills goes to `chushan serve` (on SQLite and on
PostgreSQL) while phones draft, submit, push and pull; the other half to phone processes that do so
with a server that stays. Each life is a fork of a process that has everything imported, so it is
short; the server is otherwise `chushan serve` as it stands. Seeds are printed.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import select

from benchmarks.databases import KINDS, fresh_database
from benchmarks.measure import LOOPBACK, Section
from benchmarks.save_form import ADULT, HOUSEHOLD
from benchmarks.service import COUNTY, environment, prepare, villages
from mobile.forms.record_form import RecordForm
from mobile.forms.visit import Visit
from mobile.storage import records
from mobile.storage.database import Store, get, open_store, put
from mobile.sync import attempt
from mobile.sync.client import Client
from server.cli import main as chushan
from server.storage.changes import AGAIN
from server.storage.engine import open_engine, reading
from server.storage.records import records_of_households
from server.storage.tables import change as change_table
from server.storage.tables import incarnation as incarnation_table
from server.storage.tables import record_tables
from shared_schemas.changes import Change, content_hash
from shared_schemas.records import record_kinds
from shared_schemas.resident_id import check_character

KILLS = 500
PHONES = 4
VILLAGE = villages()[0]
TODAY = "2026-11-20"
SERVER_LIFE_S = 0.5
PHONE_LIFE_S = 0.6
"""Longest life after it is ready; each is drawn between nothing and this."""

MEETS_REQUEST = 0.6
"""Share of the kills of phones that wait for a request: on a busy machine few would meet one."""

REQUEST_S = 0.05
READY_S = 60
NOT_BEGUN = 255
TOLD = ".told"
RARE = 0.3
"""Share of visits that go to a household of the list, whoever registered it."""


class Lost(AssertionError):  # noqa: N818 - what must not be
    """The books do not agree."""


# --- lives ---


def forked(deed: Callable[[], None], log: Path) -> int:
    """Do a deed in a process group of its own; what it says goes to the log."""
    child = os.fork()
    if child:
        return child
    try:
        os.setpgid(0, 0)
        _let_go_of_files()
        said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        deed()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _let_go_of_files() -> None:
    """Hold no pipe of whoever waits for the one that kills.

    Put aside and not closed: libraries (Arrow) close pipes of their own in a child and insist on it.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            os.dup2(nowhere, int(name))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a county's server and its phones live."""

    folder: Path
    database_url: str
    port: int
    tokens: Sequence[str]
    alive: set[int] = field(default_factory=set)

    @property
    def log(self) -> Path:
        """What the killed said."""
        return self.folder / "log"

    def begin(self, deed: Callable[[], None]) -> int:
        """Begin a life."""
        process = forked(deed, self.log)
        self.alive.add(process)
        return process

    def serve(self) -> int:
        """Begin a life of the server and wait until it listens."""

        def deed() -> None:
            os.environ.update(environment(self.database_url, str(self.folder)))
            chushan(["serve", "--port", str(self.port)], standalone_mode=False)

        process = self.begin(deed)
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection((LOOPBACK, self.port), 1):
                return process
            time.sleep(0.005)
        raise RuntimeError(f"the server did not come up: {self.said()}")

    def serve_for_long(self) -> int:
        """Begin a life of the server that is to stay, and wait until it answers."""
        process = self.serve()
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            with suppress(requests.RequestException):
                if requests.get(f"http://{LOOPBACK}:{self.port}/health", timeout=5).ok:
                    return process
            time.sleep(0.02)
        raise RuntimeError(f"the server does not answer: {self.said()}")

    def said(self) -> str:
        """Return the end of what the killed said."""
        return self.log.read_text()[-2000:]

    def kill(self, process: int) -> None:
        """Kill a life and all that it started."""
        self.alive.discard(process)
        with suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        if not os.WIFSIGNALED(status):
            raise Lost(f"a life ended by itself: {self.said()}")

    def phone(self, number: int) -> Path:
        """Return the database of a phone, enrolled when it is first asked for."""
        path = self.folder / f"phone{number}.db"
        if not path.exists():
            store = open_store(path)
            with store.writing() as connection:
                put(connection, "server", f"http://{LOOPBACK}:{self.port}")
                put(connection, "token", self.tokens[number])
            store.close()
        return path


def _a_port() -> int:
    """Return a port that nobody takes while the server is dead: the system hands out higher ones."""
    while True:
        port = random.randrange(20_000, 30_000)
        with suppress(OSError), socket.socket() as probe:
            probe.bind((LOOPBACK, port))
            return port


@contextmanager
def a_county(database_url: str, phones: int) -> Iterator[Place]:
    """Make an empty database a county with phones."""
    with tempfile.TemporaryDirectory() as folder:
        tokens = [f"token of phone {number}" for number in range(phones)]
        prepare(database_url, tokens)
        place = Place(Path(folder), database_url, _a_port(), tokens)
        try:
            yield place
        finally:
            for process in list(place.alive):
                place.kill(process)


# --- what a phone does all day ---


def live(path: Path, serial: int, seed: int, under_way: mmap.mmap, slot: int) -> None:
    """Draft, submit, sync, and again. Tells of each household that was handed in, in a file."""
    attempt.FIRST_PAUSE_S = attempt.LONGEST_PAUSE_S = 0.02
    _mark_requests(under_way, slot)
    source = random.Random(seed)
    store = open_store(path)
    tell = os.open(path.with_suffix(TOLD), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    under_way[slot] = 0
    while True:
        for _ in range(source.choice((1, 1, 2, 5))):
            home = _an_edit(store, source) if source.random() < RARE else None
            if home is None:
                home = _a_household(store, serial)
                serial += 1
            if home is None:
                raise Lost("a whole household cannot be handed in")
            os.write(tell, f"{home}\n".encode())
        attempt.sync_once(store, timeout_s=10)


def _mark_requests(under_way: mmap.mmap, slot: int) -> None:
    """Let the one who kills see whether this phone waits for an answer."""
    push, pull = Client.push, Client.pull

    def marked_push(client: Client, body: bytes) -> dict[str, Any]:
        under_way[slot] = 1
        try:
            return push(client, body)
        finally:
            under_way[slot] = 0

    def marked_pull(client: Client, *given: Any) -> Iterator[Any]:
        under_way[slot] = 1
        try:
            yield from pull(client, *given)
        finally:
            under_way[slot] = 0

    Client.push, Client.pull = marked_push, marked_pull  # type: ignore[method-assign]


def _a_household(store: Store, serial: int) -> str | None:
    visit = Visit.open(store, None, VILLAGE, today=TODAY, cadre="测试村干")
    _answer(visit.household, {**HOUSEHOLD, "phone": f"154{serial:08}"})
    for name, relation, digit in (("韦正明", "02", 1), ("岑秀兰", "10", 2)):
        member = visit.add_member()
        born = f"{1960 + serial % 30}{1 + serial // 30 % 12:02}{1 + serial // 360 % 28:02}"
        first = f"522399{born}{serial // 10080 * 10 + digit:03}"
        _answer(member, {"id_no": first + check_character(first), "name": name})
        _answer(member, {"relation": relation, **ADULT, "health": ["2"], "labour_ability": "4"})
    return _handed_in(visit)


def _an_edit(store: Store, source: random.Random) -> str | None:
    homes = [row.id for row in records.households(store)]
    if not homes:
        return None
    visit = Visit.open(store, source.choice(homes), VILLAGE, today=TODAY, cadre="测试村干")
    if visit.locked:
        return None
    _answer(visit.household, {"address": f"河边第{source.randrange(1000)}家"})
    return _handed_in(visit)


def _answer(form: RecordForm, answers: dict[str, Any]) -> None:
    for name, value in answers.items():
        form.answer(name, value)


def _handed_in(visit: Visit) -> str | None:
    for hit in visit.blocking():
        visit.accept_warning(hit, "已核对")
    if visit.submit().submitted:
        return visit.household_id
    # A pull was cut between the household and its people, whom the form wants.
    visit.discard()
    return None


def a_phone(place: Place, number: int, life: int, seed: int, under_way: mmap.mmap) -> int:
    """Begin a life of a phone and wait until its database is open."""
    path = place.phone(number)
    serial = (number * 40 + life) * 250
    under_way[number] = NOT_BEGUN
    process = place.begin(lambda: live(path, serial, seed, under_way, number))
    deadline = time.monotonic() + READY_S
    while under_way[number] == NOT_BEGUN:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the phone did not come up: {place.said()}")
        time.sleep(0.002)
    return process


def handed_in_at(place: Place, phones: Sequence[int]) -> set[str]:
    """Return the households of which a phone said, before it was killed, that they were handed in."""
    told = "".join(place.phone(number).with_suffix(TOLD).read_text() for number in phones)
    return set(told.split())


# --- the two kinds of kill ---


@dataclass
class Books:
    """What a run came to."""

    kills: int = 0
    under_way: int = 0
    """Kills that met a push or a pull that had no answer yet."""
    changes: int = 0
    households: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


def kill_servers(database_url: str, kills: int, seed: int, phones: int = PHONES) -> Books:
    """Kill the server again and again while phones work; Lost where the books do not agree."""
    source, books = random.Random(seed), Books()
    flags = mmap.mmap(-1, phones)
    with a_county(database_url, phones) as place:
        working = [a_phone(place, number, 0, seed + number, flags) for number in range(phones)]
        for _ in range(kills):
            server = place.serve()
            time.sleep(source.uniform(0, SERVER_LIFE_S))
            books.under_way += any(flags)
            place.kill(server)
            books.kills += 1
        for phone in working:
            place.kill(phone)
        _settle(place, range(phones), books)
    return books


def kill_phones(database_url: str, kills: int, seed: int, phones: int = PHONES) -> Books:
    """Kill phones again and again while they work with one server; check each file after it."""
    source, books = random.Random(seed), Books()
    flags = mmap.mmap(-1, phones)
    with a_county(database_url, phones) as place:
        server = place.serve_for_long()
        for life in range(kills):
            number = life % phones
            phone = a_phone(place, number, life // phones, seed + life, flags)
            time.sleep(source.uniform(0, PHONE_LIFE_S))
            if source.random() < MEETS_REQUEST:
                _wait_for(flags, number)
                time.sleep(source.uniform(0, REQUEST_S))
            books.under_way += flags[number]
            place.kill(phone)
            books.kills += 1
            store = open_store(place.phone(number))
            verdict = store.connection.execute("PRAGMA integrity_check").fetchone()[0]
            store.close()
            if verdict != "ok":
                raise Lost(f"the phone's file: {verdict}")
        place.kill(server)
        _settle(place, range(phones), books)
    return books


def _wait_for(flags: mmap.mmap, number: int) -> None:
    """Wait until a phone waits for an answer."""
    deadline = time.monotonic() + READY_S
    while not flags[number] and time.monotonic() < deadline:
        time.sleep(0.001)


# --- the books ---


def _settle(place: Place, phones: Sequence[int], books: Books) -> None:
    """Let every phone sync with a living server, and compare all that there is."""
    server = place.serve_for_long()
    stores = [open_store(place.phone(number)) for number in phones]
    try:
        for _ in range(2):  # what the last one sends, the first one fetches
            for store in stores:
                result = attempt.sync_once(store, timeout_s=30)
                if result.error or result.remaining or result.unconfirmed:
                    raise Lost(f"a phone does not come to rest: {result} {place.said()}")
        engine = open_engine(place.database_url)
        with reading(engine) as conn:
            log = list(conn.execute(select(change_table)))
            acked = dict(
                conn.execute(select(incarnation_table.c.id, incarnation_table.c.acked_n)).all()
            )
            homes = list(conn.execute(select(record_tables()["household"].c.id)).scalars())
            there = {
                (record.kind, record.id): (record.seq, dict(record.values))
                for record in records_of_households(conn, COUNTY, homes)
            }
        engine.dispose()
        _check_log(log, acked, stores)
        _check_records(log, there, handed_in_at(place, phones), stores)
    finally:
        for store in stores:
            store.close()
        place.kill(server)
    books.changes += len(log)
    books.households += len(homes)
    books.outcomes.update(row.outcome for row in log)


def _check_log(log: Sequence[Any], acked: dict[str, int], stores: Sequence[Store]) -> None:
    """Every acknowledged change is there as it was sent, numbered without gaps, and only once."""
    numbers: dict[str, list[int]] = {}
    for row in log:
        numbers.setdefault(row.incarnation, []).append(row.n)
    for life, seen in numbers.items():
        if sorted(seen) != list(range(1, acked[life] + 1)):
            raise Lost(f"the numbers of {life} have gaps")
    edits = Counter(
        (row.kind, row.record_id, row.base, row.at_ms, json.dumps(row.values, sort_keys=True))
        for row in log
        if row.resolution != AGAIN
    )
    doubled = [edit for edit, count in edits.items() if count > 1]
    if doubled:
        raise Lost(f"{len(doubled)} edits have had their effect twice")
    hashes = {(row.incarnation, row.n): row.hash for row in log}
    for store in stores:
        for row in store.connection.execute("SELECT * FROM outbox WHERE state = 'acked'"):
            sent = Change(row["n"], row["kind"], row["record_id"], row["base"], row["at_ms"],
                          json.loads(row["values"]))  # fmt: skip
            if hashes.get((row["incarnation"], row["n"])) != content_hash(sent):
                raise Lost(f"an acknowledged change is missing: {row['incarnation']} {row['n']}")


def _check_records(
    log: Sequence[Any],
    there: dict[tuple[str, str], tuple[int, dict[str, Any]]],
    handed_in: set[str],
    stores: Sequence[Store],
) -> None:
    """All that was handed in is at the county, and every phone holds what the county holds."""
    missing = handed_in - {record_id for kind, record_id in there if kind == "household"}
    if missing:
        raise Lost(f"{len(missing)} households that were handed in are missing")
    if {(row.kind, row.record_id) for row in log} != set(there):
        raise Lost("there are records that no change made, or changes without a record")
    for store in stores:
        held = {
            (kind.name, row["id"]): (row["seq"], json.loads(row["server"]))
            for kind in record_kinds()
            for row in store.connection.execute(f"SELECT id, seq, server FROM {kind.name}")
        }
        shown = {
            key: (seq, {name: value for name, value in values.items() if value is not None})
            for key, (seq, values) in held.items()
        }
        if shown != there:
            differing = [key for key in shown.keys() | there if shown.get(key) != there.get(key)]
            raise Lost(f"{get(store.connection, 'incarnation')} differs in {differing[:5]}")


def measure(kills: int = KILLS) -> Section:
    """Kill servers on both databases, and phones."""
    seed = random.randrange(1 << 30)
    share = kills // 4
    runs: list[tuple[str, Callable[[str, int, int], Books], str, int]] = [
        *((f"the server, {kind}", kill_servers, kind, share) for kind in KINDS),
        ("a phone", kill_phones, "SQLite", kills - 2 * share),
    ]
    rows: list[list[object]] = []
    began = time.monotonic()
    for i, (name, deed, kind, count) in enumerate(runs):
        print(f"kill {name}: seed {seed + i * 1000}", flush=True)
        with fresh_database(kind) as url:
            books = deed(url, count, seed + i * 1000)
        told = ", ".join(f"{count:,} {outcome}" for outcome, count in books.outcomes.most_common())
        rows.append(
            [
                name,
                books.kills,
                books.under_way,
                f"{books.households:,}",
                f"{books.changes:,}",
                told,
            ]
        )
    return Section(
        title="kill -9",
        command="python -m benchmarks.kill",
        told=(
            "Real processes, killed at random moments: `chushan serve` with all its processes while"
            f" {PHONES} phones draft, submit, push and pull without rest; and phone processes, one"
            " after the other, that do so with a server which stays. After each kill of a phone its"
            " file is checked (PRAGMA integrity_check). At the end every phone syncs, and then"
            " nothing acknowledged or handed in is missing, no number has a gap, no edit has had"
            " its effect twice, and each phone holds, record for record, what the county holds;"
            " a difference would have ended the run. Six of ten kills of phones wait until the phone"
            " has asked for something. “Under way” are the kills that met a push or a"
            " pull without an answer yet. Goal (issue): 500 kills, nothing lost, nothing doubled."
        ),
        head=("killed", "kills", "under way", "households", "changes", "outcomes"),
        rows=rows,
        notes=[
            f"Seed {seed}; {time.monotonic() - began:.0f} s in all. A kill of a process does not"
            " lose what the operating system has not yet written; that is what WAL with FULL and"
            " fsync are for, and no power was cut here."
        ],
    )


if __name__ == "__main__":
    print(measure(*(int(argument) for argument in sys.argv[1:])).markdown())
