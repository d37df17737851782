"""The app is killed at any moment (kill -9 of a real process) and opened again."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from phones import (
    CADRE,
    TODAY,
    VILLAGE,
    County,
    a_filled_visit,
    a_submitted_household,
    a_visit,
    sync,
)

from mobile.forms.visit import Visit, open_visit
from mobile.storage import drafts, outbox, records
from mobile.storage.database import Store, open_store

ROUNDS = int(os.environ.get("CHUSHAN_KILLS", "25"))
ROOT = Path(__file__).resolve().parents[2]


def work(path: Path, say: int, seed: int) -> None:
    """Be the app of a busy cadre: answer, hand in, answer; tell of each deed before and after."""
    source = random.Random(seed)
    store = open_store(path)

    def tell(*what: Any) -> None:
        os.write(say, (json.dumps(what) + "\n").encode())

    save = Visit._save

    def telling_save(visit: Visit, answered: Any, *, at: str = "") -> None:
        deeds = [
            (form.record_id, name, value)
            for form, answers in answered
            for name, value in answers.items()
        ]
        tell("try", deeds)
        save(visit, answered, at=at)
        tell("answered", deeds, at and [answered[0][0].record_id, at])

    Visit._save = telling_save  # type: ignore[method-assign]  # in the child only
    while True:
        opened = open_visit(store)
        visit = a_visit(store, opened.household_id if opened else None)
        for i in range(source.randrange(5, 25)):
            visit.household.answer("address", f"第{seed}回第{i}次")
            visit.household.answer("group_no", f"{i}组")
        done = a_filled_visit(store, serial=source.randrange(100, 990, 10))
        for hit in done.blocking():
            done.accept_warning(hit, "证件已核对")
        tell("handing in", done.household_id)
        result = done.submit()
        tell("handed in", done.household_id, result.submitted)


def killed(path: Path, seed: int, source: random.Random, *, handing_in: bool) -> list[list[Any]]:
    """Let a process work for a while, or until it hands in; kill it, return what it told."""
    listen, say = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(listen)
            work(path, say, seed)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(say)
    with os.fdopen(listen, "rb") as told:
        lines = []
        most = 100_000 if handing_in else source.randrange(1, 250)
        while len(lines) < most and not (handing_in and b"handing in" in (lines or [b""])[-1]):
            lines.append(told.readline())
        time.sleep(source.uniform(0, 0.01))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        lines += [*told.read().splitlines(keepends=True)]
    assert os.WIFSIGNALED(status), "the child ended by itself"
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


def whole_or_nothing(store: Store, household_id: str) -> bool:
    """Tell whether a household was handed in; fail when only a part of it was."""
    with store.reading() as connection:
        kinds = [
            row["kind"]
            for row in connection.execute(
                "SELECT kind FROM outbox WHERE household_id = ? ORDER BY id", (household_id,)
            )
        ]
        left = drafts.of_household(connection, household_id)
        waits = outbox.is_waiting(connection, household_id)
    assert kinds in ([], ["household", *["member"] * 4, "intention", *["consent"] * 2])
    assert bool(kinds) == waits
    assert not (kinds and left)
    return bool(kinds)


def test_whatever_was_touched_before_a_kill_is_there_and_the_same_question_opens(
    tmp_path: Path,
) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    source = random.Random(seed)
    path = tmp_path / "chushan.db"
    open_store(path).close()
    answers_seen = handings_in = 0
    for i in range(ROUNDS):
        told = killed(path, seed + i, source, handing_in=i % 5 == 4)
        store = open_store(path)
        assert store.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        answered: dict[tuple[str, str], Any] = {}
        trying: dict[tuple[str, str], Any] = {}
        places: list[list[str]] = []
        handed_in: set[str] = set()
        for kind, deeds, *more in told:
            handings_in += kind == "handing in"
            if kind == "try":
                trying = {(record, name): value for record, name, value in deeds}
            elif kind == "answered":
                answered.update(trying)
                trying = {}
                places += [more[0]] if more[0] else []
            elif kind == "handed in":
                handed_in.add(deeds)
                assert more == [True]
                assert whole_or_nothing(store, deeds)
            elif whole_or_nothing(store, deeds):
                handed_in.add(deeds)
        answers_seen += len(answered)
        visits: dict[str, Visit] = {}
        for (record_id, name), value in answered.items():
            home = record_id[:13]
            visit = visits.setdefault(
                home, Visit.open(store, home, VILLAGE, today=TODAY, cadre=CADRE)
            )
            kept = visit.record(record_id).values.get(name)
            # The one deed that was under way may have come through before the kill.
            assert kept in (value, trying.get((record_id, name), value)), (record_id, name)
        opened = open_visit(store)
        if opened is None:
            assert not places or places[-1][0][:13] in handed_in
        elif places:
            visit = Visit.open(store, opened.household_id, VILLAGE, today=TODAY, cadre=CADRE)
            position = visit.position
            assert position is not None
            under_way = [list(key) for key in trying]
            assert [position.record_id, position.field] in [places[-1], *under_way]
        store.close()
    assert answers_seen > 100
    assert handings_in >= ROUNDS // 5


SYNCING = """
import sys
from mobile.storage.database import open_store
from mobile.sync.attempt import sync_once
store = open_store(sys.argv[1])
print("begun", flush=True)
sync_once(store, timeout_s=5, on_progress=lambda *_: print(".", end="", flush=True))
"""


def test_sync_that_is_killed_anywhere_goes_on_and_counts_once(
    county: County, tmp_path: Path
) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    source = random.Random(seed)
    path = tmp_path / "p.db"
    store = county.phone(path)
    mine = [a_submitted_household(store, serial=serial) for serial in range(100, 990, 40)]
    theirs = [f"{i:013}" for i in range(300)]
    county.import_records(
        [("household", home, {"village_code": VILLAGE, "address": "寨脚"}) for home in theirs]
    )
    store.close()
    for _ in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", SYNCING, str(path)], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert child.stdout is not None
        child.stdout.readline()
        child.stdout.read(source.randrange(1, 7))
        time.sleep(source.uniform(0, 0.05))
        child.kill()
        child.wait()
        child.stdout.close()
    store = open_store(path)
    result = sync(store)
    assert result.remaining == 0
    arrived = county.changes()
    assert len(arrived) == 8 * len(mine)
    assert [change.n for change in arrived] == list(range(1, len(arrived) + 1))
    assert {change.outcome for change in arrived} == {"applied"}
    states = {row.id: row.state for row in records.households(store)}
    assert states == dict.fromkeys(mine, records.SYNCED) | dict.fromkeys(theirs, records.TO_VISIT)
    store.close()
