"""Decisions about a household, seen through the pages and through the cadre's phone."""

from __future__ import annotations

import dataclasses

import pytest
from builders import (
    OTHER_TOWNSHIP_VILLAGE,
    VILLAGE,
    ZHENFENG,
    Family,
    a_clone,
    a_family,
    a_phone,
)
from sqlalchemy import select

from server.storage.engine import reading
from server.storage.tables import audit, labourer
from shared_schemas import ids, records
from shared_schemas.fields import Text
from shared_schemas.records import RecordKind
from shared_schemas.records.member import Member
from tests.conftest import Clock
from tests.web.office import Office


def labourers(office: Office, family: Family) -> list[str]:
    with reading(office.engine) as conn:
        query = select(labourer.c.member_id).where(labourer.c.household_id == family.household)
        return list(conn.execute(query).scalars())


def actions(office: Office, target: str) -> list[str]:
    with reading(office.engine) as conn:
        query = select(audit.c.action).where(audit.c.target_id == target).order_by(audit.c.at_ms)
        return list(conn.execute(query).scalars())


def test_approved_household_reaches_phone_and_labour_list(office: Office) -> None:
    family = a_family()
    office.phone.submit(family)
    office.phone.pull()
    answer = office.approve(family.household)
    assert answer.status_code == 303
    assert office.review(family.household).state == "approved"
    assert labourers(office, family) == [family.member]
    pulled = office.phone.pull()
    assert pulled["review", family.household]["state"] == "approved"
    assert actions(office, family.household) == ["household_approved"]


def test_decision_about_an_older_state_is_refused(office: Office) -> None:
    family = a_family()
    office.phone.submit(family)
    seen = office.review(family.household).bundle_seq
    office.phone.edit("member", family.member, base=seen, phone="13911112222")
    answer = office.approve(family.household, seen)
    assert answer.status_code == 409
    assert "又有变化" in answer.text
    assert office.review(family.household).state == "in_review"
    assert labourers(office, family) == []


def test_household_with_an_error_cannot_be_approved(office: Office) -> None:
    family = a_family(relation="10")
    office.phone.submit(family)
    assert "有必须改正的错误" in office.browser.get(f"/review/{family.household}").text
    assert office.approve(family.household).status_code == 409
    assert office.review(family.household).state == "in_review"


def test_split_household_is_shown_beside_the_one_it_came_from(office: Office) -> None:
    before, after = a_family(name="韦老山"), a_family()
    after.edits[0][2].update(is_split=True, split_on="2026-02-01", split_reason="2",
                             split_from=before.household)  # fmt: skip
    office.phone.submit(before)
    office.phone.submit(after)
    page = office.browser.get(f"/review/{after.household}").text
    assert "从哪一户分出" in page
    assert "韦老山" in page
    assert "兄弟分家" in page
    assert f">{before.household}<" not in page
    office.phone.edit("household", after.household, base=20, split_from=None)
    office.phone.edit("household", after.household, base=21, split_from=before.household)
    assert "韦老山" in office.browser.get(f"/review/{after.household}").text


def test_comments_reach_the_phone_beside_their_fields(office: Office) -> None:
    family = a_family()
    office.phone.submit(family)
    answer = office.give_back(
        family.household,
        {
            f"member.{family.member}.phone": "电话打不通",
            f"household.{family.household}.address": " ",
        },
    )
    assert answer.status_code == 303
    row = office.phone.pull()["review", family.household]
    assert row["state"] == "returned"
    assert row["comments"] == [
        {"kind": "member", "record_id": family.member, "field": "phone", "text": "电话打不通"}
    ]


def test_return_without_a_comment_asks_for_one(office: Office) -> None:
    family = a_family()
    office.phone.submit(family)
    answer = office.give_back(family.household, {})
    assert answer.status_code == 422
    assert "请至少在一个项目旁写明要改什么" in answer.text
    assert office.review(family.household).state == "in_review"


def test_comment_about_another_household_is_refused(office: Office) -> None:
    mine, other = a_family(), a_family()
    office.phone.submit(mine)
    office.phone.submit(other)
    answer = office.give_back(mine.household, {f"member.{other.member}.phone": "x"})
    assert answer.status_code == 422
    assert office.review(mine.household).state == "in_review"


