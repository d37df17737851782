"""The outbox: submitted changes on their way to the county (sync.md 3.3).

A change waits without a number, so that it can be recalled. When it is first put into a batch it
gets the next `n` of this incarnation and never changes again. After the answer it stays, and stays
over the county's value, until a pull brings a row that covers it.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mobile.storage.database import dumps, get, put
from mobile.storage.drafts import Draft, keep
from mobile.storage.records import refresh
from shared_schemas import ids
from shared_schemas.changes import Change, content_hash

KEPT_MS = 90 * 24 * 3600 * 1000
"""How long an answered change stays, so that it can be offered to a restored server: 90 days."""


@dataclass(frozen=True, slots=True)
class NewChange:
    """A change as a submit writes it. `base` is a seq of `epoch`."""

    kind: str
    record_id: str
    values: Mapping[str, Any]
    epoch: str
    base: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes for one request: `n` without gaps, all written under one epoch of the server."""

    incarnation: str
    epoch: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server made of one change."""

    n: int
    outcome: str
    seq: int
    reason: str | None


def add(connection: sqlite3.Connection, household_id: str, changes: Iterable[NewChange]) -> None:
    """Put changes into the outbox and show them."""
    touched = {}
    for change in changes:
        connection.execute(
            "INSERT INTO outbox"
            ' (kind, record_id, household_id, epoch, base, at_ms, "values", state, covered)'
            " VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', 0)",
            (
                change.kind,
                change.record_id,
                household_id,
                change.epoch,
                change.base,
                change.at_ms,
                dumps(dict(change.values)),
            ),
        )
        touched[change.record_id] = change.kind
    for record_id, kind in touched.items():
        refresh(connection, kind, record_id)


def is_waiting(connection: sqlite3.Connection, household_id: str) -> bool:
    """Tell whether a household has changes that were never sent."""
    row = connection.execute(
        "SELECT 1 FROM outbox WHERE household_id = ? AND state = 'waiting'", (household_id,)
    ).fetchone()
    return row is not None


def recall(connection: sqlite3.Connection, household_id: str) -> bool:
    """Turn a household's changes that were never sent into drafts again; False when there is none."""
    waiting = connection.execute(
        "SELECT * FROM outbox WHERE household_id = ? AND state = 'waiting' ORDER BY id",
        (household_id,),
    ).fetchall()
    for row in waiting:
        drafts = [
            Draft(
                row["kind"], row["record_id"], name, value, row["epoch"], row["base"], row["at_ms"]
            )
            for name, value in json.loads(row["values"]).items()
        ]
        keep(connection, household_id, drafts)
        connection.execute("DELETE FROM outbox WHERE id = ?", (row["id"],))
    for row in waiting:
        refresh(connection, row["kind"], row["record_id"])
    return bool(waiting)


def count_unanswered(connection: sqlite3.Connection) -> int:
    """Count the changes that the server has not answered for."""
    count = connection.execute("SELECT count(*) FROM outbox WHERE state <> 'acked'").fetchone()[0]
    return int(count)


def count_unconfirmed(connection: sqlite3.Connection, since_ms: int) -> int:
    """Count the changes answered since then that the county stored and has not shown back.

    Held ones are not shown. A record that moved out of the phone's scope is not shown either.
    """
    count = connection.execute(
        "SELECT count(*) FROM outbox"
        " WHERE state = 'acked' AND covered = 0 AND seq > 0 AND answered_at_ms >= ?",
        (since_ms,),
    ).fetchone()[0]
    return int(count)


def next_batch(connection: sqlite3.Connection, size: int) -> Batch | None:
    """Return the next changes to send, None when there is none; those sent before come first.

    Run it in a writing transaction and commit before sending: it gives out `n`.
    """
    incarnation = get(connection, "incarnation")
    rows = connection.execute(
        "SELECT * FROM outbox WHERE state = 'sent' ORDER BY n LIMIT ?", (size,)
    ).fetchall()
    if len(rows) < size:
        rows += _number(connection, incarnation, size - len(rows))
    if not rows:
        return None
    known_epoch = get(connection, "epoch", "")
    epochs = [row["epoch"] or known_epoch for row in rows]
    same = next((i for i, epoch in enumerate(epochs) if epoch != epochs[0]), len(rows))
    return Batch(incarnation, epochs[0], tuple(_change(row) for row in rows[:same]))


