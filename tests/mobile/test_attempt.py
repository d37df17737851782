"""A sync against the county's real server over real sockets, also where the link breaks."""

import dataclasses
import itertools
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from phones import (
    VILLAGE,
    BadLink,
    County,
    a_submitted_household,
    a_visit,
    bad_link,
    sync,
)

from mobile.storage import outbox, records
from mobile.storage.database import Store, get, open_store, put
from mobile.sync import attempt
from mobile.sync.attempt import SyncResult, sync_once
from mobile.sync.client import (
    AlreadyRunning,
    Cancelled,
    CaptivePortal,
    CutShort,
    NoSignal,
    NotOurServer,
    Refused,
    ServerTooOld,
    SyncError,
)
from shared_schemas import records as declared
from shared_schemas.fields import Text
from shared_schemas.records.household import Household


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "FIRST_PAUSE_S", 0.001)


@pytest.fixture
def phone(county: County, tmp_path: Path) -> Iterator[Store]:
    store = county.phone(tmp_path / "one" / "p.db")
    yield store
    store.close()


@pytest.fixture
def other_phone(county: County, tmp_path: Path) -> Iterator[Store]:
    store = county.phone(tmp_path / "two" / "p.db", "cadre2")
    yield store
    store.close()


def displayed(store: Store, household_id: str) -> dict[str, dict[str, Any]]:
    bundle = records.bundle(store, household_id)
    return {
        record["id"]: {k: v for k, v in record.items() if k != "id"}
        for _, record in bundle.records()
    }


def test_household_reaches_the_county_and_the_other_phone(
    county: County, phone: Store, other_phone: Store
) -> None:
    household_id = a_submitted_household(phone)
    stages: list[str] = []
    result = sync_once(phone, on_progress=lambda stage, _done, _all: stages.append(stage))
    assert (result.sent, result.applied, result.remaining, result.received) == (8, 8, 0, 0)
    assert list(dict.fromkeys(stages)) == ["hello", "push", "pull", "compare"]
    assert "送出8条,县里收到8条" in result.message
    assert sync(other_phone).received == 8
    assert displayed(other_phone, household_id) == displayed(phone, household_id)
    for record_id, values in displayed(phone, household_id).items():
        kind = "household" if len(record_id) == 13 else None
        if kind:
            assert county.values(kind, record_id) == values


def test_second_sync_sends_and_receives_nothing(phone: Store) -> None:
    a_submitted_household(phone)
    sync(phone)
    result = sync(phone)
    assert (result.sent, result.received, result.unconfirmed) == (0, 0, 0)
    assert phone.connection.execute(
        "SELECT count(*) FROM outbox WHERE covered = 0"
    ).fetchone()[0] == 0  # fmt: skip


@pytest.mark.parametrize(("days", "said"), [(400, "快了400天"), (-9000, "慢了9000天"), (0, "")])
def test_a_wrong_date_is_said_after_the_sync(
    county: County, tmp_path: Path, days: int, said: str
) -> None:
    first = county.phone(tmp_path / "dated" / "p.db")
    first.close()
    # A minute's more, so that the seconds of the test cannot cost a day.
    off_ms = days * attempt.DAY_MS + (60_000 if days > 0 else -60_000 if days else 0)
    store = open_store(
        tmp_path / "dated" / "p.db", clock=lambda: time.time_ns() // 1_000_000 + off_ms
    )
    result = sync_once(store, timeout_s=10)
    assert result.error is None
    assert said in result.message
    assert result.is_clock_wrong == bool(days)
    assert attempt.last_result(store) == result
    store.close()


def test_household_of_the_register_comes_down_and_is_confirmed(
    county: County, phone: Store
) -> None:
    home, member = "0000000000abc", "0000000000abc0001"
    county.import_records(
        [
            ("household", home, {"village_code": VILLAGE, "category": "3", "registry_no": "R1"}),
            ("member", member, {"household_id": home, "name": "王小河", "relation": "02"}),
        ]
    )
    assert sync(phone).received == 2
    (row,) = records.households(phone)
    assert (row.state, row.head_name) == (records.TO_VISIT, "王小河")
    visit = a_visit(phone, home)
    visit.household.answer("dibao", False)
    assert visit.members[0].values["name"] == "王小河"


