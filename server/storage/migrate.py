"""Brings a database to the present form; the old version of the server may go on serving.

Three steps. Alembic revisions (`migrations/versions/`) make and change the fixed tables of
`tables.metadata`. The tables of records follow the declared fields: a kind without a table gets
one, a declared field without a column gets one that may be NULL. Where a field took the place of
another, its values move there (`lift.py`). No column is ever removed or narrowed here, so a server
that does not know the new one goes on reading and writing.
"""

from __future__ import annotations

import json
import secrets
from importlib.resources import files

from alembic import command
from alembic.config import Config
from sqlalchemy import Column, Connection, Engine, Text, inspect, select, text, type_coerce, update

from server.storage.engine import writing
from server.storage.lift import lift_stored
from server.storage.meta import EPOCH, epoch_of, set_meta_value
from server.storage.tables import record_tables
from shared_schemas import SCHEMA_VERSION
from shared_schemas.records import record_kind

_ONE_AT_A_TIME = 522300_2260
"""Key of the PostgreSQL lock that lets one process upgrade at a time."""


def upgrade(engine: Engine) -> list[str]:
    """Upgrade the database and return the columns that were added, as `table.column`."""
    with writing(engine) as conn:
        if conn.dialect.name == "postgresql":
            conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
        _run_revisions(conn)
        added = add_declared_columns(conn)
        lift_stored(conn)
        if not epoch_of(conn):
            set_meta_value(conn, EPOCH, secrets.token_hex(8))
        set_meta_value(conn, "schema", str(SCHEMA_VERSION))
    return added


def _run_revisions(conn: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(files("server.storage") / "migrations"))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")


def add_declared_columns(conn: Connection) -> list[str]:
    """Add tables, columns and indexes that the declared fields ask for; return added columns.

    A value that a newer phone sent before the field was declared here waits in `extra`; it moves
    into its column now, if the field's check accepts it.
    """
    known = inspect(conn)
    added = []
    for name, table in record_tables().items():
        if not known.has_table(name):
            table.create(conn)
            added += [f"{name}.{column.name}" for column in table.columns]
            continue
        present = {column["name"] for column in known.get_columns(name)}
        for column in table.columns:
            if column.name in present:
                continue
            _add_column(conn, name, column)
            _take_from_extra(conn, name, column.name)
            added.append(f"{name}.{column.name}")
        indexed = {index["name"] for index in known.get_indexes(name)}
        for index in table.indexes:
            if index.name not in indexed:
                index.create(conn)
    return added


def _add_column(conn: Connection, table: str, column: Column[object]) -> None:
    quote = conn.dialect.identifier_preparer.quote
    kind = column.type.compile(conn.dialect)
    conn.execute(text(f"ALTER TABLE {quote(table)} ADD COLUMN {quote(column.name)} {kind}"))


def _take_from_extra(conn: Connection, kind: str, field: str) -> None:
    table = record_tables()[kind]
    declared = record_kind(kind).fields.get(field)
    if declared is None:
        return
    query = select(table.c.county, table.c.id, table.c.extra).where(
        type_coerce(table.c.extra, Text).contains(json.dumps(field), autoescape=True)
    )
    for county, record_id, extra in conn.execute(query).all():
        value = extra.pop(field, None)
        if value is None or declared.verdict(value) is not None:
            continue
        conn.execute(
            update(table)
            .where(table.c.county == county, table.c.id == record_id)
            .values({field: value, "extra": extra or None})
        )
