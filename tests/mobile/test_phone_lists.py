"""The lists of villages and households: states, counts, search."""

import pytest
from phones import HEAD, VILLAGE, a_number, a_submitted_household, a_visit, fill_member
from test_visit import pulled, sent_and_answered, settled

from mobile.storage import pinyin, records
from mobile.storage.database import Store, put


def only_state(store: Store) -> str:
    (row,) = records.households(store)
    return row.state


def review(store: Store, household_id: str, seq: int, state: str) -> None:
    comments = [{"kind": "household", "record_id": household_id, "field": "phone", "text": "空号"}]
    values = {"state": state, "comments": comments if state == "returned" else []}
    pulled(store, "review", household_id, seq, values)


def test_household_goes_through_its_states(store: Store) -> None:
    visit = a_visit(store)
    visit.household.answer("address", "河边")
    assert only_state(store) == records.DRAFT
    visit.discard()
    assert records.households(store) == []

    household_id = a_submitted_household(store)
    assert only_state(store) == records.WAITING
    sent_and_answered(store, 1)
    assert only_state(store) == records.SYNCED
    settled(store, household_id)
    review(store, household_id, 20, "in_review")
    assert only_state(store) == records.SYNCED
    review(store, household_id, 21, "returned")
    (row,) = records.households(store)
    assert (row.state, row.returned_count) == (records.RETURNED, 1)
    assert a_visit(store, household_id).household.questions("contact")[0].comment == "空号"

    again = a_visit(store, household_id)
    again.household.answer("phone", "13700137000")
    assert only_state(store) == records.DRAFT
    again.submit()
    assert only_state(store) == records.WAITING
    sent_and_answered(store, 30)
    settled(store, household_id, 40)
    review(store, household_id, 50, "approved")
    (row,) = records.households(store)
    assert (row.state, row.returned_count) == (records.APPROVED, 0)


def test_household_of_the_register_waits_for_a_visit(store: Store) -> None:
    household_id = "0000000000abc"
    pulled(store, "household", household_id, 1, {"village_code": VILLAGE, "address": "寨脚"})
    member = {"household_id": household_id, "name": "王小河", "relation": HEAD}
    pulled(store, "member", household_id + "0001", 2, member)
    review(store, household_id, 3, "to_confirm")
    (row,) = records.households(store)
    assert (row.state, row.head_name, row.member_count) == (records.TO_VISIT, "王小河", 1)
    assert row.survey_date is None


def test_returned_ones_come_first(store: Store) -> None:
    first = a_submitted_household(store, "韦", 100)
    second = a_submitted_household(store, "岑", 200)
    settled(store, first)
    settled(store, second)
    review(store, second, 90, "returned")
    assert [row.id for row in records.households(store)] == [second, first]


def test_villages_are_counted_and_empty_ones_listed(store: Store) -> None:
    with store.writing() as connection:
        put(connection, "scope", VILLAGE[:9])
        connection.executemany(
            "INSERT INTO division VALUES (?, ?, 5)",
            [(VILLAGE, "河东"), (f"{VILLAGE[:9]}999", "空村"), ("522399001001", "别处")],
        )
    a_submitted_household(store, "韦", 100)
    visit = a_visit(store)
    visit.household.answer("address", "河边")
    counted = {row.name: row for row in records.villages(store)}
    assert set(counted) == {"河东", "空村"}
    assert (counted["河东"].total, counted["河东"].done, counted["河东"].drafts) == (2, 1, 1)
    assert counted["空村"].total == 0


def test_village_outside_the_list_is_not_known(store: Store) -> None:
    assert records.village_known(store, VILLAGE)  # nothing came yet: no reason to doubt
    with store.writing() as connection:
        connection.execute("INSERT INTO division VALUES ('522326001002', '别村', 5)")
    assert not records.village_known(store, VILLAGE)


@pytest.mark.parametrize("query", ["wzm", "zm", "CXL", "秀兰", "二组", "139000", "wxj"])
def test_household_is_found_by_any_member_place_or_phone(store: Store, query: str) -> None:
    a_submitted_household(store)
    assert len(records.households(store, query=query)) == 1


@pytest.mark.parametrize("query", ["wzx", "李", "13700"])
def test_household_is_not_found_by_what_it_has_not(store: Store, query: str) -> None:
    a_submitted_household(store)
    assert records.households(store, query=query) == []


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("单小云", "sxy"),
        ("仇阿福", "qaf"),
        ("欧阳春", "oyc"),
        ("尉迟河", "ych"),
        ("达哇·卓玛", "dwzm"),
    ],
)
def test_surname_is_found_as_it_is_read_as_a_surname(name: str, query: str) -> None:
    assert pinyin.matches(name, query)


def test_phone_on_three_other_households_is_counted_once_each(store: Store) -> None:
    homes = [a_submitted_household(store, serial=serial) for serial in (100, 200, 300)]
    for household_id in homes:
        settled(store, household_id)
    for household_id in homes:
        visit = a_visit(store, household_id)
        visit.household.answer("phone", "13800000000")
        visit.members[1].answer("phone", "13800000000")
        # The second and third are warned of nothing yet: the rule begins with three others.
        assert visit.submit().submitted
    fresh = a_visit(store)
    member = fresh.add_member()
    fill_member(member, "王大山", HEAD, a_number("1970-01-01", 401))
    member.answer("phone", "13800000000")
    assert records.phone_households(store, "13800000000", fresh.household_id) == 3
    assert any(hit.rule == "V11" for hit in fresh.problems())
