"""What came down: the county's rows, reviews, conflicts, divisions, and the cursor after them.

A page is stored with its cursor in one transaction, so a cut or a kill between two pages neither
loses nor repeats a row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from mobile.storage import drafts
from mobile.storage.database import dumps, encode, get, put
from mobile.storage.outbox import Answer, Batch, cover
from mobile.storage.records import refresh, values_of
from mobile.storage.search import index_waiting
from shared_schemas import SCHEMA_VERSION, wire
from shared_schemas.changes import SUM_PRIMES
from shared_schemas.fields import Declared
from shared_schemas.records import is_record_kind, record_kind, record_kinds
from shared_schemas.upgrade import row_up

_BESIDE_RECORDS = ("review", "conflict", "person")
"""Kinds of the feed that are no records."""

NO_EPOCH = "0"
"""Stands for a life of the server that is over, whatever it was called."""

MOST_SPANS = 20
"""Pushes of which a pull is told that their records are here; it is part of an address, which is short."""

GONE = -1
"""Generation of a row that left the phone's scope and waits to be let go."""


def apply_lines(
    connection: sqlite3.Connection, lines: Sequence[Mapping[str, Any]]
) -> tuple[int, int]:
    """Store pulled lines and the cursor of the last.

    Returns how many rows they had, and how many of these are records that others have written: the
    rest are this phone's own changes shown back, reviews and conflicts.
    """
    epoch = get(connection, "epoch", "")
    generation = get(connection, "generation", 0)
    pending = {row[0] for row in connection.execute(
        "SELECT DISTINCT record_id FROM outbox WHERE covered = 0"
    )}  # fmt: skip
    own = {row[0] for row in connection.execute(
        "SELECT seq FROM outbox WHERE covered = 0 AND seq > 0"
    )}  # fmt: skip
    # An older server than this app speaks its own schema.
    schema = min(SCHEMA_VERSION, dict(get(connection, "hello", {})).get("schema", SCHEMA_VERSION))
    count = news = 0
    for line in lines:
        for group in line["groups"]:
            rows = wire.ungroup_rows(group)
            if schema < SCHEMA_VERSION:
                rows = [(rid, seq, row_up(group["kind"], v, schema)) for rid, seq, v in rows]
            count += len(rows)
            if is_record_kind(group["kind"]):
                news += sum(seq not in own for _, seq, _ in rows)
                _store_records(connection, group["kind"], rows, epoch, generation, pending)
            elif group["kind"] == "review":
                _store_reviews(connection, rows, generation)
            elif group["kind"] == "conflict":
                _store_conflicts(connection, rows, generation)
            elif group["kind"] == "person":
                _store_persons(connection, rows, generation)
            elif group["kind"] == "departed":
                for record_id, seq, values in rows:
                    _let_leave(connection, str(values.get("kind")), record_id, seq)
    if lines:
        put(connection, "cursor", lines[-1]["cursor"])
    return count, news


def _store_records(
    connection: sqlite3.Connection,
    kind: str,
    rows: Sequence[wire.Row],
    epoch: str,
    generation: int,
    pending: set[str],
) -> None:
    fields = record_kind(kind).fields
    connection.executemany(
        _store_statement(kind, tuple(fields)),
        [
            (record_id, seq, dumps(values), epoch, generation, *_cells(fields, values))
            for record_id, seq, values in rows
        ],
    )
    for record_id, seq, _ in rows:
        if record_id in pending:
            cover(connection, kind, record_id, seq)
            refresh(connection, kind, record_id)


def _cells(fields: Mapping[str, Declared], values: Mapping[str, Any]) -> Iterable[Any]:
    as_text = {
        name: encode(fields[name], value)
        for name, value in values.items()
        if name in fields and (isinstance(value, list | dict) or fields[name].column == "JSON")
    }
    return map({**values, **as_text}.get, fields)


