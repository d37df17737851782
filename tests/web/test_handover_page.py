"""Hand-over files on the office's page."""

from __future__ import annotations

import hashlib
import io

import pytest
from builders import VILLAGE, WANGMO, ZHENFENG, a_bundle, a_family, a_phone

from server.services.enrol import hash_token
from server.services.take_handover import _unseal
from shared_schemas import wire
from shared_schemas.handover import DOWN, open_file, read_header
from tests.web.office import Office

TOWNSHIP, OTHER_TOWNSHIP = VILLAGE[:9], "522326112"


def hand_in(office: Office, *files: bytes, browser=None):
    data = {"file": [(io.BytesIO(one), f"chushan-{i}.hand") for i, one in enumerate(files)]}
    return office.post("/handover", data, browser)


def test_an_office_takes_a_file_in_sees_what_became_of_it_and_gives_the_receipt(office):
    phone = a_phone(office.app, office.engine, scope=TOWNSHIP)
    elsewhere = a_family("522326112201")
    data = a_bundle(phone, a_family(), elsewhere)
    answer = hand_in(office, data)
    assert answer.status_code == 303
    page = office.browser.get("/handover").text
    assert "chushan-0.hand：收下 10 条，其中新的 10 条" in page
    assert "已入库 5" in page
    assert "待处理 5" in page
    assert phone.device.cadre in page
    assert office.reviewer.name in page
    sha = hashlib.sha256(data).hexdigest()
    given = office.browser.get(f"/handover/{sha}/receipt")
    assert "chushan-receipt-" in given.headers["Content-Disposition"]
    header = read_header(given.data)
    assert header.direction == DOWN
    opened = open_file(given.data, header, hash_token(phone.token), _unseal)
    assert opened.is_whole
    [part] = [wire.unpack(chunk) for chunk in opened.chunks]
    assert [row["n"] for row in part["outcomes"]] == list(range(1, 11))
    assert (part["acked"], part["fault"]) == (10, None)
    hand_in(office, data)
    assert "收下 10 条，其中新的 0 条" in office.browser.get("/handover").text


def test_good_files_are_taken_though_others_beside_them_are_refused(office):
    phone = a_phone(office.app, office.engine, scope=TOWNSHIP)
    good = a_bundle(phone, a_family())
    answer = hand_in(office, b"a picture", good, good[:60])
    assert answer.status_code == 422
    assert "chushan-0.hand：这不是出山的交接文件" in answer.text
    assert "chushan-2.hand：交接文件损坏" in answer.text
    assert "已入库 5" in answer.text
    assert hand_in(office).status_code == 422


def test_a_township_takes_files_of_its_own_phones_only(office):
    phone = a_phone(office.app, office.engine, scope=TOWNSHIP)
    data = a_bundle(phone, a_family())
    own = office.someone("township", TOWNSHIP)
    other = office.someone("township", OTHER_TOWNSHIP)
    neighbour = office.someone("county", ZHENFENG)
    for browser in (other, neighbour):
        answer = hand_in(office, data, browser=browser)
        assert answer.status_code == 422
        assert "不归您这里管" in answer.text
    assert hand_in(office, data, browser=own).status_code == 303
    sha = hashlib.sha256(data).hexdigest()
    for browser, status in ((own, 200), (office.browser, 200), (other, 404), (neighbour, 404)):
        assert browser.get(f"/handover/{sha}/receipt").status_code == status
        page = browser.get("/handover").text
        assert (phone.device.cadre in page) is (status == 200)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_phone_of_the_whole_county_is_not_a_townships(office):
    phone = a_phone(office.app, office.engine, scope=WANGMO)
    township = office.someone("township", TOWNSHIP)
    assert hand_in(office, a_bundle(phone, a_family()), browser=township).status_code == 422
