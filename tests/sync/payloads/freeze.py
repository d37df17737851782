"""Freezes what a phone of the present schema sends, is sent and has on its disk.

    python -m tests.sync.payloads.freeze

Writes `v<schema>/` beside this file, once, by letting the real app talk to the real server. README.md
says what the files are. A folder that exists is never written again: phones of that version are out.
"""

from __future__ import annotations

import json
import random
import secrets
import sqlite3
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import requests

from mobile.forms.visit import Position
from mobile.storage import outbox
from mobile.storage.database import Store, get, open_store, tick
from mobile.storage.outbox import NewChange
from mobile.sync.attempt import sync_once
from mobile.sync.enrol import enrol, parse_enrolment
from server.services.apply_changes import Author, apply_changes, next_n
from server.services.backup import make_backup
from server.services.review import approve
from server.services.upgrade import upgrade_database
from server.storage.engine import open_engine, writing
from server.storage.reviews import reviews_of
from shared_schemas import SCHEMA_VERSION, codes, ids, wire
from shared_schemas.changes import Change
from shared_schemas.records import record_kinds
from tests.mobile.phones import (
    COUNTY,
    TODAY,
    VILLAGE,
    County,
    a_filled_visit,
    a_visit,
    fill_wish,
)

FOLDER = Path(__file__).parent / f"v{SCHEMA_VERSION}"
NOW_MS = 1_795_168_800_000

# What later versions ask beside the answers of phones.py, so that their payloads have it too.
HOUSEHOLD_ANSWERS: dict[int, dict[str, Any]] = {
    2: {"is_split": True, "split_on": "2026-01-10", "split_reason": "1"},
}
WISH_ANSWERS: dict[int, dict[str, Any]] = {1: {"needs_lodging": True}, 2: {"needs_lodging": True}}


class Recorder:
    """Keeps the requests of a phone and the answers to them."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes, bytes]] = []

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Record every request made meanwhile."""
        send = requests.adapters.HTTPAdapter.send

        def recorded(adapter: Any, request: Any, **args: Any) -> requests.Response:
            got = send(adapter, request, **args)
            body = request.body or b""
            body = body.encode() if isinstance(body, str) else body
            self.taken.append((request.path_url, body, got.content))
            return got

        with mock.patch.object(requests.adapters.HTTPAdapter, "send", recorded):
            yield

    def of(self, name: str) -> list[tuple[str, bytes, bytes]]:
        """Return (path, body, answer) of the calls to one route."""
        return [one for one in self.taken if one[0].startswith(f"/sync/v1/{name}")]


def main() -> None:
    """Freeze the present version; refuse where it is frozen already."""
    if FOLDER.exists():
        sys.exit(f"{FOLDER.name} is frozen already; an old version is never made again")
    with tempfile.TemporaryDirectory() as name, ExitStack() as seeded:
        chance = random.Random(SCHEMA_VERSION)
        for target, new in (
            ("randbits", chance.getrandbits),
            ("token_hex", lambda n=16: chance.randbytes(n).hex()),
            ("token_urlsafe", lambda n=16: chance.randbytes(n).hex()),
        ):
            seeded.enter_context(mock.patch.object(secrets, target, new))
        _freeze(Path(name))


