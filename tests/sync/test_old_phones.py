"""Phones of older schemas against today's server, and their databases under today's app.

The payloads were frozen when those versions were made (payloads/README.md); they are replayed byte
for byte.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import (
    WANGMO,
    Phone,
    a_child_id,
    a_device,
    a_family,
    a_phone,
    a_user,
    an_id_number,
    changes,
    villages,
)
from flask import Flask
from sqlalchemy import Engine, select, text, update
from werkzeug.serving import make_server

from mobile.forms.visit import Visit
from mobile.storage.database import Store, get, open_store, put
from mobile.storage.records import refresh
from mobile.sync.attempt import sync_once
from server.services import build_pull
from server.services.backup import restore_backup
from server.services.decide_conflict import decide_conflict
from server.services.enrol import hash_token
from server.services.review import Comment, approve, return_bundle
from server.services.upgrade import upgrade_database
from server.storage import tables
from server.storage.accounts import User
from server.storage.devices import add_device
from server.storage.engine import reading, writing
from server.storage.meta import EPOCH, set_meta_value
from server.storage.records import records_by_id
from server.storage.reviews import reviews_of
from shared_schemas import SCHEMA_VERSION, codes, wire
from shared_schemas import fields as types
from shared_schemas import records as declared
from shared_schemas.changes import content_hash
from shared_schemas.codes import Code, CodeList
from shared_schemas.protocol import PACKED
from shared_schemas.records import RecordKind, record_kind, record_kinds
from shared_schemas.records.member import Member
from tests.conftest import Clock

from .old_phone import NEVER_LEFT, SCHEMAS, Frozen, OldPhone, of_schema

LODGING = {True: "1", False: "0", None: None}


@pytest.fixture(params=SCHEMAS)
def frozen(request: pytest.FixtureRequest) -> Frozen:
    """Return the frozen files of each older schema in turn."""
    return Frozen(request.param)


@pytest.fixture
def enrolled(app: Flask, engine: Engine, clock: Clock, frozen: Frozen) -> Flask:
    """Return a server that knows the frozen phone, in the epoch and at the time of its last sync."""
    about = frozen.about
    clock.now_ms = about["now_ms"]
    with writing(engine) as conn:
        villages(conn)
        cadre = a_user(conn, "cadre1", scope=WANGMO)
        device, _ = a_device(conn, cadre)
        values = {name: getattr(device, name) for name in device.__dataclass_fields__}
        scope = VILLAGE_OF_PHONES[:9]
        made = type(device)(**{**values, "id": about["device_id"], "scope": scope})
        add_device(conn, made, token_hash=hash_token(about["token"]), now_ms=0)
        set_meta_value(conn, EPOCH, about["epoch"])
    return app


VILLAGE_OF_PHONES = Frozen(1).about["village"]


def push(app: Flask, frozen: Frozen, body: bytes, media: str = PACKED) -> dict[str, Any]:
    """Post a frozen body as it is."""
    answer = app.test_client().post(
        "/sync/v1/push",
        data=body,
        content_type=media,
        headers={"Authorization": f"Bearer {frozen.about['token']}"},
    )
    assert answer.status_code == 200, answer.text
    return wire.unpack(answer.data) if media == PACKED else answer.json


def push_all(app: Flask, frozen: Frozen) -> None:
    for packed, _, _ in frozen.pushes():
        push(app, frozen, packed)


def get_frozen(app: Flask, frozen: Frozen, target: str) -> Any:
    return app.test_client().get(
        target, headers={"Authorization": f"Bearer {frozen.about['token']}"}
    )


def rows_of(lines: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (group["kind"], row_id): dict(values)
        for line in lines
        for group in line["groups"]
        for row_id, _, values in wire.ungroup_rows(group)
    }


def in_todays_words(values: dict[str, Any]) -> dict[str, Any]:
    """Return frozen values as this version stores them. Written out, not by the lenses under test."""
    values = dict(values)
    if "needs_lodging" in values:
        values["lodging"] = LODGING[values.pop("needs_lodging")]
    return {name: value for name, value in values.items() if value is not None}


def meant(frozen: Frozen) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what the frozen pushes make of each record: patch upon patch."""
    records: dict[tuple[str, str], dict[str, Any]] = {}
    for change in frozen.changes():
        records.setdefault((change.kind, change.record_id), {}).update(change.values)
    return {key: in_todays_words(values) for key, values in records.items()}


