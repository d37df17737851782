"""Brings a database up to this version of the server."""

from __future__ import annotations

from sqlalchemy import Engine

from server.services.divisions import store_nation
from server.storage.engine import writing
from server.storage.migrate import upgrade


def upgrade_database(engine: Engine) -> list[str]:
    """Upgrade tables, columns and the nation's divisions; return the columns that were added.

    Safe to run again, and while an older version of the server goes on serving.
    """
    added = upgrade(engine)
    with writing(engine) as conn:
        store_nation(conn)
    return added
