"""The day at a glance: counted, returned ones with their reason, the next house by address."""

import dataclasses

import pytest
from phones import VILLAGE, a_submitted_household, a_visit
from test_phone_lists import review
from test_visit import pulled, settled

from mobile.forms.today import address_order, next_door, today, today_of
from mobile.storage import records
from mobile.storage.database import Store
from mobile.storage.records import HouseholdRow

DAY = "2026-11-20"


def row(key: str, address: str, state: str = records.TO_VISIT, village: str = "1") -> HouseholdRow:
    return HouseholdRow(key, village, "韦大山", address, "", 3, state, 0, 0, None)


def test_addresses_stand_as_the_houses_do() -> None:
    houses = [
        "一组",
        "二组9号",
        "二组12号",
        "三组 2号",
        "十组1号",
        "十二组",
        "二十组",
    ]
    shuffled = [houses[i] for i in (5, 1, 0, 6, 3, 2, 4)]
    assert sorted(shuffled, key=address_order) == houses
    assert address_order("第12组") == address_order("第十二组")


def test_next_door_is_the_next_house_that_waits_then_the_first_then_another_village() -> None:
    rows = [
        row("a", "一组1号"),
        row("b", "一组2号", records.WAITING),
        row("c", "一组10号"),
        row("d", "一组3号", records.APPROVED),
        row("e", "一组1号", village="2"),
    ]

    def after(last: str | None, of: list[HouseholdRow] = rows) -> str | None:
        found = next_door(of, last)
        return found.id if found else None

    assert after("b") == "c"
    assert (
        after("c", [dataclasses.replace(r, state="draft") if r.id == "c" else r for r in rows])
        == "a"
    )
    assert after(None) == "a"
    assert after("b", [r for r in rows if r.id in "be"]) == "e"
    assert after("b", [r for r in rows if r.id in "bd"]) is None


def test_the_day_counts_and_names_what_waits() -> None:
    rows = [row("a", "1", records.RETURNED), row("b", "2", records.DRAFT), row("c", "3", records.WAITING),
            row("d", "4"), row("e", "5", records.APPROVED)]  # fmt: skip
    day = today_of(rows, {"a": ["电话打不通", "身份证重核"]}, last="c")
    assert (day.done, day.total, day.waiting) == (2, 5, 1)
    assert [(one.row.id, one.reason) for one in day.returned] == [("a", "电话打不通")]
    assert [draft.id for draft in day.drafts] == ["b"]
    assert getattr(day.next_door, "id", None) == "d"


def test_the_day_of_a_phone_is_read_from_its_records(store: Store) -> None:
    assert today(store, DAY) == today_of([], {}, last=None)
    home = a_submitted_household(store)
    settled(store, home)
    review(store, home, 20, "returned")
    pulled(store, "household", "0000000000abc", 1, {"village_code": VILLAGE, "group_no": "三组"})
    visit = a_visit(store)
    visit.household.answer("group_no", "二组")
    day = today(store, "2100-01-01")
    assert [(one.row.id, one.reason) for one in day.returned] == [(home, "空号")]
    assert [draft.id for draft in day.drafts] == [visit.household_id]
    assert getattr(day.next_door, "id", None) == "0000000000abc"
    assert (day.total, day.is_clock_behind, day.village_code) == (3, False, VILLAGE)


@pytest.mark.parametrize(("day", "is_behind"), [("2000-01-01", True), ("2100-01-01", False)])
def test_a_clock_that_was_set_back_is_noticed(store: Store, day: str, is_behind: bool) -> None:
    a_visit(store).household.answer("address", "河边")
    assert today(store, day).is_clock_behind is is_behind