def stored(engine: Engine) -> dict[tuple[str, str], dict[str, Any]]:
    """Return every record of the server with all its values."""
    found = {}
    with reading(engine) as conn:
        for kind in record_kinds():
            table = tables.record_tables()[kind.name]
            for row in conn.execute(select(table)).mappings():
                assert row["extra"] is None, "an older phone has nothing that we do not know"
                values = {name: row[name] for name in kind.fields if row[name] is not None}
                found[kind.name, row["id"]] = values
    return found


# --- the frozen payloads ---


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "plain"])
def test_what_an_old_phone_pushed_becomes_the_records_it_meant(enrolled, engine, frozen, packed):
    for packed_body, plain_body, told in frozen.pushes():
        media = PACKED if packed else "application/json"
        body = packed_body if packed else plain_body
        answer = push(enrolled, frozen, body, media)
        assert answer["outcomes"] == told["outcomes"], (
            "outcomes and numbers as that server gave them"
        )
        assert answer["acked"] == told["acked"]
        assert push(enrolled, frozen, body, media)["outcomes"] == told["outcomes"]
    assert stored(engine) == meant(frozen)
    assert stored(engine)["intention", frozen.about["family"]["intention"]]["lodging"] == "1"
    assert "work_wage" not in stored(engine)["member", frozen.about["family"]["head"]]
    assert stored(engine)["member", frozen.about["family"]["son"]]["deleted"] is True


def test_the_log_keeps_every_change_as_it_was_written(enrolled, engine, frozen):
    push_all(enrolled, frozen)
    with reading(engine) as conn:
        logged = list(conn.execute(select(tables.change).order_by(tables.change.c.n)).mappings())
    assert [(row["n"], row["kind"], row["record_id"], row["base"], row["at_ms"], row["values"])
            for row in logged] == [
        (c.n, c.kind, c.record_id, c.base, c.at_ms, c.values) for c in frozen.changes()
    ]  # fmt: skip
    assert {row["schema"] for row in logged} == {frozen.schema}
    assert [row["hash"] for row in logged] == [content_hash(c) for c in frozen.changes()]


def test_an_old_phone_is_sent_what_its_own_server_would_send(enrolled, frozen):
    kept = frozen.read("pull")
    packed, _, _ = frozen.pushes()[0]
    push(enrolled, frozen, packed)
    answer = get_frozen(enrolled, frozen, f"{kept['request']}&schema={frozen.schema}")
    assert answer.status_code == 200, answer.text
    lines = [json.loads(line) for line in answer.data.splitlines()]
    assert rows_of(lines) == rows_of(kept["answer"])


def test_a_phone_that_names_no_schema_is_of_the_first(enrolled, frozen):
    push_all(enrolled, frozen)
    target = frozen.read("pull")["request"]
    assert "schema" not in target
    bare, asked = (
        [json.loads(line) for line in get_frozen(enrolled, frozen, one).data.splitlines()]
        for one in (target, f"{target}&schema=1")
    )
    assert rows_of(bare) == rows_of(asked)
    known = Frozen(1).fields
    for (kind, _), row in rows_of(bare).items():
        assert kind not in known or set(row) <= set(known[kind])


def test_hello_still_says_what_an_old_app_insists_on(enrolled, frozen):
    push_all(enrolled, frozen)
    kept = frozen.read("hello")
    answer = get_frozen(enrolled, frozen, kept["request"]).json
    assert set(NEVER_LEFT) <= set(answer)
    same = ("protocol", "epoch", "acked", "acked_hash", "county", "scope")
    assert {name: answer[name] for name in same} == {name: kept["answer"][name] for name in same}
    assert answer["schema"] == SCHEMA_VERSION, "so that the phone can say: update me"
    assert {d["code"] for d in answer["divisions"]} >= {VILLAGE_OF_PHONES}


