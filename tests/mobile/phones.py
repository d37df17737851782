"""What the phone's tests build: invented people, filled visits, a county's real server, a bad link."""

from __future__ import annotations

import logging
import shutil
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mobile.forms.record_form import RecordForm
from mobile.forms.visit import Visit
from mobile.storage.database import Store, open_store
from mobile.sync.attempt import SyncResult, sync_once
from mobile.sync.enrol import enrol, parse_enrolment
from shared_schemas import SCHEMA_VERSION
from shared_schemas.changes import Change
from shared_schemas.codes.divisions import demo_divisions
from shared_schemas.resident_id import check_character

TODAY = "2026-11-20"
COUNTY = "522326"
VILLAGE = next(p.code12 for p in demo_divisions() if p.level == 5 and p.code12[:6] == COUNTY)
TOWNSHIP = VILLAGE[:9]
CADRE = "测试村干"
HEAD, SPOUSE, SON, MOTHER = "02", "10", "20", "52"


def a_number(born: str, serial: int) -> str:
    """Return a good ID number of a county that does not exist; an odd serial is male."""
    first = f"522399{born.replace('-', '')}{serial:03}"
    return first + check_character(first)


def a_visit(store: Store, household_id: str | None = None, today: str = TODAY) -> Visit:
    return Visit.open(store, household_id, VILLAGE, today=today, cadre=CADRE)


def fill_household(form: RecordForm, phone: str = "13800138000") -> None:
    for name, value in {
        "group_no": "二组",
        "relocated": False,
        "category": "1",
        "dibao": False,
        "tekun": False,
        "phone": phone,
        "survey_mode": "1",
    }.items():
        form.answer(name, value)


def fill_member(form: RecordForm, name: str, relation: str, number: str) -> None:
    for field, value in {
        "id_no": number,
        "name": name,
        "relation": relation,
        "lives_here": True,
        "ethnic": "09",
        "in_school": "0",
        "education": "70",
        "marital": "20",
        "speaks_mandarin": "1",
        # Somebody who cannot work need not be asked what work he wants; `fill_wish` makes him able.
        "health": ["2"],
        "labour_ability": "4",
        "work_form": "7",
    }.items():
        form.answer(field, value)


def fill_child(form: RecordForm, name: str, relation: str, born: str, sex: str) -> None:
    for field, value in {
        "name": name,
        "sex": sex,
        "birth_date": born,
        "relation": relation,
        "lives_here": True,
        "in_school": "1",
    }.items():
        form.answer(field, value)


def fill_wish(visit: Visit, member: RecordForm) -> None:
    member.answer("labour_ability", "1")
    for kind in ("survey", "share_hr"):
        visit.record_consent(member, kind, True, "2", "罗见证")
    wish = visit.intention_of(member)
    assert wish is not None
    for field, value in {
        "wants_job": "1",
        "available_from": TODAY,
        "reach": "4",
        "together_with": "0",
        "occupations": ["01"],
        "wage_floor": 4500,
        "training_wish": False,
        "startup_wish": False,
        "public_post_wish": False,
        "workshop_wish": False,
    }.items():
        wish.answer(field, value)


def a_filled_visit(store: Store, surname: str = "韦", serial: int = 100) -> Visit:
    """Return a visit to a new household of four that nothing is wrong with."""
    visit = a_visit(store)
    fill_household(visit.household, f"139{serial:08}")
    head = visit.add_member()
    fill_member(head, f"{surname}正明", HEAD, a_number("1985-03-12", serial + 1))
    wife = visit.add_member()
    fill_member(wife, "岑秀兰", SPOUSE, a_number("1987-07-04", serial + 2))
    mother = visit.add_member()
    fill_member(mother, "罗阿妹", MOTHER, a_number("1960-01-09", serial + 4))
    mother.answer("labour_ability", "3")
    son = visit.add_member()
    fill_child(son, f"{surname}小军", SON, "2015-05-05", "1")
    fill_wish(visit, head)
    return visit


def a_submitted_household(store: Store, surname: str = "韦", serial: int = 100) -> str:
    visit = a_filled_visit(store, surname, serial)
    result = visit.submit()
    assert result.submitted, [hit.message() for hit in result.problems]
    return visit.household_id


