"""The county's sequence and feed: what a phone pulls, in the order in which it became visible.

The sequence is taken last in a writing transaction, from a row that stays locked until the commit;
so a reader never sees a number while a smaller one is still to come (sync.md 3.4).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    CompoundSelect,
    Connection,
    Select,
    Table,
    bindparam,
    column,
    func,
    insert,
    literal,
    select,
    union_all,
    update,
    values,
)

from server.storage.engine import insert_ignoring, upsert
from server.storage.tables import (
    conflict,
    county_counter,
    departure,
    feed_commit,
    person_member,
    record_tables,
    review,
)
from shared_schemas.changes import SUM_PRIMES


def allocate(conn: Connection, county: str, count: int, *, at_ms: int, tag: str) -> int:
    """Take `count` numbers of the county's sequence and return the first. Call it last.

    From here to the commit other writers of the county wait. `tag` is random: a cursor carries it
    to prove that it was handed out by this life of the database.
    """
    wanted = {"in_county": county, "count": count}
    last = conn.execute(_GROW, wanted).scalar()
    if last is None:
        conn.execute(insert_ignoring(conn, county_counter), {"county": county, "seq": 0})
        last = conn.execute(_GROW, wanted).scalar_one()
    conn.execute(_ADD_COMMIT, {"county": county, "seq": last, "tag": tag, "at_ms": at_ms})
    return int(last) - count + 1


_GROW = (
    update(county_counter)
    .where(county_counter.c.county == bindparam("in_county"))
    .values(seq=county_counter.c.seq + bindparam("count"))
    .returning(county_counter.c.seq)
)
_ADD_COMMIT = insert(feed_commit)


def wait_for_writers(conn: Connection, county: str) -> None:
    """Wait for the writers of a county that took their numbers; see what they wrote from here on.

    From here to the commit other writers of the county wait, as after `allocate`.
    """
    conn.execute(insert_ignoring(conn, county_counter), {"county": county, "seq": 0})
    conn.execute(
        update(county_counter)
        .where(county_counter.c.county == county)
        .values(seq=county_counter.c.seq)
    )


def present_seq(conn: Connection, county: str) -> int:
    """Return the highest number taken in a county."""
    query = select(county_counter.c.seq).where(county_counter.c.county == county)
    return int(conn.execute(query).scalar() or 0)


def commit_times(conn: Connection, county: str, seqs: Collection[int]) -> dict[int, int]:
    """Return when each of these numbers was committed, UTC epoch milliseconds."""
    if not seqs:
        return {}
    # A named column list is for common table expressions only in SQLite.
    asked = values(column("seq", BigInteger)).data([(seq,) for seq in seqs]).cte("asked")
    when = (
        select(feed_commit.c.at_ms)
        .where(feed_commit.c.county == county, feed_commit.c.seq >= asked.c.seq)
        .order_by(feed_commit.c.seq)
        .limit(1)
        .scalar_subquery()
    )
    rows = conn.execute(select(asked.c.seq, when.label("at_ms")))
    return {row.seq: row.at_ms for row in rows if row.at_ms is not None}


@dataclass(frozen=True, slots=True)
class Commit:
    """A writing transaction in the feed: its last number and its random tag."""

    seq: int
    tag: str


def _commits(*conditions: Any) -> Select[Any]:
    return (
        select(feed_commit.c.seq, feed_commit.c.tag)
        .where(feed_commit.c.county == _COUNTY, *conditions)
        .order_by(feed_commit.c.seq)
    )


_COUNTY = bindparam("county")
_COMMIT_OF = _commits(feed_commit.c.seq >= bindparam("seq")).limit(1)
_COMMITS_FROM = _commits(
    feed_commit.c.seq >= bindparam("first"),
    feed_commit.c.seq
    <= select(feed_commit.c.seq)
    .where(feed_commit.c.county == _COUNTY, feed_commit.c.seq >= bindparam("last"))
    .order_by(feed_commit.c.seq)
    .limit(1)
    .scalar_subquery(),
)


def commits_from(conn: Connection, county: str, first: int, last: int) -> list[Commit]:
    """Return the commits that the numbers from `first` to `last` belong to, in order."""
    asked = {"county": county, "first": first, "last": last}
    return [Commit(row.seq, row.tag) for row in conn.execute(_COMMITS_FROM, asked)]


def commit_of(conn: Connection, county: str, seq: int) -> Commit | None:
    """Return the commit that a number belongs to, None when it was never taken."""
    row = conn.execute(_COMMIT_OF, {"county": county, "seq": seq}).first()
    return None if row is None else Commit(row.seq, row.tag)


def feed_tables() -> dict[str, Table]:
    """Return the tables whose rows phones keep, by the kind that the feed calls them."""
    return {**record_tables(), "review": review, "conflict": conflict, "person": person_member}


# Every sync asks these, and building a statement costs more than running it: they are built once.


def _within(table: Table) -> Any:
    scope = bindparam("low"), bindparam("high")
    is_within = (table.c.county == _COUNTY) & table.c.village_code.between(*scope)
    if table is departure:
        # Who sees the new village too has the record from there.
        is_within &= ~departure.c.to_village.between(*scope)
    return is_within


def _asked(county: str, scope: str, **more: int) -> dict[str, Any]:
    return {"county": county, "low": scope.ljust(12, "0"), "high": scope.ljust(12, "9"), **more}


@cache
def _page(tables: tuple[Table, ...]) -> Select[Any]:
    parts = [
        select(
            select(table.c.seq)
            .where(_within(table), table.c.seq > bindparam("after"))
            .order_by(table.c.seq)
            .limit(bindparam("most"))
            .subquery()
        )
        for table in tables
    ]
    every = union_all(*parts).subquery()
    return select(every.c.seq).order_by(every.c.seq).limit(bindparam("most"))


def page_seqs(conn: Connection, county: str, scope: str, after: int, limit: int) -> list[int]:
    """Return the numbers of the next rows of a scope, at most `limit`, in order."""
    query = _page((*feed_tables().values(), departure))
    return list(conn.execute(query, _asked(county, scope, after=after, most=limit)).scalars())


@cache
def _between(table: Table, columns: tuple[Column[Any], ...]) -> Select[Any]:
    newer = table.c.seq > bindparam("after"), table.c.seq <= bindparam("last")
    return select(*columns).where(_within(table), *newer).order_by(table.c.seq)


def rows_between(
    conn: Connection, table: Table, columns: Sequence[Column[Any]],
    *, county: str, scope: str, after: int, last: int,
) -> list[Any]:  # fmt: skip
    """Return rows of one kind of the feed with `after` < seq <= `last`, in order."""
    query = _between(table, tuple(columns))
    return list(conn.execute(query, _asked(county, scope, after=after, last=last)).all())


def departures_between(
    conn: Connection, county: str, scope: str, after: int, last: int
) -> list[tuple[str, int, str]]:
    """Return (record id, seq, kind) of what left a scope, with `after` < seq <= `last`, in order."""
    columns = [departure.c.record_id, departure.c.seq, departure.c.kind]
    rows = rows_between(
        conn, departure, columns, county=county, scope=scope, after=after, last=last
    )
    return [(row.record_id, row.seq, row.kind) for row in rows]


@cache
def _sums(tables: tuple[tuple[str, Table], ...]) -> CompoundSelect[Any]:
    p, q = SUM_PRIMES
    return union_all(
        *(
            select(
                literal(kind).label("kind"),
                func.count().label("rows"),
                func.sum(table.c.seq).label("total"),
                func.sum((table.c.seq % p) * (table.c.seq % q)).label("mixed"),
            ).where(_within(table))
            for kind, table in tables
        )
    )


def sums_within(conn: Connection, county: str, scope: str) -> dict[str, list[int]]:
    """Return, for each kind of which there is any, [rows, sum of seq, mixed sum] (`changes.SUM_PRIMES`)."""
    query = _sums(tuple(feed_tables().items()))
    found = conn.execute(query, _asked(county, scope)).all()
    return {kind: [count, int(total), int(mixed)] for kind, count, total, mixed in found if count}


def add_departures(conn: Connection, county: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note that records left a village; a later departure from it takes the earlier one's place."""
    statement = upsert(conn, departure, ["county", "kind", "record_id", "village_code"])
    for row in rows:
        conn.execute(statement, {**row, "county": county})