def test_returned_household_comes_back_with_the_words_beside_the_field(
    county: County, phone: Store
) -> None:
    household_id = a_submitted_household(phone)
    sync(phone)
    wife = a_visit(phone, household_id).members[1].record_id
    county.send_back(
        household_id,
        ("household", household_id, "phone", "电话打不通"),
        ("member", wife, "education", "与户口簿不一致"),
    )
    result = sync(phone)
    assert result.returned == 1
    assert "退回1户" in result.message
    visit = a_visit(phone, household_id)
    assert visit.state == records.RETURNED
    assert {s.group: s.comments for s in visit.steps() if s.comments} == {
        "contact": 1,
        "background": 1,
    }
    education = next(q for q in visit.record(wife).questions("background") if q.name == "education")
    assert education.comment == "与户口簿不一致"

    visit.record(wife).answer("education", "60")
    assert visit.submit().submitted
    assert sync(phone).returned == 0
    (row,) = records.households(phone)
    assert (row.state, row.returned_count) == (records.SYNCED, 0)
    assert county.values("member", wife)["education"] == "60"


def test_two_phones_that_change_the_same_field_both_see_the_conflict(
    phone: Store, other_phone: Store
) -> None:
    household_id = a_submitted_household(phone)
    sync(phone)
    sync(other_phone)
    for store, number in ((phone, "13711111111"), (other_phone, "13722222222")):
        visit = a_visit(store, household_id)
        visit.household.answer("phone", number)
        assert visit.submit().submitted
    assert sync(phone).applied == 1
    result = sync(other_phone)
    assert result.conflicts == 1
    assert "县里裁定" in result.message
    sync(phone)
    for store in (phone, other_phone):
        (row,) = records.households(store)
        assert (row.state, row.conflict_count) == (records.CONFLICT, 1)
        (conflict,) = records.conflicts(store, household_id)
        assert {conflict["ours"], conflict["theirs"]} == {"13711111111", "13722222222"}
        assert {conflict["ours_name"], conflict["theirs_name"]} == {"测试村干", "另一村干"}
    assert displayed(phone, household_id) == displayed(other_phone, household_id)


def test_two_phones_that_change_different_fields_keep_both(
    county: County, phone: Store, other_phone: Store
) -> None:
    household_id = a_submitted_household(phone)
    sync(phone)
    sync(other_phone)
    for store, name, value in ((phone, "address", "河边"), (other_phone, "group_no", "五组")):
        visit = a_visit(store, household_id)
        visit.household.answer(name, value)
        assert visit.submit().submitted
        sync(store)
    sync(phone)
    stored = county.values("household", household_id)
    assert (stored["address"], stored["group_no"]) == ("河边", "五组")
    assert displayed(phone, household_id) == displayed(other_phone, household_id)


def test_own_second_edit_before_the_first_is_shown_back_is_no_conflict(phone: Store) -> None:
    household_id = a_submitted_household(phone)
    sync(phone)
    for address in ("甲", "乙", "丙"):
        visit = a_visit(phone, household_id)
        visit.household.answer("address", address)
        assert visit.submit().submitted
        with phone.writing() as connection:  # sent, and the answer lost
            outbox.next_batch(connection, 100)
    result = sync(phone)
    assert (result.sent, result.applied) == (3, 3)
    assert displayed(phone, household_id)[household_id]["address"] == "丙"


def test_revoked_phone_still_hands_in_what_it_captured_and_the_county_holds_it(
    county: County, phone: Store
) -> None:
    from server.storage.engine import writing
    from server.storage.tables import device

    sync(phone)
    household_id = a_submitted_household(phone)
    with writing(county.engine) as conn:
        conn.execute(device.update().values(state="revoked"))
    result = sync_once(phone, timeout_s=5)
    assert isinstance(result.error, Refused)
    assert result.error.code == "device_revoked"
    assert (result.held, result.remaining) == (8, 0)
    assert "停用" in result.message
    assert "县里已收到,待处理" in result.message
    (row,) = records.households(phone)
    assert (row.id, row.state, row.head_name) == (household_id, records.HELD, "韦正明")
    assert {change.outcome for change in county.changes()} == {"held"}


# --- links that break ---