# --- the county's server, real, on loopback ---


class County:
    """A real server with its database, served over HTTP on loopback.

    `database` is the URL of an upgraded one, or the path of an upgraded SQLite file to copy.
    """

    def __init__(
        self, folder: Path, database: Path | str, *, clock: Callable[[], int] | None = None
    ) -> None:
        from werkzeug.serving import make_server

        from server.access import wall_clock
        from server.app import create_app
        from server.settings import Settings
        from server.storage.accounts import User, add_user
        from server.storage.divisions import store_divisions
        from server.storage.engine import writing

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        if isinstance(database, Path):
            shutil.copy(database, folder / "county.db")
            database = f"sqlite:///{folder / 'county.db'}"
        settings = Settings(
            database_url=database,
            data_dir=str(folder),
            secret_key="for tests",
            requests_per_minute=1_000_000,
            log_level="ERROR",
        )
        self.folder = folder
        self.app = create_app(settings, clock=clock or wall_clock)
        self.server = self.app.extensions["chushan"]
        self.engine = self.server.engine
        self.reviewer = User("reviewer", "reviewer", "审核员", "county", COUNTY, None)
        with writing(self.engine) as conn:
            places = [p for p in demo_divisions() if p.code12[:6] == COUNTY]
            store_divisions(
                conn,
                [
                    {
                        "code": p.code12,
                        "name": p.name,
                        "level": p.level,
                        "parent": p.parent,
                        "valid_from": None,
                        "valid_to": None,
                        "successor": None,
                        "urban_rural": None,
                    }
                    for p in places
                ],
            )
            for user in (
                self.reviewer,
                User("cadre1", "cadre1", "测试村干", "cadre", TOWNSHIP, None),
                User("cadre2", "cadre2", "另一村干", "cadre", TOWNSHIP, None),
            ):
                add_user(conn, user, password_hash=None, now_ms=self.server.now_ms())
        self._http = make_server("127.0.0.1", 0, self.app, threaded=True)
        self.port = self._http.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self.engine.dispose()

    def enrolment(
        self, user_id: str = "cadre1", url: str | None = None, scope: str = TOWNSHIP
    ) -> str:
        """Return the text of a fresh QR code; `url` in place of the server's own address."""
        from server.services.enrol import enrolment_text, make_enrolment
        from server.storage.engine import writing

        with writing(self.engine) as conn:
            code = make_enrolment(
                conn, user_id=user_id, scope=scope, made_by=None, now_ms=self.server.now_ms()
            )
        return enrolment_text(url or self.url, code)

    def phone(
        self,
        path: Path,
        user_id: str = "cadre1",
        url: str | None = None,
        scope: str = TOWNSHIP,
    ) -> Store:
        """Return the store of a phone that is enrolled here."""
        store = open_store(path)
        enrol(store, parse_enrolment(self.enrolment(user_id, url, scope)), timeout_s=10)
        return store

    def import_records(
        self, records: Iterable[tuple[str, str, dict[str, Any]]], *, seen: bool = False
    ) -> None:
        """Bring records in as a roster import does; `seen` lets it know of every earlier edit."""
        from server.services.apply_changes import Author, apply_changes, next_n
        from server.storage.engine import writing
        from server.storage.feed import present_seq

        records = list(records)
        author = Author(COUNTY, "import", self.reviewer.id, None, COUNTY, "import")
        now_ms = self.server.now_ms()
        with writing(self.engine) as conn:
            n = next_n(conn, COUNTY, "import", len(records))
            base = present_seq(conn, COUNTY) if seen else 0
            changes = [
                Change(n + i, kind, record_id, base, now_ms, values)
                for i, (kind, record_id, values) in enumerate(records)
            ]
            applied = apply_changes(
                conn,
                changes,
                author=author,
                sent_ms=now_ms,
                received_ms=now_ms,
                schema=SCHEMA_VERSION,
            )
        assert all(one.outcome in ("applied", "merged") for one in applied), applied

    def send_back(self, household_id: str, *comments: tuple[str, str, str, str]) -> None:
        """Return a household to the cadre with (kind, record id, field, words)."""
        from server.services.review import Comment, return_bundle
        from server.storage.engine import writing
        from server.storage.reviews import reviews_of

        with writing(self.engine) as conn:
            bundle_seq = reviews_of(conn, COUNTY, [household_id])[household_id].bundle_seq
            return_bundle(
                conn,
                COUNTY,
                household_id,
                bundle_seq,
                [Comment(*comment) for comment in comments],
                user=self.reviewer,
                now_ms=self.server.now_ms(),
                new_id=self.server.new_id,
            )

    def apply_held(self, change: Any) -> None:
        """Apply a held change, a row of `changes`, as its button does."""
        from server.services.held import apply_held_change
        from server.storage.engine import writing

        with writing(self.engine) as conn:
            apply_held_change(
                conn, COUNTY, change.incarnation, change.n, user=self.reviewer,
                now_ms=self.server.now_ms(), new_id=self.server.new_id,
            )  # fmt: skip

    def close_held(self, change: Any, reason: str) -> None:
        """Close a held change, a row of `changes`, with the county's words."""
        from server.services.held import close_held_change
        from server.storage.engine import writing

        with writing(self.engine) as conn:
            close_held_change(
                conn, COUNTY, change.incarnation, change.n, reason, user=self.reviewer,
                now_ms=self.server.now_ms(), new_id=self.server.new_id,
            )  # fmt: skip

    def decide(self, field: str, value: Any) -> None:
        """Decide the open conflict about a field."""
        from sqlalchemy import select

        from server.services.decide_conflict import decide_conflict
        from server.storage.engine import writing
        from server.storage.tables import conflict

        with writing(self.engine) as conn:
            wanted = (conflict.c.field == field) & (conflict.c.state == "open")
            conflict_id = conn.execute(select(conflict.c.id).where(wanted)).scalars().first()
            assert conflict_id, f"no open conflict about {field}"
            decide_conflict(
                conn, COUNTY, conflict_id, value, user=self.reviewer,
                now_ms=self.server.now_ms(), new_id=self.server.new_id,
            )  # fmt: skip

    def values(self, kind: str, record_id: str) -> dict[str, Any]:
        """Return a record's values as the county has them."""
        from server.storage.engine import reading
        from server.storage.records import records_by_id

        with reading(self.engine) as conn:
            return dict(records_by_id(conn, COUNTY, kind, [record_id])[record_id].values)

    def changes(self) -> list[Any]:
        """Return every change of a phone that ever arrived, in order of arrival."""
        from sqlalchemy import select

        from server.storage.engine import reading
        from server.storage.tables import change

        with reading(self.engine) as conn:
            query = select(change).where(change.c.device_id.is_not(None))
            return list(conn.execute(query.order_by(change.c.incarnation, change.c.n)))