@cache
def _store_statement(kind: str, names: tuple[str, ...]) -> str:
    columns = ["id", "seq", "server", "epoch", "generation", *names]
    quoted = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join("?" for _ in columns)
    updates = ", ".join(f'"{name}" = excluded."{name}"' for name in columns[1:])
    return (
        f'INSERT INTO "{kind}" ({quoted}) VALUES ({marks})'  # noqa: S608
        f" ON CONFLICT (id) DO UPDATE SET {updates}"
        f' WHERE excluded.seq >= "{kind}".seq OR excluded.generation > "{kind}".generation'
    )


def _store_reviews(
    connection: sqlite3.Connection, rows: Sequence[wire.Row], generation: int
) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO review"
        " (household_id, seq, generation, state, comments, decided_at_ms, same_as)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                household_id,
                seq,
                generation,
                values.get("state"),
                dumps(values.get("comments") or []),
                values.get("decided_at_ms"),
                values.get("same_as"),
            )
            for household_id, seq, values in rows
        ],
    )


def _store_conflicts(
    connection: sqlite3.Connection, rows: Sequence[wire.Row], generation: int
) -> None:
    connection.executemany(
        'INSERT OR REPLACE INTO conflict (id, seq, generation, household_id, state, "values")'
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                conflict_id,
                seq,
                generation,
                values.get("household_id"),
                values.get("state"),
                dumps(dict(values)),
            )
            for conflict_id, seq, values in rows
        ],
    )


def _store_persons(
    connection: sqlite3.Connection, rows: Sequence[wire.Row], generation: int
) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO person"
        " (member_id, seq, generation, household_id, person_id, registrations)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                member_id,
                seq,
                generation,
                values.get("household_id"),
                values.get("person_id"),
                values.get("registrations"),
            )
            for member_id, seq, values in rows
        ],
    )


_NOT_TAKEN_IN = "FROM outbox WHERE covered = 0 AND NOT (state = 'acked' AND seq > 0)"
"""Own edits that wait to be sent, or are held."""


def _let_leave(connection: sqlite3.Connection, kind: str, record_id: str, seq: int) -> None:
    """Take a record out of sight that left this phone's scope; a household takes along what is its own.

    What belongs to it comes by name as well, but not from a county that let it leave long ago. What
    has work of the cadre in it that the county has not taken in stays until it has (`let_go`).
    """
    if not is_record_kind(kind):
        return
    for name in kept_kinds(connection):
        column = "id" if kind == name else "household_id"
        if kind == "member" and name == "person":
            column = "member_id"
        elif kind not in ("household", name):
            continue
        elsewhere = ""
        if column == "household_id" and is_record_kind(name):
            # Such an edit may show it in a household that is not where the county has it.
            elsewhere = f" AND id NOT IN (SELECT record_id {_NOT_TAKEN_IN})"
        connection.execute(
            f'UPDATE "{name}" SET generation = {GONE}'  # noqa: S608
            f' WHERE "{column}" = ? AND seq < ?{elsewhere}',
            (record_id, seq),
        )
    # Its own edits are not shown back any more: there is nothing to wait for. Where the record stays
    # all the same, for work that is held, it goes on showing them.
    column = "household_id" if kind == "household" else "record_id"
    for own in connection.execute(
        f"SELECT * FROM outbox WHERE {column} = ? AND state = 'acked' AND covered = 0"  # noqa: S608
        " AND seq > 0 AND seq <= ? ORDER BY id",
        (record_id, seq),
    ).fetchall():
        connection.execute(
            f"UPDATE \"{own['kind']}\" SET server = json_patch(coalesce(server, '{{}}'), ?)"  # noqa: S608
            " WHERE id = ?",
            (dumps(values_of(own)), own["record_id"]),
        )
    connection.execute(
        f"UPDATE outbox SET covered = 1 WHERE {column} = ? AND state = 'acked'"  # noqa: S608
        " AND seq > 0 AND seq <= ?",
        (record_id, seq),
    )


