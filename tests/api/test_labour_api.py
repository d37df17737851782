"""`/v1` for firms over HTTP, on both databases: who may ask, what comes, what is refused and how."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from server.services.enrol import hash_token
from server.services.labourers import store_labourers
from server.services.roster_import import RosterFile, import_roster
from server.services.upgrade import upgrade_database
from server.storage.accounts import add_api_key, add_organisation
from server.storage.divisions import store_divisions
from server.storage.engine import reading, writing
from server.storage.records import pairs, records_of_households
from server.storage.tables import list_pull, record_tables
from shared_schemas import records
from shared_schemas.bundle import Bundle, bundle_of
from shared_schemas.fields import LISTED, Text
from shared_schemas.ids import child_id, household_id
from shared_schemas.records import RecordKind
from shared_schemas.records.member import Member

COUNTY, NEIGHBOUR = "522326", "522325"
VILLAGE = "522326111201"
PURPOSE = {"purpose": "招装配工"}
KEYS = {"firm000000001": ("余姚人力", [COUNTY]), "firm000000002": ("集美人力", [NEIGHBOUR])}

_numbers = itertools.count(1)


@pytest.fixture
def engine(app: Flask) -> Engine:
    """Return the app's own engine, with two firms and three people available in one county."""
    opened: Engine = app.extensions["chushan"].engine
    with writing(opened) as conn:
        store_divisions(conn, [{"code": "522326111000", "name": "边饶镇", "level": 4},
                               {"code": VILLAGE, "name": "坎边村", "level": 5}])  # fmt: skip
        for org_id, (name, counties) in KEYS.items():
            add_organisation(conn, {"id": org_id, "name": name, "type": "agency",
                                    "counties": counties, "active": True})  # fmt: skip
            add_api_key(conn, {"id": f"key{org_id[3:]}", "org_id": org_id, "label": "t",
                               "key_hash": hash_token(org_id), "created_at_ms": 0,
                               "expires_at_ms": 1 << 62})  # fmt: skip
        for name in ("韦小山", "王小田", "罗小河"):
            store_labourers(conn, COUNTY, available(name), approved_at_ms=1)
    return opened


def available(name: str, *, member: Mapping[str, Any] | None = None) -> Bundle:
    home = household_id(next(_numbers))
    own = child_id(home, 1)
    return Bundle(
        {"id": home, "village_code": VILLAGE, "phone": "15400000001", "address": "上寨74号",
         "category": "2", "office_phone": "0859-4610000"},
        ({"name": name, "id_no": "522399199303121129", "sex": "2", "birth_date": "1993-03-12",
          "labour_ability": "1", "in_school": "0", "phone": "13900000001", "health": ["2"],
          "household_id": home, **(member or {}), "id": own},),
        ({"id": child_id(home, 2), "member_id": own, "wants_job": "1", "reach": "4",
          "occupations": ["01"], "wage_floor": 4500, "confirmed_on": "2026-11-08"},),
        ({"id": child_id(home, 3), "member_id": own, "consent_kind": "share_hr", "given": True,
          "consented_on": "2026-11-08"},),
    )  # fmt: skip


def as_firm(org_id: str = "firm000000001") -> dict[str, str]:
    return {"Authorization": f"Bearer {org_id}"}


def pulled(client: FlaskClient, **query: Any) -> dict[str, Any]:
    answer = client.get("/v1/labour", query_string={**PURPOSE, **query}, headers=as_firm())
    assert answer.status_code == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


def test_a_firm_pulls_its_list_page_by_page_under_one_number(
    client: FlaskClient, engine: Engine
) -> None:
    first = pulled(client, limit=2)
    second = client.get("/v1/labour", query_string={"cursor": first["next_cursor"], "limit": 2},
                        headers=as_firm()).json  # fmt: skip
    assert [row["list_no"] for row in first["rows"] + second["rows"]] == [1, 2, 3]
    assert second["pull"] == first["pull"]
    assert (first["total"], second["next_cursor"]) == (3, None)
    with reading(engine) as conn:
        [logged] = conn.execute(select(list_pull)).all()
    assert (logged.id, logged.rows, logged.channel, logged.purpose) == (
        first["pull"], 3, "api", "招装配工")  # fmt: skip


