"""Import of a roster of 100,000 rows, beside reading the file alone and inserting its rows alone.

`python -m benchmarks.roster_import [ROWS]`. Each measurement runs in a process of its own, so that
its peak memory is its own.
"""

from __future__ import annotations

import itertools
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.databases import KINDS, fresh_database
from benchmarks.measure import Section
from server.demo.people import InventedHousehold, invent_households
from server.demo.roster import headings, write_roster
from server.services.divisions import store_places
from server.services.read_roster import cell_text, open_roster
from server.services.roster_import import RosterFile, import_roster
from server.services.upgrade import upgrade_database
from server.storage.engine import open_engine, writing
from shared_schemas.codes import divisions
from shared_schemas.ids import household_id

ROWS = 100_000
COUNTY = "522326"
AT_MS = 1_795_168_800_000


def measure(rows: int = ROWS) -> Section:
    """Measure in child processes, one after the other."""
    lines: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "roster.xlsx"
        written = write_roster(path, _registered(rows), title="花名册")
        size = path.stat().st_size
        lines.append(_line("calamine reads the file alone", written, _child("read", path)))
        plain = _child("insert", path, str(Path(folder) / "plain.db"))
        lines.append(_line("the same rows into SQLite alone (sqlite3, text)", written, plain))
        for kind in KINDS:
            with fresh_database(kind) as url:
                lines.append(_line(f"import, {kind}", written, _child("import", path, url)))
                lines.append(
                    _line(f"the same file again, {kind}", written, _child("import", path, url))
                )
    return Section(
        title="Roster import",
        command="python -m benchmarks.roster_import",
        told=f"An .xlsx of {written:,} rows and {len(headings())} columns ({size / 1e6:.1f} MB), a row a person, "
        "four to a household or so. An import reads, checks every cell, finds villages and codes, "
        "matches households and people, writes records with their history, checks the rules over "
        "every household and puts it up for review; 500 rows to a transaction, on disk before the "
        "next. The limits beside it do none of this.",
        head=["", "seconds", "rows/s", "peak memory, MB"],
        rows=lines,
        notes=[
            "Seconds are without the start of Python. Memory holds the whole sheet as the reader "
            "unpacks it; that of the import itself does not grow with the rows.",
        ],
    )


def _registered(rows: int) -> Iterator[InventedHousehold]:
    """Yield households of the register until they have about `rows` members; all have a number."""
    villages = [d.code12 for d in divisions.divisions_within(COUNTY, divisions.VILLAGE)]
    made = 0
    for number, home in enumerate(invent_households(5, rows, villages)):
        own = home.household.get("registry_no") or f"5223269{number:09}"
        yield replace(home, household={**home.household, "registry_no": own})
        made += len(home.members)
        if made >= rows:
            return


def _child(*arguments: object) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.roster_import", *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _line(name: str, rows: int, told: dict[str, float]) -> list[str]:
    seconds = told["seconds"]
    return [name, f"{seconds:.1f}", f"{rows / seconds:,.0f}", f"{told['peak_mb']:.0f}"]


def _read(path: str) -> None:
    for _ in open_roster(Path(path).read_bytes()).rows():
        pass


def _insert(path: str, database: str) -> None:
    roster = open_roster(Path(path).read_bytes())
    columns = list(roster.headings)
    with sqlite3.connect(database) as plain:
        plain.execute("PRAGMA journal_mode=WAL")
        plain.execute("PRAGMA synchronous=FULL")
        plain.execute(f"CREATE TABLE roster ({', '.join(f'c{n} TEXT' for n in columns)})")
        marks = ",".join("?" * len(columns))
        rows = ([cell_text(cells.get(n)) for n in columns] for _, cells in roster.rows())
        while batch := list(itertools.islice(rows, 500)):
            plain.executemany(f"INSERT INTO roster VALUES ({marks})", batch)
            plain.commit()


def _import(path: str, url: str) -> None:
    engine = open_engine(url)
    numbers = itertools.count(time.time_ns())
    file = RosterFile(Path(path).read_bytes(), "roster.xlsx", COUNTY, COUNTY, "bench00000000")
    done = import_roster(
        engine, file, clock=lambda: AT_MS, new_id=lambda: household_id(next(numbers))
    )
    if done.counts.rows_bad:
        raise RuntimeError(f"{done.counts.rows_bad} rows were not imported")
    engine.dispose()


def _prepare(url: str) -> None:
    engine = open_engine(url)
    upgrade_database(engine)
    with writing(engine) as conn:
        store_places(conn, divisions.demo_divisions())
    engine.dispose()


def _alone(name: str, *arguments: str) -> None:
    deeds: dict[str, Callable[..., None]] = {"read": _read, "insert": _insert, "import": _import}
    if name == "import":
        _prepare(arguments[1])
    start = time.perf_counter()
    deeds[name](*arguments)
    seconds = time.perf_counter() - start
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "peak_mb": peak_kb / 1000}))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        _alone(*sys.argv[1:])
    else:
        print(measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS).markdown())