def sync(store: Store) -> SyncResult:
    """Sync and insist that it went through."""
    result = sync_once(store, timeout_s=10)
    assert result.error is None, (result.error, repr(result.error))
    return result


# --- a link that breaks ---


class BadLink:
    """A proxy on loopback. Each new connection takes the next (bytes up, bytes down) of `cuts` and
    ends after them; a connection without such a pair passes everything."""

    def __init__(self, target_port: int) -> None:
        self.cuts: list[tuple[int, int]] = []
        self.bytes_up = 0
        self.bytes_down = 0
        self.connections = 0
        self.requests = 0
        self._target = ("127.0.0.1", target_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            up, down = self.cuts.pop(0) if self.cuts else (1 << 60, 1 << 60)
            far = socket.create_connection(self._target)
            self._sockets += [near, far]
            for source, sink, most, is_up in ((near, far, up, True), (far, near, down, False)):
                threading.Thread(
                    target=self._carry, args=(source, sink, most, is_up), daemon=True
                ).start()

    def _carry(self, source: socket.socket, sink: socket.socket, most: int, is_up: bool) -> None:
        try:
            while most > 0:
                data = source.recv(min(4096, most))
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
                most -= len(data)
                if is_up:
                    self.bytes_up += len(data)
                    self.requests += data.count(b" HTTP/1.1\r\n")
                else:
                    self.bytes_down += len(data)
        except OSError:
            pass
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextmanager
def bad_link(county: County) -> Iterator[BadLink]:
    link = BadLink(county.port)
    try:
        yield link
    finally:
        link.close()
