"""Enrolment: a one-time code becomes a token."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from builders import a_family, a_phone, a_user, villages
from sqlalchemy import select

from server.services.enrol import VALID_HOURS, enrolment_text, make_enrolment
from server.storage import tables
from server.storage.engine import reading, writing
from shared_schemas.errors import ChushanError
from shared_schemas.ids import incarnation_id


def a_code(engine, clock, *, scope="522326111"):
    with writing(engine) as conn:
        villages(conn)
        user = a_user(conn, scope="522326")
        return make_enrolment(conn, user_id=user.id, scope=scope, made_by=None,
                              now_ms=clock.now_ms), user  # fmt: skip


def enrol(client, code, **given):
    body = {"code": code, "incarnation": incarnation_id(7), "label": "红米", **given}
    return client.post("/sync/v1/enrol", json=body)


def test_a_code_gives_a_token_that_says_whose_phone_it_is(client, engine, clock):
    code, user = a_code(engine, clock)
    answer = enrol(client, code, app_version="0.1.0")
    assert answer.status_code == 200
    headers = {"Authorization": f"Bearer {answer.json['token']}"}
    told = client.get(f"/sync/v1/hello?incarnation={incarnation_id(7)}", headers=headers).json
    assert (told["county"], told["scope"], told["cadre"]) == ("522326", "522326111", user.name)
    assert told["acked"] == 0
    places = {place["code"]: place["level"] for place in told["divisions"]}
    assert places["522326000000"] == 3
    assert places["522326111000"] == 4
    assert all(code.startswith("522326111") for code, level in places.items() if level == 5)


def test_the_token_is_stored_only_as_a_hash(client, engine, clock):
    code, _ = a_code(engine, clock)
    token = enrol(client, code).json["token"]
    with reading(engine) as conn:
        [row] = conn.execute(select(tables.device)).mappings()
    assert token not in str(dict(row))


@pytest.mark.parametrize("written", [str.lower, lambda code: code.replace("-", " ")])
def test_a_code_may_be_typed_carelessly(client, engine, clock, written):
    code, _ = a_code(engine, clock)
    assert enrol(client, written(code)).status_code == 200


def test_a_code_works_once(client, engine, clock):
    code, _ = a_code(engine, clock)
    enrol(client, code)
    again = enrol(client, code)
    assert (again.status_code, again.json["code"]) == (410, "enrolment_expired")


def test_of_eight_phones_with_one_code_one_gets_in(app, engine, clock):
    code, _ = a_code(engine, clock)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: enrol(app.test_client(), code).status_code, range(8)))
    assert sorted(answers) == [200] + [410] * 7


def test_a_code_expires(client, engine, clock):
    code, _ = a_code(engine, clock)
    clock.now_ms += VALID_HOURS * 3_600_000
    assert enrol(client, code).status_code == 410


def test_codes_cannot_be_tried_without_end(client, clock):
    answers = [enrol(client, f"AAAA-{n:04}").status_code for n in range(25)]
    assert set(answers) == {410, 429}


def test_a_phones_scope_lies_within_a_county(engine, clock):
    with pytest.raises(ChushanError, match="bad_query"):
        a_code(engine, clock, scope="5223")


def test_a_phone_that_is_enrolled_again_goes_on_where_it_was(app, engine, clock):
    phone = a_phone(app, engine)
    phone.submit(a_family())
    with writing(engine) as conn:
        code = make_enrolment(conn, user_id=phone.device.user_id, scope="522326", made_by=None,
                              now_ms=clock.now_ms)  # fmt: skip
    phone.token = enrol(phone.client, code, incarnation=phone.incarnation).json["token"]
    assert phone.hello()["acked"] == 5
    assert phone.edit("member", a_family().member, base=0, marital="20")["outcome"] == "held"


def test_another_persons_enrolment_does_not_take_over_an_incarnation(app, engine, clock):
    phone = a_phone(app, engine)
    phone.submit(a_family())
    code, _ = a_code(engine, clock, scope="522326")
    token = enrol(phone.client, code, incarnation=phone.incarnation).json["token"]
    answer = phone.client.get(
        f"/sync/v1/hello?incarnation={phone.incarnation}",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.json["acked"] == 0
    assert phone.hello()["acked"] == 5


def test_the_qr_text_names_server_and_code():
    assert enrolment_text("https://a.example/x", "ABCD-1234") == (
        "chushan:enrol?server=https%3A%2F%2Fa.example%2Fx&code=ABCD-1234"
    )
