"""Builds what a phone pulls: the newest state of every record of its scope that it has not seen."""

from __future__ import annotations

import re
import secrets
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table

from server.storage.accounts import user_names
from server.storage.changes import count_outcomes
from server.storage.devices import Device, incarnation_of
from server.storage.feed import (
    Commit,
    commit_of,
    commits_from,
    departures_between,
    feed_tables,
    page_seqs,
    present_seq,
    rows_between,
    sums_within,
)
from server.storage.meta import EPOCH, epoch_of, replace_meta_value
from server.storage.review_pages import device_labels
from shared_schemas import SCHEMA_VERSION, wire
from shared_schemas.errors import ChushanError
from shared_schemas.protocol import MAX_PAGE, OLDEST_PULLED_SCHEMA, ROWS_PER_LINE
from shared_schemas.records import RecordKind, record_kinds
from shared_schemas.upgrade import row_down

REVIEW_FIELDS = ("state", "comments", "decided_at_ms", "same_as")
PERSON_FIELDS = ("household_id", "person_id", "registrations")
"""Of registrations outside of its scope a phone learns that they exist, and no more."""
CONFLICT_FIELDS = {
    "record_kind": "kind",
    "record_id": "record_id",
    "household_id": "household_id",
    "field": "field",
    "ours": "ours",
    "theirs": "theirs",
    "ours_name": "ours_author",
    "theirs_name": "theirs_author",
    "ours_device": "ours_incarnation",
    "theirs_device": "theirs_incarnation",
    "ours_at_ms": "ours_at_ms",
    "theirs_at_ms": "theirs_at_ms",
    "shown": "shown",
    "state": "state",
    "decided_value": "decided_value",
}
"""What the feed calls a member of a conflict → the column it comes from: a user's id for a name, an
incarnation for the label of a phone."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a phone has come: opaque to it. The tag proves that this database handed it out."""

    epoch: str
    scope: str
    seq: int
    tag: str

    def to_text(self) -> str:
        """Return the cursor as it travels."""
        return f"{self.epoch}.{self.scope}.{self.seq}.{self.tag}"


def cursor_from_text(given: str) -> Cursor:
    """Return the cursor of a text; ChushanError bad_query for anything else."""
    parts = given.split(".")
    if len(parts) != 4 or not parts[2].isascii() or not parts[2].isdigit() or len(parts[2]) > 18:
        raise ChushanError("bad_query", detail="cursor")
    return Cursor(parts[0], parts[1], int(parts[2]), parts[3])


class RolledBack(Exception):  # noqa: N818 - named after what the operator did
    """A cursor proves that the database was copied back: it is of this epoch and unknown here.

    Nobody told the phones by a new epoch; `begin_epoch` does.
    """

    def __init__(self, epoch: str) -> None:
        super().__init__(epoch)
        self.epoch = epoch


def begin_epoch(conn: Connection, instead_of: str) -> str:
    """Begin a new life of the database, where nobody has done so meanwhile; return the present one."""
    replace_meta_value(conn, EPOCH, secrets.token_hex(8), instead_of=instead_of)
    return epoch_of(conn)


@dataclass(frozen=True, slots=True)
class Pulled:
    """A page: its lines as `messages.PullLine` describes them, and how many rows they hold."""

    lines: Sequence[dict[str, Any]]
    rows: int