def test_the_reviewers_words_reach_an_old_phone_at_the_field_as_it_calls_it(
    enrolled, engine, frozen, clock
):
    push_all(enrolled, frozen)
    family = frozen.about["family"]
    reviewer = User("reviewer", "reviewer", "审核员", "county", WANGMO, None)
    with writing(engine) as conn:
        review = reviews_of(conn, WANGMO, [family["household"]])[family["household"]]
        return_bundle(
            conn, WANGMO, family["household"], review.bundle_seq,
            [Comment("intention", family["intention"], "lodging", "要不要住宿?"),
             Comment("household", family["household"], "split_reason", "为什么分户?")],
            user=reviewer, now_ms=clock(), new_id=lambda: "a000000000001",
        )  # fmt: skip
    target = f"{frozen.read('pull')['request']}&schema={frozen.schema}"
    lines = [json.loads(line) for line in get_frozen(enrolled, frozen, target).data.splitlines()]
    [review_row] = [row for key, row in rows_of(lines).items() if key[0] == "review"]
    said = {comment["text"]: comment["field"] for comment in review_row["comments"]}
    assert said["要不要住宿?"] == "needs_lodging"
    assert said["为什么分户?"] == ("split_reason" if frozen.schema > 1 else "")


# --- an old database under today's app ---