def test_what_comes_back_shows_only_what_changed(office: Office, clock: Clock) -> None:
    family = a_family(education="80")
    office.phone.submit(family)
    office.give_back(family.household, {f"member.{family.member}.education": "与户口簿不一致"})
    clock.pass_days(1)
    seen = office.review(family.household).bundle_seq
    office.phone.edit("member", family.member, base=seen, education="70")
    page = office.browser.get(f"/review/{family.household}").text
    assert "退回后重新报送" in page
    assert "小学" in page
    assert "初中" in page
    assert "与户口簿不一致" in page
    assert "民族" not in page
    assert "民族" in office.browser.get(f"/review/{family.household}?all=1").text


def test_approved_version_stays_listed_while_an_edit_waits(office: Office) -> None:
    family = a_family(phone="13911110000")
    office.phone.submit(family)
    office.approve(family.household)
    office.phone.edit(
        "member",
        family.member,
        base=office.review(family.household).bundle_seq,
        phone="13922220000",
    )
    row = office.review(family.household)
    assert row.shown == "revision"
    assert labourers(office, family) == [family.member]
    page = office.browser.get(f"/review/{family.household}").text
    assert "13911110000" in page
    assert "13922220000" in page
    approved = {record_id: values for _, record_id, values in row.approved_values}
    assert approved[family.member]["phone"] == "13911110000"


def test_void_household_leaves_lists_and_phones(office: Office) -> None:
    family = a_family()
    office.phone.submit(family)
    office.approve(family.household)
    office.phone.pull()
    row = office.review(family.household)
    path = f"/review/{family.household}/void"
    assert office.post(path, {"bundle_seq": row.bundle_seq, "reason": " "}).status_code == 422
    assert (
        office.post(path, {"bundle_seq": row.bundle_seq, "reason": "重复登记"}).status_code == 303
    )
    assert office.review(family.household).state == "void"
    assert labourers(office, family) == []
    pulled = office.phone.pull()
    assert all(pulled[kind, record_id]["deleted"] for kind, record_id, _ in family.edits)
    assert pulled["review", family.household]["state"] == "void"


def test_village_is_approved_after_a_sample_but_not_what_changed(office: Office) -> None:
    families = [a_family() for _ in range(3)]
    for family in families:
        office.phone.submit(family)
    changed, excluded, good = families
    page = office.browser.get(f"/review-village?village={VILLAGE}").text
    waiting = " ".join(
        f"{family.household}:{office.review(family.household).bundle_seq}" for family in families
    )
    assert all(family.household in page for family in families)
    seen = office.review(changed.household).bundle_seq
    office.phone.edit("household", changed.household, base=seen, address="新寨1号")
    data = {
        "village": VILLAGE, "waiting": waiting, "sample": good.household,
        "exclude": [excluded.household], "looked": "yes",
    }  # fmt: skip
    assert office.post("/review-village", data).status_code == 303
    states = [office.review(family.household).state for family in families]
    assert states == ["in_review", "in_review", "approved"]
    assert labourers(office, good) == [good.member]
    with reading(office.engine) as conn:
        detail = conn.execute(select(audit.c.detail).where(audit.c.target_id == VILLAGE)).scalar()
    assert detail == {
        "sample": [good.household], "excluded": [excluded.household], "approved": 1, "skipped": 1,
    }  # fmt: skip


def test_village_is_not_approved_before_the_sample_was_looked_at(office: Office) -> None:
    family = a_family()
    office.phone.submit(family)
    waiting = f"{family.household}:{office.review(family.household).bundle_seq}"
    office.post("/review-village", {"village": VILLAGE, "waiting": waiting, "sample": ""})
    assert office.review(family.household).state == "in_review"


def test_yellow_household_is_not_approved_with_its_village(office: Office) -> None:
    family = a_family()
    family.edits[2][2]["wage_floor"] = 18_000
    office.phone.submit(family)
    row = office.review(family.household)
    assert row.lane == "yellow"
    waiting = f"{family.household}:{row.bundle_seq}"
    office.post("/review-village", {"village": VILLAGE, "waiting": waiting, "looked": "yes"})
    assert office.review(family.household).state == "in_review"


