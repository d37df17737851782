"""Saving a form on the phone, beside plain sqlite3 inserts of the same bytes, each synced to disk.

`python -m benchmarks.save_form [HOUSEHOLDS]`. A household of four with one work intention is
recorded as a cadre touches it. After every touch and every submit the peer writes the same bytes
into a file of its own with the same durability: what no form on this disk can go below.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import Section
from mobile.forms.record_form import RecordForm
from mobile.forms.visit import Visit
from mobile.storage.database import Store, open_store
from shared_schemas.resident_id import check_character

HOUSEHOLDS = 60
TODAY = "2026-11-20"
VILLAGE = "522326111201"
HOUSEHOLD = {
    "group_no": "二组", "address": "河边第三家", "relocated": False, "category": "1",
    "dibao": False, "tekun": False, "phone": "13900000001", "survey_mode": "1",
}  # fmt: skip
ADULT = {
    "lives_here": True, "ethnic": "09", "in_school": "0", "education": "70", "marital": "20",
    "speaks_mandarin": "1", "health": ["1"], "labour_ability": "1", "work_form": "7",
}  # fmt: skip
WISH = {
    "wants_job": "1", "available_from": TODAY, "reach": "4", "together_with": "0",
    "occupations": ["01"], "wage_floor": 4500, "training_wish": False, "startup_wish": False,
    "public_post_wish": False, "workshop_wish": False,
}  # fmt: skip
PEOPLE = (("韦正明", "02", "19850312", 1), ("岑秀兰", "10", "19870704", 2),
          ("罗阿妹", "52", "19600109", 4), ("韦小军", "20", "20050505", 3))  # fmt: skip


@dataclass
class Times:
    """Milliseconds of a deed and of its peer, in pairs."""

    ours: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)

    def row(self, what: str) -> list[str]:
        """Return a line of the report."""
        ours, plain = (statistics.quantiles(times, n=100) for times in (self.ours, self.plain))
        cells = [f"{cuts[at]:.2f}" for cuts in (ours, plain) for at in (49, 98)]
        return [what, *cells, f"{ours[49] / plain[49]:.1f}"]


def ms(deed: Callable[[], object]) -> float:
    """Do the deed and return how long it took, in milliseconds."""
    began = time.perf_counter()
    deed()
    return (time.perf_counter() - began) * 1000


class Peer:
    """A plain SQLite file (WAL, FULL): one row in one transaction, as fast as it goes."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT)")

    def insert(self, value: str) -> None:
        """Write a text and have it synced."""
        self.connection.execute("INSERT INTO t (value) VALUES (?)", (value,))


def one_household(store: Store, peer: Peer, serial: int, touches: Times, submits: Times) -> int:
    """Record a household of four with one work intention; return the bytes that it hands in."""
    visit = Visit.open(store, None, VILLAGE, today=TODAY, cadre="测试村干")

    def answer(form: RecordForm, answers: dict[str, Any]) -> None:
        for name, value in answers.items():
            touches.ours.append(ms(lambda n=name, v=value: form.answer(n, v)))  # type: ignore[misc]
            row = json.dumps([form.record_id, form.kind, name, value, 1_790_000_000_000])
            touches.plain.append(ms(lambda r=row: peer.insert(r)))  # type: ignore[misc]

    answer(visit.household, {**HOUSEHOLD, "phone": f"139{serial:08}"})
    for name, relation, born, digit in PEOPLE:
        member = visit.add_member()
        first = f"522399{born}{serial % 90 + 10}{digit}"
        answer(member, {"id_no": first + check_character(first), "name": name})
        answer(member, {"relation": relation, **ADULT})
    head = visit.members[0]
    for kind in ("survey", "share_hr"):
        visit.record_consent(head, kind, True, "2", "罗见证")
    wish = visit.intention_of(head)
    assert wish is not None
    answer(wish, WISH)
    for hit in visit.blocking():
        visit.accept_warning(hit, "已核对")
    results: list[bool] = []
    submits.ours.append(ms(lambda: results.append(visit.submit().submitted)))
    assert results == [True]
    changes = store.connection.execute(
        'SELECT "values" FROM outbox WHERE household_id = ?', (visit.household_id,)
    )
    handed_in = "".join(row["values"] for row in changes)
    submits.plain.append(ms(lambda: peer.insert(handed_in)))
    return len(handed_in.encode())


def measure(households: int = HOUSEHOLDS) -> Section:
    """Measure and return the section of the report."""
    touches, submits = Times(), Times()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "phone.db")
        peer = Peer(Path(folder) / "plain.db")
        sizes = []
        for serial in range(households):
            sizes.append(one_household(store, peer, serial, touches, submits))
            store.tidy()  # as the app does in a quiet moment
        store.close()
        peer.connection.close()
    return Section(
        title="Saving a form on the phone",
        command="python -m benchmarks.save_form",
        told=(
            f"{len(touches.ours):,} answers of {households} households of four, each saved before"
            f" the touch returns; a submit checks every rule and puts {statistics.median(sizes):.0f}"
            " bytes in 8 changes into the outbox, all or nothing. Milliseconds."
        ),
        head=["", "p50", "p99", "plain sqlite3 p50", "p99", "times plain"],
        rows=[
            touches.row("one touch saved"),
            submits.row("household of four handed in"),
        ],
        notes=["The peer writes the same bytes as one row, WAL with synchronous=FULL, in turn."],
    )


if __name__ == "__main__":
    print(measure(*(int(argument) for argument in sys.argv[1:])).markdown())
