"""The simulated world: real phones and a real server, and between them a link that does anything.

The phones are `mobile` on SQLite files, the server is the whole WSGI app on a SQLite file. Only the
wire between them, the clocks and the random numbers are replaced, so a seed is a schedule.
"""

from __future__ import annotations

import gc
import io
import random
import secrets
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import NewConnectionError, ProtocolError
from werkzeug.test import run_wsgi_app

import mobile.storage.database as phone_database
from mobile.storage.database import Store, open_store
from mobile.sync import attempt
from mobile.sync import enrol as enrolment
from mobile.sync.attempt import SyncResult, sync_once
from mobile.sync.client import Client
from server.app import create_app
from server.services.apply_changes import Author, apply_changes, next_n
from server.services.backup import make_backup, restore_backup
from server.services.divisions import store_places
from server.services.enrol import enrolment_text, make_enrolment
from server.services.upgrade import upgrade_database
from server.settings import Settings
from server.storage.accounts import User, add_user
from server.storage.engine import open_engine, writing
from shared_schemas import SCHEMA_VERSION, ids
from shared_schemas.changes import Change
from shared_schemas.codes.divisions import Division, demo_divisions
from shared_schemas.records import record_kinds
from shared_schemas.records.member import IN_EMPLOYMENT, PUBLIC_POST

from .old_phone import SCHEMAS, of_schema

COUNTY = "522326"
START_MS = 1_795_168_800_000
TODAY = "2026-11-20"
CADRES = ("cadre0", "cadre1", "cadre2")
REVIEWER = User("reviewer", "reviewer", "审核员", "county", COUNTY, None)
FAMILIES = 3
URL = "http://county.test"


def _places() -> list[Division]:
    """Return the county, one township and three villages of it, a second township with one."""
    everywhere = [place for place in demo_divisions() if place.code12[:6] == COUNTY]
    villages = [place for place in everywhere if place.level == 5]
    first = villages[0].code12[:9]
    here = [place for place in villages if place.code12[:9] == first][:3]
    away = next(place for place in villages if place.code12[:9] != first)
    wanted = {place.code12 for place in (*here, away)}
    above = {COUNTY.ljust(12, "0"), first.ljust(12, "0"), away.code12[:9].ljust(12, "0")}
    return [place for place in everywhere if place.code12 in wanted | above]


PLACES = _places()
VILLAGES = [place.code12 for place in PLACES if place.level == 5]
TOWNSHIP = VILLAGES[0][:9]
HOME_VILLAGES = [village for village in VILLAGES if village.startswith(TOWNSHIP)]


class Killed(BaseException):
    """The process ended at this statement: no code of the project may catch it."""