@given(cuts=st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 4000)), max_size=5))
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_wherever_the_link_is_cut_every_change_takes_effect_once(
    county: County, tmp_path: Path, cuts: list[tuple[int, int]]
) -> None:
    with bad_link(county) as link:
        folder = tmp_path / f"{time.monotonic_ns()}"
        before = len(county.changes())
        store = county.phone(folder / "p.db", url=link.url)
        household_id = a_submitted_household(store, serial=500)
        link.cuts = list(cuts)
        for _ in range(len(cuts) + 1):
            result = sync_once(store, timeout_s=5)
            if result.error is None:
                break
            assert isinstance(result.error, CutShort | NoSignal), result.error
        assert result.error is None
        assert result.remaining == 0
        arrived = county.changes()[:]
        mine = [c for c in arrived if c.record_id.startswith(household_id)]
        assert len(mine) == 8
        assert len(arrived) == before + 8
        assert {c.outcome for c in mine} == {"applied"}
        assert county.values("household", household_id)["phone"] == "13900000500"
        assert records.household_row(store, household_id).state == records.SYNCED  # type: ignore[union-attr]
        store.close()


def test_lost_answer_is_asked_for_again_and_counts_once(county: County, tmp_path: Path) -> None:
    with bad_link(county) as link:
        store = county.phone(tmp_path / "p.db", url=link.url)
        a_submitted_household(store)
        # hello passes on the first connection; its second request's answer is cut off.
        sync(store)
        for serial in range(600, 640, 10):
            a_submitted_household(store, serial=serial)
        link.cuts = [(1 << 30, 2500)]
        result = sync_once(store, timeout_s=5)
        assert result.error is None
        assert result.sent == 32
        assert len(county.changes()) == 40
        store.close()


def test_no_signal_is_said_at_once_and_nothing_is_lost(county: County, tmp_path: Path) -> None:
    with bad_link(county) as link:
        store = county.phone(tmp_path / "p.db", url=link.url)
    a_submitted_household(store)
    began = time.monotonic()
    result = sync_once(store, timeout_s=5)
    assert time.monotonic() - began < 4
    assert isinstance(result.error, NoSignal | CutShort)
    assert result.remaining == 8
    assert "都在手机里" in result.message or "没有丢" in result.message
    store.close()


def test_page_of_a_pull_that_was_cut_is_kept_up_to_the_last_whole_line(
    county: County, phone: Store, tmp_path: Path
) -> None:
    homes = [f"{i:013}" for i in range(400)]
    county.import_records(
        [
            ("household", home, {"village_code": VILLAGE, "address": f"第{home}号院"})
            for home in homes
        ]
    )
    with bad_link(county) as link:
        store = county.phone(tmp_path / "p.db", url=link.url)
        client_cuts = [(1 << 30, most) for most in (700, 1100, 1500, 1900)]
        link.cuts = list(client_cuts)
        result = sync_once(store, timeout_s=5)
        assert result.error is None
        assert result.received == 400
        assert link.connections > 3
        assert len(records.households(store)) == 400
        store.close()
    assert sync(phone).received == 400


def test_cancelled_sync_stops_between_two_requests(phone: Store) -> None:
    a_submitted_household(phone)
    cancel = threading.Event()
    cancel.set()
    result = sync_once(phone, cancel=cancel)
    assert isinstance(result.error, Cancelled)
    assert result.remaining == 8
    assert sync(phone).sent == 8


def test_second_sync_at_the_same_time_is_refused(phone: Store) -> None:
    nested: list[SyncResult] = []

    def again(stage: str, _done: int, _all: int) -> None:
        if stage == "pull" and not nested:
            nested.append(sync_once(phone))

    result = sync_once(phone, on_progress=again)
    assert result.error is None
    assert isinstance(nested[0].error, AlreadyRunning)


def test_server_that_says_nothing_is_given_up_soon(store: Store) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as mute:
        with store.writing() as connection:
            put(connection, "server", f"http://127.0.0.1:{mute.getsockname()[1]}")
            put(connection, "token", "t")
        began = time.monotonic()
        result = sync_once(store, timeout_s=0.3)
    assert isinstance(result.error, CutShort)
    assert time.monotonic() - began < 3


SERIALS = itertools.count(100, 7)
EDITS = st.tuples(st.integers(0, 1), st.sampled_from(["address", "phone", "group_no", "sync"]))


