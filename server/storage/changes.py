"""The log of changes: every one that ever arrived, with what became of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, select, update

from server.storage.engine import in_county, insert_many
from server.storage.tables import IS_HELD, change, device, user_account
from server.storage.tables import incarnation as incarnation_table
from shared_schemas.changes import Change, HeldReason, Outcome


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """A change with its author and its outcome; `seq` is 0 while it is held."""

    change: Change
    incarnation: str
    hash: str
    schema: int
    author_id: str
    device_id: str | None
    received_at_ms: int
    eff_ms: int
    outcome: Outcome
    seq: int = 0
    reason: str | None = None
    village_code: str | None = None
    resolution: str | None = None
    note: str | None = None
    lost: bool = False
    """Its base is of an earlier life of the database: it has seen nothing here."""


_COLUMNS = (
    "county", "incarnation", "n", "hash", "kind", "record_id", "village_code", "base", "at_ms",
    "eff_ms", "values", "schema", "outcome", "reason", "seq", "received_at_ms", "author_id",
    "device_id", "resolution", "lost",
)  # fmt: skip

DISMISSED = "dismissed"
"""Resolution of a held change that the county closed without applying it."""

AGAIN = "again"
"""Resolution of a change that its phone had sent before, under another incarnation."""


def _ready_row(county: str, logged: LoggedChange) -> tuple[Any, ...]:
    """Return a change's row as the driver takes it, in the order of `_COLUMNS`."""
    edit = logged.change
    return (
        county,
        logged.incarnation,
        edit.n,
        logged.hash,
        edit.kind[:20],
        edit.record_id,
        logged.village_code,
        edit.base,
        edit.at_ms,
        logged.eff_ms,
        edit.values_text,
        logged.schema,
        logged.outcome.value,
        logged.reason,
        logged.seq,
        logged.received_at_ms,
        logged.author_id,
        logged.device_id,
        logged.resolution,
        logged.lost or None,
    )


def _logged(row: RowMapping) -> LoggedChange:
    return LoggedChange(
        change=Change(
            row["n"], row["kind"], row["record_id"], row["base"], row["at_ms"], row["values"]
        ),
        incarnation=row["incarnation"],
        hash=row["hash"],
        schema=row["schema"],
        author_id=row["author_id"],
        device_id=row["device_id"],
        received_at_ms=row["received_at_ms"],
        eff_ms=row["eff_ms"],
        outcome=Outcome(row["outcome"]),
        seq=row["seq"],
        reason=row["reason"],
        village_code=row["village_code"],
        resolution=row["resolution"],
        note=row["note"],
        lost=bool(row["lost"]),
    )


def add_changes(conn: Connection, county: str, logged: Iterable[LoggedChange]) -> None:
    """Add changes to the log. One whose (incarnation, n) exists raises IntegrityError."""
    insert_many(conn, change, _COLUMNS, [_ready_row(county, entry) for entry in logged])


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """What is answered again when a change is sent again."""

    n: int
    hash: str
    outcome: str
    seq: int
    reason: str | None
    eff_ms: int
    village_code: str | None
    resolution: str | None
    note: str | None


def stored_outcomes(
    conn: Connection, county: str, incarnation: str, first: int, last: int
) -> dict[int, StoredOutcome]:
    """Return the outcomes of an incarnation's changes from n `first` to `last`."""
    query = select(*(change.c[name] for name in StoredOutcome.__slots__)).where(
        change.c.county == county,
        change.c.incarnation == incarnation,
        change.c.n.between(first, last),
    )
    return {row.n: StoredOutcome(*row) for row in conn.execute(query)}


def count_outcomes(conn: Connection, county: str, incarnation: str) -> dict[str, int]:
    """Return how many changes of an incarnation came to each outcome."""
    rows = conn.execute(_COUNT_OUTCOMES, {"county": county, "incarnation": incarnation})
    return {row[0]: row[1] for row in rows}


_COUNT_OUTCOMES = (
    select(change.c.outcome, func.count())
    .where(change.c.county == bindparam("county"), change.c.incarnation == bindparam("incarnation"))
    .group_by(change.c.outcome)
)


def count_settled(conn: Connection, county: str, device_id: str) -> int:
    """Return how many changes of a phone were held and are not any more, or were closed."""
    own = select(incarnation_table.c.id).where(
        incarnation_table.c.county == county, incarnation_table.c.device_id == device_id
    )
    query = (
        select(func.count())
        .select_from(change)
        .where(
            change.c.county == county,
            change.c.incarnation.in_(own),
            change.c.resolution.is_not(None),
            change.c.resolution != AGAIN,
        )
    )
    return int(conn.execute(query).scalar_one())


