"""What the phone's encryption costs: the same deeds on an encrypted and on a plain database, in turns.

`python -m benchmarks.encryption`. Twice: with the sqlcipher3 wheel of a PC beside Python's own
sqlite3, and with the library of the phone (SQLite3 Multiple Ciphers, built by
tests/mobile/test_encryption.py into var/cache) beside itself without a key.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import Section
from benchmarks.save_form import Peer, Times, one_household
from mobile.storage import records
from mobile.storage.database import Store, open_store
from mobile.storage.inbox import apply_lines, keep_hello
from mobile.storage.search import find_people
from server.demo.people import invent_households
from shared_schemas import wire
from shared_schemas.codes.divisions import demo_divisions

KEY = bytes(range(32))
HOUSEHOLDS, ROUNDS, VISITS = 500, 15, 30
ROOT = Path(__file__).resolve().parent.parent

Deed = tuple[str, Callable[[Store], Any]]


def lines() -> tuple[list[str], list[dict[str, Any]]]:
    """Return two villages and the pull that brings 500 households of theirs."""
    found = [d.code12 for d in demo_divisions() if d.level == 5][:2]
    rows: dict[str, list[wire.Row]] = {}
    for number, invented in enumerate(invent_households(7, HOUSEHOLDS, found, doubtful=0)):
        for kind, record in invented.records():
            values = {name: value for name, value in record.items() if name != "id"}
            rows.setdefault(kind, []).append((record["id"], 100 + number, values))
    groups = [wire.group_rows(kind, of_kind) for kind, of_kind in rows.items()]
    return found, [{"cursor": "end", "more": False, "groups": groups}]


def run(folder: Path) -> dict[str, list[list[float]]]:
    """Do every deed on both databases in turns; return milliseconds as [encrypted, plain]."""
    villages, pulled = lines()
    keys = (KEY, None)
    paths = [folder / "encrypted.db", folder / "plain.db"]
    took: dict[str, list[list[float]]] = {}

    def note(what: str, side: int, deed: Callable[[], object]) -> None:
        began = time.perf_counter()
        deed()
        took.setdefault(what, [[], []])[side].append((time.perf_counter() - began) * 1000)

    def bring(store: Store) -> None:
        with store.writing() as connection:
            apply_lines(connection, pulled)

    hello = {"epoch": "e", "county": villages[0][:6], "scope": villages[0][:6], "cadre": "测试村干"}
    for _ in range(3):
        for side, key in enumerate(keys):
            for path in paths[side].parent.glob(paths[side].name + "*"):
                path.unlink()
            store = open_store(paths[side], key=key)
            with store.writing() as connection:
                keep_hello(connection, {**hello, "divisions": []})
            note("500 households pulled (bulk)", side, lambda s=store: bring(s))  # type: ignore[misc]
            store.close()
    for _ in range(ROUNDS):
        for side, key in enumerate(keys):
            began = time.perf_counter()
            store = open_store(paths[side], key=key)
            records.villages(store)
            took.setdefault("opened, first list shown", [[], []])[side].append(
                (time.perf_counter() - began) * 1000
            )
            for when in ("first time", "again"):
                note(
                    f"village of 250 listed, {when}",
                    side,
                    lambda s=store: records.households(s, villages[0]),  # type: ignore[misc]
                )
                note(
                    f"searched by initials, {when}",
                    side,
                    lambda s=store: find_people(s.connection, "wx"),  # type: ignore[misc]
                )
            store.close()
    stores = [open_store(path, key=key) for path, key in zip(paths, keys, strict=True)]
    peer = Peer(folder / "peer.db")
    for serial in range(VISITS):
        for side, store in enumerate(stores):
            touches, submits = Times(), Times()
            one_household(store, peer, serial, touches, submits)
            took.setdefault("one touch saved", [[], []])[side].extend(touches.ours)
            took.setdefault("household handed in", [[], []])[side].extend(submits.ours)
    for store in stores:
        store.close()
    took["size of the file, KiB"] = [[path.stat().st_size / 1024] for path in paths]
    return took


def measure() -> Section:
    """Measure with both libraries and return the section of the report."""
    rows: list[list[object]] = []
    libraries = sorted((ROOT / "var" / "cache").glob("sqlite3mc-*/libsqlite3.so.0"))
    for name, library in (("PC: ", None), ("phone's library: ", next(iter(libraries), None))):
        if name != "PC: " and library is None:
            continue
        env = {**os.environ, **({"LD_LIBRARY_PATH": str(library.parent)} if library else {})}
        with tempfile.TemporaryDirectory() as folder:
            said = subprocess.run(
                [sys.executable, "-m", "benchmarks.encryption", folder],
                env=env, cwd=ROOT, capture_output=True, text=True, check=True,
            )  # fmt: skip
        for what, (ours, plain) in json.loads(said.stdout).items():
            both = statistics.median(ours), statistics.median(plain)
            rows.append([name + what, *(f"{ms:,.2f}" for ms in both), f"{both[0] / both[1]:.2f}"])
    return Section(
        title="Encryption of the phone's database",
        command="python -m benchmarks.encryption",
        told=(
            "The same deeds on an encrypted and on a plain database, in turns in one process;"
            f" {HOUSEHOLDS} households, {VISITS} of them visited anew. Medians in milliseconds, every"
            " write synced to the disk. On the PC the two sides are two builds of SQLite (the"
            " sqlcipher3 wheel, Python's own); with the phone's library both are the same."
        ),
        head=["", "encrypted", "plain", "times plain"],
        rows=rows,
        notes=[
            "Goal: at most 1.10 in what the cadre waits for. Met by lists and searches shown again,"
            " since their pages stand decrypted in a cache of 8 MiB; a saved touch waits for the disk"
            " and swings between 1.0 and 1.5 from run to run.",
            "Not met when a household is handed in, nor the first time after the phone was unlocked,"
            " when each page is decrypted: 3 to 7 milliseconds here, several times that on a cheap"
            " phone. A bulk pull runs in the background.",
        ],
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(run(Path(sys.argv[1]))))
    else:
        print(measure().markdown())
