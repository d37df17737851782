"""What cannot be applied is held, never refused away: stored with its reason, told to the cadre in his
words, shown to the county, settled there by one action, and the phone hears what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import PASSWORD, sign_in
from sqlalchemy import select, update

from mobile.forms.matters import matters
from mobile.storage import outbox, records
from mobile.storage.database import Store, get, tick
from mobile.storage.outbox import NewChange
from mobile.storage.records import refresh
from mobile.sync.attempt import sync_once
from server.services import apply_changes
from server.services.sign_in import hash_password
from server.storage.engine import reading, writing
from server.storage.tables import audit, device, user_account
from shared_schemas import ids
from shared_schemas.changes import HeldReason
from shared_schemas.locale import text
from tests.mobile.phones import (
    TOWNSHIP,
    VILLAGE,
    County,
    a_submitted_household,
    a_visit,
    sync,
)
from tests.web.office import Office

from .ledger import rows, waiting
from .test_three_way import another_village, edit, members, shown

WORDS = {
    HeldReason.OUT_OF_SCOPE: "不在您现在负责的地方",
    HeldReason.INVALID: "不合规定",
    HeldReason.UNKNOWN_KIND: "还不认识这类记录",
    HeldReason.UNKNOWN_SCHEMA: "应用比县里的服务器新",
    HeldReason.MISSING_HOUSEHOLD: "县里还没有收到",
    HeldReason.DEVICE_REVOKED: "县里已停用",
    HeldReason.RECORD_VOID: "已经作废",
}


@pytest.fixture
def home(one: Store) -> str:
    household_id = a_submitted_household(one)
    sync(one)
    return household_id


@pytest.fixture
def office(county: County) -> Office:
    """Return the county's office at its pages."""
    with writing(county.engine) as conn:
        conn.execute(
            update(user_account)
            .where(user_account.c.id == county.reviewer.id)
            .values(password_hash=hash_password(PASSWORD))
        )
    browser = sign_in(county.app, county.reviewer.login)
    return Office(county.app, county.engine, county.reviewer, browser, None)  # type: ignore[arg-type]


def set_devices(county: County, **values: Any) -> None:
    with writing(county.engine) as conn:
        conn.execute(update(device).values(**values))