@given(actions=st.lists(EDITS, min_size=4, max_size=14))
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_however_two_phones_interleave_they_end_alike_and_no_unseen_value_is_lost(
    county: County, phone: Store, other_phone: Store, actions: list[tuple[int, str]]
) -> None:
    phones = (phone, other_phone)
    household_id = a_submitted_household(phone, serial=next(SERIALS))
    sync(phone)
    sync(other_phone)
    superseded: set[tuple[str, str]] = set()
    authored: dict[tuple[int, str], list[str]] = {}
    for i, (who, what) in enumerate(actions):
        if what == "sync":
            sync(phones[who])
            continue
        visit = a_visit(phones[who], household_id)
        visit.recall()
        seen = visit.household.values.get(what)
        superseded.add((what, str(seen)))
        superseded |= {(what, value) for value in authored.get((who, what), [])}
        value = (
            f"1{3 + who}0{time.monotonic_ns() % 10**6:06}{i:02}"
            if what == "phone"
            else f"{who}-{i}"
        )
        authored.setdefault((who, what), []).append(value)
        visit.household.answer(what, value)
        assert visit.submit().submitted
    for store in (*phones, *phones):
        assert sync(store).remaining == 0
    assert displayed(phone, household_id) == displayed(other_phone, household_id)
    stored = county.values("household", household_id)
    assert stored == displayed(phone, household_id)[household_id]
    kept = {(name, str(value)) for name, value in stored.items()}
    for conflict in records.conflicts(phone, household_id):
        kept |= {(conflict["field"], str(conflict[side])) for side in ("ours", "theirs")}
    for (_, what), values in authored.items():
        for value in values:
            assert (what, value) in kept | superseded


# --- restores, copies, versions ---


def test_copied_phone_takes_a_new_life_and_nothing_is_lost(
    county: County, phone: Store, tmp_path: Path
) -> None:
    sync(phone)
    phone.connection.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
    copy = open_store(tmp_path / "copy.db")
    first = a_submitted_household(phone, "韦", 100)
    second = a_submitted_household(copy, "岑", 200)
    assert sync(phone).sent == 8
    assert sync(copy).sent == 8
    assert get(copy.connection, "incarnation") != get(phone.connection, "incarnation")
    assert county.values("household", first)["phone"] == "13900000100"
    assert county.values("household", second)["phone"] == "13900000200"
    assert len(county.changes()) == 16
    copy.close()


def test_restored_phone_is_noticed_by_the_file_that_backups_leave_out(tmp_path: Path) -> None:
    outside = tmp_path / "no_backup" / "incarnation"
    store = open_store(tmp_path / "p.db", no_backup_path=outside)
    born = get(store.connection, "incarnation")
    a_submitted_household(store)
    store.close()
    same = open_store(tmp_path / "p.db", no_backup_path=outside)
    assert get(same.connection, "incarnation") == born
    same.close()
    outside.write_text("0000000000000")
    restored = open_store(tmp_path / "p.db", no_backup_path=outside)
    assert get(restored.connection, "incarnation") != born
    assert outside.read_text() == get(restored.connection, "incarnation")
    restored.close()


def test_server_restored_from_a_backup_gets_again_what_it_forgot(
    county: County, tmp_path: Path
) -> None:
    phone = county.phone(tmp_path / "p.db")
    kept = a_submitted_household(phone, "韦", 100)
    sync(phone)
    backup = tmp_path / "backup.db"
    _vacuum_into(county, backup)
    lost = a_submitted_household(phone, "岑", 200)
    sync(phone)
    visit = a_visit(phone, kept)
    visit.household.answer("address", "备份以后写的")
    visit.submit()
    sync(phone)
    phone.connection.execute("PRAGMA wal_checkpoint")

    _restore(county, backup, epoch="after the restore")
    result = sync(phone)
    assert result.sent == 9
    assert county.values("household", lost)["phone"] == "13900000200"
    assert county.values("household", kept)["address"] == "备份以后写的"
    assert {row.state for row in records.households(phone)} == {records.SYNCED}
    assert sync(phone).sent == 0
    phone.close()


def _vacuum_into(county: County, path: Path) -> None:
    import sqlite3

    with sqlite3.connect(county.folder / "county.db") as source:
        source.execute("VACUUM INTO ?", (str(path),))