# --- the wire ---


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it goes over the wire."""

    phone: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Raw:
    """The body of an answer as `requests` reads it; it may end early, with or without an error."""

    def __init__(self, pieces: list[bytes], *, breaks: bool) -> None:
        self.pieces = pieces
        self.breaks = breaks

    def stream(self, _size: int | None, decode_content: bool = True) -> Iterator[bytes]:
        yield from self.pieces
        if self.breaks:
            raise ProtocolError("cut")

    def close(self) -> None:
        """Nothing is held."""

    release_conn = close


class _Adapter(BaseAdapter):
    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        """Carry a request of the phone that speaks."""
        body = request.body or b""
        return self.world.carry(
            Request(
                self.world.speaking,
                str(request.method),
                str(request.path_url),
                dict(request.headers.items()),
                body.encode() if isinstance(body, str) else body,
            )
        )

    def close(self) -> None:
        """Nothing is held."""


# --- a phone ---


@dataclass(slots=True)
class Phone:
    """A phone: its files, its clock, and what its cadre had on the screen when he began a draft."""

    name: str
    folder: Path
    clock: Callable[[], int]
    store: Store
    clock_offset_ms: int = 0
    saw: dict[tuple[str, str], Any] = field(default_factory=dict)
    """(record, field) → what was shown before the first touch of a draft."""
    revoked: bool = False
    schema: int = SCHEMA_VERSION
    """Of the app on the phone."""
    excuse: str = ""
    """Why the phone cannot sync now: "bad_token" after the server forgot it."""

    @property
    def path(self) -> Path:
        return self.folder / "chushan.db"

    def app(self) -> AbstractContextManager[None]:
        """Have the code of the phone behave as the app that is on it."""
        return nullcontext() if self.schema == SCHEMA_VERSION else of_schema(self.schema)


class _Connection(sqlite3.Connection):
    """A connection on which the process can die, before or after any statement."""

    world: World

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:  # type: ignore[override]
        return self.world.step(lambda: super(_Connection, self).execute(sql, *args))

    def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:  # type: ignore[override]
        return self.world.step(lambda: super(_Connection, self).executemany(sql, *args))


class World:
    """One server and its phones. `begin(seed)` sets everything back and takes a new seed."""

    def __init__(self) -> None:
        shm = Path("/dev/shm")
        self.root = Path(tempfile.mkdtemp(prefix="simulated", dir=shm if shm.is_dir() else None))
        self.random = random.Random(0)
        self.now_ms = START_MS
        self.speaking = ""
        self.phones: dict[str, Phone] = {}
        self.delayed: list[Request] = []
        self.faults: tuple[str, ...] = ()
        self.observers: list[Callable[[Request, Answer], None]] = []
        self.meanwhile: Callable[[], None] | None = None
        self.kill_phone_in: int | None = None
        self.kill_server: str | None = None
        self.requests = 0
        self.is_late = False
        self._undo = ExitStack()
        self._patch()
        self._make_template()
        gc.freeze()  # what is there from now on stays: no need to look at it again and again

    def close(self) -> None:
        """Delete every file and take every replacement back."""
        for phone in self.phones.values():
            phone.store.close()
        self.engine.dispose()
        self._undo.close()
        shutil.rmtree(self.root, ignore_errors=True)

    # Replacing what a seed must decide

    def _patch(self) -> None:
        world = self

        class Wired(Client):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self._session.trust_env = False
                self._session.mount("http://", _Adapter(world))

        def connect(path: Path) -> sqlite3.Connection:
            made = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, factory=connection
            )
            made.row_factory = sqlite3.Row
            sqlite3.Connection.execute(made, "PRAGMA journal_mode=WAL")
            sqlite3.Connection.execute(made, "PRAGMA synchronous=OFF")
            return made

        connection = type("Connection", (_Connection,), {"world": self})
        for target, name, new in (
            (attempt, "Client", Wired),
            (enrolment, "Client", Wired),
            (attempt, "FIRST_PAUSE_S", 0.0),
            (phone_database, "_connect", connect),
            (secrets, "randbits", lambda bits: self.random.getrandbits(bits)),
            (secrets, "token_hex", lambda n=16: self.random.randbytes(n).hex()),
            (secrets, "token_urlsafe", lambda n=16: self.random.randbytes(n).hex()),
            (secrets, "choice", lambda seq: self.random.choice(seq)),
        ):
            self._undo.enter_context(mock.patch.object(target, name, new))

    # The first day

    def _make_template(self) -> None:
        url = f"sqlite:///{self.root / 'server.db'}"
        engine = open_engine(url)
        upgrade_database(engine)
        engine.dispose()
        settings = Settings(
            database_url=url,
            data_dir=str(self.root),
            secret_key="for tests",
            requests_per_minute=10**9,
            log_level="CRITICAL",
        )
        self.app = create_app(settings, clock=lambda: self.now_ms)
        self.server = self.app.extensions["chushan"]
        self.engine = self.server.engine
        self._commit = self.engine.dialect.do_commit
        self.engine.dialect.do_commit = self._commit_or_die
        with writing(self.engine) as conn:
            store_places(conn, PLACES)
            for user in (
                REVIEWER,
                *(User(c, c, f"测试{c}", "cadre", COUNTY, None) for c in CADRES),
            ):
                add_user(conn, user, password_hash=None, now_ms=self.now_ms)
            records = [one for i in range(FAMILIES) for one in _a_family(i)]
            author = Author(COUNTY, "import", REVIEWER.id, None, COUNTY, "import")
            n = next_n(conn, COUNTY, "import", len(records))
            applied = apply_changes(
                conn,
                [
                    Change(n + i, kind, rid, 0, self.now_ms, v)
                    for i, (kind, rid, v) in enumerate(records)
                ],
                author=author,
                sent_ms=self.now_ms,
                received_ms=self.now_ms,
                schema=SCHEMA_VERSION,
            )
            assert all(one.outcome == "applied" for one in applied), applied
        for i, scope in enumerate((TOWNSHIP, TOWNSHIP, COUNTY)):
            phone = self._open(f"phone{i}")
            self.phones[phone.name] = phone
            self.enrol(phone, scope, f"cadre{i}")
            assert self.sync(phone).error is None
            phone.store.close()
            self._copy_file(phone.path, self.root / f"{phone.name}.template")
        self.engine.dispose()
        self._copy_file(self.root / "server.db", self.root / "server.template")

    @staticmethod
    def _copy_file(source: Path, target: Path) -> None:
        reader, writer = sqlite3.connect(source), sqlite3.connect(target)
        reader.backup(writer)
        reader.close()
        writer.close()

    def begin(self, seed: int) -> None:
        """Set everything back to the first day, with this seed."""
        for phone in self.phones.values():
            phone.store.close()
        self.phones.clear()
        self.engine.dispose()
        for leftover in self.root.iterdir():
            if leftover.is_dir():
                shutil.rmtree(leftover)
            elif leftover.name.endswith(("-wal", "-shm", ".zip", ".copy")):
                leftover.unlink()
        shutil.copy(self.root / "server.template", self.root / "server.db")
        self.random = random.Random(seed)
        self.now_ms = START_MS + 3_600_000
        self.delayed.clear()
        self.observers.clear()
        self.faults = ()
        self.meanwhile = None
        self.kill_phone_in = self.kill_server = None
        self.requests = 0
        for i in range(3):
            folder = self.root / f"phone{i}"
            folder.mkdir()
            shutil.copy(self.root / f"phone{i}.template", folder / "chushan.db")
            schema = SCHEMA_VERSION if self.random.random() < 0.8 else self.random.choice(SCHEMAS)
            _make_older(folder / "chushan.db", schema)
            self.phones[f"phone{i}"] = self._open(f"phone{i}", schema=schema)

    # Phones

    def _open(self, name: str, offset_ms: int = 0, schema: int = SCHEMA_VERSION) -> Phone:
        folder = self.root / name
        phone = Phone.__new__(Phone)

        # No two phones ever stamp two edits alike.
        seconds = 1 + sum(name.encode()) % 20

        def clock() -> int:
            return self.now_ms + phone.clock_offset_ms + seconds * 1037

        phone.__init__(  # type: ignore[misc]
            name, folder, clock, None, offset_ms, schema=schema  # type: ignore[arg-type]
        )  # fmt: skip
        phone.store = self._store(phone)
        return phone

    def _store(self, phone: Phone) -> Store:
        with phone.app():
            return open_store(
                phone.path,
                clock=phone.clock,
                no_backup_path=phone.folder / "only_here" / "incarnation",
            )

    def reopen(self, phone: Phone) -> None:
        """Start the app again."""
        phone.store.close()
        phone.store = self._store(phone)

    def update_app(self, phone: Phone) -> None:
        """Put today's app on a phone, over whatever the older one has left there."""
        phone.schema = SCHEMA_VERSION
        self.reopen(phone)

    def save_phone(self, phone: Phone, path: Path) -> None:
        """Back a phone up as Android does: the database, not the file that backups leave out."""
        path.unlink(missing_ok=True)
        self._copy_file(phone.path, path)

    def put_back(self, phone: Phone, path: Path, *, same_phone: bool) -> None:
        """Put a backup in place of a phone's files. Another phone has not the file left out."""
        phone.store.close()
        for leftover in phone.folder.glob("chushan.db*"):
            leftover.unlink()
        if not same_phone:
            shutil.rmtree(phone.folder / "only_here", ignore_errors=True)
        shutil.copy(path, phone.path)
        # No phone goes back to an older app than the one that wrote its backup.
        phone.schema = max(phone.schema, _schema_of(phone.path))
        phone.store = self._store(phone)

    def clone(self, phone: Phone, name: str, *, whole: bool) -> Phone:
        """Copy a phone to a second one; `whole` also copies the file that backups leave out."""
        folder = self.root / name
        folder.mkdir()
        self._copy_file(phone.path, folder / "chushan.db")
        if whole:
            shutil.copytree(phone.folder / "only_here", folder / "only_here")
        made = self._open(name, phone.clock_offset_ms, phone.schema)
        made.saw = dict(phone.saw)
        made.revoked = phone.revoked
        self.phones[name] = made
        return made

    def enrol(self, phone: Phone, scope: str, user_id: str) -> None:
        """Give a phone a token through a fresh code."""
        with writing(self.engine) as conn:
            code = make_enrolment(
                conn, user_id=user_id, scope=scope, made_by=None, now_ms=self.now_ms
            )
        self.speaking = phone.name
        with phone.app():
            enrolment.enrol(phone.store, enrolment.parse_enrolment(enrolment_text(URL, code)))

    def sync(self, phone: Phone) -> SyncResult:
        """Let a phone sync over the link as it is now."""
        self.speaking = phone.name
        with phone.app():
            result = sync_once(phone.store)
        if result.error is not None and getattr(result.error, "code", "") == "bad_token":
            phone.excuse = "bad_token"
        return result

    def step(self, work: Callable[[], Any]) -> Any:
        """Run one statement of a phone, or die before or after it."""
        if self.kill_phone_in is None:
            return work()
        self.kill_phone_in -= 1
        if self.kill_phone_in > 0:
            return work()
        self.kill_phone_in = None
        if self.random.random() < 0.5:
            work()
        raise Killed

    # The server

    def _commit_or_die(self, connection: Any) -> None:
        when, self.kill_server = self.kill_server, None
        if when == "before":
            raise Killed
        self._commit(connection)
        if when == "after":
            raise Killed

    def save_server(self, path: Path) -> None:
        """Make a backup with the server's own command."""
        path.unlink(missing_ok=True)
        make_backup(self.engine, path, now_ms=self.now_ms)

    def restore_server(self, path: Path) -> None:
        """Restore a backup with the server's own command: a new epoch begins."""
        restore_backup(self.engine, path, replace=True)

    def copy_server(self, path: Path) -> None:
        """Copy the server's database file, as an operator does without the command."""
        self._copy_file(self.root / "server.db", path)

    def put_server_back(self, path: Path) -> None:
        """Put a copy in place of the server's database file: nobody tells the phones."""
        self.engine.dispose()
        for leftover in self.root.glob("server.db-*"):
            leftover.unlink()
        shutil.copy(path, self.root / "server.db")

    def deliver(self, request: Request) -> Answer:
        """Hand a request to the server and return its answer; Killed when the server died."""
        self.requests += 1
        body, status, headers = run_wsgi_app(self.app.wsgi_app, _environ(request))
        try:
            answer = Answer(int(status.split()[0]), dict(headers), b"".join(body))
        finally:
            if close := getattr(body, "close", None):
                close()
        for observer in self.observers:
            observer(request, answer)
        return answer

    def deliver_late(self) -> None:
        """Deliver one request that was held up on the way; nobody waits for its answer."""
        if self.delayed:
            self.is_late = True
            self.deliver(self.delayed.pop(self.random.randrange(len(self.delayed))))
            self.is_late = False

    # The link

    def carry(self, request: Request) -> requests.Response:
        """Carry a request and its answer, or do to them what the schedule wants."""
        fault = self.random.choice(self.faults) if self.faults else "none"
        if self.meanwhile is not None and self.random.random() < 0.4:
            act, self.meanwhile = self.meanwhile, None
            act()
        if fault == "no_signal":
            raise requests.ConnectionError(NewConnectionError(None, "no route"))  # type: ignore[arg-type]
        is_push = request.path.endswith("/push")
        if fault == "drop_request" or (fault == "drop_push" and is_push):
            raise requests.ConnectionError("reset")
        if fault == "delay_request":
            self.delayed.append(request)
            raise requests.ConnectionError("reset")
        if fault == "portal":
            return _response(
                request, Answer(200, {"Content-Type": "text/html"}, b"<html>hi</html>")
            )
        if fault == "cut_request" and request.body:
            cut = request.body[: self.random.randrange(len(request.body))]
            request = Request(request.phone, request.method, request.target, request.headers, cut)
        if fault in ("server_dies_before_commit", "server_dies_after_commit"):
            self.kill_server = "before" if "before" in fault else "after"
            # The first commit counts the call; the second is the push itself.
            if self.random.random() < 0.5:
                self.kill_server = None
                self._kill_second(fault)
        try:
            answer = self.deliver(request)
            if fault == "duplicate":
                answer = self.deliver(request)
        except Killed as dead:
            raise requests.ConnectionError("reset") from dead
        finally:
            self.kill_server = None
            self.engine.dialect.do_commit = self._commit_or_die
        if fault == "drop_answer":
            raise requests.ConnectionError("reset")
        if fault == "cut_answer" and answer.body:
            at = self.random.randrange(len(answer.body))
            return _response(
                request, answer, _pieces(self.random, answer.body[:at]),
                breaks=self.random.random() < 0.7,
            )  # fmt: skip
        return _response(request, answer, _pieces(self.random, answer.body))

    def _kill_second(self, fault: str) -> None:
        passed = 0

        def commit(connection: Any) -> None:
            nonlocal passed
            passed += 1
            if passed == 2:
                self.kill_server = "before" if "before" in fault else "after"
            self._commit_or_die(connection)

        self.engine.dialect.do_commit = commit

    @contextmanager
    def over(self, *faults: str) -> Iterator[None]:
        """Have the link do these things for a while."""
        self.faults = faults
        try:
            yield
        finally:
            self.faults = ()