@pytest.mark.usefixtures("engine")
def test_nothing_forbidden_is_in_the_answer(client: FlaskClient) -> None:
    told = json.dumps(pulled(client), ensure_ascii=False)
    for forbidden in (
        "小山",
        "522399",
        "13900000001",
        "15400000001",
        "上寨",
        "1993-03-12",
        VILLAGE,
    ):
        assert forbidden not in told
    [row, *_] = json.loads(told)["rows"]
    assert not {"id", "member_id", "health", "category", "phone", "id_no", "birth_date"} & set(row)


@pytest.mark.usefixtures("engine")
def test_the_spreadsheet_is_the_same_list_and_opens(client: FlaskClient) -> None:
    answer = client.get("/v1/labour.xlsx", query_string=PURPOSE, headers=as_firm())
    assert answer.status_code == 200
    sheet = openpyxl.load_workbook(io.BytesIO(answer.data)).active
    lines = [[cell.value for cell in line] for line in sheet.iter_rows()]
    assert lines[1][1] in answer.headers["Content-Disposition"]
    top = next(n for n, line in enumerate(lines) if line[0] == "序号")
    json_rows = pulled(client)["rows"]
    assert [line[1] for line in lines[top + 1 :]] == [row["name"] for row in json_rows]
    assert not any(
        "13900000001" in str(cell) or "小山" in str(cell) for line in lines for cell in line
    )


@pytest.mark.usefixtures("engine")
def test_without_a_key_or_with_a_wrong_one_nobody_asks(client: FlaskClient) -> None:
    for method, path in (("get", "/v1/labour"), ("get", "/v1/labour.xlsx"),
                         ("post", "/v1/reveals"), ("post", "/v1/holds")):  # fmt: skip
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}):
            answer = getattr(client, method)(path, headers=headers)
            assert (answer.status_code, answer.json["code"]) == (401, "bad_token")


BAD_QUERIES: list[dict[str, str]] = [
    {},
    {"purpose": " "},
    {"purpose": "x\x00y"},
    {**PURPOSE, "occupation": "01"},
    {**PURPOSE, "occupations": "01,77"},
    {**PURPOSE, "age_min": "15"},
    {**PURPOSE, "available_by": "tomorrow"},
    {**PURPOSE, "township": "5223"},
    {**PURPOSE, "limit": "100000"},
    {**PURPOSE, "cursor": "aaaaaaaaaaaaa.1"},
    {"cursor": "aaaaaaaaaaaaa.1"},
    {"cursor": "' or 1=1"},
]


def test_a_query_that_is_not_valid_is_refused_with_its_reason(
    client: FlaskClient, engine: Engine
) -> None:
    for query in BAD_QUERIES:
        answer = client.get("/v1/labour", query_string=query, headers=as_firm())
        assert (answer.status_code, answer.json["code"]) == (422, "bad_query"), query
        assert answer.mimetype == "application/problem+json"
    with reading(engine) as conn:
        assert not conn.execute(select(list_pull)).all()


@pytest.mark.usefixtures("engine")
def test_a_reveal_names_the_person_and_a_hold_keeps_him(client: FlaskClient) -> None:
    pull = pulled(client)["pull"]
    wanted = {"pull": pull, "list_no": 1, "reason": "电话确认"}
    answer = client.post("/v1/reveals", json=wanted, headers=as_firm())
    assert answer.status_code == 201
    assert answer.json["person"]["phone"] == "13900000001"
    assert set(answer.json["person"]) == {"name", "phone", "office_phone"}
    held = client.post("/v1/holds", json={"pull": pull, "list_nos": [1, 9]}, headers=as_firm()).json
    assert [(h["list_no"], h["held"], h["code"]) for h in held["holds"]] == [
        (1, True, None), (9, False, "not_found")]  # fmt: skip


@pytest.mark.usefixtures("engine")
def test_one_firm_can_do_nothing_with_another_firms_pull(client: FlaskClient) -> None:
    first = pulled(client, limit=1)
    other = as_firm("firm000000002")
    assert client.get("/v1/labour", query_string=PURPOSE, headers=other).json["rows"] == []
    answers = [
        client.post("/v1/reveals", headers=other,
                    json={"pull": first["pull"], "list_no": 1, "reason": "x"}),
        client.post("/v1/holds", headers=other, json={"pull": first["pull"], "list_nos": [1]}),
        client.get("/v1/labour", headers=other, query_string={"cursor": first["next_cursor"]}),
    ]  # fmt: skip
    assert [answer.json["code"] for answer in answers] == ["not_found", "not_found", "bad_query"]


