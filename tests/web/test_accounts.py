"""Sign-in, phones, accounts, and what holds for every page."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from builders import PASSWORD, VILLAGE, WANGMO, ZHENFENG, a_family, a_user
from flask import Flask
from sqlalchemy import Engine

from server.storage.divisions import places_within
from server.storage.engine import reading, writing
from server.storage.review_pages import STATES
from shared_schemas import locale
from shared_schemas.changes import HeldReason
from shared_schemas.codes import code_list
from tests.web.office import Office

WEB = Path(__file__).parents[2] / "server" / "web"


def test_wrong_password_is_told_and_slowed_down(office: Office) -> None:
    stranger = office.app.test_client()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', stranger.get("/sign-in").text)
    assert token
    form = {"login": office.reviewer.login, "password": "wrong", "csrf_token": token[1]}
    answer = stranger.post("/sign-in", data=form)
    assert answer.status_code == 422
    assert "账号或密码不对" in answer.text
    for _ in range(9):
        stranger.post("/sign-in", data=form)
    answer = stranger.post("/sign-in", data={**form, "password": PASSWORD})
    assert answer.status_code == 429
    assert "15 分钟后" in answer.text


@pytest.mark.parametrize(
    "target", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example"]
)
def test_sign_in_never_leads_away(app: Flask, engine: Engine, target: str) -> None:
    with writing(engine) as conn:
        user = a_user(conn, role="county", password=PASSWORD)
    browser = app.test_client()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.get("/sign-in").text)
    assert token
    answer = browser.post(
        "/sign-in",
        data={"login": user.login, "password": PASSWORD, "next": target, "csrf_token": token[1]},
    )
    assert answer.headers["Location"] == "/"


def test_page_asks_for_sign_in_and_then_goes_where_one_wanted(app: Flask) -> None:
    answer = app.test_client().get("/review?lane=red")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/sign-in?next=")


def test_form_without_its_token_is_refused(office: Office) -> None:
    family = a_family()
    office.phone.submit(family)
    seq = office.review(family.household).bundle_seq
    answer = office.browser.post(f"/review/{family.household}/approve", data={"bundle_seq": seq})
    assert answer.status_code == 400
    assert office.review(family.household).state == "in_review"


def test_code_from_the_page_enrols_a_phone_and_revoking_ends_it(office: Office) -> None:
    with writing(office.engine) as conn:
        cadre = a_user(conn, scope=VILLAGE[:9])
    page = office.post("/devices", {"user_id": cadre.id}).text
    code = re.search(r'class="cs-code"[^>]*>([0-9A-Z]{4}-[0-9A-Z]{4})<', page)
    assert code
    assert "<svg" in page
    assert f"code={code[1]}" in page
    phone = office.app.test_client()
    answer = phone.post(
        "/sync/v1/enrol",
        json={
            "code": code[1],
            "incarnation": "0123456789abc",
            "label": "新手机",
            "app_version": "1",
        },
    )
    assert answer.status_code in (200, 201), answer.text
    headers = {"Authorization": f"Bearer {answer.json['token']}"}
    assert phone.get("/sync/v1/pull", headers=headers).status_code == 200
    revoke = re.search(r'action="(/devices/\d{6}/[0-9a-z]+/revoke)"', page_of(office, "新手机"))
    assert revoke
    stranger = office.someone("county", ZHENFENG)
    assert office.post(revoke[1], {}, stranger).status_code == 404
    assert office.post(revoke[1], {}).status_code == 303
    assert phone.get("/sync/v1/pull", headers=headers).status_code == 403


def test_a_phone_is_given_other_villages_of_the_county_and_of_no_other(office: Office) -> None:
    family = a_family()
    office.phone.submit(family)
    way = re.search(
        r'action="(/devices/\d{6}/[0-9a-z]+/scope)"', office.browser.get("/devices").text
    )
    assert way
    with reading(office.engine) as conn:
        elsewhere = next(p.code for p in places_within(conn, WANGMO) if p.level == 4
                         and not p.code.startswith(VILLAGE[:9]))  # fmt: skip
    stranger = office.someone("county", ZHENFENG)
    assert office.post(way[1], {"scope": elsewhere}, stranger).status_code == 404
    assert office.post(way[1], {"scope": ZHENFENG}).status_code == 404
    assert office.post(way[1], {"scope": WANGMO + "998"}).status_code == 422
    assert office.post(way[1], {"scope": elsewhere}).status_code == 303
    assert office.phone.hello()["scope"] == elsewhere[:9]
    late = office.phone.edit("household", family.household, address="寨脚")
    assert (late["outcome"], late["reason"]) == ("held", "out_of_scope")


def page_of(office: Office, label: str) -> str:
    """Return the row of a phone on the page."""
    rows = re.findall(r"<tr>.*?</tr>", office.browser.get("/devices").text, re.DOTALL)
    return next(row for row in rows if label in row)


def test_cadre_of_another_county_gets_no_code_here(office: Office) -> None:
    with writing(office.engine) as conn:
        cadre = a_user(conn, scope=ZHENFENG)
    assert office.post("/devices", {"user_id": cadre.id}).status_code == 422


def test_administrator_adds_people_within_his_scope_only(office: Office) -> None:
    admin = office.someone("admin", WANGMO)
    good = {"login": "newcomer", "name": "岑新来", "role": "township", "scope": VILLAGE[:9],
            "password": PASSWORD}  # fmt: skip
    assert office.post("/users", {**good, "scope": ZHENFENG}, admin).status_code == 422
    assert office.post("/users", {**good, "password": "short"}, admin).status_code == 422
    assert office.post("/users", {**good, "role": "hr_firm"}, admin).status_code == 422
    assert office.post("/users", good, admin).status_code == 303
    assert "账号已有人用" in office.post("/users", good, admin).text
    assert "岑新来" in admin.get("/users").text
    assert office.browser.get("/users").status_code == 403


def test_language_is_kept(office: Office) -> None:
    assert "Coverage" in office.browser.get("/?lang=en").text
    assert "Coverage" in office.browser.get("/").text
    assert "摸底进度" in office.browser.get("/?lang=zh").text


def test_every_word_that_templates_ask_for_exists_in_both_languages() -> None:
    asked = set()
    for path in [*WEB.rglob("*.html"), *WEB.glob("*.py")]:
        asked |= set(re.findall(r'\b(?:t|words)\("([a-z_0-9.]+)"[,)]', path.read_text("utf-8")))
    assert len(asked) > 200
    for key in asked:
        zh, en = (raw(f"pages.{key}", lang) for lang in ("zh", "en"))
        assert zh
        assert en
        assert set(re.findall(r"{(\w+)}", zh)) == set(re.findall(r"{(\w+)}", en)), key


def raw(key: str, lang: str) -> str:
    """Return words with their blanks left open."""
    return locale._catalogue()[key][lang]


def test_vendored_files_are_those_that_were_pinned() -> None:
    vendor = WEB / "static" / "vendor"
    lines = (vendor / "VERSIONS").read_text().splitlines()
    listed = dict(reversed(line.split("  ")) for line in lines if not line.startswith("#"))
    present = {path.name for path in vendor.iterdir()} - {"VERSIONS"}
    assert set(listed) == present
    for name, digest in listed.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest


def test_every_variable_word_exists() -> None:
    known = set(locale._catalogue())
    for path in WEB.rglob("*.html"):
        for prefix in re.findall(r'(?<![\w.])t\("([a-z_.]+[._])" ~', path.read_text("utf-8")):
            assert any(key.startswith(f"pages.{prefix}") for key in known), prefix
    for reason in HeldReason:
        assert {f"pages.held.reason.{reason}", f"pages.held.why.{reason}"} <= known
    for state in STATES:
        assert {f"pages.state.{state}", f"pages.review.empty.{state}"} <= known
    assert {f"pages.role.{code.code}" for code in code_list("user_role").codes} <= known