def _freeze(folder: Path) -> None:
    template = folder / "template.db"
    engine = open_engine(f"sqlite:///{template}")
    upgrade_database(engine)
    engine.dispose()
    (folder / "county").mkdir()
    time = [NOW_MS]

    def clock() -> int:
        time[0] += 1000
        return time[0]

    county = County(folder / "county", template, clock=clock)
    recorder = Recorder()
    store = open_store(folder / "phone.db", clock=clock)
    with recorder.listening():
        enrol(store, parse_enrolment(county.enrolment()))
        family = _household(store)
        _sync(store)
        _edits(store, family)
        _sync(store)
        _delete(store, family)
        _sync(store)
        county.send_back(
            family["household"],
            ("intention", family["intention"], _lodging(), "要不要住宿?"),
            ("household", family["household"], "phone", "电话打不通"),
        )
        _sync(store)
    _unsent(store, family)
    FOLDER.mkdir()
    _write_exchange(recorder)
    _write_json("fields.json", _declared())
    _write_json("about.json", {
        "schema": SCHEMA_VERSION,
        "county": COUNTY,
        "village": VILLAGE,
        "today": TODAY,
        "now_ms": time[0],
        "epoch": get(store.connection, "epoch"),
        "incarnation": get(store.connection, "incarnation"),
        "token": get(store.connection, "token"),
        "device_id": get(store.connection, "device_id"),
        "family": family,
    })  # fmt: skip
    dump = "\n".join(store.connection.iterdump())
    dump = dump.replace(county.url, "http://127.0.0.1:1")
    (FOLDER / "phone.sql").write_text(dump + "\n", encoding="utf-8")
    store.close()
    _county_works(county, folder, family, clock)
    county.stop()
    # What was dumped can be read again.
    sqlite3.connect(":memory:").executescript(dump)


def _lodging() -> str:
    return "needs_lodging" if SCHEMA_VERSION < 3 else "lodging"


def _household(store: Store) -> dict[str, str]:
    visit = a_filled_visit(store, "韦", 510)
    head, _, mother, son = visit.members
    for name, value in {
        "work_form": "2", "work_region": "2", "work_place_code": f"{COUNTY}000000",
        "work_months": 5, "work_wage": 2800,
        "skills": [{"occupation": "01", "level": "1", "cert_no": "甲510", "cert_date": "2020-05-01"}],
    }.items():  # fmt: skip
        head.answer(name, value)
    for name, value in HOUSEHOLD_ANSWERS.get(SCHEMA_VERSION, {}).items():
        visit.household.answer(name, value)
    wish = visit.intention_of(head)
    assert wish is not None
    for name, value in WISH_ANSWERS.get(SCHEMA_VERSION, {}).items():
        wish.answer(name, value)
    assert visit.submit().submitted, visit.blocking()
    consents = {kind: form.record_id for kind, form in visit.consents_of(head).items()}
    placement = ids.child_id(visit.household_id, secrets.randbits(20))
    with store.writing() as connection:
        # The app has no form of placements yet; stations and imports write them.
        outbox.add(connection, visit.household_id, [NewChange(
            "placement", placement,
            {"household_id": visit.household_id, "member_id": head.record_id,
             "placement_kind": "5", "employer_name": "坎边零工点", "place_code": f"{COUNTY}000000",
             "started_on": "2026-06-01", "monthly_wage": 2800, "contract": False,
             "responsible": "测试村干", "state": "on_job"},
            get(connection, "epoch", ""), 0, tick(connection, store.clock),
        )])  # fmt: skip
    return {
        "household": visit.household_id, "head": head.record_id, "mother": mother.record_id,
        "son": son.record_id, "intention": wish.record_id, "placement": placement,
        **{f"consent_{kind}": consent for kind, consent in consents.items()},
    }  # fmt: skip


def _edits(store: Store, family: dict[str, str]) -> None:
    visit = a_visit(store, family["household"])
    visit.household.answer("address", "坡上新屋")
    visit.record(family["head"]).answer("work_months", 6)
    visit.record(family["head"]).answer("work_wage", None)
    visit.record(family["intention"]).answer("wage_floor", 5000)
    if SCHEMA_VERSION < 3:
        visit.record(family["intention"]).answer("needs_meals", True)
    assert visit.submit().submitted, visit.blocking()


def _delete(store: Store, family: dict[str, str]) -> None:
    visit = a_visit(store, family["household"])
    visit.remove_member(visit.record(family["son"]))
    assert visit.submit().submitted, visit.blocking()


def _unsent(store: Store, family: dict[str, str]) -> None:
    """Leave changes that were sent without an answer, some that wait, and drafts of an open visit."""
    visit = a_visit(store, family["household"])
    visit.record(family["intention"]).answer(_lodging(), False if SCHEMA_VERSION < 3 else "0")
    visit.household.answer("phone", "13900000511")
    assert visit.submit().submitted, visit.blocking()
    with store.writing() as connection:
        assert outbox.next_batch(connection, 1) is not None
    second = a_filled_visit(store, "陆", 530)
    wish = second.intention_of(second.members[0])
    assert wish is not None
    for name, value in WISH_ANSWERS.get(SCHEMA_VERSION, {}).items():
        wish.answer(name, value)
    assert second.submit().submitted, second.blocking()
    _open_visit(store, family)


