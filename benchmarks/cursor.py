"""Four writers and a reader who asks all the time: does a pull ever pass over a row?

`python -m benchmarks.cursor [ROWS]`. PostgreSQL; the server's own allocation and its own pull, and
the same with numbers from a database sequence, as a column of type bigserial gives them: the way
that is usually taken.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, text

from benchmarks.databases import fresh_database
from benchmarks.measure import Section
from benchmarks.service import AT_MS, COUNTY, villages
from server.services import build_pull
from server.services.upgrade import upgrade_database
from server.storage import feed
from server.storage.devices import Device
from server.storage.engine import insert_many, open_engine, reading, writing
from server.storage.tables import feed_commit, review
from shared_schemas.ids import household_id
from shared_schemas.protocol import MAX_PAGE

ROWS = 1_000_000
PLANTED_ROWS = 100_000
WRITERS = 4
ROWS_AT_ONCE = 50
COLUMNS = (
    "county",
    "household_id",
    "village_code",
    "seq",
    "state",
    "hits",
    "bundle_seq",
    "comments",
)
READER = Device("bench00reader", COUNTY, "bench", COUNTY, "bench", "active")

Allocate = Callable[[Connection], int]


@dataclass(frozen=True, slots=True)
class Told:
    """What a run came to."""

    rows: int
    seconds: float
    pulls: int
    missed: int


def _own(conn: Connection) -> int:
    return feed.allocate(conn, COUNTY, ROWS_AT_ONCE, at_ms=AT_MS, tag="00000000")


def _planted(conn: Connection) -> int:
    last = int(conn.execute(text("SELECT nextval('planted')")).scalar_one())
    conn.execute(insert(feed_commit), {"county": COUNTY, "seq": last, "tag": "0" * 8, "at_ms": 0})
    return last - ROWS_AT_ONCE + 1


ALLOCATIONS: dict[str, Allocate] = {"own": _own, "planted": _planted}


def _write(url: str, allocation: str, writer: int, transactions: int) -> None:
    engine = open_engine(url)
    village = villages()[0]
    for number in range(transactions):
        with writing(engine) as conn:
            first = ALLOCATIONS[allocation](conn)
            serial = (writer * transactions + number) * ROWS_AT_ONCE
            rows = [
                (COUNTY, household_id(serial + i), village, first + i, "to_confirm", "[]", 0, "[]")
                for i in range(ROWS_AT_ONCE)
            ]
            insert_many(conn, review, COLUMNS, rows)
    engine.dispose()


def _read(url: str, writers: list[Future[None]]) -> tuple[set[int], int]:
    """Pull, and pull again from where it ended, until all is written; return what was seen."""
    engine = open_engine(url)
    seen: set[int] = set()
    cursor: str | None = None
    pulls, more = 0, True
    while more:
        more = not all(writer.done() for writer in writers)
        with reading(engine) as conn:
            page = build_pull.build_pull(conn, READER, cursor, limit=MAX_PAGE)
        pulls += 1
        cursor = page.lines[-1]["cursor"]
        seen.update(row[1] for line in page.lines for g in line["groups"] for row in g["rows"])
        more = more or page.lines[-1]["more"]
    engine.dispose()
    return seen, pulls


@contextmanager
def _planted_in_the_pull() -> Iterator[None]:
    """Let the pull end where the highest visible number is, as it would with a sequence."""
    own = build_pull.present_seq
    query = select(func.max(feed_commit.c.seq))
    build_pull.present_seq = lambda conn, _county: int(conn.execute(query).scalar() or 0)
    try:
        yield
    finally:
        build_pull.present_seq = own


def run(allocation: str, rows: int) -> Told:
    """Write the rows with four processes while this one pulls."""
    with fresh_database("PostgreSQL") as url:
        engine = open_engine(url)
        upgrade_database(engine)
        with writing(engine) as conn:
            start = f"START {ROWS_AT_ONCE} INCREMENT {ROWS_AT_ONCE}"
            conn.execute(text(f"CREATE SEQUENCE planted {start}"))
        share = rows // ROWS_AT_ONCE // WRITERS
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(WRITERS, context) as pool:
            began = time.perf_counter()
            writers = [pool.submit(_write, url, allocation, i, share) for i in range(WRITERS)]
            seen, pulls = _read(url, writers)
            seconds = time.perf_counter() - began
            for writer in writers:
                writer.result()
        with reading(engine) as conn:
            there = set(conn.execute(select(review.c.seq)).scalars())
        engine.dispose()
    if len(there) != share * ROWS_AT_ONCE * WRITERS or seen - there:
        raise RuntimeError(f"{len(there)} rows are there, {len(seen - there)} were invented")
    return Told(len(there), seconds, pulls, len(there - seen))


def measure(rows: int = ROWS) -> Section:
    """Run the server's own way and the planted one."""
    own = run("own", rows)
    with _planted_in_the_pull():
        planted = run("planted", min(rows, PLANTED_ROWS))
    return Section(
        title="Pull while others write",
        command="python -m benchmarks.cursor",
        told=(
            f"PostgreSQL; {WRITERS} processes write rows of the feed, {ROWS_AT_ONCE} to a"
            " transaction, with the server's own allocation of numbers, while a reader pulls page"
            " after page by the server's own code from where its last page ended. A row is missed"
            " when it stands in the table at the end and was in no page. Beside it the same with"
            " numbers from a database sequence (a column of type bigserial), where a slow writer"
            " commits below the reader's cursor. Goal (design/sync.md 5): none missed of ≥"
            " 1,000,000, and the planted way is caught."
        ),
        head=("", "rows", "rows/s", "pulls", "missed"),
        rows=[
            _line("The county's counter, taken last", own),
            _line("Planted: a database sequence", planted),
        ],
    )


def _line(name: str, told: Told) -> list[object]:
    rate = f"{told.rows / told.seconds:,.0f}"
    return [name, f"{told.rows:,}", rate, f"{told.pulls:,}", f"{told.missed:,}"]


if __name__ == "__main__":
    print(measure(*(int(argument) for argument in sys.argv[1:])).markdown())
