"""Brings a database up to this version of the server."""

from __future__ import annotations

import time

from sqlalchemy import Engine

from server.services.apply_changes import apply_understood
from server.services.candidates import compute_anew
from server.services.divisions import store_nation
from server.storage.engine import writing
from server.storage.match_keys import forget_features
from server.storage.meta import meta_value, set_meta_value
from server.storage.migrate import upgrade
from server.storage.persons import counties_with_members

MATCHED = "match_features"
FEATURES = "2"
"""Of what members are compared by, and of the keys. Another number, and all of it is computed anew."""


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
        counties = counties_with_members(conn)
        is_matched = meta_value(conn, MATCHED) == FEATURES
    if not is_matched:
        for county in counties:
            with writing(engine) as conn:
                forget_features(conn, county)
            compute_anew(engine, county)
        with writing(engine) as conn:
            set_meta_value(conn, MATCHED, FEATURES)
    return added
