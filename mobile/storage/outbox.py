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

from mobile.storage.database import dumps, get, put, tick
from mobile.storage.drafts import Draft, keep
from mobile.storage.records import refresh, values_of
from shared_schemas import SCHEMA_VERSION, ids
from shared_schemas.changes import Change, content_hash

KEPT_MS = 90 * 24 * 3600 * 1000
"""How long an answered change stays, so that it can be offered to a restored server: 90 days."""


BACKUP_MARGIN_MS = 3600 * 1000
"""A change answered so shortly before a backup may have been committed after it began: an hour."""


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
    """Changes for one request: `n` without gaps, of one epoch of the server and one schema."""

    incarnation: str
    epoch: str
    schema: int
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
            " (kind, record_id, household_id, epoch, base, at_ms, schema,"
            ' "values", state, covered)'
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting', 0)",
            (
                change.kind,
                change.record_id,
                household_id,
                change.epoch,
                change.base,
                change.at_ms,
                SCHEMA_VERSION,
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
            for name, value in values_of(row).items()
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


def count_waiting(connection: sqlite3.Connection) -> int:
    """Count the changes that were never sent nor written into a hand-over file."""
    count = connection.execute("SELECT count(*) FROM outbox WHERE state = 'waiting'").fetchone()[0]
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


def next_batch(connection: sqlite3.Connection, size: int, *, after: int = 0) -> Batch | None:
    """Return the next changes to send, None when there is none; those sent before come first.

    `after`: only those with a higher `n`. Run it in a writing transaction and commit before sending: it gives out `n`.
    """
    incarnation = get(connection, "incarnation")
    rows = connection.execute(
        "SELECT * FROM outbox WHERE state = 'sent' AND n > ? ORDER BY n LIMIT ?", (after, size)
    ).fetchall()
    if len(rows) < size:
        rows += _number(connection, incarnation, size - len(rows))
    if not rows:
        return None
    known_epoch = get(connection, "epoch", "")
    marks = [(row["epoch"] or known_epoch, row["schema"]) for row in rows]
    same = next((i for i, mark in enumerate(marks) if mark != marks[0]), len(rows))
    epoch, schema = marks[0]
    return Batch(incarnation, epoch, schema, tuple(_change(row) for row in rows[:same]))


def _change(row: sqlite3.Row) -> Change:
    """Return a change as it was written, whatever the schema is by now: it is sent like that."""
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
    if any(answer.outcome == "held" for answer in answers):
        # Sent before, it may be settled already, in what was told when it had no answer yet.
        put(connection, "settled", None)
    for answer in answers:
        change = asked.get(answer.n)
        if change is not None:
            _keep_answer(connection, batch.incarnation, change, answer, now_ms)


def _keep_answer(
    connection: sqlite3.Connection, incarnation: str, change: Change, answer: Answer, now_ms: int
) -> None:
    is_shown = 0 < answer.seq <= _present_seq(connection, change.kind, change.record_id)
    connection.execute(
        "UPDATE outbox SET state = 'acked', outcome = ?, reason = ?, seq = ?,"
        " resolution = NULL, note = NULL, covered = ?, answered_at_ms = ? WHERE incarnation = ? AND n = ?",
        (
            answer.outcome,
            answer.reason,
            answer.seq,
            int(is_shown),
            now_ms,
            incarnation,
            answer.n,
        ),
    )
    if is_shown:
        refresh(connection, change.kind, change.record_id)


def keep_receipt(
    connection: sqlite3.Connection,
    incarnation: str,
    told: Sequence[Mapping[str, Any]],
    now_ms: int,
) -> list[Answer]:
    """Keep the answers that somebody brought; `told` are `messages.StoredOutcomeRow`.

    Returns those to changes that had no answer yet. Older words than the phone has are passed over,
    and answers to another change under the same number (a copy of this phone sent it).
    """
    answers, open_ones = [], []
    for now in told:
        row = connection.execute(
            "SELECT * FROM outbox WHERE incarnation = ? AND n = ?"
            " AND (state = 'sent' OR outcome = 'held' AND resolution IS NULL)",
            (incarnation, now["n"]),
        ).fetchone()
        if row is None or content_hash(_change(row)) != now["hash"]:
            continue
        open_ones.append(now)
        if row["state"] == "sent":
            answer = Answer(now["n"], now["outcome"], now["seq"], now.get("reason"))
            _keep_answer(connection, incarnation, _change(row), answer, now_ms)
            answers.append(answer)
    keep_settled(connection, incarnation, open_ones)
    return answers


def _present_seq(connection: sqlite3.Connection, kind: str, record_id: str) -> int:
    row = connection.execute(
        f'SELECT seq, generation FROM "{kind}" WHERE id = ?',  # noqa: S608
        (record_id,),
    ).fetchone()
    # A row from before the server was restored counts by the numbers of another life.
    is_present = row is not None and (row["generation"] or 0) >= get(connection, "generation", 0)
    return int(row["seq"] or 0) if is_present else 0


@dataclass(frozen=True, slots=True)
class Settled:
    """How many held changes the county has applied by now, and how many it closed."""

    applied: int = 0
    closed: int = 0


Range = tuple[str, int, int]
"""An incarnation, and its changes from one n to another."""


def held_ranges(connection: sqlite3.Connection, most: int) -> list[Range]:
    """Return ranges, each at most `most` wide, in which all changes lie that are held to our knowledge."""
    return _ranges(connection, "outcome = 'held' AND resolution IS NULL", most)


def answered_ranges(connection: sqlite3.Connection, most: int) -> list[Range]:
    """Return ranges, each at most `most` wide, in which all answered changes lie."""
    return _ranges(connection, "true", most)


def _ranges(connection: sqlite3.Connection, wanted: str, most: int) -> list[Range]:
    rows = connection.execute(
        f"SELECT incarnation, n FROM outbox WHERE state = 'acked' AND {wanted}"  # noqa: S608
        " ORDER BY incarnation, n"
    ).fetchall()
    ranges: list[Range] = []
    for row in rows:
        if ranges and ranges[-1][0] == row["incarnation"] and row["n"] < ranges[-1][1] + most:
            ranges[-1] = (row["incarnation"], ranges[-1][1], row["n"])
        else:
            ranges.append((row["incarnation"], row["n"], row["n"]))
    return ranges


def keep_settled(
    connection: sqlite3.Connection, incarnation: str, told: Iterable[Mapping[str, Any]]
) -> Settled:
    """Keep what has become of answered changes since; `told` are `messages.StoredOutcomeRow`.

    A change that the county closed is let go: the record shows the county's value again.
    """
    applied = closed = 0
    for now in told:
        row = connection.execute(
            "SELECT * FROM outbox WHERE incarnation = ? AND n = ? AND state = 'acked'",
            (incarnation, now["n"]),
        ).fetchone()
        if row is None or content_hash(_change(row)) != now["hash"]:
            continue  # it was let go after its time, or a copy of this phone sent another one
        is_closed = now.get("resolution") == "dismissed"
        was = (row["outcome"], row["seq"], row["resolution"])
        if was == (now["outcome"], now["seq"], now.get("resolution")):
            continue
        applied += row["outcome"] == "held" and now["outcome"] != "held"
        closed += is_closed
        is_shown = 0 < now["seq"] <= _present_seq(connection, row["kind"], row["record_id"])
        connection.execute(
            "UPDATE outbox SET outcome = ?, reason = ?, seq = ?, resolution = ?, note = ?,"
            " covered = ? WHERE id = ?",
            (
                now["outcome"],
                now.get("reason"),
                now["seq"],
                now.get("resolution"),
                now.get("note"),
                int(is_shown or is_closed),
                row["id"],
            ),
        )
        refresh(connection, row["kind"], row["record_id"])
        if is_closed:
            _give_back(connection, row)
    return Settled(applied, closed)


def _give_back(connection: sqlite3.Connection, closed: sqlite3.Row) -> None:
    """Make drafts of what was closed, where its record is gone with it while the cadre is at work there.

    The county never had the record: without this his answers, or members that wait at the county,
    would stand in a household that no list shows. He hands all of it in again, or throws it away.
    """
    kind, record_id, household_id = closed["kind"], closed["record_id"], closed["household_id"]
    drafts = connection.execute(
        "SELECT record_id, field FROM draft WHERE household_id = ?", (household_id,)
    ).fetchall()
    here = connection.execute(f'SELECT 1 FROM "{kind}" WHERE id = ?', (record_id,))  # noqa: S608
    others = connection.execute(
        "SELECT 1 FROM outbox WHERE household_id = ? AND covered = 0", (household_id,)
    )
    is_at_work = drafts or (kind == "household" and others.fetchone())
    if not is_at_work or here.fetchone():
        return
    touched = {row["field"] for row in drafts if row["record_id"] == record_id}
    values: dict[str, Any] = {}
    for row in connection.execute(
        "SELECT * FROM outbox WHERE kind = ? AND record_id = ? AND resolution = 'dismissed'"
        " ORDER BY id",
        (kind, record_id),
    ):
        values.update(values_of(row))
    # Handed in again it is another edit than the one that was closed.
    at_ms = tick(connection, lambda: int(closed["at_ms"]))
    keep(
        connection,
        household_id,
        [
            Draft(kind, record_id, name, value, closed["epoch"], closed["base"], at_ms)
            for name, value in values.items()
            if name not in touched
        ],
    )


def tally(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many changes of this incarnation were answered, by outcome; those let go count too."""
    counts = dict(get(connection, "let_go", {}))
    for outcome, count in connection.execute(
        "SELECT outcome, count(*) FROM outbox WHERE incarnation = ? AND state = 'acked'"
        " GROUP BY outcome",
        (get(connection, "incarnation"),),
    ):
        counts[outcome] = counts.get(outcome, 0) + count
    return counts


def cover(connection: sqlite3.Connection, kind: str, record_id: str, seq: int) -> None:
    """Let go of own changes that the county's row of `seq` has in it.

    A held change has no seq: it stays until the county has settled it (`keep_settled`).
    """
    connection.execute(
        "UPDATE outbox SET covered = 1 WHERE record_id = ? AND kind = ? AND state = 'acked'"
        " AND covered = 0 AND seq > 0 AND seq <= ?",
        (record_id, kind, seq),
    )


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
        " resolution = NULL, note = NULL, seq = NULL WHERE id = ?",
        [(incarnation, i, row_id) for i, row_id in enumerate(numbered, start=1)],
    )
    put(connection, "incarnation", incarnation)
    put(connection, "next_n", len(numbered) + 1)
    put(connection, "let_go", {})
    return incarnation


def last_answered(connection: sqlite3.Connection) -> dict[str, tuple[int, str]]:
    """Return the highest n of each incarnation that has an answer, and the hash of that change."""
    rows = connection.execute(
        "SELECT * FROM outbox AS last WHERE state = 'acked' AND n = (SELECT max(n) FROM outbox"
        " WHERE incarnation = last.incarnation AND state = 'acked') ORDER BY incarnation"
    )
    return {row["incarnation"]: (row["n"], content_hash(_change(row))) for row in rows}


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
        "UPDATE outbox SET state = 'sent', outcome = NULL, reason = NULL, resolution = NULL,"
        " note = NULL, seq = NULL, covered = 0 WHERE id = ?",
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


def prune(connection: sqlite3.Connection, now_ms: int, backed_up_ms: int | None) -> None:
    """Let go of changes that the county answered and showed back more than 90 days ago.

    Never of one that is in no backup of the county's yet: after a restore it is asked for again.
    `now_ms`, `backed_up_ms` and the times of the answers are the server's: a phone's clock may jump
    by years.
    """
    before_ms = min(now_ms - KEPT_MS, (backed_up_ms or 0) - BACKUP_MARGIN_MS)
    # Nor of one that outdoes an older one which is still held: the record would show that again.
    old = (
        "state = 'acked' AND covered = 1 AND answered_at_ms < ? AND NOT EXISTS ("
        "SELECT 1 FROM outbox AS older WHERE older.record_id = outbox.record_id"
        " AND older.covered = 0 AND older.id < outbox.id)"
    )
    counts = dict(get(connection, "let_go", {}))
    for outcome, count in connection.execute(
        f"SELECT outcome, count(*) FROM outbox WHERE {old} AND incarnation = ? GROUP BY outcome",  # noqa: S608
        (before_ms, get(connection, "incarnation")),
    ).fetchall():
        counts[outcome] = counts.get(outcome, 0) + count
    connection.execute(f"DELETE FROM outbox WHERE {old}", (before_ms,))  # noqa: S608
    put(connection, "let_go", counts)
