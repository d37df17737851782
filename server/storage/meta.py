"""Facts about this database as a whole."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select, update

from server.storage.engine import upsert
from server.storage.tables import meta

EPOCH = "epoch"
BACKED_UP = "backed_up_at_ms"
"""When the newest backup was begun that was read back and found whole."""


def meta_value(conn: Connection, key: str) -> str | None:
    """Return a fact, None when it was never noted."""
    return conn.execute(_VALUE, {"key": key}).scalar()


_VALUE = select(meta.c.value).where(meta.c.key == bindparam("key"))


def set_meta_value(conn: Connection, key: str, value: str) -> None:
    """Note a fact in place of what was noted before."""
    conn.execute(upsert(conn, meta, ["key"]), {"key": key, "value": value})


def replace_meta_value(conn: Connection, key: str, value: str, *, instead_of: str) -> None:
    """Note a fact, unless somebody has noted another one meanwhile."""
    statement = update(meta).where(meta.c.key == key, meta.c.value == instead_of)
    conn.execute(statement.values(value=value))


def epoch_of(conn: Connection) -> str:
    """Return the random id of this life of the database; a restore begins another one."""
    return meta_value(conn, EPOCH) or ""