def _change(row: sqlite3.Row) -> Change:
    return Change(
        row["n"],
        row["kind"],
        row["record_id"],
        row["base"],
        row["at_ms"],
        json.loads(row["values"]),
    )


def _number(connection: sqlite3.Connection, incarnation: str, most: int) -> list[sqlite3.Row]:
    """Give the next waiting changes their `n`; from here on they never change."""
    first = get(connection, "next_n", 1)
    waiting = connection.execute(
        "SELECT id FROM outbox WHERE state = 'waiting' ORDER BY id LIMIT ?", (most,)
    ).fetchall()
    connection.executemany(
        "UPDATE outbox SET state = 'sent', incarnation = ?, n = ? WHERE id = ?",
        [(incarnation, first + i, row["id"]) for i, row in enumerate(waiting)],
    )
    if waiting:
        put(connection, "next_n", first + len(waiting))
    return connection.execute(
        "SELECT * FROM outbox WHERE state = 'sent' AND n >= ? ORDER BY n", (first,)
    ).fetchall()


def keep_answers(
    connection: sqlite3.Connection, batch: Batch, answers: Sequence[Answer], now_ms: int
) -> None:
    """Keep what the server made of the changes of one request, and only of those."""
    asked = {change.n: change for change in batch.changes}
    for answer in answers:
        change = asked.get(answer.n)
        if change is None:
            continue
        is_shown = 0 < answer.seq <= _present_seq(connection, change.kind, change.record_id)
        connection.execute(
            "UPDATE outbox SET state = 'acked', outcome = ?, reason = ?, seq = ?, seen_seq = NULL,"
            " covered = ?, answered_at_ms = ? WHERE incarnation = ? AND n = ?",
            (
                answer.outcome,
                answer.reason,
                answer.seq,
                int(is_shown),
                now_ms,
                batch.incarnation,
                answer.n,
            ),
        )
        if is_shown:
            refresh(connection, change.kind, change.record_id)


def _present_seq(connection: sqlite3.Connection, kind: str, record_id: str) -> int:
    row = connection.execute(
        f'SELECT seq, generation FROM "{kind}" WHERE id = ?',  # noqa: S608
        (record_id,),
    ).fetchone()
    # A row from before the server was restored counts by the numbers of another life.
    is_present = row is not None and (row["generation"] or 0) >= get(connection, "generation", 0)
    return int(row["seq"] or 0) if is_present else 0


def cover(
    connection: sqlite3.Connection, kind: str, record_id: str, seq: int, values: Mapping[str, Any]
) -> None:
    """Let go of own changes that the county's row, of `seq` and `values`, has in it.

    A held change has no seq. It is let go when the row says the same (the county applied it), or
    when the record moves on from what it was when the change was held (the county saw and decided).
    """
    for row in connection.execute(
        'SELECT id, seq, seen_seq, "values" FROM outbox'
        " WHERE record_id = ? AND kind = ? AND state = 'acked' AND covered = 0",
        (record_id, kind),
    ).fetchall():
        if row["seq"] > 0:
            is_covered = row["seq"] <= seq
        else:
            own = json.loads(row["values"])
            says_the_same = all(values.get(name) == value for name, value in own.items())
            is_covered = says_the_same or (row["seen_seq"] is not None and row["seen_seq"] < seq)
        if is_covered:
            connection.execute("UPDATE outbox SET covered = 1 WHERE id = ?", (row["id"],))


def note_held(connection: sqlite3.Connection) -> None:
    """Note which version a record had when a change of it was held, now that all was pulled."""
    for row in connection.execute(
        "SELECT id, kind, record_id FROM outbox"
        " WHERE state = 'acked' AND covered = 0 AND seq = 0 AND seen_seq IS NULL"
    ).fetchall():
        seq = _present_seq(connection, row["kind"], row["record_id"])
        connection.execute("UPDATE outbox SET seen_seq = ? WHERE id = ?", (seq, row["id"]))


