"""What the server's database holds, asked by tests after everything has arrived."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, select

from server.storage import tables
from server.storage.engine import reading


def rows(engine: Engine, table: Any, *conditions: Any) -> list[Any]:
    """Return rows of a table."""
    with reading(engine) as conn:
        return list(conn.execute(select(table).where(*conditions)).mappings())


def record(engine: Engine, kind: str, record_id: str) -> Any:
    """Return a record's row."""
    table = tables.record_tables()[kind]
    [row] = rows(engine, table, table.c.id == record_id)
    return row


def value(engine: Engine, kind: str, record_id: str, name: str) -> Any:
    """Return one field of a record."""
    return record(engine, kind, record_id)[name]


def seq_of(engine: Engine, kind: str, record_id: str) -> int:
    """Return the version of a record."""
    return int(value(engine, kind, record_id, "seq"))


def conflicts(engine: Engine, name: str, *, state: str | None = "open") -> list[Any]:
    """Return the conflicts about a field, open ones unless told otherwise."""
    wanted = [tables.conflict.c.field == name]
    return rows(engine, tables.conflict, *wanted, *_in_state(state))


def _in_state(state: str | None) -> list[Any]:
    return [] if state is None else [tables.conflict.c.state == state]


def conflicting(engine: Engine, name: str) -> set[Any]:
    """Return every value that the conflicts of a field hold."""
    found = conflicts(engine, name, state=None)
    return {row[side] for row in found for side in ("ours", "theirs")}


def waiting(engine: Engine) -> list[Any]:
    """Return the changes that are held and that nobody has settled, in the order of n."""
    log = tables.change
    found = rows(engine, log, log.c.outcome == "held", log.c.resolution.is_(None))
    return sorted(found, key=lambda row: (row["incarnation"], row["n"]))
