"""Where the time of a push goes: the server's own functions under cProfile, batch by batch.

`python -m benchmarks.push_time [MEMBERS]`. In one process, without HTTP: the body as it travels is
unpacked, checked, stored and answered by the code that the route calls.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from flask import Flask

from benchmarks.databases import KINDS, fresh_database
from benchmarks.measure import Section
from benchmarks.service import corpus, first_changes, prepare
from server.app import create_app
from server.settings import Settings
from shared_schemas import SCHEMA_VERSION, ids, wire
from shared_schemas.changes import Change
from shared_schemas.protocol import PACKED, PROTOCOL

MEMBERS = 5_000
BATCH = 100
TOKEN = "token of the profile"

PLACES = (
    ("unpack and answer: zlib, JSON", ("shared_schemas/wire.py", "json/", "zlib", "_json")),
    ("check of the message and of each value: marshmallow, fields", (
        "marshmallow/", "shared_schemas/messages", "shared_schemas/fields", "shared_schemas/records",
        "shared_schemas/resident_id", "shared_schemas/codes")),
    ("merge, hashes", (
        "shared_schemas/merge", "shared_schemas/changes", "hashlib", "blake2")),
    ("rules over households", (
        "shared_schemas/rules", "shared_schemas/bundle", "services/check_bundles")),
    ("services: order, outcomes, reviews", ("server/services/",)),
    ("storage: our own part", ("server/storage/",)),
    ("the database and its driver", ("sqlite3", "psycopg", "select.", "socket")),
    ("SQLAlchemy", ("sqlalchemy/",)),
    ("Flask, access, logs", (
        "flask", "werkzeug", "server/", "structlog", "prometheus", "logging", "webargs")),
)  # fmt: skip
"""Where a function is counted: the first whose mark is in its file, or in its name where it is C."""


def push_all(
    app: Flask, changes: Sequence[Change], first_timed: int, profile: cProfile.Profile | None
) -> float:
    """Push in batches; return the seconds from one change on, without those of making the requests."""
    client = app.test_client()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    life = ids.incarnation_id(len(changes))
    epoch = client.get(
        f"/sync/v1/hello?incarnation={life}", headers=headers
    ).get_json()["epoch"]  # fmt: skip
    seconds = 0.0
    for first in range(0, len(changes), BATCH):
        body = wire.pack(
            {
                "protocol": PROTOCOL, "schema": SCHEMA_VERSION, "incarnation": life,
                "epoch": epoch, "sent_at_ms": time.time_ns() // 1_000_000,
                "changes": wire.group_changes(changes[first : first + BATCH]),
            }
        )  # fmt: skip
        is_timed = first >= first_timed  # what comes before warms up the statements and checkers
        began = time.perf_counter()
        if profile and is_timed:
            profile.enable()
        answer = client.post(
            "/sync/v1/push", data=body, headers={**headers, "Content-Type": PACKED}
        )
        if profile:
            profile.disable()
        seconds += (time.perf_counter() - began) * is_timed
        if answer.status_code != 200:
            raise RuntimeError(answer.text)
    return seconds


def _place(file: str, name: str) -> str:
    where = name if file == "~" else file
    for place, marks in PLACES:
        if any(mark in where for mark in marks):
            return place
    return "the rest: Python's own functions and libraries"


def _shares(profile: cProfile.Profile) -> dict[str, float]:
    """Return the share of the time that was spent in each place itself.

    A function in C without a place of its own counts where it was called from.
    """
    seconds: dict[str, float] = {}
    stats: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    rest = _place("", "")
    for (file, _, name), (_, _, own, _, callers) in stats.items():
        place = _place(file, name)
        if place != rest or not callers:
            seconds[place] = seconds.get(place, 0) + own
            continue
        for (from_file, _, from_name), (_, _, from_there, _) in callers.items():
            caller = _place(from_file, from_name)
            seconds[caller] = seconds.get(caller, 0) + from_there
    whole = sum(seconds.values())
    return {place: spent / whole for place, spent in seconds.items()}


def _measured(
    kind: str, changes: Sequence[Change], first_timed: int
) -> tuple[float, dict[str, float]]:
    """Return microseconds a change without the profiler, and the shares with it."""

    def pushed(profile: cProfile.Profile | None) -> float:
        with fresh_database(kind) as url, tempfile.TemporaryDirectory() as folder:
            prepare(url, [TOKEN])
            app = create_app(
                Settings(
                    database_url=url, data_dir=folder, secret_key="bench", log_level="WARNING",
                    requests_per_minute=1_000_000,
                )
            )  # fmt: skip
            seconds = push_all(app, changes, first_timed, profile)
            app.extensions["chushan"].engine.dispose()
            return seconds

    each = pushed(None) / (len(changes) - first_timed) * 1e6
    profile = cProfile.Profile()
    pushed(profile)
    return each, _shares(profile)


def measure(members: int = MEMBERS) -> Section:
    """Profile on both databases."""
    households, people = corpus(members)
    changes = [
        *first_changes("household", households, 1),
        *first_changes("member", people, len(households) + 1),
    ]
    first_timed = -(-len(households) // BATCH) * BATCH
    told = {kind: _measured(kind, changes, first_timed) for kind in KINDS}

    def share(kind: str, place: str) -> str:
        return f"{told[kind][1].get(place, 0):.0%}"

    places = sorted(
        {place for _, shares in told.values() for place in shares},
        key=lambda place: -told[KINDS[0]][1].get(place, 0),
    )
    rows: list[list[object]] = [
        [place, *(share(kind, place) for kind in KINDS)] for place in places
    ]
    rows.append(["µs a change, without the profiler", *(f"{told[kind][0]:.0f}" for kind in KINDS)])
    return Section(
        title="Where the time of a push goes",
        command="python -m benchmarks.push_time",
        told=(
            f"{len(people):,} members in batches of {BATCH}, after their {len(households):,}"
            " households, through the whole route in one process, without HTTP and without a second"
            " core."
            " Shares of the time that cProfile saw in the code of each place itself; it makes many"
            " small calls look dearer than they are."
        ),
        head=("", *KINDS),
        rows=rows,
    )


if __name__ == "__main__":
    print(measure(*(int(argument) for argument in sys.argv[1:])).markdown())
