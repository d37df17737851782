"""Matching on arrival: how long it takes to find whom a new record may be, against a million stored.

`python -m benchmarks.arrival [RECORDS]`. The records are an invented register with known truth, put
into one county; the arrivals are people of it whose other registrations are stored already.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine

from benchmarks.databases import KINDS, fresh_database
from benchmarks.measure import Section
from benchmarks.registers import invent_register
from server.linkage.keys import blocking_keys
from server.linkage.levels import Side, side_of
from server.linkage.rows import plain_person
from server.services.candidates import Candidate, candidates_for, packed
from server.services.upgrade import upgrade_database
from server.storage import match_keys
from server.storage.engine import open_engine, reading, writing

RECORDS = 1_000_000
ARRIVALS = 4_000
ALONE = 1_000
"""Arrivals that come one by one; the others in pushes of 100."""
COUNTY = "522326"
SEED = 41
CHUNK = 20_000


def measure(records: int = RECORDS) -> Section:
    """Measure on both databases."""
    register = invent_register(records, SEED)
    truth = {row["record_id"]: row["person_id"] for row in register.truth.to_pylist()}
    people = register.persons.to_pylist()
    arriving, stored = _split(people, truth)
    with ProcessPoolExecutor(2) as pool:
        parts = [stored[i : i + CHUNK] for i in range(0, len(stored), CHUNK)]
        kept = list(pool.map(_kept_of, parts))
    rows = [_measured(kind, kept, arriving, truth) for kind in KINDS]
    return Section(
        title="Matching on arrival",
        command="python -m benchmarks.arrival",
        told=(
            f"{len(stored):,} members of one county are stored; {len(arriving):,} more arrive, each of"
            " whom is registered there already. Time is of all that finding does in a push: the"
            " look-up by keys, the comparison, the weights and the gate"
            f" (`candidates_for`), for {ALONE:,} that come one by one and for the others in pushes of"
            " 100; and, beside it, of computing and storing what they are compared by. “Linked” and"
            " “shown” are shares of the true pairs; “blocked” is the share that was compared at all."
            " Goals (design/matching.md): p99 ≤ 1 ms on SQLite, ≤ 3 ms on PostgreSQL, ≥ 3,400"
            " records/s a core."
        ),
        head=(
            "", "p50, ms", "p99, ms", "in pushes, records/s", "computing and storing, records/s",
            "true pairs", "linked", "linked or shown", "blocked", "linked wrongly", "shown / 1,000",
        ),
        rows=rows,
        notes=[f"The register is invented with seed {SEED}; one county of this size does not exist."],
    )  # fmt: skip


def _split(
    people: Sequence[dict[str, Any]], truth: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return who arrives, each with another registration among the rest, and the rest."""
    seen: set[str] = set()
    again = []
    for person in people:
        person["village_code"] = COUNTY + (person["village_code"] or "000000201")[6:]
        if truth[person["record_id"]] in seen:
            again.append(person)
        seen.add(truth[person["record_id"]])
    arriving = random.Random(SEED).sample(again, min(ARRIVALS, len(again) // 2))
    ids = {person["record_id"] for person in arriving}
    return arriving, [person for person in people if person["record_id"] not in ids]


Kept = dict[str, tuple[str, str, Sequence[str]]]
Sides = dict[str, Side]


def _side(person: Mapping[str, Any]) -> Side:
    plain = plain_person(person)
    return side_of(person["record_id"], plain, plain["head_name"])


def _sides(people: Sequence[Mapping[str, Any]]) -> Sides:
    return {side.record_id: side for side in map(_side, people)}


def _kept(sides: Sides) -> Kept:
    return {
        one: ((side.household_id or "")[:13], packed(side[1:]), blocking_keys(side))
        for one, side in sides.items()
    }


def _kept_of(people: Sequence[Mapping[str, Any]]) -> Kept:
    return _kept(_sides(people))


def _measured(
    kind: str,
    kept: Sequence[Kept],
    arriving: Sequence[Mapping[str, Any]],
    truth: Mapping[str, str],
) -> list[object]:
    with fresh_database(kind) as url:
        engine = open_engine(url)
        upgrade_database(engine)
        for part in kept:
            _store(engine, part)
        coming: Sides = {}
        began = time.perf_counter()
        for i in range(0, len(arriving), 100):
            part = _sides(arriving[i : i + 100])
            _store(engine, _kept(part))
            coming |= part
        storing = time.perf_counter() - began
        ids = list(coming)
        if kind == "PostgreSQL":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
                conn.exec_driver_sql("ANALYZE")
        found: list[Candidate] = []
        times = []
        with reading(engine) as conn:
            find = partial(_found, conn, coming)
            find(ids[-20:])
            for one in ids[:ALONE]:
                began = time.perf_counter()
                found += find([one])
                times.append(time.perf_counter() - began)
            began = time.perf_counter()
            for i in range(ALONE, len(ids), 100):
                found += find(ids[i : i + 100])
            rate = (len(ids) - ALONE) / (time.perf_counter() - began)
            blocked = _blocked(conn, ids, coming)
        engine.dispose()
    times.sort()
    return [
        kind,
        f"{1000 * times[len(times) // 2]:.2f}",
        f"{1000 * times[len(times) * 99 // 100]:.2f}",
        f"{rate:,.0f}",
        f"{len(ids) / storing:,.0f}",
        *_judged(found, blocked, ids, truth),
    ]


def _store(engine: Engine, part: Kept) -> None:
    with writing(engine) as conn:
        match_keys.put_features(conn, COUNTY, part)


def _found(conn: Connection, coming: Sides, ids: Sequence[str]) -> list[Candidate]:
    # A push has computed what its members are compared by when it looks whom they meet.
    return candidates_for(conn, COUNTY, {one: coming[one] for one in ids})


def _blocked(conn: Connection, ids: Sequence[str], coming: Sides) -> set[tuple[str, str]]:
    pairs = set()
    for i in range(0, len(ids), 100):
        keys = {one: blocking_keys(coming[one]) for one in ids[i : i + 100]}
        shared = match_keys.sharing(conn, COUNTY, {key for own in keys.values() for key in own})
        pairs |= {
            (min(one, other), max(one, other))
            for one, own in keys.items()
            for key in own
            for other in shared.get(key, ())
            if other != one
        }
    return pairs


def _judged(
    found: Sequence[Candidate],
    blocked: set[tuple[str, str]],
    ids: Sequence[str],
    truth: Mapping[str, str],
) -> list[str]:
    of_person: dict[str, list[str]] = {}
    for record, person in truth.items():
        of_person.setdefault(person, []).append(record)
    true = {
        (min(one, other), max(one, other))
        for one in ids
        for other in of_person[truth[one]]
        if other != one
    }
    said = {(pair.left, pair.right): pair.certain for pair in found}
    linked = {pair for pair, certain in said.items() if certain}
    return [
        f"{len(true):,}",
        f"{len(linked & true) / len(true):.4f}",
        f"{len(said.keys() & true) / len(true):.4f}",
        f"{len(blocked & true) / len(true):.4f}",
        f"{len(linked - true):,}",
        f"{1000 * (len(said) - len(linked)) / len(ids):.0f}",
    ]


if __name__ == "__main__":
    print(measure(*(int(argument) for argument in sys.argv[1:])).markdown())
