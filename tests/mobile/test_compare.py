"""The end of a sync: phone and county hold the same, or the difference is found and mended."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from phones import (
    COUNTY,
    TOWNSHIP,
    VILLAGE,
    County,
    a_submitted_household,
    a_visit,
    bad_link,
    sync,
)

from mobile.storage import inbox, outbox, records
from mobile.storage.database import Store, get, open_store, put
from server.services.backup import make_backup, restore_backup
from server.services.enrol import reassign_device
from server.services.held import close_held_change
from server.storage.changes import HeldBy, held_changes
from server.storage.devices import devices_within
from server.storage.engine import reading, writing
from server.storage.meta import epoch_of
from shared_schemas.codes.divisions import demo_divisions

VILLAGES = [p.code12 for p in demo_divisions() if p.level == 5 and p.code12[:6] == COUNTY]
NEXT_VILLAGE = next(code for code in VILLAGES if code != VILLAGE and code[:9] == VILLAGE[:9])
DAY_MS = 86_400_000


@pytest.fixture
def phone(county: County, tmp_path: Path) -> Iterator[Store]:
    """A phone that sees one village."""
    store = county.phone(tmp_path / "village.db", scope=VILLAGE)
    yield store
    store.close()


@pytest.fixture
def wide(county: County, tmp_path: Path) -> Iterator[Store]:
    """A phone that sees the township."""
    store = county.phone(tmp_path / "township.db", "cadre2")
    yield store
    store.close()


def move(store: Store, household_id: str, village: str) -> None:
    visit = a_visit(store, household_id)
    visit.household.answer("village_code", village)
    assert visit.submit().submitted


def ids_on(store: Store) -> set[str]:
    return {row["id"] for row in store.connection.execute("SELECT id FROM household")}


# --- nothing new ---


def test_a_sync_with_nothing_new_is_one_request_below_half_a_kilobyte(
    county: County, phone: Store
) -> None:
    a_submitted_household(phone)
    sync(phone)
    sync(phone)
    with bad_link(county) as link:
        with phone.writing() as connection:
            put(connection, "server", link.url)
        result = sync(phone)
        assert link.requests == 1
        assert link.bytes_up + link.bytes_down < 500
    assert (result.sent, result.received) == (0, 0)


def test_an_unchanged_hello_is_said_anew_when_anything_changes(
    county: County, phone: Store, wide: Store
) -> None:
    sync(phone)
    sync(phone)
    household_id = a_submitted_household(wide)
    sync(wide)
    assert sync(phone).received == 8
    assert ids_on(phone) == {household_id}


# --- leaving the scope ---


def test_a_household_that_moves_away_leaves_the_phone_with_all_that_is_its_own(
    county: County, phone: Store, wide: Store
) -> None:
    stays, leaves = a_submitted_household(wide, "韦", 100), a_submitted_household(wide, "岑", 300)
    sync(wide)
    sync(phone)
    assert ids_on(phone) == {stays, leaves}
    move(wide, leaves, NEXT_VILLAGE)
    sync(wide)
    result = sync(phone)
    assert not result.is_repaired
    assert ids_on(phone) == {stays}
    for kind in ("member", "intention", "consent", "review"):
        left = phone.connection.execute(
            f"SELECT count(*) FROM {kind} WHERE household_id = ?", (leaves,)
        ).fetchone()[0]
        assert left == 0, kind
    # Who sees both villages keeps it; and when it comes back, it is there again.
    assert ids_on(wide) == {stays, leaves}
    move(wide, leaves, VILLAGE)
    sync(wide)
    sync(phone)
    assert ids_on(phone) == {stays, leaves}


def test_a_household_that_moves_away_stays_in_sight_while_it_holds_unsent_work(
    county: County, phone: Store, wide: Store
) -> None:
    household_id = a_submitted_household(wide)
    sync(wide)
    sync(phone)
    visit = a_visit(phone, household_id)
    visit.household.answer("address", "寨脚第三家")
    move(wide, household_id, NEXT_VILLAGE)
    sync(wide)
    assert not sync(phone).is_repaired
    assert ids_on(phone) == {household_id}
    assert a_visit(phone, household_id).household.values["address"] == "寨脚第三家"
    assert a_visit(phone, household_id).submit().submitted
    result = sync(phone)
    assert (result.held, result.is_repaired) == (1, False)
    assert ids_on(phone) == {household_id}, "held: not taken in yet, so it stays in sight"


def test_a_phone_with_other_villages_fetches_them_and_keeps_its_unsent_work(
    county: County, phone: Store, wide: Store
) -> None:
    old = a_submitted_household(wide, "韦", 100)
    worked_on = a_submitted_household(wide, "岑", 300)
    new = a_submitted_household(wide, "罗", 500)
    sync(wide)
    move(wide, new, NEXT_VILLAGE)
    sync(wide)
    sync(phone)
    assert ids_on(phone) == {old, worked_on}
    visit = a_visit(phone, worked_on)
    visit.household.answer("address", "寨脚第三家")
    reassign(county, phone, NEXT_VILLAGE)
    result = sync(phone)
    assert not result.is_unequal
    assert ids_on(phone) == {worked_on, new}
    visit = a_visit(phone, worked_on)
    [hit] = visit.submit().problems
    assert hit.rule == "V12"
    visit.accept_warning(hit, "改换范围以前登记的")
    assert visit.submit().submitted
    assert sync(phone).held >= 1
    # And back again: what was held can be taken in by the county, and the old village is there.
    reassign(county, phone, VILLAGE)
    sync(phone)
    assert ids_on(phone) == {old, worked_on}
    reassign(county, phone, TOWNSHIP)
    assert not sync(phone).is_unequal
    assert ids_on(phone) == {old, worked_on, new}


def reassign(county: County, store: Store, scope: str) -> None:
    with writing(county.engine) as conn:
        [device] = [
            d
            for d in devices_within(conn, COUNTY, COUNTY)
            if d.id == get(store.connection, "device_id")
        ]
        reassign_device(conn, device, scope)


# --- a difference ---


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM member WHERE rowid = (SELECT min(rowid) FROM member)",
        "UPDATE household SET seq = seq - 1",
        "DELETE FROM review",
    ],
)
def test_a_row_lost_on_the_phone_is_noticed_and_fetched_again(
    county: County, phone: Store, harm: str
) -> None:
    a_submitted_household(phone)
    sync(phone)
    held = inbox.sums(phone.connection)
    with phone.writing() as connection:
        connection.execute(harm)
    result = sync(phone)
    assert (result.is_repaired, result.is_unequal) == (True, False)
    assert "已重新取回" in result.message
    assert inbox.sums(phone.connection) == held
    assert not sync(phone).is_repaired


def test_an_outcome_that_the_phone_has_wrong_is_noticed_and_mended(
    county: County, phone: Store
) -> None:
    a_submitted_household(phone)
    sync(phone)
    with phone.writing() as connection:
        connection.execute("UPDATE outbox SET outcome = 'conflict' WHERE n = 3")
    assert sync(phone).is_repaired
    outcomes = {row["outcome"] for row in phone.connection.execute("SELECT outcome FROM outbox")}
    assert outcomes == {"applied"}


def test_a_difference_that_stays_is_told(county: County, phone: Store, monkeypatch) -> None:
    sync(phone)
    monkeypatch.setattr(inbox, "sums", lambda connection: {"household": [1, 1, 1]})
    result = sync(phone)
    assert result.is_unequal
    assert "请告诉县里" in result.message


# --- the server goes back ---


def test_a_database_file_that_was_copied_back_is_noticed_and_filled_up_again(
    county: County, phone: Store, wide: Store
) -> None:
    first = a_submitted_household(phone, "韦", 100)
    sync(phone)
    sync(wide)
    make_copy(county, "before")
    lost = a_submitted_household(phone, "岑", 300)
    sync(phone)
    sync(wide)
    put_back(county, "before")
    with reading(county.engine) as conn:
        before = epoch_of(conn)
    # Somebody writes before the phones come: the lost numbers are given out again.
    other = a_submitted_household(wide, "罗", 500)
    assert sync(wide).remaining == 0
    with reading(county.engine) as conn:
        assert epoch_of(conn) != before
    sync(phone)
    sync(wide)
    sync(phone)
    assert ids_on(phone) == ids_on(wide) == {first, lost, other}
    assert county.values("household", lost)["phone"] == "13900000300"


def make_copy(county: County, name: str) -> None:
    county.engine.dispose()
    shutil.copy(county.folder / "county.db", county.folder / name)


def put_back(county: County, name: str) -> None:
    county.engine.dispose()
    for leftover in county.folder.glob("county.db-*"):
        leftover.unlink()
    shutil.copy(county.folder / name, county.folder / "county.db")


# --- letting go ---


def test_what_is_in_no_backup_is_kept_for_ever(
    county: County, phone: Store, tmp_path: Path
) -> None:
    a_submitted_household(phone)
    sync(phone)
    now_ms = county.server.now_ms()
    old = now_ms - 100 * DAY_MS
    with phone.writing() as connection:
        connection.execute("UPDATE outbox SET answered_at_ms = ?", (old,))
        outbox.prune(connection, now_ms, None)
    assert kept(phone) == 8
    make_backup(county.engine, tmp_path / "b.zip", now_ms=now_ms)
    assert not sync(phone).is_repaired
    assert kept(phone) == 0
    assert outbox.tally(phone.connection) == {"applied": 8}
    assert not sync(phone).is_repaired, "those that were let go still count"
    restore_backup(county.engine, tmp_path / "b.zip", replace=True)
    assert sync(phone).remaining == 0
    assert len(county.changes()) == 8


def kept(store: Store) -> int:
    return int(store.connection.execute("SELECT count(*) FROM outbox").fetchone()[0])


def test_conflicts_follow_a_household_to_its_new_village(
    county: County, phone: Store, wide: Store
) -> None:
    household_id = a_submitted_household(wide)
    sync(wide)
    sync(phone)
    for store, name in ((phone, "韦正民"), (wide, "韦正名")):
        visit = a_visit(store, household_id)
        visit.members[0].answer("name", name)
        assert visit.submit().submitted
        sync(store)
    sync(phone)
    assert len(records.conflicts(phone, household_id)) == 1
    move(wide, household_id, NEXT_VILLAGE)
    sync(wide)
    assert len(records.conflicts(wide, household_id)) == 1
    assert not sync(phone).is_repaired
    assert get(phone.connection, "full_pull", False) is False
    assert records.conflicts(phone, household_id) == []


# --- what the county makes of held changes ---


def test_a_held_change_that_came_twice_shares_the_fate_of_the_first(
    county: County, phone: Store, wide: Store, tmp_path: Path
) -> None:
    household_id = a_submitted_household(wide)
    sync(wide)
    sync(phone)
    move(wide, household_id, NEXT_VILLAGE)
    sync(wide)
    visit = a_visit(phone, household_id)
    visit.household.answer("address", "寨脚第三家")
    assert visit.submit().submitted
    with phone.writing() as connection:
        assert outbox.next_batch(connection, 10) is not None
    phone.connection.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
    assert sync(phone).held == 1
    copy = open_store(tmp_path / "copy.db", no_backup_path=tmp_path / "elsewhere" / "incarnation")
    assert get(copy.connection, "incarnation") != get(phone.connection, "incarnation")
    assert sync(copy).held == 1
    close_held(county, "已经搬走,由那边的村干补")
    for store in (phone, copy):
        result = sync(store)
        assert (result.closed, result.is_repaired) == (1, False)
        row = store.connection.execute("SELECT * FROM outbox WHERE note IS NOT NULL").fetchone()
        assert (row["outcome"], row["note"]) == ("held", "已经搬走,由那边的村干补")
        assert household_id not in ids_on(store)
    copy.close()


def close_held(county: County, words: str) -> None:
    with writing(county.engine) as conn:
        for row in held_changes(conn, COUNTY, HeldBy(COUNTY), limit=100):
            close_held_change(
                conn,
                COUNTY,
                row["incarnation"],
                row["n"],
                words,
                user=county.reviewer,
                now_ms=county.server.now_ms(),
                new_id=county.server.new_id,
            )


def test_a_copied_back_database_that_no_cursor_shows_is_noticed_by_what_was_answered(
    county: County, phone: Store
) -> None:
    sync(phone)
    make_copy(county, "before")
    lost = a_submitted_household(phone, "岑", 300)
    with phone.writing() as connection:
        cursor = get(connection, "cursor")
    sync(phone)
    with phone.writing() as connection:
        put(connection, "cursor", cursor)  # as after a cut before the pull
        outbox.new_incarnation(connection)
    a_submitted_household(phone, "罗", 500)
    sync(phone)
    with phone.writing() as connection:
        put(connection, "cursor", cursor)
    put_back(county, "before")
    assert sync(phone).remaining == 0
    assert county.values("household", lost)["phone"] == "13900000300"
    assert len(county.changes()) == 16
