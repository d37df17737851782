"""Faults planted on purpose: each must be caught by some schedule, or the simulation is blind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import requests

from mobile.storage import inbox, outbox
from mobile.storage import records as phone_records
from mobile.sync import attempt
from mobile.sync.client import Client, CutShort
from server.services import apply_changes, build_pull, receive_push
from server.storage import feed
from shared_schemas import merge, wire
from shared_schemas.records import record_kind

from .simulation import run
from .world import World

Plant = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Mutation:
    """A planted fault. `quick`: few schedules find it, so every test run tries it."""

    name: str
    plant: Plant
    quick: bool = True


def _replaced(target: Any, name: str, make: Callable[[Any], Any]) -> Plant:
    return lambda: mock.patch.object(target, name, make(getattr(target, name)))


class _AnyHash(str):
    """A hash that equals every other."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


def _hashes_not_compared(real: Any) -> Any:
    return lambda *args: {
        n: replace(row, hash=_AnyHash(row.hash)) for n, row in real(*args).items()
    }


def _ignoring_base(real: Any) -> Any:
    def merge_change(current: Any, change: Any, **rest: Any) -> Any:
        return real(current, replace(change, base=1 << 40), **{**rest, "lost": False})

    return merge_change


def _dropping_held(real: Any) -> Any:
    def add_changes(conn: Any, county: str, logged: Any) -> None:
        real(conn, county, [entry for entry in logged if entry.outcome != "held"])

    return add_changes


def _repeating_numbers(real: Any) -> Any:
    def allocate(conn: Any, county: str, count: int, **rest: Any) -> int:
        return int(real(conn, county, count, **rest)) - 1

    return allocate


def _acking_everything(real: Any) -> Any:
    def keep_answers(connection: Any, batch: Any, answers: Any, now_ms: int) -> None:
        real(connection, batch, answers, now_ms)
        connection.execute(
            "UPDATE outbox SET state = 'acked', outcome = 'applied', seq = 0, covered = 1"
            " WHERE state IN ('sent', 'waiting')"
        )

    return keep_answers


def _covered_at_once(real: Any) -> Any:
    def keep_answers(connection: Any, batch: Any, answers: Any, now_ms: int) -> None:
        real(connection, batch, answers, now_ms)
        connection.execute("UPDATE outbox SET covered = 1 WHERE state = 'acked'")
        for change in batch.changes:
            phone_records.refresh(connection, change.kind, change.record_id)

    return keep_answers


def _dropping_at_rebirth(real: Any) -> Any:
    def new_incarnation(connection: Any, lost: Sequence[int] = ()) -> str:
        connection.execute("DELETE FROM outbox WHERE state = 'sent'")
        return str(real(connection))

    return new_incarnation


def _same_life(_real: Any) -> Any:
    return lambda connection, lost=(): "the old one"


def _pruning_at_once(_real: Any) -> Any:
    return lambda connection, now_ms, backed_up_ms: connection.execute(
        "DELETE FROM outbox WHERE state = 'acked' AND covered = 1"
    )


def _lost_answer_acked(real: Any) -> Any:
    def push(self: Client, body: bytes) -> Any:
        try:
            return real(self, body)
        except CutShort:
            sent = wire.ungroup_changes(wire.unpack(body)["changes"])
            told = [{"n": c.n, "outcome": "applied", "seq": 0} for c in sent]
            return {"epoch": "", "acked": sent[-1].n, "received_at_ms": 0, "outcomes": told}

    return push


def _no_sources(real: Any) -> Any:
    return lambda *args: [replace(shown, sources={}) for shown in real(*args)]


def _page_kept_without_rows(real: Any) -> Any:
    def apply_lines(connection: Any, lines: Any) -> Any:
        if len(lines) and lines[-1]["more"]:
            inbox.put(connection, "cursor", lines[-1]["cursor"])
            return 0, 0
        return real(connection, lines)

    return apply_lines


def _letting_go_of_everything(_real: Any) -> Any:
    def let_go(connection: Any) -> None:
        generation = inbox.get(connection, "generation", 0)
        for kind in inbox.kept_kinds(connection):
            connection.execute(f'DELETE FROM "{kind}" WHERE generation < ?', (generation,))

    return let_go


def _knowing_every_tag(real: Any) -> Any:
    def commit_of(conn: Any, county: str, seq: int) -> Any:
        found = real(conn, county, seq)
        return build_pull.Commit(seq, _AnyHash("")) if found is None else replace(
            found, tag=_AnyHash(found.tag))  # fmt: skip

    return commit_of


def _wiping_the_unknown(real: Any) -> Any:
    def finer(kind: str, present: Any, values: Any, schema: int) -> Any:
        unknown = [n for n, f in record_kind(kind).fields.items() if f.info.since > schema]
        return {**real(kind, present, values, schema), **dict.fromkeys(unknown)}

    return finer


def _naming_households_only(real: Any) -> Any:
    return lambda touched: [row for row in real(touched) if row["kind"] == "household"]