@pytest.fixture
def served(app: Flask) -> Iterator[str]:
    """Serve the server on loopback; yield its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    http = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    thread.join()
    http.server_close()


def a_store(path: Path, clock: Clock, url: str, token: str) -> Store:
    """Return the database of a new phone that has this token."""
    store = open_store(path, clock=clock)
    with store.writing() as connection:
        put(connection, "server", url)
        put(connection, "token", token)
    return store


@pytest.fixture
def updated(frozen: Frozen, tmp_path: Path, clock: Clock) -> Iterator[Store]:
    """Yield the frozen phone's database, opened by today's app."""
    path = tmp_path / "phone.db"
    made = sqlite3.connect(path)
    made.executescript((frozen.folder / "phone.sql").read_text(encoding="utf-8"))
    made.close()
    store = open_store(path, clock=clock)
    yield store
    store.close()


def outbox_of(path: Path) -> list[dict[str, Any]]:
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    rows = [dict(row) for row in connection.execute("SELECT * FROM outbox ORDER BY id")]
    connection.close()
    return rows


@pytest.fixture
def before(frozen: Frozen, tmp_path: Path) -> list[dict[str, Any]]:
    """Return the outbox as the old app left it."""
    path = tmp_path / "before.db"
    made = sqlite3.connect(path)
    made.executescript((frozen.folder / "phone.sql").read_text(encoding="utf-8"))
    made.close()
    return outbox_of(path)


def visit(store: Store, household_id: str) -> Visit:
    return Visit.open(store, household_id, VILLAGE_OF_PHONES, today="2026-11-20", cadre="测试村干")


def test_an_update_of_the_app_keeps_the_outbox_to_the_letter(clock, updated, before, frozen):
    after = outbox_of(updated.path)
    assert len(before) == len(after) > 20
    for was, row in zip(before, after, strict=True):
        assert {name: row[name] for name in was} == was
        assert row["schema"] == frozen.schema
    assert {row["state"] for row in after} == {"acked", "sent", "waiting"}


def test_an_update_of_the_app_keeps_drafts_and_the_open_question(clock, updated, frozen):
    family = frozen.about["family"]
    opened = visit(updated, family["drafted_household"])
    wish = opened.record(family["drafted_intention"])
    assert wish.values["lodging"] == "1", "drafted as yes"
    assert opened.household.values["group_no"] == "五组"
    assert opened.members[0].values["name"] == "蒙小妹"
    assert opened.position is not None
    assert (opened.position.record_id, opened.position.field) == (wish.record_id, "lodging")
    [lodging] = [q for q in wish.questions("terms") if q.name == "lodging"]
    assert (lodging.value, lodging.shown, lodging.widget) == ("1", "需要", "code")


def test_an_update_of_the_app_shows_what_waits_and_the_reviewers_words(clock, updated, frozen):
    family = frozen.about["family"]
    opened = visit(updated, family["household"])
    wish = opened.record(family["intention"])
    assert wish.values["lodging"] == "0", "the county's yes under the cadre's no that still waits"
    with updated.writing() as connection:
        # Without the change that waits, the county's own answer shows, in today's words.
        connection.execute("UPDATE outbox SET covered = 1")
        refresh(connection, "intention", family["intention"])
    assert visit(updated, family["household"]).record(wish.record_id).values["lodging"] == "1"
    # A household that waits to be sent shows no words; taken back into drafts, it does.
    with updated.reading() as connection:
        assert [c["field"] for c in json.loads(
            connection.execute("SELECT comments FROM review").fetchone()[0]
        )] == ["lodging", "phone"]  # fmt: skip


def test_an_updated_app_sends_old_work_as_it_was_and_goes_on_in_todays_words(
    enrolled, engine, served, updated, before, frozen
):
    push_all(enrolled, frozen)
    family = frozen.about["family"]
    with updated.writing() as connection:
        put(connection, "server", served)
    opened = visit(updated, family["drafted_household"])
    fill = {
        "village_code": VILLAGE_OF_PHONES, "relocated": False, "category": "1", "dibao": False,
        "tekun": False, "phone": "13900000577", "survey_mode": "1", "is_split": True,
        "split_from": family["household"], "split_on": "2026-10-01", "split_reason": "1",
    }  # fmt: skip
    for name, value in fill.items():
        opened.household.answer(name, value)
    for name, value in {"id_no": an_id_number(birth_date="1995-02-03", sex="2"), "lives_here": True, "ethnic": "09",
                        "in_school": "0", "education": "70", "marital": "20",
                        "speaks_mandarin": "1", "health": ["1"]}.items():  # fmt: skip
        opened.members[0].answer(name, value)
    submitted = opened.submit()
    assert submitted.submitted, [(hit.rule, hit.field) for hit in submitted.problems]
    result = sync_once(updated, timeout_s=20)
    assert result.error is None, result.error
    assert (result.held, result.conflicts, result.remaining) == (0, 0, 0), result
    assert not result.is_unequal

    waiting = [row for row in before if row["state"] != "acked"]
    with reading(engine) as conn:
        logged = list(conn.execute(
            select(tables.change).where(tables.change.c.n > len(frozen.changes()))
            .order_by(tables.change.c.n)
        ).mappings())  # fmt: skip
    assert [row["schema"] for row in logged[: len(waiting)]] == [frozen.schema] * len(waiting)
    assert {row["schema"] for row in logged[len(waiting) :]} == {SCHEMA_VERSION}
    assert [(row["kind"], row["record_id"], row["base"], row["values"])
            for row in logged[: len(waiting)]] == [
        (row["kind"], row["record_id"], row["base"], json.loads(row["values"])) for row in waiting
    ]  # fmt: skip

    now = stored(engine)
    assert now["intention", family["intention"]]["lodging"] == "0"
    assert now["household", family["household"]]["phone"] == "13900000511"
    assert now["intention", family["drafted_intention"]]["lodging"] == "1"
    new = now["household", family["drafted_household"]]
    assert (new["split_from"], new["split_reason"]) == (family["household"], "1")
    others = [values["lodging"] for key, values in now.items()
              if key[0] == "intention" and values["household_id"] not in
              (family["household"], family["drafted_household"])]  # fmt: skip
    assert others == ["1"], "the household that waited in the outbox"
    with updated.reading() as connection:
        for (kind, record_id), values in now.items():
            kept = connection.execute(
                f'SELECT server FROM "{kind}" WHERE id = ?', (record_id,)
            ).fetchone()
            assert json.loads(kept["server"]) == values, "the phone has what the county has"
    assert get(updated.connection, "schema") == SCHEMA_VERSION


# --- old and new phones at one household ---


@pytest.fixture
def old(app: Flask, engine: Engine) -> OldPhone:
    return OldPhone(a_phone(app, engine), 1)


def a_couples_wish(app: Flask, engine: Engine, **wish: Any) -> tuple[Any, Any]:
    """Return a phone of today that has registered a household, and the household."""
    new, family = a_phone(app, engine), a_family()
    family.edits[0][2].update(is_split=True, split_on="2026-01-10", split_reason="1")
    family.edits[1][2].update(work_form="6", public_post="1")
    family.edits[2][2].update({"lodging": "2", **wish})
    assert {entry["outcome"] for entry in new.submit(family)} == {"applied"}
    new.pull()
    return new, family


def test_an_old_phones_edit_wipes_nothing_that_it_does_not_know(app, engine, old):
    _, family = a_couples_wish(app, engine)
    kept = stored(engine)
    shown = old.pull()
    assert shown["intention", family.intention]["needs_lodging"] is True
    assert old.edit("household", family.household, address="坡上")["outcome"] == "applied"
    assert old.edit("member", family.member, work_form="6", phone="13900000600")["outcome"] == (
        "applied"
    )
    assert (
        old.edit("intention", family.intention, wage_floor=5200, needs_lodging=True)["outcome"]
        == "applied"
    )
    now = stored(engine)
    kept["household", family.household]["address"] = "坡上"
    kept["member", family.member]["phone"] = "13900000600"
    kept["intention", family.intention]["wage_floor"] = 5200
    assert now == kept


def test_an_old_phones_other_answer_is_an_answer(app, engine, old):
    new, family = a_couples_wish(app, engine)
    old.pull()
    assert old.edit("intention", family.intention, needs_lodging=False)["outcome"] == "applied"
    assert new.pull()["intention", family.intention]["lodging"] == "0"
    old.pull()
    assert old.edit("intention", family.intention, needs_lodging=None)["outcome"] == "applied"
    assert "lodging" not in stored(engine)["intention", family.intention]


def test_yes_and_a_couples_room_said_apart_are_no_conflict(app, engine, old):
    new, family = a_couples_wish(app, engine, lodging="0")
    base = old.pull()["intention", family.intention]["seq"]
    new.edit("intention", family.intention, base=base, lodging="2")
    outcome = old.push([("intention", family.intention, {"needs_lodging": True})], base=base)[0]
    assert outcome["outcome"] in ("applied", "merged")
    assert stored(engine)["intention", family.intention]["lodging"] == "2"
    with reading(engine) as conn:
        assert conn.execute(select(tables.conflict)).all() == []


def test_no_and_a_couples_room_said_apart_are_a_conflict_in_the_words_of_each(
    app, engine, old, clock
):
    new, family = a_couples_wish(app, engine, lodging="1")
    base = old.pull()["intention", family.intention]["seq"]
    new.edit("intention", family.intention, base=base, lodging="2")
    outcome = old.push([("intention", family.intention, {"needs_lodging": False})], base=base)[0]
    assert outcome["outcome"] == "conflict"
    [told] = [row for key, row in old.pull().items() if key[0] == "conflict"]
    assert (told["field"], told["ours"], told["theirs"]) == ("needs_lodging", True, False)
    [row] = [row for key, row in new.pull().items() if key[0] == "conflict"]
    assert (row["field"], row["ours"], row["theirs"]) == ("lodging", "2", "0")
    with reading(engine) as conn:
        conflict_id = conn.execute(select(tables.conflict.c.id)).scalar_one()
    reviewer = User("reviewer", "reviewer", "审核员", "county", WANGMO, None)
    with writing(engine) as conn:
        decide_conflict(conn, WANGMO, conflict_id, "2", user=reviewer, now_ms=clock(),
                        new_id=lambda: "a000000000002")  # fmt: skip
    assert old.pull()["intention", family.intention]["needs_lodging"] is True
    assert old.records["conflict", conflict_id]["decided_value"] is True


def test_todays_app_can_be_made_to_speak_as_an_old_one(app, engine, tmp_path, clock, served):
    """What the simulation's older phones are made of."""
    new, family = a_couples_wish(app, engine)
    store = a_store(tmp_path / "old.db", clock, served, a_phone(app, engine).token)
    with of_schema(1):
        assert sync_once(store, timeout_s=20).error is None
        opened = visit(store, family.household)
        assert opened.record(family.intention).values["lodging"] == "1", "all that it was told"
        opened.record(family.intention).answer("wage_floor", 4700)
        opened.household.answer("split_on", "2026-02-02")
        assert opened.submit().submitted, opened.blocking()
        result = sync_once(store, timeout_s=20)
    assert (result.error, result.held, result.conflicts) == (None, 0, 0)
    now = new.pull()
    assert now["intention", family.intention]["wage_floor"] == 4700
    assert now["intention", family.intention]["lodging"] == "2"
    assert now["household", family.household]["split_on"] == "2026-01-10", "not its to say"
    store.close()


