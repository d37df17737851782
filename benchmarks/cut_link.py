"""3,000 records over a link that breaks again and again, beside Anki and PouchDB over the same link.

`python -m benchmarks.cut_link [SEEDS]`. A relay resets each connection after a number of bytes drawn
exponentially around a mean, both ways counted. A seed gives all three the same numbers.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import anki_peer, pouchdb_peer
from benchmarks.databases import fresh_database
from benchmarks.links import Link, link_to
from benchmarks.measure import Section, median
from benchmarks.service import (
    Record,
    corpus,
    enrolled_store,
    hand_in,
    reach_by,
    run_in_process,
    running_server,
)

RECORDS = 3_000
SEEDS = 20
MEANS = (300_000, 100_000, 30_000)
ATTEMPTS = 100
TIMEOUT_S = 15.0
"""Where a peer is given up. Chushan's own attempts are counted alike: one is one tap on "sync"."""

AT_ONCE = 3
"""Runs side by side: bytes are counted here, not seconds."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run over one link."""

    ok: bool
    up_bytes: int
    attempts: int
    stored: int
    """Records that the server had at the end."""


def chushan(households: list[Record], members: list[Record], link: Link) -> Outcome:
    """Sync a phone with the members handed in; the households are at the county already."""
    from mobile.sync.attempt import sync_once

    with (
        tempfile.TemporaryDirectory() as folder,
        fresh_database("SQLite") as url,
        running_server(url) as service,
        link_to(service.port, link) as relay,
    ):
        store = enrolled_store(Path(folder) / "phone.db", service)
        hand_in(store, [("household", record) for record in households])
        first = sync_once(store)
        if first.error or first.remaining:
            raise RuntimeError(f"the households were not taken: {first}")
        hand_in(store, [("member", record) for record in members])
        reach_by(store, relay.url)
        done, attempts = False, 0
        while not done and attempts < ATTEMPTS:
            attempts += 1
            result = sync_once(store)
            done = result.error is None and not result.remaining
        up = relay.taken().up
        store.close()
        stored = service.count_records("member")
        if done and stored != len(members):
            raise RuntimeError("the county does not have what the phone was told it has")
    return Outcome(done, up, attempts, stored)


def anki(documents: Sequence[str], link: Link) -> Outcome:
    """Sync a collection with the documents as new notes."""
    done = anki_peer.push_over(link, documents, attempts=ATTEMPTS, timeout_s=TIMEOUT_S)
    # It stores all of a sync or nothing.
    return Outcome(done.ok, done.up_bytes, done.attempts, len(documents) * done.ok)


def pouchdb(members: list[Record], link: Link) -> Outcome:
    """Replicate the members; a Node that ends with its promise unsettled is started again."""
    with (
        tempfile.TemporaryDirectory() as folder,
        pouchdb_peer.server(Path(folder)) as (port, _),
    ):
        sender = pouchdb_peer.filled(Path(folder), members)
        with link_to(port, link) as relay:
            done = pouchdb_peer.replicate(
                "push", sender, f"{relay.url}/bench", attempts=ATTEMPTS, timeout_s=TIMEOUT_S
            )
            up = relay.taken().up
        return Outcome(done.ok, up, done.attempts, pouchdb_peer.stored(port))


def measure(seeds: int = SEEDS) -> Section:
    """Run all peers over all links."""
    households, members = corpus(RECORDS)
    documents = [json.dumps(m, ensure_ascii=False, separators=(",", ":")) for m in members]
    peers: dict[str, Any] = {
        "Chushan": partial(run_in_process, chushan, households, members),
        "Anki": partial(run_in_process, anki, documents),
        "PouchDB": partial(pouchdb, members),
    }
    rows: list[list[object]] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        whole = {name: peer(Link()) for name, peer in peers.items()}
        for mean in MEANS:
            links = [Link(mean_bytes=mean, seed=seed) for seed in range(1, seeds + 1)]
            for name, peer in peers.items():
                outcomes = list(pool.map(peer, links))
                rows.append(_line(f"{name}, {mean // 1000} kB", outcomes, whole[name].up_bytes))
    for name, outcome in reversed(whole.items()):
        rows.insert(
            0,
            [f"{name}, no cuts", "1 of 1", f"{outcome.stored:,}", outcome.attempts, f"{outcome.up_bytes / RECORDS:.0f}",
             "1.00", "1.00"],
        )  # fmt: skip
    return Section(
        title="Sync over links that break",
        command="python -m benchmarks.cut_link",
        told=(
            f"{RECORDS:,} members wait on the phone. A relay resets every connection after a number"
            f" of bytes drawn exponentially around 300, 100 or 30 kB, both ways counted; {seeds}"
            " seeds, the same for each peer. Chushan's real phone database and client sync"
            " with `chushan serve`, and that is everything: push, the county's answers, and pull;"
            " its attempts are taps on “sync”. Anki syncs the same documents as notes, PouchDB"
            " replicates them in its default batches of 100; each tries again at once after a"
            f" failure, until it is done or {ATTEMPTS} attempts or {TIMEOUT_S:.0f} s are over."
            " Bytes are those sent up, headers included. Goal (design/sync.md 5): 30 kB, all done"
            " with ≤ 1.15 × the bytes without cuts."
        ),
        head=(
            "mean per connection",
            "done",
            "stored",
            "attempts",
            "bytes/record up",
            "× no cuts",
            "worst",
        ),
        rows=rows,
        notes=[
            "Records stored, attempts, bytes and their ratio to the same peer without cuts are medians over the"
            " seeds, those not done included with what they had sent so far; “worst” is the"
            " highest ratio of a seed.",
            "When its link breaks, Anki begins from the start. PouchDB goes on from its last"
            " checkpoint; now and then its promise is neither kept nor broken and Node ends, which"
            " counts as an attempt, and it is started again.",
            "Of a request that is cut nothing is kept, so Chushan sends on average half of it again;"
            " smaller requests would lose less and spend as much more on headers.",
        ],
    )


def _line(name: str, outcomes: Sequence[Outcome], whole: int) -> list[object]:
    ratios = [outcome.up_bytes / whole for outcome in outcomes]
    return [
        name,
        f"{sum(outcome.ok for outcome in outcomes)} of {len(outcomes)}",
        f"{median(outcome.stored for outcome in outcomes):,.0f}",
        f"{median(outcome.attempts for outcome in outcomes):.0f}",
        f"{median(outcome.up_bytes for outcome in outcomes) / RECORDS:.0f}",
        f"{median(ratios):.2f}",
        f"{max(ratios):.2f}",
    ]


if __name__ == "__main__":
    print(measure(*(int(argument) for argument in sys.argv[1:])).markdown())
