"""What the phone's encryption costs: the same deeds on an encrypted and on a plain database, in turns.

`python -m benchmarks.encryption`. Twice: with the sqlcipher3 wheel of a PC beside Python's own
sqlite3, and with the library of the phone (SQLite3 Multiple Ciphers, built by
tests/mobile/test_encryption.py into var/cache) beside itself without a key. Processor time, so that
a busy machine changes little, and the pages that a deed reads and writes, as the system counts the
bytes. What the ciphers alone cost for as many pages is measured apart: less is not possible.
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

from benchmarks import save_form
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
PAGE_BYTES = 4096
BULK, TOUCH, HAND_IN = (
    "500 households pulled, log included",
    "one touch saved",
    "household handed in",
)
TIDY = "log brought into the file, in a quiet moment"
ROOT = Path(__file__).resolve().parent.parent

Cost = tuple[float, float, float]
"""CPU milliseconds, pages read, pages written."""


def cost(deed: Callable[[], object]) -> Cost:
    """Do the deed and return what it cost."""
    before = _io()
    began = time.process_time_ns()
    deed()
    ms = (time.process_time_ns() - began) / 1e6
    read, written = ((now - then) / PAGE_BYTES for then, now in zip(before, _io(), strict=True))
    return ms, read, written


def _io() -> tuple[int, int]:
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["rchar"]), int(lines["wchar"])


_WHOLE = "SELECT sum(instr(data, x'0000000000')) FROM page"


def ciphers_us(folder: Path) -> tuple[float, float]:
    """Return what the ciphers cost for one page that is read and for one that is written, in µs."""
    rows = [(os.urandom(PAGE_BYTES - 300),) for _ in range(1000)]
    us = []
    for key in (KEY, None):
        written, read = [], []
        for number in range(7):
            path = folder / f"pages{number}{key is None}.db"
            store = open_store(path, key=key)
            for pragma in ("synchronous = OFF", "wal_autocheckpoint = 0", "cache_size = -8192"):
                store.connection.execute(f"PRAGMA {pragma}")
            store.connection.execute("CREATE TABLE page (data BLOB)")
            store.connection.execute("BEGIN")
            store.connection.executemany("INSERT INTO page VALUES (?)", rows)
            written.append(cost(lambda s=store: s.connection.execute("COMMIT")))  # type: ignore[misc]
            store.close()
            store = open_store(path, key=key)
            read.append(cost(lambda s=store: s.connection.execute(_WHOLE).fetchone()))  # type: ignore[misc]
            store.close()
        us.append([min(ms for ms, *_ in costs) * 1000 / len(rows) for costs in (read, written)])
    return us[0][0] - us[1][0], us[0][1] - us[1][1]


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


def run(folder: Path) -> dict[str, list[list[Cost]]]:
    """Do every deed on both databases in turns; return what each cost as [encrypted, plain]."""
    villages, pulled = lines()
    keys = (KEY, None)
    paths = [folder / "encrypted.db", folder / "plain.db"]
    costs: dict[str, list[list[Cost]]] = {}

    def note(what: str, side: int, deed: Callable[[], object]) -> None:
        costs.setdefault(what, [[], []])[side].append(cost(deed))

    def bring(store: Store) -> None:
        with store.writing() as connection:
            apply_lines(connection, pulled)

    def opened(side: int) -> Store:
        store = open_store(paths[side], key=keys[side])
        records.villages(store)
        return store

    hello = {"epoch": "e", "county": villages[0][:6], "scope": villages[0][:6], "cadre": "测试村干"}
    for _ in range(3):
        for side, key in enumerate(keys):
            for path in paths[side].parent.glob(paths[side].name + "*"):
                path.unlink()
            store = open_store(paths[side], key=key)
            with store.writing() as connection:
                keep_hello(connection, {**hello, "divisions": []})
            note(BULK, side, lambda s=store: bring(s))  # type: ignore[misc]
            store.close()
    for _ in range(ROUNDS):
        for side in range(2):
            stores: list[Store] = []
            note("opened, first list shown", side, lambda: stores.append(opened(side)))  # noqa: B023
            (store,) = stores
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
            household: list[Cost] = []

            def noted(deed: Callable[[], object], into: list[Cost] = household) -> float:
                into.append(cost(deed))
                return into[-1][0]

            save_form.ms = noted  # it measures each deed of ours and then one of its peer's
            one_household(store, peer, serial, Times(), Times())
            *touches, submit = household[::2]
            costs.setdefault(TOUCH, [[], []])[side].extend(touches)
            costs.setdefault(HAND_IN, [[], []])[side].append(submit)
            note(TIDY, side, store.tidy)
    for store in stores:
        store.close()
    return costs


def measure() -> Section:
    """Measure with both libraries and return the section of the report."""
    rows: list[list[object]] = []
    notes: list[str] = []
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
        found = json.loads(said.stdout)
        read_us, written_us = found["ciphers_us"]
        rows += [
            _row(name + what, sides, read_us, written_us) for what, sides in found["costs"].items()
        ]
        over_ms = sum(
            sum(ms for ms, *_ in ours) - sum(ms for ms, *_ in plain)
            for ours, plain in (found["costs"][what] for what in (TOUCH, HAND_IN))
        )
        notes.append(
            f"{name}{read_us:.1f} µs of cipher for a page read, {written_us:.1f} µs for a page written."
            f" Every answer of a family of four and the hand-in cost {over_ms / VISITS:.1f} CPU-ms more in all."
        )
    notes += [
        "Goal: at most 1.10 in what the cadre waits for. Met by the lists, first and again. Not by what"
        " writes, nor by the first search after unlocking: the last column says what as many pages"
        " cost at least in this format, each authenticated (HMAC-SHA512) and enciphered (AES-256) whole.",
        "Tried with the phone's library and left: pages of 1,024 bytes (a touch 1.12, a hand-in 1.17, lists"
        " 1.09–1.15) and HMAC-SHA1 (a quarter less for each page). Both make another format, for which"
        " every phone's file would have to be written anew, to save a tenth of a millisecond.",
        "In a quiet moment, after three seconds without a touch, the log is brought into the file: the"
        " phone's library deciphers and enciphers each page for it.",
    ]
    return Section(
        title="Encryption of the phone's database",
        command="python -m benchmarks.encryption",
        told=(
            "The same deeds on an encrypted and on a plain database, in turns in one process;"
            f" {HOUSEHOLDS} households, {VISITS} of them visited anew. Medians of CPU milliseconds, and"
            " of the pages of 4,096 bytes that the encrypted side read and wrote. On the PC the two"
            " sides are two builds of SQLite (the sqlcipher3 wheel, Python's own); with the phone's"
            " library both are the same."
        ),
        head=["", "encrypted", "plain", "times plain", "pages read", "written", "ciphers alone"],
        rows=rows,
        notes=notes,
    )  # fmt: skip


def _row(what: str, sides: list[list[Cost]], read_us: float, written_us: float) -> list[object]:
    (ms, read, written), (plain, *_) = (
        [statistics.median(of) for of in zip(*side, strict=True)] for side in sides
    )
    alone = (read * read_us + written * written_us) / 1000
    # What is brought from the log into the file is counted among the pages, but is the library's own.
    least = f"{alone:.2f} ms, {1 + alone / plain:.2f}" if "log" not in what else ""
    return [
        what, f"{ms:,.2f}", f"{plain:,.2f}", f"{ms / plain:.2f}", f"{read:,.0f}", f"{written:,.0f}",
        least,
    ]  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) > 1:
        scratch = Path(sys.argv[1])
        print(json.dumps({"costs": run(scratch), "ciphers_us": ciphers_us(scratch)}))
    else:
        print(measure().markdown())