def test_an_updated_app_fetches_what_the_older_one_was_not_sent(
    app, engine, tmp_path, clock, served
):
    _, family = a_couples_wish(app, engine)
    store = a_store(tmp_path / "phone.db", clock, served, a_phone(app, engine).token)
    with of_schema(1):
        assert sync_once(store, timeout_s=20).error is None
    before = visit(store, family.household)
    assert "split_on" not in before.household.values
    assert before.record(family.intention).values["lodging"] == "1"
    with store.writing() as connection:
        put(connection, "schema", 1)
    store.close()
    store = open_store(tmp_path / "phone.db", clock=clock)
    assert sync_once(store, timeout_s=20).error is None
    after = visit(store, family.household)
    assert after.household.values["split_on"] == "2026-01-10"
    assert after.record(family.intention).values["lodging"] == "2"
    store.close()


# --- phones that are newer, and apps that are too old ---


def push_as_newer(phone: Phone, edits: list[Any], base: int = 0) -> list[dict[str, Any]]:
    """Push edits of an app that is a schema ahead of the server; return the outcomes."""
    batch = changes(edits, first=phone.n + 1, base=base, at_ms=phone.now_ms)
    phone.n += len(batch)
    return list(phone.push(batch, schema=SCHEMA_VERSION + 1)["outcomes"])


