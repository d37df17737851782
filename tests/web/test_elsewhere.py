"""The page of people who stand in another county too."""

from __future__ import annotations

from builders import OTHER_COUNTY_VILLAGE, VILLAGE, ZHENFENG, a_family, a_phone, an_id_number

from server.storage.engine import reading
from server.storage.other_counties import doubles


def a_double(office, app, engine):
    number = an_id_number()
    own = a_family(VILLAGE, id_no=number, name="韦远山")
    office.phone.submit(own)
    a_phone(app, engine, scope=ZHENFENG).submit(
        a_family(OTHER_COUNTY_VILLAGE, id_no=number, name="韦远珊")
    )
    page = office.browser.get("/elsewhere").text
    assert "贞丰县" in page
    assert "韦远珊" not in page
    with reading(engine) as conn:
        [row] = doubles(conn, "522326", "522326", 10)
    return own, f"/elsewhere/{row.id}"


def test_two_offices_agree_compare_and_call_two_registrations_one_person(office, app, engine):
    own, path = a_double(office, app, engine)
    there = office.someone("county", ZHENFENG)
    assert "韦远珊" not in office.post(path, {"act": "agree"}).text
    assert "望谟县请求核对" in there.get(path).text
    assert "韦远山" not in there.get(path).text
    office.post(path, {"act": "agree"}, there)
    for browser in (office.browser, there):
        page = browser.get(path).text
        assert "两边都已同意核对" in page
        assert own.edits[1][2]["id_no"] not in page
        for name in ("山", "珊"):
            assert f'<mark class="cs-mark">{name}</mark>' in page
    office.post(path, {"act": "same"})
    assert "等对方" in office.browser.get("/elsewhere").text
    office.post(path, {"act": "same"}, there)
    assert "是同一个人" in office.browser.get("/elsewhere").text
    assert "认定与外县的登记是同一人" in office.browser.get(f"/persons/{own.member}").text


def test_a_verdict_without_an_exchange_and_a_township_without_the_right_are_refused(
    office, app, engine
):
    _, path = a_double(office, app, engine)
    assert office.post(path, {"act": "same"}).status_code == 409
    assert office.post(path, {"act": "whatever"}).status_code == 400
    township = office.someone("township", VILLAGE[:9])
    assert office.post(path, {"act": "agree"}, township).status_code == 403
    assert "同意核对</button>" not in township.get(path).text
