"""The page on which a person decides whether two household lists are one household."""

from __future__ import annotations

import re

import pytest
from builders import (
    OTHER_TOWNSHIP_VILLAGE,
    VILLAGE,
    Values,
    a_child_id,
    a_household,
    a_household_id,
    a_member,
    an_id_number,
)

from shared_schemas.changes import Change
from tests.web.office import Office

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HE: Values = {"name": "岑大山", "birth_date": "1980-03-02", "sex": "1"}
SHE: Values = {"name": "黄阿妹", "birth_date": "1982-07-09", "sex": "2"}
MOTHER: Values = {"name": "罗老奶", "birth_date": "1951-02-03", "sex": "2"}


def send(office: Office, village: str, *people: tuple[str, Values]) -> str:
    """Send a household of (relation, values) in; return its id."""
    home = a_household_id()
    ids = [a_child_id(home) for _ in people]
    edits = [("household", home, a_household(village, head_member_id=ids[0]))]
    edits += [("member", one, a_member(home, **{"relation": relation, **values}))
              for one, (relation, values) in zip(ids, people, strict=True)]  # fmt: skip
    phone = office.phone
    batch = [Change(phone.n + 1 + i, kind, one, 0, phone.now_ms - 1000 + i, values)
             for i, (kind, one, values) in enumerate(edits)]  # fmt: skip
    phone.n += len(batch)
    assert {o["outcome"] for o in phone.push(batch)["outcomes"]} == {"applied"}
    return home


def two_lists(office: Office, other_village: str = OTHER_TOWNSHIP_VILLAGE) -> tuple[str, str, str]:
    """Register a couple under him, and under her with his mother; return the pair's address."""
    he, she = ({**p, "id_no": an_id_number(birth_date=str(p["birth_date"]), sex=str(p["sex"]))}
               for p in (HE, SHE))  # fmt: skip
    one = send(office, VILLAGE, ("02", he), ("12", she))
    again = {**SHE, "id_no": None, "no_id_reason": "1", "education": "40"}
    other = send(office, other_village, ("02", again), ("11", he), ("56", MOTHER))
    left, right = sorted((one, other))
    return one, other, f"/duplicate-households/{left}/{right}"


def test_the_queue_leads_to_the_lists_and_back(office: Office) -> None:
    one, other, address = two_lists(office)
    queue = office.browser.get("/duplicate-households").text
    assert address in queue
    assert "2 人两份上都有" in queue
    assert "一份的户主是另一份的配偶" in queue
    page = office.browser.get(address).text
    assert "只在一份上：" in page
    assert "罗老奶" in page
    assert "文化程度" in page  # what differs of her
    same = re.findall(r'name="same" value="([^"]+)"', page)
    stays = re.findall(r'name="stays" value="([^"]+)"', page)
    assert (len(same), set(stays)) == (1, {one, other})
    answer = office.post(address, {"decision": "one", "stays": one, "same": same})
    assert answer.status_code == 303
    assert address not in office.browser.get("/duplicate-households").text
    decided = office.browser.get(f"{address}?state=one").text
    assert "重复登记" in decided
    assert 'value="one"' not in decided
    assert office.review(other).same_as == one
    assert "按另一份计一户" in office.browser.get(f"/review/{other}").text
    assert "按另一份计一户" not in office.browser.get(f"/review/{one}").text
    assert office.post(f"{address}/withdraw", {}).status_code == 303
    assert office.review(other).same_as is None
    again = office.browser.get(address).text
    assert "撤销，恢复成两户" in again  # its story
    assert 'value="one"' in again
    assert office.post(f"{address}/withdraw", {}).status_code == 409


def test_which_list_counts_has_to_be_said(office: Office) -> None:
    *_, address = two_lists(office)
    answer = office.post(address, {"decision": "one"})
    assert answer.status_code == 422
    assert "请选按哪一份登记计数" in answer.text
    assert office.post(address, {"decision": "three"}).status_code == 400
    assert (
        office.post(
            address, {"decision": "one", "stays": address[22:35], "same": "a+b"}
        ).status_code
        == 400
    )


def test_two_households_and_unsure_have_their_own_lists(office: Office) -> None:
    *_, address = two_lists(office)
    office.post(address, {"decision": "unsure", "reason": "等村里回话"})
    assert "等村里回话" in office.browser.get("/duplicate-households?state=unsure").text
    office.post(f"{address}?state=unsure", {"decision": "two"})
    assert address in office.browser.get("/duplicate-households?state=two").text
    assert office.post(address, {"decision": "one"}).status_code in (409, 422)


def test_a_township_sees_lists_of_its_own_alone_and_decides_none(office: Office) -> None:
    *_, inside = two_lists(office, VILLAGE)
    township = office.someone("township", VILLAGE[:9])
    assert inside in township.get("/duplicate-households").text
    assert 'value="one"' not in township.get(inside).text
    assert office.post(inside, {"decision": "two"}, township).status_code == 403
    elsewhere = office.someone("township", OTHER_TOWNSHIP_VILLAGE[:9])
    assert inside not in elsewhere.get("/duplicate-households").text
    assert elsewhere.get(inside).status_code == 404


def test_another_county_sees_nothing_of_it_and_decides_nothing(office: Office) -> None:
    one, _, address = two_lists(office)
    other_county = office.someone("county", "522325")
    assert address not in other_county.get("/duplicate-households").text
    assert other_county.get(address).status_code == 404
    said = {"decision": "one", "stays": one}
    assert office.post(address, said, other_county).status_code == 404
    assert office.post(f"{address}/withdraw", {}, other_county).status_code == 404
    prefecture = office.someone("prefecture", "5223")
    assert prefecture.get("/duplicate-households").status_code == 403