def same_edits(
    conn: Connection, county: str, incarnation: str, edits: Collection[Change]
) -> dict[int, StoredOutcome]:
    """Return by `n` what became of edits that were sent in another incarnation already.

    A copied or restored phone takes a new incarnation and numbers anew what had no answer yet, and
    every phone does so after a restore of the server. The time of an edit, to the millisecond and
    never twice on one phone, tells it from a like one.
    """
    if not edits:
        return {}
    rows = conn.execute(
        _SENT_ELSEWHERE,
        {
            "county": county,
            "ids": {edit.record_id for edit in edits},
            "own": incarnation,
        },
    )
    stored = [(tuple(row[:5]), StoredOutcome(*row[5:])) for row in rows]
    again = {}
    for edit in edits if stored else ():
        content = (edit.kind, edit.record_id, edit.base, edit.at_ms, edit.values)
        first = next((outcome for known, outcome in stored if known == content), None)
        if first is not None:
            again[edit.n] = first
    return again


_SENT_ELSEWHERE = select(
    change.c.kind, change.c.record_id, change.c.base, change.c.at_ms, change.c["values"],
    *(change.c[name] for name in StoredOutcome.__slots__),
).where(
    in_county(change.c.record_id, "ids"),
    change.c.incarnation != bindparam("own"),
    change.c.device_id.is_not(None),
    change.c.resolution.is_distinct_from(AGAIN),
)  # fmt: skip


_waiting = IS_HELD & change.c.resolution.is_(None)


def held_for(conn: Connection, county: str, reason: HeldReason) -> list[LoggedChange]:
    """Return the changes that wait for one reason, in the order in which they came."""
    query = (
        select(change)
        .where(change.c.county == county, _waiting, change.c.reason == reason.value)
        .order_by(change.c.received_at_ms, change.c.incarnation, change.c.n)
    )
    return [_logged(row) for row in conn.execute(query).mappings()]


def held_for_upgrade(conn: Connection) -> dict[str, list[LoggedChange]]:
    """Return, by county, the waiting changes that this server's version did not understand."""
    reasons = (HeldReason.UNKNOWN_SCHEMA.value, HeldReason.UNKNOWN_KIND.value)
    query = (
        select(change)
        .where(_waiting, change.c.reason.in_(reasons))
        .order_by(change.c.county, change.c.received_at_ms, change.c.incarnation, change.c.n)
    )
    found: dict[str, list[LoggedChange]] = {}
    for row in conn.execute(query).mappings():
        found.setdefault(row["county"], []).append(_logged(row))
    return found


def later_values(
    conn: Connection, county: str, incarnation: str, record_id: str, n: int
) -> list[tuple[int, Mapping[str, Any]]]:
    """Return (schema, values) that an incarnation wrote into a record after its change `n`.

    Held ones are left out.
    """
    query = select(change.c.schema, change.c["values"]).where(
        change.c.county == county,
        change.c.record_id == record_id,
        change.c.incarnation == incarnation,
        change.c.n > n,
        change.c.outcome != Outcome.HELD.value,
    )
    return [(row[0], row[1]) for row in conn.execute(query)]


def change_by_key(conn: Connection, county: str, incarnation: str, n: int) -> LoggedChange | None:
    """Return one change of the log."""
    query = select(change).where(
        change.c.county == county, change.c.incarnation == incarnation, change.c.n == n
    )
    row = conn.execute(query).mappings().first()
    return None if row is None else _logged(row)


def held_by_keys(
    conn: Connection, county: str, keys: Collection[tuple[str, int]]
) -> list[LoggedChange]:
    """Return those of these changes, by (incarnation, n), that wait, each life's in the order of n.

    Who else would settle one of them waits until the commit.
    """
    numbers: dict[str, set[int]] = {}
    for incarnation, n in keys:
        numbers.setdefault(incarnation, set()).add(n)
    found = []
    for incarnation in sorted(numbers):
        query = (
            select(change)
            .where(change.c.county == county, change.c.incarnation == incarnation, _waiting)
            .where(change.c.n.in_(sorted(numbers[incarnation])))
            .order_by(change.c.n)
            .with_for_update()
        )
        found += [_logged(row) for row in conn.execute(query).mappings()]
    return found


@dataclass(frozen=True, slots=True)
class HeldBy:
    """Which held changes: those that a person of this scope sees, of one phone, for one reason.

    A change whose village is unknown, or lies outside its county, is for the whole county only.
    """

    scope: str
    device_id: str | None = None
    reason: str | None = None

    def conditions(self) -> list[Any]:
        """Return the conditions on the log."""
        wanted: list[Any] = [_waiting]
        if len(self.scope) > 6:
            wanted.append(change.c.village_code.startswith(self.scope, autoescape=True))
        if self.device_id is not None:
            wanted.append(change.c.device_id == self.device_id)
        if self.reason is not None:
            wanted.append(change.c.reason == self.reason)
        return wanted


_of_author = user_account.c.id == change.c.author_id
_of_device = (device.c.county == change.c.county) & (device.c.id == change.c.device_id)


