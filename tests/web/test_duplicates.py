"""The page on which a person decides whether two registrations are one person."""

from __future__ import annotations

import re

import pytest
from builders import (
    OTHER_TOWNSHIP_VILLAGE,
    VILLAGE,
    Family,
    a_child_id,
    a_family,
    a_member,
    an_id_number,
)

from tests.web.office import Office

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def a_pair(
    office: Office, *, village: str = OTHER_TOWNSHIP_VILLAGE, **differing: object
) -> tuple[Family, Family, str]:
    """Register somebody twice, the second time without a number; return the pair's address."""
    one = a_family(name="岑小山")
    other = a_family(village, name="岑小山", id_no=None, no_id_reason="1", **differing)  # type: ignore[arg-type]
    office.phone.submit(one)
    office.phone.submit(other)
    left, right = sorted((one.member, other.member))
    return one, other, f"/duplicates/{left}/{right}"


def test_the_queue_leads_to_the_pair_and_a_merge_to_the_person(office: Office) -> None:
    one, other, address = a_pair(office, education="40")
    queue = office.browser.get("/duplicates").text
    assert address in queue
    assert "出生日期相同" in queue
    page = office.browser.get(address).text
    assert "合并为一人" in page
    assert re.search(r'name="field\.education" value="\w+" checked', page)
    answer = office.post(address, {"decision": "merged"})
    assert answer.status_code == 303
    assert address not in office.browser.get("/duplicates").text
    person = office.browser.get(f"/persons/{other.member}").text
    assert "一个人，2 份登记" in person
    [link] = re.findall(r'action="(/persons/links/\w+/withdraw)"', person)
    assert office.post(link, {}).status_code == 303
    assert "只有这一份登记" in office.browser.get(f"/persons/{one.member}").text
    assert address in office.browser.get("/duplicates").text
    assert office.post(link, {}).status_code == 409


def test_differing_characters_are_marked_and_equal_fields_folded(office: Office) -> None:
    _, _, address = a_pair(office, birth_date="1975-11-30")
    page = office.browser.get(address)
    assert page.status_code == 404  # a namesake
    one = a_family(name="岑小山", phone="13912345678")
    other = a_family(
        OTHER_TOWNSHIP_VILLAGE, name="岑小娥", phone="13912345678", id_no=None, no_id_reason="1"
    )
    office.phone.submit(one)
    office.phone.submit(other)
    left, right = sorted((one.member, other.member))
    page = office.browser.get(f"/duplicates/{left}/{right}").text
    assert '岑小<mark class="cs-mark">山</mark>' in page
    assert '岑小<mark class="cs-mark">娥</mark>' in page
    folded = page[page.index("<details") :]
    assert "13912345678" in folded
    assert "手机号相同" in page


def test_a_choice_against_the_authority_is_kept(office: Office) -> None:
    one, _other, address = a_pair(office, education="40")
    page = office.browser.get(address).text
    picked = re.search(r'name="field\.education" value="(\w+)" checked', page)
    assert picked
    against = "left" if picked[1] == "right" else "right"
    office.post(address, {"decision": "merged", "field.education": against})
    assert "县里选定" in office.browser.get(f"/persons/{one.member}").text


def test_two_valid_numbers_ask_for_a_reason_and_a_tick(office: Office) -> None:
    one, other, address = a_pair(office)
    seq = office.phone.pull()["member", other.member]["seq"]
    number = an_id_number()
    office.phone.edit("member", other.member, base=seq, id_no=number, no_id_reason=None)
    page = office.browser.get(address).text
    assert "两个身份证号都有效却不同" in page
    named = re.search(r"cs-clash[^>]*>([^<]+)<", page)
    assert named
    assert number in named[1]
    assert str(one.edits[1][2]["id_no"]) in named[1]
    assert "甲（岑小山）" in named[1]
    answer = office.post(address, {"decision": "merged"})
    assert answer.status_code == 422
    assert "请写明合并的理由" in answer.text
    said = {"decision": "merged", "reason": "派出所证明换过号", "confirmed": "yes"}
    assert office.post(address, said).status_code == 303
    assert "派出所证明换过号" in office.browser.get(f"/persons/{other.member}").text


def test_not_the_same_and_unsure_have_their_own_lists(office: Office) -> None:
    _, _, address = a_pair(office)
    office.post(address, {"decision": "unsure", "reason": "等电话"})
    assert address in office.browser.get("/duplicates?state=unsure").text
    office.post(address + "?state=unsure", {"decision": "not_same"})
    assert address in office.browser.get("/duplicates?state=not_same").text
    assert 'value="merged"' not in office.browser.get(address).text
    assert office.post(address, {"decision": "merged"}).status_code == 409