def _environ(request: Request) -> dict[str, Any]:
    """Return a request as a WSGI server hands it to the app."""
    path, _, query = request.target.partition("?")
    headers = {k.lower().replace("-", "_"): v for k, v in request.headers.items()}
    headers.pop("content_length", None)
    return {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(request.body)),
        "CONTENT_TYPE": headers.pop("content_type", ""),
        "SERVER_NAME": "county.test",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }


def _pieces(source: random.Random, body: bytes) -> list[bytes]:
    if len(body) < 2 or source.random() < 0.5:
        return [body]
    at = source.randrange(1, len(body))
    return [body[:at], body[at:]]


def _response(
    request: Request, answer: Answer, pieces: list[bytes] | None = None, *, breaks: bool = False
) -> requests.Response:
    made = requests.Response()
    made.status_code = answer.status
    made.headers = CaseInsensitiveDict(answer.headers)
    made.raw = _Raw([answer.body] if pieces is None else pieces, breaks=breaks)
    made.url = URL + request.target
    made.request = requests.Request(request.method, made.url).prepare()
    return made


def _make_older(path: Path, schema: int) -> None:
    """Have a phone's file as an app of a schema would have filled it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (str(schema),))
    for kind in record_kinds():
        unknown = [name for name, field in kind.fields.items() if field.info.since > schema]
        for name in unknown:
            connection.execute(
                f'UPDATE "{kind.name}" SET "{name}" = NULL, server = json_remove(server, \'$.{name}\')'
            )
    connection.close()


def _schema_of(path: Path) -> int:
    connection = sqlite3.connect(path)
    [(schema,)] = connection.execute("SELECT value FROM meta WHERE key = 'schema'")
    connection.close()
    return int(schema)


def _a_family(serial: int) -> list[tuple[str, str, dict[str, Any]]]:
    """Return a household of the register with two members and a wish, of whom much is asked."""
    home = ids.household_id(0x1000 + serial)
    first, second, wish, consent = (ids.child_id(home, i) for i in range(1, 5))
    village = HOME_VILLAGES[serial % len(HOME_VILLAGES)]
    return [
        ("household", home, {"village_code": village, "address": f"老屋{serial}", "dibao": False,
                            "is_split": True}),
        ("member", first, {"household_id": home, "name": f"韦山{'一二三'[serial]}",
                           "relation": "02", "birth_date": "1985-03-12", "sex": "1",
                           "lives_here": True, "work_form": PUBLIC_POST}),
        ("member", second, {"household_id": home, "name": f"岑水{'一二三'[serial]}",
                            "relation": "10", "birth_date": "1987-07-04", "sex": "2",
                           "lives_here": True, "work_form": IN_EMPLOYMENT}),
        ("intention", wish, {"household_id": home, "member_id": first, "wants_job": "1",
                              "wage_floor": 4000 + serial}),
        ("consent", consent, {"household_id": home, "member_id": first, "given": True,
                              "consent_kind": "share_hr"}),
    ]  # fmt: skip