def build_pull(
    conn: Connection,
    device: Device,
    cursor: str | None,
    *,
    incarnation: str | None = None,
    schema: int = SCHEMA_VERSION,
    limit: int = MAX_PAGE,
    held: Sequence[Span] = (),
) -> Pulled:
    """Return the next page of a phone's scope, in the order in which it became visible.

    Without the records of `held`. A phone of an older `schema` gets what it understands; one that is too old is told to update.

    `conn` sees one state of the database (`reading`). Void records come too. There is always a
    line, so that a phone with nothing to fetch still gets a cursor; the last one of all says what
    the phone should now hold (`check`), and what of `incarnation` is stored. ChushanError epoch_changed where the cursor is of another
    epoch or scope; the phone then starts over. RolledBack where the database was copied back.
    """
    if schema < OLDEST_PULLED_SCHEMA:
        raise ChushanError("app_too_old", oldest=OLDEST_PULLED_SCHEMA)
    county, scope = device.county, device.scope
    epoch = epoch_of(conn)
    after = seq_of_cursor(conn, device, cursor, epoch) if cursor else 0
    seqs = page_seqs(conn, county, scope, after, limit + 1)
    more = len(seqs) > limit
    # With nothing left, the cursor moves past what other scopes wrote, so that it is not read again.
    last = seqs[limit - 1] if more else max(present_seq(conn, county), after)
    upto = seqs[min(len(seqs), limit) - 1] if seqs else after
    rows = _rows(conn, county, scope, after, upto, _still_true(conn, county, held))
    if schema < SCHEMA_VERSION:
        rows = [_lowered(entry, schema) for entry in rows]
    commits = commits_from(conn, county, after, last)
    lines = []
    chunks = [rows[i : i + ROWS_PER_LINE] for i in range(0, len(rows), ROWS_PER_LINE)] or [[]]
    for i, chunk in enumerate(chunks):
        seq = chunk[-1][0] if i < len(chunks) - 1 else last
        here = Cursor(epoch, scope, seq, _tag(commits, seq))
        lines.append({"cursor": here.to_text(), "more": more, "groups": list(_groups(chunk))})
    if not more:
        lines[-1]["check"] = sums_within(conn, county, scope)
        if incarnation is not None:
            lines[-1]["tally"] = tally_of(conn, device, incarnation)
    return Pulled(lines, len(rows))


def tally_of(conn: Connection, device: Device, incarnation: str) -> dict[str, int]:
    """Return how many changes of a phone's incarnation are stored, by outcome."""
    known = incarnation_of(conn, device.county, incarnation)
    if known is None or known.device_id != device.id:
        return {}
    return count_outcomes(conn, device.county, incarnation)


def has_news(conn: Connection, device: Device, after: int) -> bool:
    """Tell whether a pull from there on would bring a phone anything."""
    return bool(page_seqs(conn, device.county, device.scope, after, 1))


def seq_of_cursor(conn: Connection, device: Device, given: str, epoch: str) -> int:
    """Return the number up to which a phone has seen its scope; raises as `build_pull` does."""
    cursor = cursor_from_text(given)
    if cursor.epoch != epoch or cursor.scope != device.scope:
        raise ChushanError("epoch_changed", epoch=epoch)
    if cursor.seq == 0:
        return 0
    commit = commit_of(conn, device.county, cursor.seq)
    if commit is None or commit.tag != cursor.tag:
        raise RolledBack(epoch)
    return cursor.seq


