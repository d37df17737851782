"""Bad input: each gets its stated code and words, and leaves the database as it was."""

from __future__ import annotations

import json
import zlib

import pytest
from builders import a_family, a_phone, changes
from sqlalchemy import func, select

from server.storage import tables
from server.storage.engine import reading
from shared_schemas import wire
from shared_schemas.errors import ERRORS
from shared_schemas.protocol import MAX_MESSAGE_BYTES, MAX_PACKED_BYTES, PACKED

JSON = "application/json"

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What is refused before the database is asked needs only one of them."""


def packed(plain: bytes, dictionary: bytes = wire.dictionary()) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_DEFAULT_STRATEGY, dictionary)
    return packer.compress(plain) + packer.flush()


def message(**given) -> dict:
    return {
        "protocol": "2026-11",
        "schema": 1,
        "incarnation": "0000000000000",
        "epoch": "e",
        "sent_at_ms": 0,
        "changes": [],
        **given,
    }


def group(*rows, fields=("name",), kind="member"):
    return [{"kind": kind, "fields": list(fields), "rows": list(rows)}]


A_ROW = [1, "00000000000000000", 0, 0, "岑小山"]

BAD = {
    "nothing": (b"", JSON, 400, "malformed"),
    "half of a JSON text": (b'{"protocol": "2026-11", ', JSON, 400, "malformed"),
    "another charset": ('{"protocol": "中文"}'.encode("gb18030"), JSON, 400, "malformed"),
    "a number that is none": (b'{"schema": NaN}', JSON, 400, "malformed"),
    "a number beyond all bounds": (b'{"schema": 1e999}', JSON, 400, "malformed"),
    "brackets without end": (b"[" * 100_000, JSON, 400, "malformed"),
    "half of a surrogate pair": (b'{"protocol": "\\ud800"}', JSON, 400, "malformed"),
    "a list": (b"[]", JSON, 422, "invalid_message"),
    "a bare text": (b'"push"', JSON, 422, "invalid_message"),
    "not deflated": (b"not zlib at all", PACKED, 400, "malformed"),
    "deflated with another dictionary": (packed(b"{}", b"another"), PACKED, 400, "malformed"),
    "deflated without a dictionary": (zlib.compress(b"{}"), PACKED, 422, "invalid_message"),
    "deflated and cut": (packed(b'{"a": 1}' * 50)[:-5], PACKED, 400, "malformed"),
    "deflated with more behind": (packed(b"{}") + b"more", PACKED, 400, "malformed"),
    "a bomb": (packed(b" " * (MAX_MESSAGE_BYTES + 10)), PACKED, 400, "malformed"),
    "too large": (b" " * (MAX_PACKED_BYTES + 1), JSON, 413, "too_large"),
    "another media type": (b"{}", "text/plain", 415, "wrong_media_type"),
    "a form": (b"a=1", "application/x-www-form-urlencoded", 415, "wrong_media_type"),
    "an unknown protocol": (message(protocol="2031-01"), JSON, 409, "unknown_protocol"),
    "an unknown protocol in another form": ({"protocol": "2031"}, JSON, 409, "unknown_protocol"),
    "a member missing": ({"protocol": "2026-11"}, JSON, 422, "invalid_message"),
    "a member too much": (message(more=1), JSON, 422, "invalid_message"),
    "an incarnation that is none": (message(incarnation="x"), JSON, 422, "invalid_message"),
    "a schema that is a text": (message(schema="1"), JSON, 422, "invalid_message"),
    "rows that are no lists": (message(changes=group("x")), JSON, 422, "invalid_message"),
    "a row too short": (message(changes=group([1, "x"])), JSON, 422, "invalid_message"),
    "n that is true": (message(changes=group([True, *A_ROW[1:]])), JSON, 422, "invalid_message"),
    "n beyond all bounds": (message(changes=group([2**60, *A_ROW[1:]])), JSON, 422,
                            "invalid_message"),
    "an id with a quote": (message(changes=group([1, "' or 1=1 --", 0, 0, "x"])), JSON, 422,
                           "invalid_message"),
    "a kind with a space": (message(changes=group(A_ROW, kind="a b")), JSON, 422,
                            "invalid_message"),
    "a field named twice": (message(changes=group([*A_ROW, "x"], fields=("name", "name"))), JSON,
                            422, "invalid_message"),
    "the same n twice": (message(changes=group(A_ROW, A_ROW)), JSON, 422, "invalid_message"),
    "a thousand and one": (
        message(changes=group(*([n, *A_ROW[1:]] for n in range(1, 1002)))), JSON, 422,
        "invalid_message",
    ),
    "a thousand and one in two groups": (
        message(changes=group(*([n, *A_ROW[1:]] for n in range(1, 601)))
                + group(*([n, *A_ROW[1:]] for n in range(601, 1101)))), JSON, 422,
        "invalid_message",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "media_type", "status", "code"), BAD.values(), ids=BAD.keys())
def test_a_bad_push_gets_its_code_and_changes_nothing(app, engine, body, media_type, status, code):
    phone = a_phone(app, engine)
    if isinstance(body, dict):
        body = json.dumps(body, ensure_ascii=False).encode()
    answer = phone.client.post(
        "/sync/v1/push", data=body, content_type=media_type, headers=phone.headers
    )
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    told = answer.json
    assert (told["code"], told["status"]) == (code, status)
    assert told["title"] == ERRORS[code].title()
    assert told["action"] == ERRORS[code].action()
    with reading(engine) as conn:
        assert conn.execute(select(func.count()).select_from(tables.change)).scalar_one() == 0
        assert conn.execute(select(func.count()).select_from(tables.incarnation)).scalar_one() == 0


def test_values_that_nest_without_end_are_no_server_error(app, engine):
    phone, family = a_phone(app, engine), a_family()
    phone.submit(family)
    deep: list = []
    for _ in range(900):
        deep = [deep]
    batch = changes([("member", family.member, {"skills": deep})], first=6)
    answer = phone.send(batch)
    assert answer.status_code in (200, 400)
    assert phone.push([])["acked"] in (5, 6)


def test_values_of_wrong_types_are_held_whatever_they_are(app, engine):
    phone, family = a_phone(app, engine), a_family()
    phone.submit(family)
    odd = [True, 0, -1, 10**30, 0.5, "", "x" * 5000, "\u0000", [], [[]], {}, {"a": None}]
    fields = ["name", "id_no", "sex", "birth_date", "phone", "health", "skills", "work_wage",
              "lives_here", "household_id", "hukou_village", "deleted"]  # fmt: skip
    edits = [("member", family.member, {name: value}) for name in fields for value in odd]
    outcomes = phone.push(changes(edits, first=6, base=5))["outcomes"]
    assert len(outcomes) == len(edits)
    assert {entry["outcome"] for entry in outcomes} <= {"held", "applied"}
    a_phone(app, engine).pull()


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/sync/v1/push", 405, "method_not_allowed"),
        ("DELETE", "/sync/v1/pull", 405, "method_not_allowed"),
        ("GET", "/sync/v2/pull", 404, "not_found"),
        ("GET", "/v1/nothing", 404, "not_found"),
        ("POST", "/sync/v1/push", 401, "bad_token"),
        ("GET", "/sync/v1/pull", 401, "bad_token"),
        ("GET", "/sync/v1/hello?incarnation=0000000000000", 401, "bad_token"),
    ],
)
def test_a_wrong_request_gets_its_code(client, method, path, status, code):
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.mimetype == "application/problem+json"


def test_a_body_that_is_not_json_is_refused_as_such(client):
    answer = client.post("/sync/v1/enrol", data={"code": "AAAA-AAAA"})
    assert (answer.status_code, answer.json["code"]) == (415, "wrong_media_type")


def test_a_wrong_method_is_told_which_are_allowed(client):
    assert set(client.get("/sync/v1/push").headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer ", "Basic abc", "", "Bearer \u00ff"])
def test_a_wrong_token_opens_nothing(client, header):
    answer = client.get("/sync/v1/pull", headers={"Authorization": header})
    assert (answer.status_code, answer.json["code"]) == (401, "bad_token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_firms_key_is_no_phones_token(app, engine):
    from builders import WANGMO, a_firm

    from server.storage.engine import writing

    with writing(engine) as conn:
        _, key = a_firm(conn, WANGMO)
    answer = app.test_client().get("/sync/v1/pull", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 401


def test_a_hello_without_an_incarnation_is_a_bad_query(app, engine):
    phone = a_phone(app, engine)
    answer = phone.client.get("/sync/v1/hello", headers=phone.headers)
    assert (answer.status_code, answer.json["code"]) == (422, "bad_query")
    assert "incarnation" in answer.json["errors"]["query"]


@pytest.mark.parametrize("limit", ["0", "-1", "5001", "x", "1e3"])
def test_a_page_has_a_bounded_size(app, engine, limit):
    phone = a_phone(app, engine)
    answer = phone.client.get(f"/sync/v1/pull?limit={limit}", headers=phone.headers)
    assert (answer.status_code, answer.json["code"]) == (422, "bad_query")


def test_too_many_requests_are_told_when_to_come_again(settings, engine, clock):
    from dataclasses import replace

    from server.app import create_app

    app = create_app(replace(settings, requests_per_minute=3), clock=clock)
    phone = a_phone(app, engine)
    answers = [phone.client.get("/sync/v1/pull", headers=phone.headers) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].json["code"] == "limit_reached"
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    clock.now_ms += 60_000
    assert phone.client.get("/sync/v1/pull", headers=phone.headers).status_code == 200
    app.extensions["chushan"].engine.dispose()


def test_words_are_chinese_unless_english_is_preferred(client):
    assert client.get("/v1/nothing").json["title"] == "没有找到"
    answer = client.get("/v1/nothing", headers={"Accept-Language": "en-GB,en"})
    assert answer.json["title"] == "Not found"


def test_a_page_that_is_not_there_answers_a_person_in_words(client):
    answer = client.get("/nowhere")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "没有找到" in answer.text
