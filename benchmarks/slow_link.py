"""A day's work, and the first sync of a village, over a 2G link that breaks twice a minute.

`python -m benchmarks.slow_link [SEEDS]`. 50 kbit/s each way, 600 ms there and back, a connection
costs a round trip more, and every 30 s on average all connections are reset.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import requests

from benchmarks.databases import fresh_database
from benchmarks.links import Link, Passed, link_to
from benchmarks.measure import Section
from benchmarks.service import (
    Record,
    Service,
    WirePhone,
    enrolled_store,
    first_changes,
    hand_in,
    reach_by,
    run_in_process,
    running_server,
    villages,
)
from server.demo.people import InventedHousehold, invent_households
from shared_schemas import SCHEMA_VERSION, wire
from shared_schemas.protocol import PACKED

SEEDS = 12
DAY_MEMBERS = 400
VILLAGE_HOUSEHOLDS = 500
STEADY = Link(bits_per_s=50_000, round_trip_s=0.6)
BREAKING = replace(STEADY, cut_every_s=30)
AT_ONCE = 6
"""Runs side by side: the links are slow, the machine is not."""

MOST_ATTEMPTS = 30
DAY, VILLAGE = "a day's work", "first sync of a village"


@dataclass(frozen=True, slots=True)
class Synced:
    """One sync over a slow link, as often as it had to be begun."""

    seconds: float
    bare_s: float
    stages: dict[str, float]
    wire: Passed
    attempts: int
    records: int


def a_village(count: int) -> list[InventedHousehold]:
    """Return households of one village."""
    return list(invent_households(3, count, villages()[:1]))


def _in_order(households: Sequence[InventedHousehold]) -> list[tuple[str, Record]]:
    return [entry for whole in households for entry in whole.records()]


def days_work(link: Link) -> Synced:
    """Hand in about a hundred new households of four, with wishes and consents; sync."""
    made = itertools.accumulate(len(h.members) for h in a_village(DAY_MEMBERS))
    homes = sum(total <= DAY_MEMBERS for total in made)
    records = _in_order(a_village(DAY_MEMBERS)[:homes])
    with (
        tempfile.TemporaryDirectory() as folder,
        fresh_database("SQLite") as url,
        running_server(url) as service,
    ):
        store = enrolled_store(Path(folder) / "phone.db", service, scope=villages()[0])
        _finish(store)  # the morning's sync, at the office
        hand_in(store, records)
        bare = len(WirePhone(service.url, service.tokens[0]).packed(_as_changes(records)))
        return _over(link, service, store, bare, len(records))


def first_sync(link: Link) -> Synced:
    """Enrol a phone in a village that the county knows already; fetch all of it."""
    records = _in_order(a_village(VILLAGE_HOUSEHOLDS))
    with (
        tempfile.TemporaryDirectory() as folder,
        fresh_database("SQLite") as url,
        running_server(url) as service,
    ):
        WirePhone(service.url, service.tokens[0]).push(_as_changes(records), 500)
        store = enrolled_store(Path(folder) / "phone.db", service, scope=villages()[0])
        synced = _over(link, service, store, _bare_pull(service), len(records))
        held = sum(
            store.connection.execute(f"SELECT count(*) FROM {kind}").fetchone()[0]
            for kind in ("household", "member", "intention", "consent")
        )
        if held != len(records):
            raise RuntimeError(f"the phone has {held} of {len(records)} records")
        return synced


def _as_changes(records: Sequence[tuple[str, Record]]) -> list[Any]:
    return [
        change
        for n, (kind, record) in enumerate(records, start=1)
        for change in first_changes(kind, [record], n)
    ]


def _bare_pull(service: Service) -> int:
    """Return the bytes of all rows of the county in one deflate stream."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_DEFAULT_STRATEGY, wire.dictionary())
    size, query, more = 0, {"limit": "5000", "schema": str(SCHEMA_VERSION)}, True
    while more:
        answer = requests.get(
            f"{service.url}/sync/v1/pull",
            headers={"Authorization": f"Bearer {service.tokens[0]}", "Accept": PACKED},
            params=query,
            timeout=60,
        )
        plain = zlib.decompressobj(15, wire.dictionary()).decompress(answer.content)
        size += len(packer.compress(plain))
        last = wire.parse_json(plain.splitlines()[-1])
        query["cursor"], more = last["cursor"], last["more"]
    return size + len(packer.flush())