def shown_to(conn: Connection, device: Device, first: int, last: int) -> dict[str, Any] | None:
    """Return what a pull would show a phone of the records with these numbers, as `messages.Shown`.

    `last` has to be a number that was taken in one transaction with `first`. None where it has none.
    """
    commit = commit_of(conn, device.county, last)
    if commit is None:
        return None
    entries = _records(conn, device.county, device.scope, first - 1, last)
    rows = (
        (kind, row[0], seq, {**dict(zip(names, row[2:], strict=True)), **(extra or {})})
        for seq, kind, names, row, extra in entries
    )
    return {"first": first, "last": last, "tag": commit.tag, "digest": wire.rows_digest(rows)}


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers whose records a phone holds already: it wrote them, and its digest was right."""

    first: int
    last: int
    tag: str


def spans_from_text(given: str) -> list[Span]:
    """Return the spans of `first-last-tag,…`; ChushanError bad_query for anything else."""
    spans = []
    for part in given.split(","):
        found = _SPAN.fullmatch(part)
        if found is None or int(found[1]) > int(found[2]):
            raise ChushanError("bad_query", detail="held")
        spans.append(Span(int(found[1]), int(found[2]), found[3]))
    return spans


_SPAN = re.compile(r"([0-9]{1,18})-([0-9]{1,18})-([0-9a-f]{8})")


def _still_true(conn: Connection, county: str, spans: Sequence[Span]) -> list[Span]:
    """Return the spans that this life of the database wrote."""
    written = ((span, commit_of(conn, county, span.last)) for span in spans)
    return [span for span, commit in written if commit is not None and commit.tag == span.tag]


def _tag(commits: Sequence[Commit], seq: int) -> str:
    at = bisect_left(commits, seq, key=lambda commit: commit.seq)
    return commits[at].tag if at < len(commits) else ""


Entry = tuple[int, str, Sequence[str], Sequence[Any], dict[str, Any] | None]
"""A row of the feed: seq, kind, names of its values, (id, seq, values …), unknown fields."""


def _rows(
    conn: Connection, county: str, scope: str, after: int, last: int, held: Sequence[Span] = ()
) -> list[Entry]:
    entries: list[Entry] = []
    for begin, end in _gaps(after, last, held):
        entries += _records(conn, county, scope, begin, end)
    entries += _reviews(conn, county, scope, after, last)
    entries += _conflicts(conn, county, scope, after, last)
    entries += _persons(conn, county, scope, after, last)
    for row in departures_between(conn, county, scope, after, last):
        entries.append((row[1], "departed", ("kind",), row, None))
    entries.sort(key=lambda entry: entry[0])
    return entries


def _records(conn: Connection, county: str, scope: str, after: int, last: int) -> list[Entry]:
    entries: list[Entry] = []
    tables = feed_tables()
    for kind in record_kinds():
        table = tables[kind.name]
        names, columns = _columns(kind, table)
        found = rows_between(
            conn, table, columns, county=county, scope=scope, after=after, last=last
        )
        entries += [(row[2], kind.name, names, row[1:], row[0]) for row in found]
    return entries


def _gaps(after: int, last: int, held: Sequence[Span]) -> Iterator[tuple[int, int]]:
    """Yield what is left of the numbers above `after` up to `last` without the spans held."""
    for span in sorted(held, key=lambda span: span.first):
        if span.first - 1 > after:
            yield after, min(span.first - 1, last)
        after = max(after, span.last)
        if after >= last:
            return
    yield after, last


@cache
def _columns(kind: RecordKind, table: Table) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    names = tuple(name for name in kind.fields if name in table.c)
    values = (table.c[name].label(f"v_{name}") for name in names)
    return names, (table.c.extra, table.c.id, table.c.seq, *values)


def _reviews(conn: Connection, county: str, scope: str, after: int, last: int) -> list[Entry]:
    table = feed_tables()["review"]
    columns = [table.c.household_id, table.c.seq, *(table.c[name] for name in REVIEW_FIELDS)]
    found = rows_between(conn, table, columns, county=county, scope=scope, after=after, last=last)
    return [(row[1], "review", REVIEW_FIELDS, row, None) for row in found]


def _persons(conn: Connection, county: str, scope: str, after: int, last: int) -> list[Entry]:
    table = feed_tables()["person"]
    columns = [table.c.member_id, table.c.seq, *(table.c[name] for name in PERSON_FIELDS)]
    found = rows_between(conn, table, columns, county=county, scope=scope, after=after, last=last)
    return [(row[1], "person", PERSON_FIELDS, row, None) for row in found]


def _conflicts(conn: Connection, county: str, scope: str, after: int, last: int) -> list[Entry]:
    table = feed_tables()["conflict"]
    columns = [table.c.id, table.c.seq, *(table.c[name] for name in CONFLICT_FIELDS.values())]
    found = rows_between(conn, table, columns, county=county, scope=scope, after=after, last=last)
    names = tuple(CONFLICT_FIELDS)
    people = [2 + names.index(name) for name in ("ours_name", "theirs_name")]
    phones = [2 + names.index(name) for name in ("ours_device", "theirs_device")]
    called = user_names(conn, {row[i] for row in found for i in people if row[i]})
    labels = device_labels(conn, county, {row[i] for row in found for i in phones})
    entries: list[Entry] = []
    for row in found:
        values = list(row)
        for i in people:
            values[i] = called.get(values[i])
        for i in phones:
            values[i] = labels.get(values[i])
        entries.append((row[1], "conflict", names, values, None))
    return entries


def _lowered(entry: Entry, schema: int) -> Entry:
    """Return a row of the feed in the words of an older phone."""
    seq, kind, names, row, extra = entry
    values = row_down(kind, dict(zip(names, row[2:], strict=True)), schema)
    return seq, kind, tuple(values), (*row[:2], *values.values()), extra


def _groups(entries: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    by_kind: dict[str, list[Entry]] = {}
    for entry in entries:
        by_kind.setdefault(entry[1], []).append(entry)
    for kind, rows in by_kind.items():
        columns = list(zip(*(row[3] for row in rows), strict=True))
        kept = [i for i in range(2, len(columns)) if any(v is not None for v in columns[i])]
        names = [rows[0][2][i - 2] for i in kept]
        values = [columns[0], columns[1], *(columns[i] for i in kept)]
        for name in sorted({name for row in rows for name in row[4] or ()}):
            names.append(name)
            values.append(tuple((row[4] or {}).get(name) for row in rows))
        yield {"kind": kind, "fields": names, "rows": list(zip(*values, strict=True))}
