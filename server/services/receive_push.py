"""Stores a phone's changes, each once, however often and in whatever pieces they arrive."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
from sqlalchemy import Connection

from server.services.apply_changes import Applied, Author, apply_changes
from server.services.build_pull import shown_to
from server.storage.changes import (
    AGAIN,
    LoggedChange,
    StoredOutcome,
    add_changes,
    same_edits,
    stored_outcomes,
)
from server.storage.devices import (
    Device,
    begin_incarnation,
    incarnation_of,
    lock_device,
    note_sync,
    set_acked,
)
from server.storage.meta import epoch_of
from shared_schemas import SCHEMA_VERSION
from shared_schemas.changes import Change, HeldReason, Outcome, content_hash
from shared_schemas.errors import ChushanError
from shared_schemas.messages import PushRequest
from shared_schemas.protocol import MAX_CHANGES, PROTOCOL, SUPPORTED_PROTOCOLS
from shared_schemas.wire import ungroup_changes

_push_request = PushRequest()


@dataclass(frozen=True, slots=True)
class Push:
    """A batch of changes of one incarnation, as `messages.PushRequest` checked it."""

    incarnation: str
    epoch: str
    schema: int
    sent_ms: int
    changes: Sequence[Change]
    brief: bool = False
    """Whether the phone understands runs of outcomes, and reckons what a pull would show."""


@dataclass(frozen=True, slots=True)
class PushResult:
    """What the phone is told. `outcomes` has every change of the batch, old ones too."""

    epoch: str
    acked: int
    received_ms: int
    outcomes: Sequence[Applied]
    new: int
    """How many changes had not been here before."""
    shown: Mapping[str, Any] | None = None
    """What a pull would bring of what was written, as `messages.Shown`."""
    brief: bool = False

    def to_message(self) -> dict[str, Any]:
        """Return the answer as `messages.PushAnswer` describes it."""
        rows: list[dict[str, Any]] = [
            {
                "n": entry.n,
                "outcome": entry.outcome.value,
                "seq": entry.seq,
                **({"reason": entry.reason} if entry.reason else {}),
            }
            for entry in self.outcomes
        ]
        return {
            "epoch": self.epoch,
            "acked": self.acked,
            "received_at_ms": self.received_ms,
            "outcomes": list(_runs(rows)) if self.brief else rows,
            **({"shown": self.shown} if self.shown else {}),
        }


def _runs(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the rows with those in one whose n and seq follow each other by one."""
    run: dict[str, Any] = {}
    for row in rows:
        count = run.get("count", 1)
        following = {**run, "n": row["n"], "seq": row["seq"]}
        following.pop("count", None)
        is_next = run and (row["n"] - run["n"], row["seq"] - run["seq"]) == (count, count)
        if is_next and following == row:
            run["count"] = count + 1
            continue
        if run:
            yield run
        run = dict(row)
    if run:
        yield run


def push_from_message(message: Any) -> Push:
    """Return the push of a `PushRequest` as it arrived; ChushanError where it cannot be one batch."""
    try:
        loaded: dict[str, Any] = _push_request.load(message)
    except ma.ValidationError as error:
        if (
            isinstance(message, dict)
            and message.get("protocol", PROTOCOL) not in SUPPORTED_PROTOCOLS
        ):
            raise ChushanError("unknown_protocol", supported=sorted(SUPPORTED_PROTOCOLS)) from error
        raise ChushanError("invalid_message", errors=error.messages_dict) from error
    groups = [
        {"kind": group["kind"], "fields": group["fields_"], "rows": group["rows"]}
        for group in loaded["changes"]
    ]
    if sum(len(group["rows"]) for group in groups) > MAX_CHANGES:
        raise ChushanError("invalid_message", detail=f"at most {MAX_CHANGES} changes in one push")
    changes = ungroup_changes(groups)
    if any(b.n != a.n + 1 for a, b in itertools.pairwise(changes)):
        raise ChushanError("invalid_message", detail="n has a gap or repeats within the batch")
    return Push(
        loaded["incarnation"],
        loaded["epoch"],
        loaded["schema"],
        loaded["sent_at_ms"],
        changes,
        loaded["brief"],
    )


