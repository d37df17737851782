"""A field is declared once: a new one turns up in both databases, the sync and the API by itself."""

from __future__ import annotations

import json

import pytest
from builders import a_family, a_phone
from sqlalchemy import inspect, select

from server.api.docs import openapi_document
from server.services.upgrade import upgrade_database
from server.storage import tables
from server.storage.engine import reading
from shared_schemas import records
from shared_schemas.fields import LISTED, Codes, Flag, Text, WholeNumber
from shared_schemas.records import RecordKind
from shared_schemas.records.member import Member


@pytest.fixture
def declare(monkeypatch):
    """Declare further fields of a member, as one more line in its schema would."""

    def declared(**fields):
        kind = records.record_kind("member")
        schema = type("Member", (Member,), fields)
        monkeypatch.setitem(
            records._KINDS, "member", RecordKind(kind.name, schema, kind.zh, kind.en)
        )

    return declared


def new_fields():
    return {
        "favourite_tool": Text("常用工具", "Favourite tool", group="skills", audiences=LISTED),
        "has_boots": Flag("有雨靴", "Has boots", group="skills"),
        "boot_size": WholeNumber("鞋码", "Boot size", group="skills", least=20, most=50),
        "tools": Codes("工具", "Tools", codes="occupation", group="skills"),
    }


def test_a_new_field_has_a_column_after_the_upgrade_and_keeps_what_came_before(
    app, engine, declare
):
    phone, family = a_phone(app, engine), a_family()
    phone.submit(family)
    # A newer phone knew the fields before this server did.
    phone.edit("member", family.member, base=5, favourite_tool="镰刀", has_boots=True,
               boot_size="big", tools=["01"])  # fmt: skip
    declare(**new_fields())
    added = upgrade_database(engine)
    assert set(added) == {f"member.{name}" for name in new_fields()}
    columns = {column["name"] for column in inspect(engine).get_columns("member")}
    assert set(new_fields()) <= columns
    table = tables.record_tables()["member"]
    with reading(engine) as conn:
        [row] = conn.execute(select(table)).mappings()
    assert (row["favourite_tool"], row["has_boots"], row["tools"]) == ("镰刀", True, ["01"])
    assert row["boot_size"] is None
    assert row["extra"] == {"boot_size": "big"}, "what the check refuses is kept as it came"
    assert upgrade_database(engine) == []


def test_a_new_field_is_pushed_judged_merged_and_pulled(app, engine, declare):
    declare(**new_fields())
    upgrade_database(engine)
    phone, family = a_phone(app, engine), a_family(favourite_tool="锄头", boot_size=42)
    phone.submit(family)
    row = a_phone(app, engine).pull()["member", family.member]
    assert (row["favourite_tool"], row["boot_size"]) == ("锄头", 42)
    done = phone.edit("member", family.member, base=5, boot_size=99)
    assert (done["outcome"], done["reason"]) == ("held", "invalid")


def test_a_new_field_stands_in_the_openapi_document(app, declare):
    declare(**new_fields())
    with app.app_context():
        properties = openapi_document(app)["components"]["schemas"]["Member"]["properties"]
    assert properties["favourite_tool"]["title"] == "常用工具"
    assert properties["favourite_tool"]["x-audiences"] == sorted(LISTED)
    assert properties["boot_size"]["maximum"] == 50
    json.dumps(properties)


def test_the_old_server_goes_on_beside_the_new_column(app, engine, declare, monkeypatch):
    phone, family = a_phone(app, engine), a_family()
    with monkeypatch.context():
        declare(**new_fields())
        upgrade_database(engine)
    monkeypatch.undo()
    assert {entry["outcome"] for entry in phone.submit(family)} == {"applied"}
    assert a_phone(app, engine).pull()["member", family.member]["name"] == "岑小山"


def test_every_declared_field_is_a_property_in_the_document(app):
    with app.app_context():
        schemas = openapi_document(app)["components"]["schemas"]
    for kind in records.record_kinds():
        assert set(schemas[kind.name.title()]["properties"]) == set(kind.fields)