def _finish(store: Any, report: Callable[[str, int, int], None] | None = None) -> int:
    from mobile.sync.attempt import sync_once

    for attempt in range(1, MOST_ATTEMPTS + 1):
        result = sync_once(store, on_progress=report)
        if result.error is None and not result.remaining:
            return attempt
    raise RuntimeError(f"not done after {MOST_ATTEMPTS} attempts: {result}")


def _over(link: Link, service: Service, store: Any, bare: int, records: int) -> Synced:
    """Sync over a link; tell how long each stage took."""
    stages: dict[str, float] = {}
    state: list[Any] = ["hello", 0.0]

    def report(stage: str, _done: int, _total: int) -> None:
        now = time.perf_counter()
        stages[state[0]] = stages.get(state[0], 0) + now - state[1]
        state[:] = [stage, now]

    with link_to(service.port, link) as relay:
        reach_by(store, relay.url)
        began = state[1] = time.perf_counter()
        attempts = _finish(store, report)
        seconds = time.perf_counter() - began
        passed = relay.taken()
    return Synced(seconds, bare * 8 / link.bits_per_s, stages, passed, attempts, records)


def measure(seeds: int = SEEDS) -> Section:
    """Run both syncs over the link, without cuts and with them."""
    deeds: dict[str, Callable[[Link], Synced]] = {
        DAY: days_work,
        VILLAGE: first_sync,
    }
    links = [STEADY, *(replace(BREAKING, seed=seed) for seed in range(1, seeds + 1))]
    rows: list[list[object]] = []
    sizes = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for name, deed in deeds.items():
            steady, *breaking = pool.map(partial(run_in_process, deed), links)
            sizes[name] = steady.records
            rows.append(_line(f"{name}, no cuts", [steady]))
            rows.append(_line(f"{name}, a cut every 30 s", breaking))
    return Section(
        title="Sync over 2G",
        command="python -m benchmarks.slow_link",
        told=(
            "A real phone database and client against `chushan serve` over a relay of 50 kbit/s"
            " each way, 600 ms there and back and as much again to make a connection; with cuts,"
            f" all connections are reset every 30 s on average ({seeds} seeds, means). A day's"
            f" work is 100 households with 400 members, their wishes and consents:"
            f" {sizes[DAY]:,} changes; the village has {VILLAGE_HOUSEHOLDS} households:"
            f" {sizes[VILLAGE]:,} records. “Limit” is what all changes (or rows)"
            " in one message, deflated, take at that rate, without any headers, answers or round"
            " trips. Goal (issue): ≤ 1.3 × the limit."
        ),
        head=(
            "", "seconds", "limit", "× limit", "bytes up", "bytes down", "connections", "cuts",
            "hello / push / pull, s",
        ),
        rows=rows,
        notes=[
            "Without TLS, which costs a round trip for each connection.",
            "What a day's work takes beyond the limit: the connection and the hello, 1.4 s; a round"
            " trip and the server's work for each of three pushes, since a push waits for its answer;"
            " and the pull, though it brings nothing. With cuts, half a request on average is sent"
            " again after each.",
        ],
    )  # fmt: skip


def _line(name: str, runs: Sequence[Synced]) -> list[object]:
    def average(of: Callable[[Synced], float]) -> float:
        return mean(of(run) for run in runs)

    stages = " / ".join(
        f"{average(lambda run, s=stage: run.stages.get(s, 0)):.1f}"  # type: ignore[misc]
        for stage in ("hello", "push", "pull")
    )
    return [
        name,
        f"{average(lambda run: run.seconds):.1f}",
        f"{average(lambda run: run.bare_s):.1f}",
        f"{average(lambda run: run.seconds / run.bare_s):.2f}",
        f"{average(lambda run: run.wire.up):,.0f}",
        f"{average(lambda run: run.wire.down):,.0f}",
        f"{average(lambda run: run.wire.connections):.0f}",
        f"{average(lambda run: run.wire.cuts):.0f}",
        stages,
    ]


if __name__ == "__main__":
    print(measure(*(int(argument) for argument in sys.argv[1:])).markdown())