def new_incarnation(connection: sqlite3.Connection, lost: Iterable[int] = ()) -> str:
    """Begin a new life of this installation: what has no answer yet gets new numbers in it.

    `lost` are rows of answered changes to offer with them, in the order in which they were made.
    """
    incarnation = ids.incarnation_id(secrets.randbits(64))
    sent = connection.execute("SELECT id FROM outbox WHERE state = 'sent'").fetchall()
    numbered = sorted({*lost, *(row["id"] for row in sent)})
    # Not "waiting": the county may have them already, so they can no longer be recalled.
    connection.executemany(
        "UPDATE outbox SET state = 'sent', incarnation = ?, n = ?, outcome = NULL, reason = NULL,"
        " seq = NULL WHERE id = ?",
        [(incarnation, i, row_id) for i, row_id in enumerate(numbered, start=1)],
    )
    put(connection, "incarnation", incarnation)
    put(connection, "next_n", len(numbered) + 1)
    return incarnation


def lives(connection: sqlite3.Connection) -> list[str]:
    """Return this incarnation and the earlier ones whose answered changes are still kept."""
    present = get(connection, "incarnation")
    rows = connection.execute(
        "SELECT DISTINCT incarnation FROM outbox WHERE state = 'acked' AND incarnation <> ?",
        (present,),
    )
    return [present, *(row["incarnation"] for row in rows)]


def offer_lost(
    connection: sqlite3.Connection, stored: Mapping[str, tuple[int, str | None]]
) -> None:
    """Offer a restored server what it forgot.

    `stored` says for each of `lives` the highest n that the server has, and the hash of that change.
    Another hash than ours: a copy of this phone spoke first, and what the server has is the copy's.
    """
    present = get(connection, "incarnation")
    lost: list[int] = []
    is_new_life = stored[present][0] >= get(connection, "next_n", 1)
    for incarnation, (acked, acked_hash) in stored.items():
        rows = connection.execute(
            "SELECT * FROM outbox WHERE incarnation = ? AND state = 'acked' ORDER BY n",
            (incarnation,),
        ).fetchall()
        is_ours = _is_ours(rows, acked, acked_hash)
        forgotten = [row["id"] for row in rows if row["n"] > acked or not is_ours]
        is_new_life = is_new_life or not is_ours
        lost += forgotten
        # An older edit must not get a number after a newer one of the same life.
        is_new_life = is_new_life or bool(forgotten and incarnation != present)
    if is_new_life:
        new_incarnation(connection, lost)
    else:
        offer_again(connection, stored[present][0])


def _is_ours(rows: Sequence[sqlite3.Row], acked: int, acked_hash: str | None) -> bool:
    """Tell whether the server's last change of a life is the one that this phone sent."""
    last = next((row for row in rows if row["n"] == acked), None)
    if last is not None:
        return content_hash(_change(last)) == acked_hash
    # What lies below was let go after its time; above it, the server knows more than the phone.
    return not rows or acked < rows[0]["n"]


def offer_again(connection: sqlite3.Connection, acked: int) -> int:
    """Take back the answers that the server no longer knows: those above `acked`.

    Where a number is missing between, a new incarnation begins. Returns how many changes will be
    sent again.
    """
    lost = connection.execute(
        "SELECT id, kind, record_id FROM outbox"
        " WHERE incarnation = ? AND n > ? AND state = 'acked' ORDER BY n",
        (get(connection, "incarnation"), acked),
    ).fetchall()
    connection.executemany(
        "UPDATE outbox SET state = 'sent', outcome = NULL, reason = NULL, seq = NULL, covered = 0"
        " WHERE id = ?",
        [(row["id"],) for row in lost],
    )
    for row in lost:
        refresh(connection, row["kind"], row["record_id"])
    first = connection.execute("SELECT min(n) FROM outbox WHERE state = 'sent'").fetchone()[0]
    lowest_free = get(connection, "next_n", 1)
    if (first if first is not None else lowest_free) > acked + 1:
        # What lay between was let go after its time: the count cannot be closed in this life.
        new_incarnation(connection)
    return len(lost)


def prune(connection: sqlite3.Connection, now_ms: int) -> None:
    """Let go of changes that the county answered and showed back more than 90 days ago.

    `now_ms` and the times of the answers are the server's: a phone's clock may jump by years.
    """
    connection.execute(
        "DELETE FROM outbox WHERE state = 'acked' AND covered = 1 AND answered_at_ms < ?",
        (now_ms - KEPT_MS,),
    )