MUTATIONS: tuple[Mutation, ...] = (
    Mutation("the idempotency check is skipped",
             _replaced(receive_push, "set_acked", lambda _real: lambda *args: None)),
    Mutation("a cursor is off by one", _replaced(build_pull, "seq_of_cursor",
             lambda real: lambda *args: real(*args) + bool(real(*args)))),
    Mutation("the base of an edit is ignored",
             _replaced(apply_changes, "merge_change", _ignoring_base)),
    Mutation("held changes are dropped",
             _replaced(apply_changes, "add_changes", _dropping_held)),
    Mutation("the device sequence goes on after a restore of the phone",
             _replaced(outbox, "new_incarnation", _same_life)),
    Mutation("an ack is taken for other batches as well",
             _replaced(outbox, "keep_answers", _acking_everything)),
    Mutation("an own value is not shown after its ack",
             _replaced(outbox, "keep_answers", _covered_at_once)),
    Mutation("hashes of changes sent again are not compared",
             _replaced(receive_push, "_outcomes_before", _hashes_not_compared), quick=False),
    Mutation("answered changes are let go at once",
             _replaced(outbox, "prune", _pruning_at_once), quick=False),
    Mutation("unanswered changes are dropped when a new life begins",
             _replaced(outbox, "new_incarnation", _dropping_at_rebirth), quick=False),
    Mutation("what the county decided is overwritten",
             lambda: mock.patch.object(merge, "COUNTY", "nobody"), quick=False),
    Mutation("a number of the feed is given twice",
             _replaced(apply_changes, "allocate", _repeating_numbers)),
    Mutation("a lost answer counts as an ack", _replaced(Client, "push", _lost_answer_acked)),
    Mutation("losing values are not kept",
             _replaced(apply_changes, "add_conflicts", lambda _real: lambda conn, rows: None)),
    Mutation("an edit sent anew in another life counts again",
             _replaced(receive_push, "same_edits", lambda _real: lambda *args: {})),
    Mutation("the time of an edit is not clamped",
             _replaced(apply_changes, "effective_ms", lambda _real: lambda at_ms, **_: at_ms)),
    Mutation("a restored server is not offered what it forgot",
             _replaced(outbox, "offer_lost", lambda _real: lambda connection, stored: None),
             quick=False),
    Mutation("rows that left the phone's scope stay on it",
             _replaced(inbox, "let_go", lambda _real: lambda connection: None)),
    Mutation("rows are let go of with unsent work in them",
             _replaced(inbox, "let_go", _letting_go_of_everything)),
    Mutation("who moves with a household stays where he was",
             _replaced(apply_changes, "_move_children", lambda _real: lambda work: None)),
    Mutation("an older phone wipes what it does not know",
             _replaced(apply_changes, "finer", _wiping_the_unknown), quick=False),
    Mutation("a household that leaves names nobody who left with it",
             _replaced(apply_changes, "_departures", _naming_households_only), quick=False),
    Mutation("nobody is told that a household has moved away",
             _replaced(apply_changes, "add_departures", lambda _real: lambda *args: None)),
    Mutation("a pull loses a row",
             _replaced(build_pull, "rows_between", lambda real: lambda *a, **k: real(*a, **k)[:-1])),
    Mutation("a database that was copied back is not noticed",
             _replaced(build_pull, "commit_of", _knowing_every_tag), quick=False),
    Mutation("nobody asks what became of held changes",
             _replaced(outbox, "held_ranges", lambda _real: lambda *args: [])),
    Mutation("a change that the county closed waits for ever",
             _replaced(outbox, "keep_settled", lambda _real: lambda *args: outbox.Settled())),
    Mutation("an edit over an own unconfirmed one takes the newest base",
             _replaced(phone_records, "shown_records", _no_sources), quick=False),
    Mutation("what a push wrote is believed uncompared",
             _replaced(inbox.wire, "rows_digest", lambda _real: lambda _rows: "")),
    Mutation("the cursor of a page is kept without its rows",
             _replaced(inbox, "apply_lines", _page_kept_without_rows)),
    Mutation("the scope of a phone is not asked", _replaced(feed, "_asked",
             lambda real: lambda county, scope, **more: real(county, county, **more))),
)  # fmt: skip


def caught_after(world: World, mutation: Mutation, most: int, first: int = 1) -> int | None:
    """Return after how many schedules the planted fault was caught, None when it was not.

    A schedule that fails without the fault as well has caught nothing.
    """
    for i in range(most):
        if _fails(world, first + i, mutation.plant) and not _fails(world, first + i, nullcontext):
            return i + 1
    return None


def _fails(world: World, seed: int, plant: Plant) -> bool:
    with plant(), mock.patch.object(attempt, "FRUITLESS", 3):
        try:
            run(world, seed)
        except (Exception, requests.ConnectionError):
            # Whatever shows the fault: a broken invariant, or the server failing.
            return True
    return False