def test_township_sees_its_own_households_and_decides_nothing(office: Office) -> None:
    mine, other = a_family(), a_family(OTHER_TOWNSHIP_VILLAGE)
    office.phone.submit(mine)
    office.phone.submit(other)
    township = office.someone("township", VILLAGE[:9])
    listed = township.get("/review").text
    assert mine.household in listed
    assert other.household not in listed
    assert township.get(f"/review/{mine.household}").status_code == 200
    assert township.get(f"/review/{other.household}").status_code == 404
    seq = office.review(mine.household).bundle_seq
    answer = office.post(f"/review/{mine.household}/approve", {"bundle_seq": seq}, township)
    assert answer.status_code == 403


@pytest.mark.parametrize("what", ["", "/approve", "/return", "/void"])
def test_other_county_finds_nothing(office: Office, what: str) -> None:
    family = a_family()
    office.phone.submit(family)
    stranger = office.someone("county", ZHENFENG)
    path = f"/review/{family.household}{what}"
    data = {
        "bundle_seq": office.review(family.household).bundle_seq,
        "reason": "x",
        f"comment.member.{family.member}.phone": "x",
    }
    answer = office.post(path, data, stranger) if what else stranger.get(path)
    assert answer.status_code == 404
    assert office.review(family.household).state == "in_review"


def a_conflict(office: Office, family: Family, clock: Clock) -> None:
    """Let two phones change the same phone number apart."""
    office.phone.submit(family)
    second = a_phone(office.app, office.engine)
    base = office.review(family.household).bundle_seq
    office.phone.edit("member", family.member, base=base, phone="13911110001")
    clock.pass_days(0.01)
    second.edit("member", family.member, base=base, phone="13911110002")


def test_conflict_shows_both_values_and_stands_in_the_way(office: Office, clock: Clock) -> None:
    family = a_family()
    a_conflict(office, family, clock)
    page = office.browser.get("/conflicts").text
    assert "13911110001" in page
    assert "13911110002" in page
    assert office.review(family.household).lane == "red"
    assert office.approve(family.household).status_code == 409


@pytest.mark.parametrize(
    ("choice", "value"),
    [({"choice": "ours"}, "13911110001"), ({"choice": "theirs"}, "13911110002"),
     ({"choice": "other", "other": "13911110003"}, "13911110003")],
)  # fmt: skip
def test_decided_conflict_is_written_and_reaches_the_phone(
    office: Office, clock: Clock, choice: dict[str, str], value: str
) -> None:
    family = a_family()
    a_conflict(office, family, clock)
    conflict_id = next(key for kind, key in office.phone.pull() if kind == "conflict")
    assert office.post(f"/conflicts/{conflict_id}", choice).status_code == 303
    pulled = office.phone.pull()
    assert pulled["member", family.member]["phone"] == value
    assert pulled["conflict", conflict_id]["state"] == "decided"
    assert pulled["conflict", conflict_id]["ours"] == "13911110001"
    assert pulled["conflict", conflict_id]["theirs"] == "13911110002"
    assert office.review(family.household).lane == "green"
    assert office.post(f"/conflicts/{conflict_id}", choice).status_code == 409
    assert office.approve(family.household).status_code == 303


def test_third_value_is_checked_like_any_other(office: Office, clock: Clock) -> None:
    family = a_family()
    a_conflict(office, family, clock)
    conflict_id = next(key for kind, key in office.phone.pull() if kind == "conflict")
    answer = office.post(f"/conflicts/{conflict_id}", {"choice": "other", "other": "12345"})
    assert answer.status_code == 422
    assert office.review(family.household).lane == "red"


def test_decision_holds_against_a_phone_that_did_not_see_it(office: Office, clock: Clock) -> None:
    family = a_family()
    a_conflict(office, family, clock)
    conflict_id = next(key for kind, key in office.phone.pull() if kind == "conflict")
    stale = office.review(family.household).bundle_seq
    office.post(f"/conflicts/{conflict_id}", {"choice": "ours"})
    late = a_clone(office.phone)
    late.incarnation, late.n = ids.incarnation_id(77), 0
    assert (
        late.edit("member", family.member, base=stale, phone="13911110009")["outcome"] == "conflict"
    )
    assert office.phone.pull()["member", family.member]["phone"] == "13911110001"


