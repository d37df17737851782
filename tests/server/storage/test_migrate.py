"""The upgraded database is what the tables say, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select
from sqlalchemy.exc import IntegrityError

from server.services.upgrade import upgrade_database
from server.storage import tables
from server.storage.divisions import count_divisions
from server.storage.engine import open_engine, reading, writing


def test_the_revisions_make_exactly_the_declared_tables(engine):
    known = set(tables.metadata.tables)
    with engine.connect() as conn:
        options = {"include_name": lambda name, kind, _: kind != "table" or name in known}
        context = MigrationContext.configure(conn, opts=options)
        assert compare_metadata(context, tables.metadata) == []


def test_an_upgrade_again_changes_nothing(engine):
    assert upgrade_database(engine) == []


def test_upgrades_at_once_do_not_meet(database_url):
    def upgrade_again(_):
        engine = open_engine(database_url)
        added = upgrade_database(engine)
        engine.dispose()
        return added

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(upgrade_again, range(4))) == [[]] * 4


def test_every_key_of_a_county_table_begins_with_the_county(engine):
    every = {**tables.metadata.tables, **tables.record_tables()}
    for name, table in every.items():
        keys = [column.name for column in table.primary_key.columns]
        if "county" in table.c and "county" in keys:
            assert keys[0] == "county", name
            for index in inspect(engine).get_indexes(name):
                first = index["column_names"][0]
                # Hashes are looked up across counties: that is what they are for.
                across = ("reveal", "device", "cross_key")
                assert first == "county" or name in across, (name, index)


def test_the_nation_is_there_after_the_upgrade(engine):
    with reading(engine) as conn:
        assert count_divisions(conn, 1) >= 34
        names = conn.execute(
            select(tables.division.c.name).where(tables.division.c.code == "522326000000")
        ).scalars()
        assert list(names) == ["望谟县"]


def test_a_change_cannot_be_logged_twice(engine):
    row = {"county": "522326", "incarnation": "x", "n": 1, "hash": "h", "kind": "member",
           "record_id": "r", "base": 0, "at_ms": 0, "eff_ms": 0, "values": {}, "schema": 1,
           "outcome": "applied", "seq": 1, "received_at_ms": 0, "author_id": "a"}  # fmt: skip
    with pytest.raises(IntegrityError), writing(engine) as conn:
        conn.execute(tables.change.insert(), [row, row])
