"""What goes wrong in the field, for real: full disks, networks that lie, certificates, clocks, restores.

Each time nothing is lost, the words say what happened and what to do, and the work goes on after.
Kills of the app are in tests/mobile/test_kill.py, a copied and a restored phone and a server restored
from a backup in tests/mobile/test_attempt.py and by the thousand in test_simulation.py.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import event, update
from werkzeug.serving import make_server

from mobile.storage import records
from mobile.storage.database import PhoneFull, Store, get, open_store, put
from mobile.sync.attempt import SyncResult, last_result, sync_once
from mobile.sync.client import (
    CaptivePortal,
    NoRoomLeft,
    NoSignal,
    NotOurServer,
    Refused,
    SyncError,
    TLSFailed,
)
from mobile.sync.enrol import enrol, parse_enrolment
from server.storage.engine import writing
from server.storage.tables import device
from shared_schemas.errors import ERRORS
from tests.mobile.phones import (
    County,
    a_submitted_household,
    a_visit,
    bad_link,
    fill_household,
    sync,
)

from .ledger import rows, waiting

CHANGES = 8
"""What `a_submitted_household` hands in."""


# --- a full phone ---


class SmallDisk:
    """A file system of one size. `fill` leaves no room on it, `make_room` gives it back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "photos"

    def fill(self, *, but: int = 0) -> None:
        with suppress(OSError), self._filler.open("ab", buffering=0) as photos:
            while True:
                photos.write(b"x" * 512)
        if but:
            os.truncate(self._filler, max(0, self._filler.stat().st_size - but))

    def make_room(self) -> None:
        self._filler.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Yield a disk of 8 MB, mounted for this test."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)],
        check=False, capture_output=True,
    ).returncode == 0  # fmt: skip
    if not mounted:
        pytest.skip("only root may mount a small disk")
    yield SmallDisk(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def counts(store: Store) -> dict[str, int]:
    return {
        name: store.connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
        for name in ("draft", "outbox", "household", "member")
    }


def test_answer_on_a_full_phone_is_refused_whole_and_can_be_given_again(
    small_disk: SmallDisk,
) -> None:
    store = open_store(small_disk.folder / "p.db")
    visit = a_visit(store)
    fill_household(visit.household)
    small_disk.fill()
    addresses = ["坡上的老屋" * 20 + str(i) for i in range(2000)]
    stored = None
    # The log's last page may take some more.
    with pytest.raises(PhoneFull):  # noqa: PT012
        for address in addresses:
            visit.household.answer("address", address)
            stored = address
    again = a_visit(store, visit.household_id)
    assert again.household.values["phone"] == "13800138000"
    assert again.household.values.get("address") == stored
    small_disk.make_room()
    again.household.answer("address", "坡上")
    assert a_visit(store, visit.household_id).household.values["address"] == "坡上"
    store.close()


def test_submit_on_a_full_phone_leaves_the_visit_open_and_whole(small_disk: SmallDisk) -> None:
    from tests.mobile.phones import a_filled_visit

    store = open_store(small_disk.folder / "p.db")
    visit = a_filled_visit(store)
    before = counts(store)
    small_disk.fill()
    # Room in the log's last page is used up by other work first.
    with suppress(PhoneFull):
        while True:
            with store.writing() as connection:
                put(connection, "filler", "x" * 3000 + str(len(counts(store))))
    with pytest.raises(PhoneFull):
        visit.submit()
    assert counts(store) == before
    small_disk.make_room()
    reopened = a_visit(store, visit.household_id)
    assert reopened.submit().submitted
    assert counts(store)["outbox"] == CHANGES
    store.close()


def test_sync_on_a_full_phone_says_so_keeps_all_and_goes_on_after(
    county: County, one: Store, small_disk: SmallDisk
) -> None:
    phone = county.phone(small_disk.folder / "p.db", "cadre2")
    a_submitted_household(phone, "岑", 200)
    sync(phone)
    for serial in range(300, 420, 10):
        a_submitted_household(one, serial=serial)
    sync(one)
    last = a_submitted_household(phone, "罗", 500)
    before = counts(phone)
    phone.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    small_disk.fill(but=24 * 1024)
    result = sync_once(phone, timeout_s=10)
    assert isinstance(result.error, NoRoomLeft)
    assert "存储空间满了" in result.message
    assert "storage is full" in result.words("en")
    assert counts(phone)["outbox"] == before["outbox"]
    assert counts(phone)["household"] >= before["household"]
    small_disk.make_room()
    result = sync(phone)
    assert result.remaining == 0
    assert county.values("household", last)["phone"] == "13900000500"
    assert len(records.households(phone)) == 14
    sent = [row for row in county.changes() if row.record_id.startswith(last)]
    assert len(sent) == CHANGES
    phone.close()


def test_app_opens_on_a_full_phone(small_disk: SmallDisk) -> None:
    """The cadre must get at what he has: to read it, and to sync it away."""
    path = small_disk.folder / "p.db"
    store = open_store(path)
    household_id = a_submitted_household(store)
    store.close()
    small_disk.fill(but=64 * 1024)
    store = open_store(path)
    assert len(records.households(store)) == 1
    assert a_visit(store, household_id).locked
    store.close()


# --- a full server ---


@contextmanager
def full_disk(county: County) -> Iterator[None]:
    """Let the county's database grow no further, as when its disk is full."""
    dialect = county.engine.dialect.name
    if dialect == "postgresql":
        # No quota in PostgreSQL: the insert meets the error that a full disk raises there.
        with writing(county.engine) as conn:
            conn.exec_driver_sql(
                "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE"
                " EXCEPTION 'could not extend file: No space left on device'"
                " USING ERRCODE = 'disk_full'; END $$"
            )
            conn.exec_driver_sql(
                'CREATE TRIGGER full_disk BEFORE INSERT ON "change" EXECUTE FUNCTION no_room()'
            )
        yield
        with writing(county.engine) as conn:
            conn.exec_driver_sql('DROP TRIGGER full_disk ON "change"')
        return

    def limit(connection: Any, *_: Any) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # as many as there are, and none more

    county.engine.dispose()
    event.listen(county.engine, "connect", limit)
    try:
        yield
    finally:
        event.remove(county.engine, "connect", limit)
        county.engine.dispose()


def test_full_server_says_so_the_phone_keeps_all_and_goes_on_after(
    county: County, one: Store
) -> None:
    sync(one)
    households = [a_submitted_household(one, serial=serial) for serial in range(100, 900, 10)]
    with full_disk(county):
        result = sync_once(one, timeout_s=10)
        assert isinstance(result.error, Refused)
        assert (result.error.code, ERRORS[result.error.code].status) == ("storage_full", 507)
        assert "硬盘满了" in result.message
        assert "disk is full" in result.words("en")
        assert result.sent + result.remaining == CHANGES * len(households)
        assert result.remaining > 0
    result = sync(one)
    assert result.remaining == 0
    assert len(county.changes()) == CHANGES * len(households)
    assert {change.outcome for change in county.changes()} == {"applied"}


# --- what stands between ---


class Portal:
    """A server that gives every caller the same raw bytes: a hotel's network, a broken proxy."""

    def __init__(self, answer: bytes) -> None:
        import socket

        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._answer = answer
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with near, suppress(OSError):
                near.recv(65536)
                near.sendall(self._answer)

    def close(self) -> None:
        self._listener.close()


LOGIN = b"<html><body>Welcome to the hotel</body></html>"


@pytest.mark.parametrize(
    ("head", "body", "expected", "zh", "en"),
    [
        (b"200 OK\r\nContent-Type: text/html", LOGIN, CaptivePortal, "要先登录", "sign-in page"),
        (b"302 Found\r\nLocation: http://portal.example/", b"", CaptivePortal,
         "要先登录", "mobile data"),
        (b"511 Network Authentication Required\r\nContent-Type: text/html", LOGIN,
         CaptivePortal, "打开浏览器登录", "open a browser"),
        # A portal that claims to be JSON, or nothing at all, is not taken for the county either.
        (b"200 OK\r\nContent-Type: application/json", b'{"ok": true}', NotOurServer,
         "核对地址", "check the address"),
        (b"200 OK", LOGIN, SyncError, "", ""),
    ],
)  # fmt: skip
def test_network_that_wants_a_sign_in_first_is_told_and_nothing_counts_as_sent(
    county: County, one: Store, head: bytes, body: bytes, expected: type[SyncError],
    zh: str, en: str,
) -> None:  # fmt: skip
    a_submitted_household(one)
    home = get(one.connection, "server")
    length = b"\r\nContent-Length: " + str(len(body)).encode()
    portal = Portal(b"HTTP/1.1 " + head + length + b"\r\nConnection: close\r\n\r\n" + body)
    with one.writing() as connection:
        put(connection, "server", portal.url)
    result = sync_once(one, timeout_s=5)
    portal.close()
    assert isinstance(result.error, expected)
    assert zh in result.message
    assert en in result.words("en")
    assert (result.sent, result.remaining) == (0, CHANGES)
    with one.writing() as connection:
        put(connection, "server", home)
    assert sync(one).sent == CHANGES


def test_proxy_that_cuts_at_any_byte_of_any_answer_costs_nothing_but_time(
    county: County, tmp_path: Path
) -> None:
    """One cut after each number of bytes that come down, over hello, push and pull alike."""
    with bad_link(county) as link:
        phone = county.phone(tmp_path / "cut" / "p.db", url=link.url)
        household_id = a_submitted_household(phone)
        sync(phone)
        # One edit without a cut tells how many bytes a sync of it brings down.
        an_edit(phone, household_id, 0)
        link.bytes_down = 0
        sync(phone)
        whole = link.bytes_down
        assert whole > 800
        cuts = range(1, whole, 9)
        for at in cuts:
            an_edit(phone, household_id, at)
            phone.close()
            phone = open_store(tmp_path / "cut" / "p.db")
            link.cuts = [(1 << 40, at)]
            result = sync_once(phone, timeout_s=10)
            if result.error is not None:
                assert result.error.words(), at
                result = sync(phone)
            assert result.remaining == 0, at
            stored = county.values("household", household_id)["address"]
            assert stored == f"第{at}号", at
        phone.close()
    log = county.changes()
    assert len(log) == CHANGES + 1 + len(cuts)
    assert {change.outcome for change in log} == {"applied"}


def an_edit(store: Store, household_id: str, number: int) -> None:
    visit = a_visit(store, household_id)
    visit.household.answer("address", f"第{number}号")
    assert visit.submit().submitted


def test_name_that_no_server_answers_to_is_no_signal(one: Store) -> None:
    a_submitted_household(one)
    with one.writing() as connection:
        put(connection, "server", "http://county.invalid")
    result = sync_once(one, timeout_s=5)
    assert isinstance(result.error, NoSignal)
    assert "没有信号" in result.message
    assert "No signal" in result.words("en")
    assert result.remaining == CHANGES


# --- certificates ---


class Authority:
    """A certificate authority of this test's own."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        now = dt.datetime.now(dt.UTC)
        self._certificate = (
            x509.CertificateBuilder().subject_name(self._name).issuer_name(self._name)
            .public_key(self._key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=900))
            .not_valid_after(now + dt.timedelta(days=900))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )  # fmt: skip

    def certificate(self) -> bytes:
        """Return its certificate, to be trusted."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, folder: Path, name: str, first_day: int, last_day: int) -> tuple[str, str]:
        """Return files of a server's certificate, valid between days counted from now, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self._name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + dt.timedelta(days=first_day))
            .not_valid_after(now + dt.timedelta(days=last_day))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        (folder / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@contextmanager
def over_tls(county: County, files: tuple[str, str]) -> Iterator[str]:
    """Serve the county over TLS; yield its address by name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    httpd = make_server("127.0.0.1", 0, county.app, threaded=True, ssl_context=context)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{httpd.server_port}"
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


@pytest.mark.parametrize(
    ("name", "first_day", "last_day", "is_trusted", "gets_through"),
    [
        pytest.param("localhost", -1, 30, True, True, id="good"),
        pytest.param("localhost", -1, 30, False, False, id="unknown authority"),
        pytest.param("localhost", -60, -1, True, False, id="expired, or a clock ahead"),
        pytest.param("localhost", 1, 60, True, False, id="not yet valid: a clock behind"),
        pytest.param("other.example", -1, 30, True, False, id="another host's"),
    ],
)
def test_certificate_that_cannot_be_trusted_is_told_and_nothing_is_sent(
    county: County, one: Store, authority: Authority, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, name: str, first_day: int, last_day: int,
    is_trusted: bool, gets_through: bool,
) -> None:  # fmt: skip
    a_submitted_household(one)
    trusted = tmp_path / "authority.pem"
    trusted.write_bytes(authority.certificate())
    if is_trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    files = authority.issue(tmp_path / "tls", name, first_day, last_day)
    with over_tls(county, files) as address:
        with one.writing() as connection:
            put(connection, "server", address)
        result = sync_once(one, timeout_s=10)
    if gets_through:
        assert (result.error, result.sent) == (None, CHANGES)
        return
    assert isinstance(result.error, TLSFailed)
    assert "日期时间" in result.message
    assert "date and time" in result.words("en")
    assert (result.sent, result.remaining) == (0, CHANGES)
    assert county.changes() == []


# --- clocks ---

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    "clock_at",
    [
        pytest.param(lambda now, _: _ * 1000, id="1970"),
        pytest.param(lambda now, _: now + 365 * DAY_MS, id="a year ahead"),
        pytest.param(lambda now, i: now - (i % 7) * DAY_MS, id="jumps back and forth"),
    ],
)
def test_wrong_clock_loses_nothing_and_dates_nothing_into_the_future(
    county: County, tmp_path: Path, clock_at: Callable[[int, int], int]
) -> None:
    ticks = iter(range(1, 1 << 30))
    path = tmp_path / "clock" / "p.db"
    store = open_store(path, clock=lambda: clock_at(county.server.now_ms(), next(ticks)))
    enrol(store, parse_enrolment(county.enrolment()), timeout_s=10)
    household_id = a_submitted_household(store)
    sync(store)
    for address in ("甲", "乙", "丙"):
        visit = a_visit(store, household_id)
        visit.household.answer("address", address)
        assert visit.submit().submitted
        sync(store)
    assert county.values("household", household_id)["address"] == "丙"
    now = county.server.now_ms()
    assert all(0 < change.eff_ms <= now for change in county.changes())
    assert {change.outcome for change in county.changes()} == {"applied"}
    assert len(records.households(store)) == 1
    # Each submit of this phone is later than the one before, whatever its clock said.
    query = "SELECT at_ms FROM outbox WHERE record_id = ? ORDER BY id"
    edits = [row[0] for row in store.connection.execute(query, (household_id,))]
    assert edits == sorted(set(edits))
    store.close()