def test_what_an_older_server_did_not_understand_is_applied_at_its_upgrade(
    app, engine, monkeypatch
):
    phone, family = a_phone(app, engine), a_family(boots="胶鞋")
    phone.submit(family)
    done = phone.edit("member", family.member, base=5, marital="20")
    assert done["outcome"] == "applied"
    batch = [("member", family.member, {"work_form": "8", "work_channel": "2"}),
             ("member", family.member, {"boots": "雨靴"}),
             ("household", family.household, {"address": "坡上"})]  # fmt: skip
    outcomes = push_as_newer(phone, batch, base=done["seq"])
    assert [entry.get("reason") for entry in outcomes] == ["unknown_schema", None, None]
    shown = a_phone(app, engine).pull()["member", family.member]
    assert shown["boots"] == "雨靴", "given back untouched to whoever knows it"
    assert shown["work_form"] == "7"

    known = codes.code_list("work_form")
    wider = CodeList(known.name, known.standard, known.zh, known.en,
                     (*known.codes, Code("8", "新就业形态", "Platform work")))  # fmt: skip
    plain = codes.code_list
    monkeypatch.setattr(
        codes, "code_list", lambda name: wider if name == "work_form" else plain(name)
    )
    fields = {
        "boots": types.Text("雨靴", "Boots", group="skills", since=4),
        "work_form": types.Code("就业形式", "Form of work", codes="work_form", group="work"),
    }
    schema = type("Member", (Member,), fields)
    kind = record_kind("member")
    monkeypatch.setitem(declared._KINDS, "member", RecordKind("member", schema, kind.zh, kind.en))
    assert upgrade_database(engine) == ["member.boots"]

    with reading(engine) as conn:
        member = records_by_id(conn, WANGMO, "member", [family.member])[family.member]
        held = conn.execute(select(tables.change).where(tables.change.c.outcome == "held")).all()
        [released] = conn.execute(
            select(tables.change).where(tables.change.c.resolution.is_not(None))
        ).mappings()
    assert held == []
    assert (released["outcome"], released["resolution"]) == ("applied", "released")
    assert member.values["work_form"] == "8"
    assert member.values["work_channel"] == "2"
    assert member.values["boots"] == "雨靴"
    assert member.extra == {}
    # Who wrote the unknown field is known: an edit that has not seen it meets it.
    other = a_phone(app, engine)
    unseen = other.edit("member", family.member, base=done["seq"], boots="拖鞋")
    assert unseen["outcome"] == "conflict"