def hold(
    reason: HeldReason, county: County, one: Store, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Have one edit of the household's member held for a reason."""
    wife = members(one, home)[1]
    if reason is HeldReason.OUT_OF_SCOPE:
        edit(one, home, "member", wife, education="60")
        set_devices(county, scope=another_village(county))
    elif reason is HeldReason.INVALID:
        edit(one, home, "member", wife, education="999")
    elif reason is HeldReason.UNKNOWN_KIND:
        # The server is older than the app and does not know consents yet.
        known = apply_changes.is_record_kind
        monkeypatch.setattr(
            apply_changes, "is_record_kind", lambda kind: kind != "consent" and known(kind)
        )
        [consent, *_] = [f for f in a_visit(one, home).records() if f.kind == "consent"]
        edit(one, home, "consent", consent.record_id, method="2")
    elif reason is HeldReason.UNKNOWN_SCHEMA:
        # A newer app knows a code that the server has yet to learn.
        edit(one, home, "member", wife, education="95")
        with one.writing() as connection:
            connection.execute("UPDATE outbox SET schema = 99 WHERE state = 'waiting'")
    elif reason is HeldReason.MISSING_HOUSEHOLD:
        nobody = "0000000000zzz0001"
        edit(one, home, "member", nobody, household_id="0000000000zzz", name="王小河")
    elif reason is HeldReason.DEVICE_REVOKED:
        edit(one, home, "member", wife, education="60")
        set_devices(county, state="lost")
    elif reason is HeldReason.RECORD_VOID:
        edit(one, home, "member", wife, education="60")
        county.import_records([("member", wife, {"deleted": True})], seen=True)


def told(store: Store, household_id: str, lang: str = "zh") -> str:
    return "\n".join(
        "\n".join([matter.title, *matter.lines])
        for matter in matters(a_visit(store, household_id), lang)
    )


@pytest.mark.parametrize("reason", HeldReason)
def test_every_reason_is_stored_and_told_on_the_phone_and_on_the_page(
    reason: HeldReason, county: County, one: Store, home: str, office: Office,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    hold(reason, county, one, home, monkeypatch)
    result = sync_once(one, timeout_s=10)
    assert (result.held, result.remaining) == (1, 0)
    assert "1条县里已收到,待处理" in result.message
    [held] = waiting(county.engine)
    assert held["reason"] == reason.value
    words = told(one, home)
    assert "县里已收到,待处理" in words
    assert WORDS[reason] in words
    assert text(f"matter.why.{reason.value}", "en") in told(one, home, "en")
    page = office.browser.get("/held").text
    assert text(f"pages.held.reason.{reason.value}", "zh") in page
    assert text(f"pages.held.why.{reason.value}", "zh") in page
    assert "测试村干" in page


@pytest.mark.parametrize(
    "reason", [HeldReason.OUT_OF_SCOPE, HeldReason.DEVICE_REVOKED, HeldReason.RECORD_VOID]
)
def test_one_press_applies_it_and_the_phone_says_so(
    reason: HeldReason, county: County, one: Store, home: str, office: Office,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    hold(reason, county, one, home, monkeypatch)
    wife = members(one, home)[1]
    sync_once(one, timeout_s=10)
    [held] = waiting(county.engine)
    answer = office.post(f"/held/{held['incarnation']}/{held['n']}/apply", {})
    assert answer.status_code == 303
    assert county.values("member", wife)["education"] == "60"
    assert waiting(county.engine) == []
    set_devices(county, state="active", scope=TOWNSHIP)
    result = sync(one)
    assert (result.settled, result.closed) == (1, 0)
    assert "县里核对后采用了1条" in result.message
    assert told(one, home) == ""
    assert sync(one).settled == 0


def test_closed_change_is_let_go_and_its_author_reads_why(
    county: County, one: Store, home: str, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(HeldReason.RECORD_VOID, county, one, home, monkeypatch)
    sync(one)
    [held] = waiting(county.engine)
    path = f"/held/{held['incarnation']}/{held['n']}/close"
    assert office.post(path, {"reason": " "}).status_code == 422
    assert office.post(path, {"reason": "此人已迁到贞丰"}).status_code == 303
    result = sync(one)
    assert (result.settled, result.closed) == (0, 1)
    assert "没有采用1条" in result.message
    words = told(one, home)
    assert "没有采用" in words
    assert "县里说:此人已迁到贞丰" in words
    wife = held["record_id"]
    with one.reading() as connection:
        [void] = [r for r in records.shown_records(connection, home) if r.id == wife]
    assert (void.values["education"], void.values["deleted"]) == ("70", True)
    assert records.household_row(one, home).state != records.HELD  # type: ignore[union-attr]
    edit(one, home, "household", home, address="坡上")
    edit(one, home, "member", wife, deleted=False)
    sync(one)
    assert told(one, home) == ""


def test_held_change_stays_in_sight_until_the_county_settles_it(
    county: County, one: Store, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the record moves on at the county is no answer to the change that waits there."""
    hold(HeldReason.RECORD_VOID, county, one, home, monkeypatch)
    wife = members(one, home)[1]
    sync(one)
    county.import_records([("member", wife, {"deleted": False})], seen=True)
    sync(one)
    assert len(waiting(county.engine)) == 1
    assert records.household_row(one, home).state == records.HELD  # type: ignore[union-attr]
    assert "县里已收到,待处理" in told(one, home)
    [change] = [row for row in county.changes() if row.outcome == "held"]
    county.apply_held(change)
    sync(one)
    assert shown(one, home, wife)["education"] == "60"
    assert records.household_row(one, home).state == records.SYNCED  # type: ignore[union-attr]


def test_a_held_change_does_not_come_up_again_over_a_newer_one_that_the_county_has(
    county: County, one: Store, home: str
) -> None:
    """Else the cadre sees his own older answer, and writes over the newer one without having seen it."""
    wife = members(one, home)[1]
    scope = get(one.connection, "scope")
    edit(one, home, "member", wife, education="60")
    set_devices(county, scope=another_village(county))
    assert sync_once(one).held == 1
    set_devices(county, scope=scope)
    sync(one)
    edit(one, home, "member", wife, education="40")
    sync(one)
    sync(one)
    assert county.values("member", wife)["education"] == "40"
    assert shown(one, home, wife)["education"] == "40"
    assert records.household_row(one, home).state == records.HELD  # type: ignore[union-attr]
    with one.writing() as connection:  # a year later the newer one is still known
        outbox.prune(connection, 2**50, 2**50)
        refresh(connection, "member", wife)
    assert shown(one, home, wife)["education"] == "40"


def test_a_household_closed_while_its_cadre_is_at_work_in_it_stays_in_his_hands(
    county: County, one: Store, office: Office
) -> None:
    """The county never had it: his answers would stand in a household that no list shows."""
    home = ids.household_id(0x910036)
    set_devices(county, scope=another_village(county))
    with one.writing() as connection:
        values = {"village_code": VILLAGE, "address": "坡上"}
        change = NewChange("household", home, values, "", 0, tick(connection, one.clock))
        outbox.add(connection, home, [change])
    assert sync_once(one).held == 1
    a_visit(one, home).household.answer("group_no", "三组")
    [held] = waiting(county.engine)
    path = f"/held/{held['incarnation']}/{held['n']}/close"
    assert office.post(path, {"reason": "不在您负责的村"}).status_code == 303
    assert sync_once(one).closed == 1
    assert home in [row.id for row in records.households(one, VILLAGE)]
    again = a_visit(one, home).household
    assert again.drafts["address"].at_ms > change.at_ms  # another edit than the one that was closed
    kept = again.values
    assert (kept["village_code"], kept["address"], kept["group_no"]) == (VILLAGE, "坡上", "三组")


# --- many at once ---


def a_reassigned_cadre(county: County, one: Store, home: str, count: int) -> str:
    """Have a cadre who was given another village hand in many edits; return the wife's id."""
    wife = members(one, home)[1]
    with one.writing() as connection:
        known = {one.id: one for one in records.shown_records(connection, home)}[wife]
        for i in range(count):
            at_ms = tick(connection, one.clock)
            values = {"work_wage": 1000 + i}
            change = NewChange("member", wife, values, known.epoch, known.seq, at_ms)
            outbox.add(connection, home, [change])
    set_devices(county, scope=another_village(county))
    result = sync_once(one, timeout_s=30)
    assert (result.held, result.remaining) == (count, 0), result.error
    return wife


def test_all_changes_of_a_reassigned_cadre_are_applied_by_one_press_in_their_order(
    county: County, one: Store, home: str, office: Office
) -> None:
    wife = a_reassigned_cadre(county, one, home, 300)
    page = office.browser.get("/held").text
    assert "全部采用（300 条）" in page
    assert "1 / 15" in page or "300" in page
    form = {"device": waiting(county.engine)[0]["device_id"], "reason": "out_of_scope"}
    assert office.post("/held/all", {**form, "what": "apply"}).status_code == 303
    assert "已采用 300 条" in office.browser.get("/held").text
    assert waiting(county.engine) == []
    assert county.values("member", wife)["work_wage"] == 1299
    assert len(rows(county.engine, audit, audit.c.action == "held_applied")) == 300
    set_devices(county, scope=TOWNSHIP)
    assert sync(one).settled == 300
    assert told(one, home) == ""
    assert office.post("/held/all", {**form, "what": "apply"}).status_code == 303
    assert "已采用 0 条" in office.browser.get("/held").text


def test_all_are_closed_with_one_reason_that_each_author_reads(
    county: County, one: Store, two: Store, home: str, office: Office
) -> None:
    a_reassigned_cadre(county, one, home, 130)
    sync_once(two, timeout_s=10)
    form = {"device": waiting(county.engine)[0]["device_id"], "reason": "out_of_scope"}
    refused = office.post("/held/all", {**form, "what": "close", "why": ""})
    assert refused.status_code == 422
    assert "请写明不采用的原因" in refused.text
    assert len(waiting(county.engine)) == 130
    done = office.post("/held/all", {**form, "what": "close", "why": "工资请年底统一报"})
    assert done.status_code == 303
    assert waiting(county.engine) == []
    assert {row["note"] for row in rows(county.engine, county_log(), *held_rows())} == {
        "工资请年底统一报"
    }
    result = sync_once(one, timeout_s=10)
    assert result.closed == 130


def county_log() -> Any:
    from server.storage.tables import change

    return change


def held_rows() -> list[Any]:
    return [county_log().c.outcome == "held"]


def test_what_is_invalid_cannot_be_applied_together_either(
    county: County, one: Store, home: str, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(HeldReason.INVALID, county, one, home, monkeypatch)
    sync(one)
    form = {"device": waiting(county.engine)[0]["device_id"], "reason": "invalid"}
    assert "全部采用" not in office.browser.get("/held").text
    assert office.post("/held/all", {**form, "what": "apply"}).status_code == 409
    assert len(waiting(county.engine)) == 1


def test_two_reviewers_who_press_at_once_settle_each_change_once(
    county: County, one: Store, home: str, office: Office, tmp_path: Path
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from server.services.held import settle_batch
    from server.storage.changes import HeldBy
    from tests.mobile.phones import COUNTY

    wife = a_reassigned_cadre(county, one, home, 40)
    which = HeldBy(COUNTY, waiting(county.engine)[0]["device_id"], "out_of_scope")

    def press(_: int) -> int:
        with writing(county.engine) as conn:
            return settle_batch(
                conn, COUNTY, which, close_with=None, after=None, user=county.reviewer,
                now_ms=county.server.now_ms(), new_id=county.server.new_id,
            ).done  # fmt: skip

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(press, range(4))) == 40
    assert county.values("member", wife)["work_wage"] == 1039
    with reading(county.engine) as conn:
        lines = conn.execute(select(audit.c.id).where(audit.c.action == "held_applied")).all()
    assert len(lines) == 40
    assert VILLAGE