# --- a lost phone, a restored phone ---


def test_lost_phone_hands_in_late_and_the_county_decides(county: County, one: Store) -> None:
    sync(one)
    household_id = a_submitted_household(one)
    with writing(county.engine) as conn:
        conn.execute(update(device).values(state="lost"))
    result = sync_once(one, timeout_s=10)
    assert (result.held, result.remaining) == (CHANGES, 0)
    assert "已被县里停用" in result.message
    assert "revoked" in result.words("en")
    for change in [row for row in county.changes() if row.outcome == "held"]:
        if change.kind == "household":
            county.apply_held(change)
    # What waits for a phone's trust is not released by its household: a person looked at that only.
    assert len(waiting(county.engine)) == CHANGES - 1
    assert county.values("household", household_id)["phone"] == "13900000100"


def test_phone_put_back_to_an_old_backup_doubles_nothing(county: County, tmp_path: Path) -> None:
    path = tmp_path / "old" / "p.db"
    store = county.phone(path)
    first = a_submitted_household(store)
    backup = tmp_path / "backup.db"
    store.connection.execute("VACUUM INTO ?", (str(backup),))
    sync(store)
    second = a_submitted_household(store, "岑", 200)
    sync(store)
    store.close()
    for leftover in path.parent.glob("p.db*"):
        leftover.unlink()
    shutil.copy(backup, path)
    store = open_store(path)
    sync(store)
    sync(store)
    assert {row.id for row in records.households(store)} == {first, second}
    log = [row for row in county.changes() if row.resolution != "again"]
    assert len(log) == 2 * CHANGES
    assert rows(county.engine, _conflict()) == []
    store.close()


def _conflict() -> Any:
    from server.storage.tables import conflict

    return conflict


def test_every_failure_is_remembered_and_shown_again_in_both_languages(one: Store) -> None:
    a_submitted_household(one)
    with one.writing() as connection:
        put(connection, "server", "http://127.0.0.1:9")
    told = sync_once(one, timeout_s=2)
    kept = last_result(one)
    assert isinstance(kept, SyncResult)
    assert (kept.words("zh"), kept.words("en")) == (told.words("zh"), told.words("en"))