def test_a_change_that_is_still_not_understood_goes_on_waiting(app, engine):
    phone, family = a_phone(app, engine), a_family()
    phone.submit(family)
    pension = ("pension", a_child_id(family.household), {"amount": 100})
    assert push_as_newer(phone, [pension])[0]["reason"] == "unknown_kind"
    assert upgrade_database(engine) == []
    with reading(engine) as conn:
        [held] = conn.execute(
            select(tables.change).where(tables.change.c.outcome == "held")
        ).mappings()
    assert (held["reason"], held["resolution"]) == ("unknown_kind", None)
    assert held["values"] == {"amount": 100}


def test_a_retired_schema_is_refused_the_pull_and_never_the_push(
    enrolled, engine, served, updated, frozen, monkeypatch
):
    monkeypatch.setattr(build_pull, "OLDEST_PULLED_SCHEMA", SCHEMA_VERSION)
    push_all(enrolled, frozen)
    refused = get_frozen(enrolled, frozen, frozen.read("pull")["request"])
    assert (refused.status_code, refused.json["code"]) == (409, "app_too_old")
    with updated.writing() as connection:
        put(connection, "server", served)
    with of_schema(frozen.schema):
        result = sync_once(updated, timeout_s=20)
    assert result.error is not None
    assert "请更新应用" in result.error.words()
    assert (result.remaining, result.held) == (0, 0), "all that was captured is with the county"


@pytest.mark.parametrize("schema", [SCHEMA_VERSION, SCHEMA_VERSION + 1])
def test_the_phone_says_when_the_app_is_due(
    app, engine, tmp_path, clock, served, monkeypatch, schema
):
    from server.services import say_hello

    monkeypatch.setattr(say_hello, "SCHEMA_VERSION", schema)
    store = a_store(tmp_path / "phone.db", clock, served, a_phone(app, engine).token)
    result = sync_once(store, timeout_s=20)
    assert result.error is None
    assert ("请更新本应用" in result.words("zh")) is (schema > SCHEMA_VERSION)
    assert ("Update this app" in result.words("en")) is (schema > SCHEMA_VERSION)
    store.close()


def test_a_code_that_the_app_does_not_know_stays_and_stands_in_nobodys_way(
    enrolled, engine, served, updated, frozen, clock
):
    push_all(enrolled, frozen)
    family = frozen.about["family"]
    with writing(engine) as conn:
        table = tables.record_tables()["member"]
        conn.execute(
            update(table).where(table.c.id == family["head"]).values(marital="95", ethnic="88")
        )
    with updated.writing() as connection:
        put(connection, "server", served)
    assert sync_once(updated, timeout_s=20).error is None
    opened = visit(updated, family["household"])
    head = opened.record(family["head"])
    [marital] = [q for q in head.questions("background") if q.name == "marital"]
    assert (marital.value, marital.shown, marital.error) == ("95", "95", None)
    assert ("95", "95", "") in marital.options, "a chip with the code as it is"
    head.answer("phone", "13900000612")
    assert opened.submit().submitted, [(h.rule, h.field) for h in opened.blocking()]
    assert sync_once(updated, timeout_s=20).error is None
    now = stored(engine)["member", family["head"]]
    assert (now["marital"], now["ethnic"], now["phone"]) == ("95", "88", "13900000612")


# --- what the server itself has kept ---