def kept_kinds(connection: sqlite3.Connection) -> list[str]:
    """Return the kinds of the feed of which this phone keeps rows."""
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    names = [row["name"] for row in tables.fetchall()]
    return [name for name in names if is_record_kind(name) or name in _BESIDE_RECORDS]


def sums(connection: sqlite3.Connection) -> dict[str, list[int]]:
    """Return what the phone holds, by kind: [rows, sum of seq, mixed sum] (`changes.SUM_PRIMES`)."""
    p, q = SUM_PRIMES
    generation = get(connection, "generation", 0)
    held = {}
    for kind in kept_kinds(connection):
        count, total, mixed = connection.execute(
            f'SELECT count(*), sum(seq), sum((seq % {p}) * (seq % {q})) FROM "{kind}"'  # noqa: S608
            " WHERE generation = ? AND seq > 0",
            (generation,),
        ).fetchone()
        if count:
            held[kind] = [count, total, mixed]
    return held


def begin_full_pull(connection: sqlite3.Connection) -> None:
    """Pull from the start: the server was restored, or the phone's scope has changed.

    Nothing is thrown away now; rows that do not come again are let go when the pull is complete.
    """
    put(connection, "cursor", None)
    put(connection, "generation", get(connection, "generation", 0) + 1)
    put(connection, "full_pull", True)
    put(connection, "held_spans", [])


def take_for_pulled(
    connection: sqlite3.Connection,
    batch: Batch,
    answers: Sequence[Answer],
    shown: Mapping[str, Any] | None,
) -> bool:
    """Hold what a push wrote as if it had been pulled, where the server says that it is the same.

    The phone reckons: the county's values that it has, and its own changes over them. The digest of
    that has to be the one in `shown` (`messages.Shown`), or all of it comes with the next pull.
    Tells whether it was. Bytes saved on a slow link, and nothing believed that was not compared.
    """
    if shown is None or batch.schema != SCHEMA_VERSION:
        return False
    seqs = {answer.n: answer.seq for answer in answers}
    reckoned: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}
    for change in batch.changes:
        seq = seqs.get(change.n, 0)
        if shown["first"] <= seq <= shown["last"] and is_record_kind(change.kind):
            key = change.kind, change.record_id
            _, values = reckoned.get(key) or (0, _county_values(connection, *key))
            reckoned[key] = seq, values | change.values
    rows = [(kind, row_id, seq, values) for (kind, row_id), (seq, values) in reckoned.items()]
    if wire.rows_digest(rows) != shown["digest"]:
        return False
    epoch, generation = get(connection, "epoch", ""), get(connection, "generation", 0)
    for name in dict.fromkeys(kind for kind, _ in reckoned):
        pulled: list[wire.Row] = [
            (row_id, seq, {name: value for name, value in values.items() if value is not None})
            for kind, row_id, seq, values in rows
            if kind == name
        ]
        touched = {row_id for row_id, _, _ in pulled}
        _store_records(connection, name, pulled, epoch, generation, touched)
    spans = [*get(connection, "held_spans", []), [shown["first"], shown["last"], shown["tag"]]]
    put(connection, "held_spans", spans[-MOST_SPANS:])
    return True


def _county_values(connection: sqlite3.Connection, kind: str, record_id: str) -> dict[str, Any]:
    row = connection.execute(
        f'SELECT server FROM "{kind}" WHERE id = ?',  # noqa: S608
        (record_id,),
    ).fetchone()
    return dict(json.loads(row["server"])) if row and row["server"] else {}


def held_spans(connection: sqlite3.Connection) -> str:
    """Return what a pull need not bring, as its `held` says it."""
    spans = get(connection, "held_spans", [])
    return ",".join(f"{first}-{last}-{tag}" for first, last, tag in spans)


def finish_pull(connection: sqlite3.Connection) -> None:
    """Note that everything was pulled."""
    put(connection, "full_pull", False)
    put(connection, "held_spans", [])


