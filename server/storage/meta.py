"""Facts about this database as a whole."""

from __future__ import annotations

from sqlalchemy import Connection, select

from server.storage.engine import upsert
from server.storage.tables import meta

EPOCH = "epoch"


def meta_value(conn: Connection, key: str) -> str | None:
    """Return a fact, None when it was never noted."""
    return conn.execute(select(meta.c.value).where(meta.c.key == key)).scalar()


def set_meta_value(conn: Connection, key: str, value: str) -> None:
    """Note a fact in place of what was noted before."""
    conn.execute(upsert(conn, meta, ["key"]), {"key": key, "value": value})


def epoch_of(conn: Connection) -> str:
    """Return the random id of this life of the database; a restore begins another one."""
    return meta_value(conn, EPOCH) or ""
