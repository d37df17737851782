"""What is believed of a person hangs together: no employer beside "not working"."""

from __future__ import annotations

from shared_schemas.fields import Value
from shared_schemas.golden import Registration, golden_record


def registered(one: str, confirmed_on: str, **values: Value) -> Registration:
    adult = {"birth_date": "1980-05-06", "sex": "1", "name": "岑小山"}
    return Registration(
        one, f"home{one}", {**adult, **values}, "522326111201", confirmed_on=confirmed_on
    )


AT_WORK = registered(
    "a", "2026-10-01", work_form="1", work_employer="青溪制衣厂", id_no="522399198005060712"
)


def test_who_works_no_more_has_no_employer() -> None:
    now = registered("b", "2026-11-01", work_form="7", no_id_reason="1")
    believed = golden_record([AT_WORK, now])
    assert (believed["work_form"].value, believed["work_form"].source) == ("7", "b")
    assert "work_employer" not in believed
    chosen = golden_record([AT_WORK, now], {"work_form": "a"})
    assert chosen["work_employer"].value == "青溪制衣厂"


def test_there_is_no_reason_for_having_no_number_beside_a_number() -> None:
    believed = golden_record([AT_WORK, registered("b", "2026-11-01", no_id_reason="1")])
    assert believed["id_no"].value == AT_WORK.values["id_no"]
    assert "no_id_reason" not in believed


def test_who_left_one_household_lives_on_in_the_other() -> None:
    gone = registered("b", "2026-11-01", member_change="5")
    believed = golden_record([AT_WORK, gone])
    assert believed["member_change"].value == "5"
    assert believed["work_employer"].value == "青溪制衣厂"


def test_what_one_registration_says_of_itself_is_left_alone() -> None:
    odd = registered("b", "2026-11-01", work_form="7", work_employer="海湾电子厂")
    assert golden_record([odd])["work_employer"].value == "海湾电子厂"