@pytest.mark.usefixtures("engine")
def test_reveals_of_a_day_are_limited(app: Flask, client: FlaskClient) -> None:
    here = app.extensions["chushan"]
    app.extensions["chushan"] = replace(here, settings=replace(here.settings, reveals_per_day=2))
    pull = pulled(client)["pull"]
    codes = [
        client.post("/v1/reveals", headers=as_firm(),
                    json={"pull": pull, "list_no": n, "reason": "电话确认"}).status_code
        for n in (1, 2, 3)
    ]  # fmt: skip
    assert codes == [201, 201, 429]


BAD_BODIES: list[tuple[str, Any]] = [
    ("/v1/reveals", {}),
    ("/v1/reveals", {"pull": "aaaaaaaaaaaaa", "list_no": "1", "reason": "x"}),
    ("/v1/reveals", {"pull": "aaaaaaaaaaaaa", "list_no": 1, "reason": ""}),
    ("/v1/reveals", {"pull": "aaaaaaaaaaaaa", "list_no": 1 << 40, "reason": "x"}),
    ("/v1/holds", {"pull": "aaaaaaaaaaaaa", "list_nos": []}),
    ("/v1/holds", {"pull": "aaaaaaaaaaaaa", "list_nos": [1], "org_id": "firm000000002"}),
    ("/v1/holds", [1]),
]


@pytest.mark.usefixtures("engine")
def test_a_body_that_is_not_valid_is_refused(client: FlaskClient) -> None:
    for path, body in BAD_BODIES:
        answer = client.post(path, json=body, headers=as_firm())
        assert (answer.status_code, answer.json["code"]) == (422, "invalid_message"), body


@pytest.mark.usefixtures("engine")
def test_a_newly_declared_field_comes_from_the_roster_to_the_list_and_the_spreadsheet(
    engine: Engine, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sighted(Member):
        eyesight = Text("视力", "Eyesight", group="health", audiences=LISTED, roster=("视力",))

    monkeypatch.setitem(records._KINDS, "member", RecordKind("member", Sighted, "成员", "Member"))
    assert "member.eyesight" in upgrade_database(engine)
    import_roster(
        engine,
        RosterFile(_roster(), "名册.xlsx", COUNTY, COUNTY, "clerk00000001"),
        clock=lambda: 1, new_id=lambda: household_id(next(_numbers)),
    )  # fmt: skip
    with writing(engine) as conn:
        [home] = conn.execute(select(record_tables()["household"].c.id)).scalars()
        imported = bundle_of(pairs(records_of_households(conn, COUNTY, [home])))
        [member] = imported.members
        visited = available("", member={**member, "labour_ability": "1", "in_school": "0"})
        store_labourers(conn, COUNTY, visited, approved_at_ms=1)
    assert [row["eyesight"] for row in pulled(client)["rows"] if row["eyesight"]] == ["5.0"]
    answer = client.get("/v1/labour.xlsx", query_string=PURPOSE, headers=as_firm())
    lines = [[cell.value for cell in line]
             for line in openpyxl.load_workbook(io.BytesIO(answer.data)).active.iter_rows()]  # fmt: skip
    column = next(line.index("视力") for line in lines if "视力" in line)
    assert "5.0" in [line[column] for line in lines]


def _roster() -> bytes:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"strings_to_numbers": False})
    sheet = book.add_worksheet()
    for line, row in enumerate((
        ["户编号", "村", "姓名", "证件号码", "视力"],
        ["5223260001", "坎边村", "陆小雨", "622999198402291133", "5.0"],
    )):  # fmt: skip
        for column, cell in enumerate(row):
            sheet.write_string(line, column, cell)
    book.close()
    return file.getvalue()


def test_the_openapi_document_describes_every_call_with_an_example(app: Flask) -> None:
    document = app.test_client().get("/openapi.json").json
    for path, method, status in (("/v1/labour", "get", "200"), ("/v1/reveals", "post", "201"),
                                 ("/v1/holds", "post", "200")):  # fmt: skip
        call = document["paths"][path][method]
        assert call["security"]
        assert call["responses"][status]["content"]["application/json"]["example"]
        assert call["summary"]
    row = document["components"]["schemas"]["PulledList"]["properties"]["rows"]["items"]
    assert row["properties"]["education"]["enum"]
    assert document["paths"]["/v1/labour.xlsx"]["get"]["responses"]["200"]