def test_a_backup_of_an_older_server_comes_back_in_todays_words(engine, frozen):
    restore_backup(engine, frozen.folder / "backup.zip", replace=True)
    upgrade_database(engine)
    family = frozen.about["family"]
    now = stored(engine)
    for key, values in meant(frozen).items():
        # The county's other value for lodging is in conflict, and the later one shows.
        wanted = {**values, "lodging": "0"} if key == ("intention", family["intention"]) else values
        assert now[key] == wanted
    with reading(engine) as conn:
        [conflict] = conn.execute(select(tables.conflict)).mappings()
        reviews = list(conn.execute(select(tables.review)).mappings())
        cards = [row["card"] for row in conn.execute(select(tables.labourer)).mappings()]
        stamps = conn.execute(select(tables.record_tables()["intention"].c.stamps)).scalars().all()
    assert (conflict["field"], conflict["ours"], conflict["theirs"]) == ("lodging", "1", "0")
    [returned] = [row for row in reviews if row["state"] == "returned" or row["comments"]]
    assert [c["field"] for c in returned["comments"]] == ["lodging", "phone"]
    [approved] = [row for row in reviews if row["approved_values"]]
    snapshot = {(kind, rid): values for kind, rid, values in approved["approved_values"]}
    assert all(now[key] == values for key, values in snapshot.items())
    assert any(card.get("lodging") == "1" for card in cards)
    assert not any("needs_lodging" in card for card in cards)
    assert not any("needs_lodging" in entry[3] for entry in stamps)
    assert any("lodging" in entry[3] for entry in stamps), "who wrote the value is not forgotten"


def test_rows_of_an_older_server_move_at_the_upgrade_and_no_later_write_is_undone(
    app, engine, clock
):
    new, family = a_couples_wish(app, engine, lodging=None)
    late, untouched = a_family(), a_family()
    for other in (late, untouched):
        other.edits[2][2].update(lodging="2")
        new.submit(other)
    table = tables.record_tables()["intention"]
    with writing(engine) as conn:
        conn.execute(text("ALTER TABLE intention ADD COLUMN needs_lodging BOOLEAN"))
        conn.execute(text("UPDATE intention SET needs_lodging = :v WHERE id = :id"),
                     {"v": True, "id": family.intention})  # fmt: skip
        # An older server, still serving after the upgrade, takes a no; and once it took a yes that
        # the newer one has overwritten since.
        for one, seq in ((late, 1 << 40), (untouched, 0)):
            conn.execute(text("UPDATE intention SET needs_lodging = :v WHERE id = :id"),
                         {"v": False, "id": one.intention})  # fmt: skip
            row, names = (
                conn.execute(
                    select(table.c.stamps).where(table.c.id == one.intention)
                ).scalar_one(),
                {},
            )
            names["needs_lodging"] = [clock(), "0" * 13, seq]
            conn.execute(
                update(table).where(table.c.id == one.intention).values(stamps=[*row[:3], names])
            )
    assert upgrade_database(engine) == []
    now = stored(engine)
    assert now["intention", family.intention]["lodging"] == "1"
    assert now["intention", late.intention]["lodging"] == "0"
    assert now["intention", untouched.intention]["lodging"] == "2"
    with reading(engine) as conn:
        left = conn.execute(text("SELECT count(needs_lodging) FROM intention")).scalar_one()
        stamps = {row.id: row.stamps[3] for row in conn.execute(select(table.c.id, table.c.stamps))}
    assert left == 0
    assert stamps[late.intention] == {"lodging": [clock(), "0" * 13, 1 << 40]}
    assert "needs_lodging" not in stamps[untouched.intention]
    before = stored(engine)
    upgrade_database(engine)
    assert stored(engine) == before


def test_an_approved_household_of_an_older_server_shows_no_change_to_the_reviewer(
    app, engine, clock
):
    _, family = a_couples_wish(app, engine, lodging="1")
    reviewer = User("reviewer", "reviewer", "审核员", "county", WANGMO, None)
    with writing(engine) as conn:
        review = reviews_of(conn, WANGMO, [family.household])[family.household]
        approve(conn, WANGMO, family.household, review.bundle_seq, user=reviewer, now_ms=clock(),
                new_id=lambda: "a000000000003")  # fmt: skip
        approved = conn.execute(select(tables.review.c.approved_values)).scalar_one()
        for kind, _, values in approved:
            if kind == "intention":
                values["needs_lodging"] = values.pop("lodging") == "1"
        conn.execute(update(tables.review).values(approved_values=approved))
    upgrade_database(engine)
    with reading(engine) as conn:
        lifted = conn.execute(select(tables.review.c.approved_values)).scalar_one()
    now = stored(engine)
    assert all(now[kind, rid] == values for kind, rid, values in lifted)