def test_held_change_is_applied_when_the_county_says_so(office: Office) -> None:
    narrow = a_phone(office.app, office.engine, scope=OTHER_TOWNSHIP_VILLAGE[:9])
    family = a_family()
    assert {row["reason"] for row in narrow.submit(family)} >= {"out_of_scope"}
    page = office.browser.get("/held").text
    assert "超出负责范围" in page
    for n in range(1, len(family.edits) + 1):
        office.post(f"/held/{narrow.incarnation}/{n}/apply", {})
    assert office.review(family.household).state == "in_review"
    assert "没有待处理的修改" in office.browser.get("/held").text


def test_held_change_is_closed_with_a_reason_only(office: Office) -> None:
    narrow = a_phone(office.app, office.engine, scope=OTHER_TOWNSHIP_VILLAGE[:9])
    family = a_family()
    narrow.submit(dataclasses.replace(family, edits=family.edits[:1]))
    path = f"/held/{narrow.incarnation}/1/close"
    assert office.post(path, {"reason": ""}).status_code == 422
    assert office.post(path, {"reason": "误报"}).status_code == 303
    assert "没有待处理的修改" in office.browser.get("/held").text
    assert actions(office, family.household) == ["held_closed"]
    assert office.post(path, {"reason": "误报"}).status_code == 409


def test_newly_declared_field_stands_on_the_household_page(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = a_family()
    office.phone.submit(family)

    class WiderMember(Member):
        groups = Member.groups
        shoe_size = Text("工鞋尺码", "Work shoe size", group="work")

    wider = RecordKind("member", WiderMember, "成员", "Member")
    from server.storage.engine import writing
    from server.storage.migrate import add_declared_columns

    monkeypatch.setitem(records._KINDS, "member", wider)
    with writing(office.engine) as conn:
        assert add_declared_columns(conn) == ["member.shoe_size"]
    page = office.browser.get(f"/review/{family.household}")
    assert page.status_code == 200
    assert "工鞋尺码" in page.text
    assert "Work shoe size" in office.browser.get(f"/review/{family.household}?lang=en").text


def test_list_finds_by_name_and_place(office: Office) -> None:
    mine, other = a_family(name="覃小溪"), a_family(OTHER_TOWNSHIP_VILLAGE, name="莫大河")
    office.phone.submit(mine)
    office.phone.submit(other)
    assert mine.household in office.browser.get("/review?search=小溪").text
    assert other.household not in office.browser.get("/review?search=小溪").text
    listed = office.browser.get(f"/review?place={OTHER_TOWNSHIP_VILLAGE[:9]}").text
    assert other.household in listed
    assert mine.household not in listed
    assert "没有符合条件的农户" in office.browser.get("/review?search=%25").text


def test_home_counts_the_day(office: Office) -> None:
    for _ in range(2):
        office.phone.submit(a_family())
    page = office.browser.get("/").text
    assert "已走访 2 / 2 户" in page


@pytest.mark.parametrize(
    ("role", "scope", "sees"),
    [("township", VILLAGE[:9], "村"), ("prefecture", "5223", "望谟县"), ("admin", "", "望谟县"),
     ("cadre", VILLAGE[:9], "请用手机应用")],
)  # fmt: skip
def test_each_role_has_a_first_page(office: Office, role: str, scope: str, sees: str) -> None:
    office.phone.submit(a_family())
    answer = office.someone(role, scope).get("/")
    assert answer.status_code == 200
    assert sees in answer.text


def test_other_county_cannot_touch_conflicts_held_changes_or_imports(
    office: Office, clock: Clock
) -> None:
    family = a_family()
    a_conflict(office, family, clock)
    conflict_id = next(key for kind, key in office.phone.pull() if kind == "conflict")
    narrow = a_phone(office.app, office.engine, scope=OTHER_TOWNSHIP_VILLAGE[:9])
    narrow.submit(dataclasses.replace(a_family(), edits=family.edits[:1]))
    stranger = office.someone("county", ZHENFENG)
    assert family.member not in stranger.get("/conflicts").text
    for path, data in (
        (f"/conflicts/{conflict_id}", {"choice": "ours"}),
        (f"/held/{narrow.incarnation}/1/apply", {}),
        (f"/held/{narrow.incarnation}/1/close", {"reason": "x"}),
    ):
        assert office.post(path, data, stranger).status_code == 404, path
    assert stranger.get(f"/roster/{conflict_id}").status_code == 404
    assert office.review(family.household).lane == "red"