def _restore(county: County, backup: Path, *, epoch: str) -> None:
    """Put the backup in the server's place and give the database a new epoch, as a restore does."""
    import sqlite3

    county.engine.dispose()
    with sqlite3.connect(backup) as source, sqlite3.connect(county.folder / "county.db") as target:
        source.backup(target)
        target.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (epoch,))
    county.engine.dispose()


def test_field_declared_later_travels_from_phone_to_phone(
    county: County, phone: Store, other_phone: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from server.storage.migrate import upgrade

    class HouseholdWithWater(Household):
        water = Text("饮水来源", "Water from", group="place")

    kind = dataclasses.replace(declared._KINDS["household"], schema=HouseholdWithWater)
    monkeypatch.setitem(declared._KINDS, "household", kind)
    upgrade(county.engine)
    for store in (phone, other_phone):
        open_store(store.path).close()
    visit = a_visit(phone)
    visit.household.answer("water", "井水")
    visit.discard()
    household_id = a_submitted_household(phone)
    visit = a_visit(phone, household_id)
    visit.recall()
    visit.household.answer("water", "井水")
    assert visit.submit().submitted
    sync(phone)
    sync(other_phone)
    assert displayed(other_phone, household_id)[household_id]["water"] == "井水"


def test_field_of_a_newer_app_is_kept_for_the_day_when_this_one_knows_it(
    phone: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from test_visit import pulled

    home = "0000000000abc"
    pulled(phone, "household", home, 1, {"village_code": VILLAGE, "water": "井水"})

    class HouseholdWithWater(Household):
        water = Text("饮水来源", "Water from", group="place")

    kind = dataclasses.replace(declared._KINDS["household"], schema=HouseholdWithWater)
    monkeypatch.setitem(declared._KINDS, "household", kind)
    newer = open_store(phone.path)
    assert records.bundle(newer, home).household["water"] == "井水"
    newer.close()


# --- what is not the county's server ---


class _Answer(BaseHTTPRequestHandler):
    status, kind, body = 200, "text/html", b"<html>Sign in</html>"

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Type", self.kind)
        self.send_header("Content-Length", str(len(self.body)))
        if 300 <= self.status < 400:
            self.send_header("Location", "http://portal.example/")
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("status", "kind", "body", "expected"),
    [
        (200, "text/html", b"<html>Sign in</html>", CaptivePortal),
        (302, "text/html", b"", CaptivePortal),
        (511, "text/html", b"", CaptivePortal),
        (404, "text/html", b"", NotOurServer),
        (200, "image/png", b"x", NotOurServer),
        (200, "application/json", b"[1]", NotOurServer),
        (502, "text/html", b"Bad gateway", Refused),
        (200, "application/json",
         b'{"protocol":"2020-01","epoch":"e","scope":"5","cadre":"c","acked":0,"divisions":[]}',
         ServerTooOld),
        (409, "application/problem+json", b'{"code":"unknown_protocol","supported":["2020-01"]}',
         ServerTooOld),
        (403, "application/problem+json", b'{"code":"device_revoked"}', Refused),
    ],
)  # fmt: skip
def test_answer_that_is_not_the_server_s_is_told_apart(
    store: Store, status: int, kind: str, body: bytes, expected: type[SyncError]
) -> None:
    handler = type("Answer", (_Answer,), {"status": status, "kind": kind, "body": body})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with store.writing() as connection:
            put(connection, "server", f"http://127.0.0.1:{server.server_port}")
            put(connection, "token", "t")
        a_submitted_household(store)
        result = sync_once(store, timeout_s=5)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert type(result.error) is expected
    assert result.remaining == 8
    assert result.error.words() in result.message
    assert result.error.words("en") in result.words("en")


def test_link_helper_cuts_where_it_is_told(county: County) -> None:
    """The bad link itself: without it cutting, the tests above would prove nothing."""
    import requests

    with bad_link(county) as link:
        assert isinstance(link, BadLink)
        link.cuts = [(1 << 30, 0)]
        with pytest.raises(requests.exceptions.ConnectionError):
            requests.get(f"{link.url}/health", timeout=5)
        assert requests.get(f"{link.url}/health", timeout=5).status_code == 200
