"""The labour list at 100,000 members, beside a plain SELECT of the same rows by the driver.

`python -m benchmarks.labour_query [MEMBERS]`. The query is a firm's ordinary one: women of 18 to 50
who would sew or assemble anywhere and ask for no more than 6,000 yuan; and the widest, no filter.
"""

from __future__ import annotations

import itertools
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from sqlalchemy import Engine, make_url

from benchmarks.databases import KINDS, fresh_database
from benchmarks.measure import Section
from server.demo.people import REFERENCE_DAY, invent_households
from server.services.labour import Filters, criteria_for, pull_list
from server.services.labourers import labourer_rows
from server.services.upgrade import upgrade_database
from server.storage import labour as storage
from server.storage.accounts import Firm, add_organisation
from server.storage.engine import open_engine, reading, writing
from server.storage.labour import available_labourers, count_available
from shared_schemas.codes import divisions
from shared_schemas.ids import household_id

MEMBERS = 100_000
RUNS = 100
PAGE = 200
COUNTY = "522326"
TODAY = REFERENCE_DAY.isoformat()
NOW_MS = 1_795_168_800_000
FIRM = Firm("bench00000000", "试验人力", (COUNTY,))
ORDINARY = Filters(
    occupations=("01", "02"), sex="2", age_min=18, age_max=50, reach="4", wage_max=6000
)
QUERIES = {"ordinary": ORDINARY, "no filter": Filters()}


def measure(members: int = MEMBERS) -> Section:
    """Measure on both databases."""
    rows: list[list[str]] = []
    notes: list[str] = []
    people = list(_labourers(members))
    for kind in KINDS:
        with fresh_database(kind) as url:
            engine = open_engine(url)
            _fill(engine, people)
            for name, filters in QUERIES.items():
                rows.append([f"{kind}, {name}", *_measured(engine, url, filters)])
            engine.dispose()
    notes.append(
        f"{len(people):,} of the {members:,} members are of working age and stand in the table; "
        "a page is 200 rows; p50 / p99 of "
        f"{RUNS} runs, the driver's share of the page last."
    )
    return Section(
        title="Labour list",
        command="python -m benchmarks.labour_query",
        told=f"The available-labour list in a county of {members:,} members. “Page” is the query for the "
        "first 200 rows, “count” that for the total, “pull” all that GET /v1/labour does behind "
        "HTTP: query, count, pair numbers, names of places, the log of everybody listed, commit. "
        "The limit is the driver alone (sqlite3, psycopg) fetching the same 200 rows by their keys.",
        head=["ms, p50 / p99", "matches", "page", "count", "pull", "limit: same rows by key"],
        rows=rows,
        notes=notes,
    )


def _labourers(members: int) -> Iterator[dict[str, Any]]:
    villages = [d.code12 for d in divisions.divisions_within(COUNTY, divisions.VILLAGE)]
    made = 0
    for home in invent_households(11, members, villages):
        yield from labourer_rows(home.bundle(), county=COUNTY, approved_at_ms=NOW_MS)
        made += len(home.members)
        if made >= members:
            return


def _fill(engine: Engine, people: list[dict[str, Any]]) -> None:
    upgrade_database(engine)
    with writing(engine) as conn:
        add_organisation(conn, {"id": FIRM.org_id, "name": FIRM.name, "type": "agency",
                                "counties": list(FIRM.counties), "active": True})  # fmt: skip
        for start in range(0, len(people), 5_000):
            storage.replace_labourers(conn, COUNTY, [], people[start : start + 5_000])
    with engine.connect() as conn:
        conn.exec_driver_sql("ANALYZE")
        conn.commit()


def _measured(engine: Engine, url: str, filters: Filters) -> list[str]:
    numbers = itertools.count(1)
    criteria = criteria_for(filters, FIRM, today=TODAY, now_ms=NOW_MS)

    def pull() -> None:
        with writing(engine) as conn:
            pull_list(conn, FIRM, filters, purpose="bench", channel="api", user_id=None, limit=PAGE,
                      today=TODAY, now_ms=NOW_MS,
                      new_id=lambda: household_id(time.time_ns() + next(numbers)))  # fmt: skip

    with reading(engine) as conn:
        total = count_available(conn, criteria)
        page = _spread(lambda: available_labourers(conn, criteria, limit=PAGE))
        count = _spread(lambda: count_available(conn, criteria))
        keys = [row.member_id for row in available_labourers(conn, criteria, limit=PAGE)]
    return [f"{total:,}", page, count, _spread(pull), _limit(url, keys)]


def _limit(url: str, keys: list[str]) -> str:
    columns = "county, member_id, village_code, name, birth_date, confirmed_on, partners, card"
    select = f"SELECT {columns} FROM labourer WHERE county = '{COUNTY}' AND member_id"
    known = make_url(url)
    if known.get_backend_name() == "sqlite":
        plain = sqlite3.connect(str(known.database))
        marks = ",".join("?" * len(keys))
        spread = _spread(lambda: plain.execute(f"{select} IN ({marks})", keys).fetchall())
        plain.close()
        return spread
    with psycopg.connect(url.replace("+psycopg", "")) as pg:
        return _spread(lambda: pg.execute(f"{select} = ANY(%s)", [keys]).fetchall())


def _spread(deed: Callable[[], object]) -> str:
    deed()
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        deed()
        taken.append((time.perf_counter() - start) * 1000)
    ordered = statistics.quantiles(taken, n=100)
    return f"{ordered[49]:.1f} / {ordered[98]:.1f}"


if __name__ == "__main__":
    print(measure(int(sys.argv[1]) if len(sys.argv) > 1 else MEMBERS).markdown())