def held_changes(
    conn: Connection, county: str, which: HeldBy, *, limit: int, offset: int = 0
) -> list[RowMapping]:
    """Return waiting changes with author and phone, in the order in which they were made."""
    query = (
        select(change, user_account.c.name.label("author"), device.c.label.label("device"))
        .join(user_account, _of_author, isouter=True)
        .join(device, _of_device, isouter=True)
        .where(change.c.county == county, *which.conditions())
        .order_by(change.c.received_at_ms, change.c.incarnation, change.c.n)
        .limit(limit)
        .offset(offset)
    )
    return list(conn.execute(query).mappings())


def held_keys(
    conn: Connection, county: str, which: HeldBy, *, after: tuple[str, int] | None, limit: int
) -> list[tuple[str, int]]:
    """Return the next waiting changes by (incarnation, n), in that order."""
    query = (
        select(change.c.incarnation, change.c.n)
        .where(change.c.county == county, *which.conditions())
        .order_by(change.c.incarnation, change.c.n)
        .limit(limit)
    )
    if after is not None:
        incarnation, n = after
        query = query.where(
            (change.c.incarnation > incarnation)
            | ((change.c.incarnation == incarnation) & (change.c.n > n))
        )
    return [(row.incarnation, row.n) for row in conn.execute(query)]


def held_groups(conn: Connection, county: str, scope: str) -> list[RowMapping]:
    """Return how many changes wait, by phone and reason: the largest first."""
    count = func.count().label("count")
    query = (
        select(
            change.c.device_id, change.c.reason, count,
            func.max(user_account.c.name).label("author"),
            func.max(device.c.label).label("device"),
        )
        .join(user_account, _of_author, isouter=True)
        .join(device, _of_device, isouter=True)
        .where(change.c.county == county, change.c.device_id.is_not(None))
        .where(*HeldBy(scope).conditions())
        .group_by(change.c.device_id, change.c.reason)
        .order_by(count.desc(), change.c.device_id, change.c.reason)
    )  # fmt: skip
    return list(conn.execute(query).mappings())


def count_held(conn: Connection, county: str) -> int:
    """Return how many changes of a county wait for somebody."""
    query = select(func.count()).where(change.c.county == county, _waiting)
    return int(conn.execute(query).scalar_one())


def set_outcomes(conn: Connection, county: str, logged: Collection[LoggedChange]) -> None:
    """Write what became of changes that were held until now."""
    if not logged:
        return
    statement = (
        update(change)
        .where(
            change.c.county == county,
            change.c.incarnation == bindparam("b_incarnation"),
            change.c.n == bindparam("b_n"),
        )
        .values(
            outcome=bindparam("b_outcome"),
            seq=bindparam("b_seq"),
            reason=bindparam("b_reason"),
            village_code=bindparam("b_village"),
            resolution=bindparam("b_resolution"),
        )
    )
    conn.execute(
        statement,
        [
            {
                "b_incarnation": entry.incarnation,
                "b_n": entry.change.n,
                "b_outcome": entry.outcome.value,
                "b_seq": entry.seq,
                "b_reason": entry.reason,
                "b_village": entry.village_code,
                "b_resolution": entry.resolution,
            }
            for entry in logged
        ],
    )
    for entry in logged:
        _tell_twins(conn, county, entry)


def _tell_twins(conn: Connection, county: str, settled: LoggedChange) -> None:
    """Let a held change that came again, under another incarnation, share the first one's fate."""
    edit = settled.change
    conn.execute(
        update(change)
        .where(
            change.c.county == county,
            change.c.record_id == edit.record_id,
            change.c.kind == edit.kind,
            change.c.base == edit.base,
            change.c.at_ms == edit.at_ms,
            change.c.resolution == AGAIN,
        )
        .values(
            outcome=settled.outcome.value,
            seq=settled.seq,
            reason=settled.reason,
            # One that waits on, for another reason perhaps, waits once.
            resolution=settled.resolution or AGAIN,
            note=settled.note,
        )
    )


def dismiss_held(
    conn: Connection, county: str, incarnation: str, n: int, note: str, *, by: str, now_ms: int
) -> bool:
    """Mark a held change as seen and not to be applied; it stays in the log. Its author reads `note`."""
    done = conn.execute(
        update(change)
        .where(
            change.c.county == county,
            change.c.incarnation == incarnation,
            change.c.n == n,
            _waiting,
        )
        .values(resolution=DISMISSED, note=note, resolved_by=by, resolved_at_ms=now_ms)
    )
    settled = change_by_key(conn, county, incarnation, n)
    if done.rowcount == 1 and settled is not None:
        _tell_twins(conn, county, settled)
    return done.rowcount == 1


def authors_of(
    conn: Connection, county: str, record_ids: Collection[str]
) -> dict[tuple[str, str], str]:
    """Return who edited these records, by (record id, incarnation)."""
    if not record_ids:
        return {}
    query = (
        select(change.c.record_id, change.c.incarnation, change.c.author_id)
        .where(in_county(change.c.record_id, "ids"))
        .distinct()
    )
    rows = conn.execute(query, {"county": county, "ids": record_ids})
    return {(row.record_id, row.incarnation): row.author_id for row in rows}
