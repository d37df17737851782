"""Brings a database up to this version of the server."""

from __future__ import annotations

import time

from sqlalchemy import Engine

from server.services.apply_changes import apply_understood
from server.services.divisions import store_nation
from server.storage.engine import writing
from server.storage.migrate import upgrade


def upgrade_database(engine: Engine, *, now_ms: int | None = None) -> list[str]:
    """Upgrade tables, columns and the nation's divisions; return the columns that were added.

    What newer phones sent and the older version did not understand is applied now. Safe to run
    again, and while an older version of the server goes on serving. `now_ms` is this moment unless
    given.
    """
    added = upgrade(engine)
    with writing(engine) as conn:
        store_nation(conn)
        apply_understood(conn, now_ms=time.time_ns() // 1_000_000 if now_ms is None else now_ms)
    return added