def test_families_show_who_is_on_both_lists_and_who_is_a_twin(office: Office) -> None:
    one, other, address = a_pair(office)
    wife = {"name": "黄阿妹", "birth_date": "1991-02-03", "sex": "2", "relation": "12"}
    for home in (one.household, other.household):
        office.phone.edit("member", a_child_id(home), **a_member(home, **wife))
    twin = {"name": "岑小川", "relation": "21", "id_no": None}
    office.phone.edit("member", a_child_id(one.household), **a_member(one.household, **twin))
    page = office.browser.get(address).text
    assert page.count("两边都有") == 2
    assert page.count("同日出生") == 1


def test_a_township_sees_pairs_of_its_own_alone_and_decides_none(office: Office) -> None:
    _, _, inside = a_pair(office, village=VILLAGE, birth_date="1990-06-10")
    one = a_family(name="韦大江")
    other = a_family(OTHER_TOWNSHIP_VILLAGE, name="韦大江", id_no=None, no_id_reason="1")
    office.phone.submit(one)
    office.phone.submit(other)
    left, right = sorted((one.member, other.member))
    across = f"/duplicates/{left}/{right}"
    township = office.someone("township", VILLAGE[:9])
    queue = township.get("/duplicates").text
    assert inside in queue
    assert across not in queue
    assert township.get(across).status_code == 404
    assert 'value="merged"' not in township.get(inside).text
    assert office.post(inside, {"decision": "merged"}, township).status_code == 403
    office.post(across, {"decision": "merged"})
    person = township.get(f"/persons/{one.member}").text
    assert "另有 1 份登记不在您的辖区" in person
    assert other.member not in person
    assert township.get(f"/persons/{other.member}").status_code == 404


def test_nonsense_is_refused_and_nothing_is_decided(office: Office) -> None:
    _, _, address = a_pair(office)
    assert office.post(address, {"decision": "perhaps"}).status_code == 400
    assert office.post("/duplicates/a/b", {"decision": "merged"}).status_code == 404
    assert office.browser.get("/persons/0000000000000").status_code == 404
    assert address in office.browser.get("/duplicates").text


def test_a_third_registration_that_speaks_against_a_merge_is_named(office: Office) -> None:
    one, other, address = a_pair(office)
    third = a_family("522326110201", name="岑小山", id_no=None, no_id_reason="1")
    office.phone.submit(third)
    with_third = "/duplicates/" + "/".join(sorted((other.member, third.member)))
    against = "/duplicates/" + "/".join(sorted((one.member, third.member)))
    office.post(against, {"decision": "not_same", "reason": "两家的亲戚都说不是"})
    office.post(address, {"decision": "merged"})
    page = office.browser.get(with_third).text
    assert "已判为不是同一人" in page
    assert "两家的亲戚都说不是" in page
    assert "的另一份登记" in page


def test_two_lines_of_one_list_are_told_with_the_list(office: Office) -> None:
    number = an_id_number()
    home = a_family(name="岑小山", id_no=number)
    office.phone.submit(home)
    again = a_child_id(home.household)
    line = a_member(home.household, name="岑小山", id_no=number, relation="21")
    office.phone.edit("member", again, **line)
    left, right = sorted((home.member, again))
    page = office.browser.get(f"/duplicates/{left}/{right}").text
    assert "同在一户的名单上" in page
    assert re.search(r"甲（岑小山）和乙（岑小山），都在 岑小山 户", page)


def test_a_slip_of_the_finger_is_taken_back(office: Office) -> None:
    _, _, address = a_pair(office)
    for decision in ("not_same", "merged"):
        office.post(address, {"decision": decision})
        page = office.browser.get(address).text
        assert "撤回这个决定" in page
        assert office.post(f"{address}/take-back", {}).status_code == 303
        assert 'value="merged"' in office.browser.get(address).text
    assert office.post(f"{address}/take-back", {}).status_code == 409
    township = office.someone("township", VILLAGE[:9])
    assert office.post(f"{address}/take-back", {}, township).status_code == 403


def test_enter_in_the_note_decides_nothing(office: Office) -> None:
    _, _, address = a_pair(office)
    answer = office.post(address, {"decision": "", "reason": "等电话"})
    assert answer.status_code == 422
    assert "请先选一个决定" in answer.text
    assert 'value="等电话"' in answer.text


def test_the_queue_is_narrowed_and_leads_on_within_what_is_narrowed(office: Office) -> None:
    _, _, address = a_pair(office)
    queue = office.browser.get("/duplicates?reason=name_and_birth&strength=strong").text
    assert address in queue
    assert f"{address}?state=open&amp;reason=name_and_birth&amp;strength=strong" in queue
    assert address not in office.browser.get("/duplicates?reason=phone").text
    assert address in office.browser.get(f"/duplicates?place={VILLAGE[:9]}").text
    assert address in office.browser.get("/duplicates?reason=nonsense&place=x&strength=9").text
    answer = office.post(f"{address}?state=open&reason=name_and_birth", {"decision": "unsure"})
    assert "reason=name_and_birth" in answer.headers["Location"]