def let_go(connection: sqlite3.Connection) -> None:
    """Delete rows that left the phone's scope or that a pull from the start did not bring again.

    Only once everything was pulled. What search knows of those deleted goes with them.
    """
    generation = get(connection, "generation", 0)
    drafts.follow(connection, [k.name for k in record_kinds() if "household_id" in k.fields])
    for kind in kept_kinds(connection):
        # What came of own edits alone may lack its household; its id begins with that.
        home = "id" if kind == "household" else "household_id"
        edited = ""
        if is_record_kind(kind):
            edited = f" AND id NOT IN (SELECT record_id {_NOT_TAKEN_IN})"
            if kind != "household":
                home = "coalesce(household_id, substr(id, 1, 13))"
        # Never while the cadre has it open, nor with an edit of his in it that the county has not
        # taken in: it stays in sight.
        connection.execute(
            # One without a number was born here: the county took it in and does not show it to us.
            f'DELETE FROM "{kind}" WHERE (generation < ? OR coalesce(seq, 0) = 0)'  # noqa: S608
            f" AND {home} NOT IN (SELECT household_id FROM draft)"
            f" AND {home} NOT IN (SELECT household_id FROM position WHERE open = 1)"
            f" AND {home} NOT IN (SELECT household_id {_NOT_TAKEN_IN}){edited}",
            (generation,),
        )
        if is_record_kind(kind):
            # An edit that the county took in after the record left: there is nothing to wait for.
            connection.execute(
                f"UPDATE outbox SET covered = 1 WHERE kind = ? AND state = 'acked' AND covered = 0"  # noqa: S608
                f' AND seq > 0 AND record_id NOT IN (SELECT id FROM "{kind}")',
                (kind,),
            )
    connection.execute(
        "DELETE FROM division WHERE level = 5 AND substr(code, 1, length(?1)) <> ?1"
        " AND code NOT IN (SELECT village_code FROM household WHERE village_code IS NOT NULL)",
        (get(connection, "scope", ""),),
    )
    index_waiting(connection)


def keep_hello(connection: sqlite3.Connection, hello: Mapping[str, Any]) -> bool:
    """Keep what the server said of itself and of this phone; True when its epoch is another one."""
    epoch, county = get(connection, "epoch"), get(connection, "county")
    changed = epoch is not None and epoch != hello["epoch"]
    if county is not None and county != hello["county"]:
        # Enrolled in another county: what the first one has stored is none of the second's.
        connection.execute("DELETE FROM outbox WHERE state = 'acked'")
        changed = True
    for name in ("epoch", "county", "scope", "cadre", "office_phone"):
        put(connection, name, hello.get(name))
    put(connection, "hello", {k: v for k, v in hello.items() if k != "divisions"})
    divisions = [(d["code"], d["name"], d["level"]) for d in hello.get("divisions", ())]
    if divisions:
        # The village of a household that stays in sight stays known.
        connection.execute(
            "DELETE FROM division WHERE code NOT IN"
            " (SELECT village_code FROM household WHERE village_code IS NOT NULL)"
        )
        connection.executemany("INSERT OR REPLACE INTO division VALUES (?, ?, ?)", divisions)
    if changed:
        _forget_epoch(connection, hello["epoch"])
        begin_full_pull(connection)
    return changed


def _forget_epoch(connection: sqlite3.Connection, epoch: str) -> None:
    """Let no number stand for one of the epoch that begins: an old database file may bring it back."""
    tables = ["draft", "outbox", *(kind for kind in kept_kinds(connection) if is_record_kind(kind))]
    for table in tables:
        connection.execute(
            f'UPDATE "{table}" SET epoch = ? WHERE epoch = ?',  # noqa: S608
            (NO_EPOCH, epoch),
        )


def count_returned(connection: sqlite3.Connection) -> int:
    """Count the households that the county has returned and that were not submitted since."""
    count = connection.execute(
        "SELECT count(*) FROM review WHERE state = 'returned'"
        " AND household_id NOT IN (SELECT household_id FROM outbox WHERE covered = 0)"
    ).fetchone()[0]
    return int(count)
