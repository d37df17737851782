"""1, 8 and 200 phones at once push to one server and pull from it, on both databases.

`python -m benchmarks.fleet [RECORDS]`. Each phone is a device of its own with its own connection,
and speaks the packed form; the phones' databases are left out, this is about the server.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.databases import KINDS, fresh_database
from benchmarks.measure import Section, peak_memory_mb, percentile, processor_s
from benchmarks.service import (
    Record,
    Service,
    WirePhone,
    corpus,
    first_changes,
    running_server,
)
from shared_schemas import SCHEMA_VERSION, wire
from shared_schemas.protocol import PACKED

RECORDS = 20_000
FLEETS = (1, 8, 200)
BATCH = 100
PAGE = 2000
PULLED_ROWS = 200_000
"""About as many rows are pulled by all phones together."""

CLIENT_PROCESSES = 2
GATHER_S = 3.0
"""Time for all phones to be ready; then they begin in the same moment."""


@dataclass(frozen=True, slots=True)
class Deeds:
    """What the phones of a fleet did: when each call began, how long it took, what it carried."""

    began: Sequence[float]
    took: Sequence[float]
    records: int
    errors: Sequence[str]

    @property
    def seconds(self) -> float:
        """From the first beginning to the last end."""
        ends = [began + took for began, took in zip(self.began, self.took, strict=True)]
        return max(ends) - min(self.began)


def _together(parts: Sequence[Deeds]) -> Deeds:
    return Deeds(
        [t for part in parts for t in part.began],
        [t for part in parts for t in part.took],
        sum(part.records for part in parts),
        [e for part in parts for e in part.errors],
    )


def _push(url: str, token: str, records: list[Record], start_at: float) -> Deeds:
    phone = WirePhone(url, token)
    changes = first_changes("member", records, 1)
    time.sleep(max(0, start_at - time.time()))
    began: list[float] = []
    took: list[float] = []
    for first in range(0, len(changes), BATCH):
        began.append(time.time())
        took += phone.push(changes[first : first + BATCH], BATCH)
    return Deeds(began, took, len(changes), ())


def _pull(url: str, token: str, pages: int, start_at: float) -> Deeds:
    phone = WirePhone(url, token)
    time.sleep(max(0, start_at - time.time()))
    began: list[float] = []
    took: list[float] = []
    records, query = 0, {"limit": str(PAGE), "schema": str(SCHEMA_VERSION)}
    for _ in range(pages):
        began.append(time.time())
        answer = phone.session.get(
            f"{url}/sync/v1/pull", params=query, headers={"Accept": PACKED}, timeout=120
        )
        took.append(time.time() - began[-1])
        answer.raise_for_status()
        lines = zlib.decompressobj(15, wire.dictionary()).decompress(answer.content).splitlines()
        last = wire.parse_json(lines[-1])
        records += (len(lines) - 1) * 50 + sum(len(g["rows"]) for g in last["groups"])
        query["cursor"] = last["cursor"]
        if not last["more"]:
            del query["cursor"]
    return Deeds(began, took, records, ())


DEEDS = {"push": _push, "pull": _pull}


def _crowd(deed: str, url: str, work: Sequence[tuple[str, object]], start_at: float) -> Deeds:
    """Do the deed for some phones at once; runs in a process of its own."""

    def one(token: str, given: object) -> Deeds:
        try:
            return DEEDS[deed](url, token, given, start_at)  # type: ignore[arg-type]
        except Exception as error:
            return Deeds((), (), 0, (f"{type(error).__name__}: {error}",))

    with ThreadPoolExecutor(len(work)) as threads:
        return _together(list(threads.map(lambda each: one(*each), work)))


def _fleet(
    deed: str, service: Service, work: Sequence[object], clients: ProcessPoolExecutor
) -> tuple[Deeds, float]:
    """Do the deed with one phone for each piece of work; return also the server's seconds of CPU."""
    each = list(zip(service.tokens[1:], work, strict=True))
    groups = [each[i::CLIENT_PROCESSES] for i in range(min(CLIENT_PROCESSES, len(each)))]
    used = processor_s(service.process.pid)
    start_at = time.time() + GATHER_S
    crowds = [clients.submit(_crowd, deed, service.url, group, start_at) for group in groups]
    done = _together([crowd.result() for crowd in crowds])
    if done.errors:
        raise RuntimeError(f"{len(done.errors)} of {len(work)} phones failed: {done.errors[0]}")
    return done, processor_s(service.process.pid) - used


def measure(records: int = RECORDS) -> Section:
    """Run every fleet on both databases."""
    households, members = corpus(max(records, 2 * BATCH * max(FLEETS)))
    rows: list[list[object]] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(CLIENT_PROCESSES, context) as clients:
        for kind in KINDS:
            for phones in FLEETS:
                share = max(records // phones, 2 * BATCH)
                work = [members[i * share : (i + 1) * share] for i in range(phones)]
                wanted = {m["household_id"] for part in work for m in part}
                homes = [h for h in households if h["id"] in wanted]
                pages = max(1, PULLED_ROWS // phones // PAGE) if phones > 1 else 10
                with fresh_database(kind) as url, running_server(url, phones=phones + 1) as server:
                    WirePhone(server.url, server.tokens[0]).push(
                        first_changes("household", homes, 1), 500
                    )
                    for deed, given in (("push", work), ("pull", [pages] * phones)):
                        done, used = _fleet(deed, server, given, clients)
                        rows.append(_line(deed, kind, phones, done, used, server))
    return Section(
        title="Sync: many phones at once",
        command="python -m benchmarks.fleet",
        told=(
            "Phones that all begin in the same moment, each its own device with its own connection"
            f" and numbers, push {RECORDS:,} new members together, at least {2 * BATCH} each, in"
            f" batches of {BATCH}, and then pull pages of {PAGE:,} rows, about {PULLED_ROWS:,} rows"
            " together. Their"
            " processes run on the same two cores as the server. The median and the 99th"
            " percentile are those of one call; with 200 phones a call mostly waits for its turn."
            " CPU is that of the server's processes, without PostgreSQL's own; memory is the sum of"
            " their peaks since the start, pages that they share counted in each. A failed call"
            " would have ended the run. Goals (design/sync.md 5): 200 phones without an error,"
            " server memory ≤ 90 MB."
        ),
        head=(
            "", "phones", "records/s", "p50, ms", "p99, ms", "server CPU ms/record",
            "server peak MB",
        ),
        rows=rows,
    )  # fmt: skip


def _line(
    deed: str, kind: str, phones: int, done: Deeds, used: float, server: Service
) -> list[object]:
    called = f"{deed.capitalize()} of {BATCH}" if deed == "push" else f"Pull of {PAGE:,}"
    return [
        f"{called}, {kind}",
        phones,
        f"{done.records / done.seconds:,.0f}",
        f"{percentile(done.took, 0.5) * 1000:,.0f}",
        f"{percentile(done.took, 0.99) * 1000:,.0f}",
        f"{used / done.records * 1000:.2f}",
        f"{peak_memory_mb(server.process.pid):.0f}",
    ]


if __name__ == "__main__":
    print(measure(*(int(argument) for argument in sys.argv[1:])).markdown())