def _open_visit(store: Store, family: dict[str, str]) -> None:
    visit = a_visit(store)
    visit.household.answer("group_no", "五组")
    member = visit.add_member()
    for name, value in {"name": "蒙小妹", "sex": "2", "birth_date": "1995-02-03",
                        "relation": "02", "work_form": "2"}.items():  # fmt: skip
        member.answer(name, value)
    fill_wish(visit, member)
    wish = visit.intention_of(member)
    assert wish is not None
    wish.answer(_lodging(), True if SCHEMA_VERSION < 3 else "2")
    visit.position = Position(wish.record_id, "terms", _lodging())
    family["drafted_household"] = visit.household_id
    family["drafted_intention"] = wish.record_id


def _county_works(
    county: County, folder: Path, family: dict[str, str], clock: Callable[[], int]
) -> None:
    """Let the county approve a household, write beside the cadre, and back its database up."""
    second = county.phone(folder / "second.db", "cadre2")
    visit = a_filled_visit(second, "罗", 550)
    wish = visit.intention_of(visit.members[0])
    assert wish is not None
    for name, value in WISH_ANSWERS.get(SCHEMA_VERSION, {}).items():
        wish.answer(name, value)
    assert visit.submit().submitted, visit.blocking()
    _sync(second)
    second.close()
    lodging = {_lodging(): False if SCHEMA_VERSION < 3 else "0"}
    author = Author(COUNTY, "import", county.reviewer.id, None, COUNTY, "import")
    with writing(county.engine) as conn:
        change = Change(
            next_n(conn, COUNTY, "import"), "intention", family["intention"], 0, clock(), lodging
        )
        [applied] = apply_changes(conn, [change], author=author, sent_ms=clock(),
                                  received_ms=clock(), schema=SCHEMA_VERSION)  # fmt: skip
        assert applied.outcome == "conflict"
        bundle_seq = reviews_of(conn, COUNTY, [visit.household_id])[visit.household_id].bundle_seq
        approve(conn, COUNTY, visit.household_id, bundle_seq, user=county.reviewer,
                now_ms=clock(), new_id=county.server.new_id)  # fmt: skip
    make_backup(county.engine, FOLDER / "backup.zip", now_ms=clock())


def _sync(store: Store) -> None:
    result = sync_once(store)
    assert result.error is None, result.error


def _write_exchange(recorder: Recorder) -> None:
    for i, (_, body, answer) in enumerate(recorder.of("push"), start=1):
        (FOLDER / f"push_{i}.packed").write_bytes(body)
        _write_json(f"push_{i}.json", wire.unpack(body))
        _write_json(f"push_{i}_answer.json", wire.unpack(answer))
    path, _, answer = recorder.of("hello")[-1]
    _write_json("hello.json", {"request": path, "answer": json.loads(answer)})
    path, _, answer = recorder.of("pull")[0]
    _write_json("pull.json", {"request": path, "answer": _lines(answer)})
    path, _, answer = recorder.of("pull")[-1]
    _write_json("pull_last.json", {"request": path, "answer": _lines(answer)})


def _lines(answer: bytes) -> list[Any]:
    plain = zlib.decompressobj(15, wire.dictionary()).decompress(answer)
    return [json.loads(line) for line in plain.splitlines()]


def _declared() -> dict[str, Any]:
    """Return every declared field of this version with its widget and its codes."""
    return {
        kind.name: {
            name: {
                "widget": field.widget,
                **({"codes": [c.code for c in codes.code_list(field.codes).codes]}
                   if hasattr(field, "codes") else {}),
            }
            for name, field in kind.fields.items()
        }
        for kind in record_kinds()
    }  # fmt: skip


def _write_json(name: str, value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=1)
    (FOLDER / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
