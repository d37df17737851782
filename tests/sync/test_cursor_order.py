"""A cursor never passes over a row that is committed later (invariant I6 of sync.md)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

from builders import NOW_MS
from sqlalchemy import Connection, Engine, insert, select, text

from server.storage import feed
from server.storage.engine import reading, writing
from server.storage.tables import feed_commit

from .world import COUNTY

Allocate = Callable[[Connection], object]


def own(conn: Connection) -> None:
    feed.allocate(conn, COUNTY, 1, at_ms=NOW_MS, tag="00000000")


def from_a_sequence(conn: Connection) -> None:
    """Number as a column of type bigserial does: at once, whoever is still writing."""
    seq = conn.execute(text("SELECT nextval('planted')")).scalar_one()
    conn.execute(insert(feed_commit), {"county": COUNTY, "seq": seq, "tag": "0" * 8, "at_ms": 0})


def committed(engine: Engine) -> set[int]:
    with reading(engine) as conn:
        return set(conn.execute(select(feed_commit.c.seq)).scalars())


def passed_over(engine: Engine, allocate: Allocate) -> set[int]:
    """Return what a reader misses who comes while the first of two writers has yet to commit."""

    def write() -> None:
        with writing(engine) as conn:
            allocate(conn)

    with ThreadPoolExecutor(1) as pool:
        with writing(engine) as conn:
            allocate(conn)
            second = pool.submit(write)
            wait([second], timeout=0.7)
            seen = committed(engine)
            cursor = max(seen, default=0)
        second.result(timeout=30)
    return {seq for seq in committed(engine) - seen if seq <= cursor}


def test_a_cursor_passes_over_nothing(engine: Engine) -> None:
    for _ in range(3):
        assert passed_over(engine, own) == set()
    assert len(committed(engine)) == 6


def test_numbers_of_a_sequence_are_passed_over(engine: Engine) -> None:
    """What the test above would show if the server numbered its rows as is usually done."""
    if engine.dialect.name != "postgresql":
        return  # SQLite has one writer at a time, and no sequences
    with writing(engine) as conn:
        conn.execute(text("CREATE SEQUENCE planted"))
    assert passed_over(engine, from_a_sequence) == {1}