def receive_push(conn: Connection, push: Push, *, device: Device, now_ms: int) -> PushResult:
    """Store a phone's changes, merge what can be merged, hold the rest for the county.

    Sent again, a change has no further effect and its first outcome is answered. ChushanError
    sequence_gap (with `acked`) where earlier changes are missing; forked where a change differs
    from what this incarnation sent before under the same `n`, or the incarnation is another
    phone's: a copied or restored phone, which takes a new incarnation and sends again. What it had
    sent under the old one is known by its content, and has no second effect either.
    """
    county = device.county
    lock_device(conn, county, device.id)
    known = incarnation_of(conn, county, push.incarnation, lock=True)
    if known is None:
        begin_incarnation(conn, county, push.incarnation, device.id, now_ms)
        known = incarnation_of(conn, county, push.incarnation, lock=True)
    if known is None or known.device_id != device.id:
        raise ChushanError("forked")
    acked = known.acked_n
    if push.changes and push.changes[0].n > acked + 1:
        raise ChushanError("sequence_gap", acked=acked)
    hashes = {change.n: content_hash(change) for change in push.changes}
    before = _outcomes_before(conn, county, push, acked)
    if any(before[n].hash != hashes[n] for n in before):
        raise ChushanError("forked")
    fresh = [change for change in push.changes if change.n > acked]
    renumbered = same_edits(conn, county, push.incarnation, fresh)
    epoch = epoch_of(conn)
    author = Author(county, push.incarnation, device.user_id, device.id, device.scope, "device")
    applied = apply_changes(
        conn,
        [change for change in fresh if change.n not in renumbered],
        author=author,
        sent_ms=push.sent_ms,
        received_ms=now_ms,
        schema=push.schema,
        lost=push.epoch != epoch,
        hold=None if device.state == "active" else HeldReason.DEVICE_REVOKED,
        hashes=hashes,
    )
    add_changes(
        conn,
        county,
        [
            _logged_again(change, renumbered[change.n], push, device, hashes, now_ms)
            for change in fresh
            if change.n in renumbered
        ],
    )
    if fresh:
        acked = fresh[-1].n
        set_acked(conn, county, push.incarnation, acked)
    skew_s = round((push.sent_ms - now_ms) / 1000)
    note_sync(conn, county, device.id, now_ms=now_ms, clock_skew_s=_bounded(skew_s))
    again = [
        Applied(n, Outcome(row.outcome), row.seq, row.reason)
        for n, row in {**before, **renumbered}.items()
    ]
    outcomes = sorted([*again, *applied], key=lambda entry: entry.n)
    shown = _shown(conn, push, device, applied) if push.brief else None
    return PushResult(
        epoch, acked, now_ms, outcomes, new=len(applied), shown=shown, brief=push.brief
    )


def _shown(
    conn: Connection, push: Push, device: Device, applied: Sequence[Applied]
) -> dict[str, Any] | None:
    seqs = [entry.seq for entry in applied if entry.seq]
    # What was written under another schema looks otherwise when it comes back.
    if not seqs or push.schema != SCHEMA_VERSION:
        return None
    return shown_to(conn, device, min(seqs), max(seqs))


def read_outcomes(
    conn: Connection, device: Device, incarnation: str, first: int, last: int
) -> list[dict[str, Any]]:
    """Return what became of a phone's changes, as `messages.OutcomesAnswer` lists them.

    Nothing of an incarnation that is another phone's.
    """
    known = incarnation_of(conn, device.county, incarnation)
    if known is None or known.device_id != device.id:
        return []
    stored = stored_outcomes(conn, device.county, incarnation, first, last)
    return [_outcome_row(stored[n]) for n in sorted(stored)]


def _outcome_row(stored: StoredOutcome) -> dict[str, Any]:
    told = {name: getattr(stored, name) for name in ("n", "outcome", "seq", "hash")}
    said = {name: getattr(stored, name) for name in ("reason", "resolution", "note")}
    # That it came again is the log's affair: for its author it waits like the first one.
    return told | {name: value for name, value in said.items() if value not in (None, AGAIN)}


def _logged_again(
    change: Change,
    first: StoredOutcome,
    push: Push,
    device: Device,
    hashes: Mapping[int, str],
    now_ms: int,
) -> LoggedChange:
    return LoggedChange(
        change=change,
        incarnation=push.incarnation,
        hash=hashes[change.n],
        schema=push.schema,
        author_id=device.user_id,
        device_id=device.id,
        received_at_ms=now_ms,
        eff_ms=first.eff_ms,
        outcome=Outcome(first.outcome),
        seq=first.seq,
        reason=first.reason,
        village_code=first.village_code,
        resolution=AGAIN,
    )


def _outcomes_before(
    conn: Connection, county: str, push: Push, acked: int
) -> dict[int, StoredOutcome]:
    numbers = [change.n for change in push.changes if change.n <= acked]
    if not numbers:
        return {}
    return stored_outcomes(conn, county, push.incarnation, numbers[0], numbers[-1])


def _bounded(skew_s: int) -> int:
    return max(-(2**31) + 1, min(skew_s, 2**31 - 1))
