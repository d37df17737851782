"""The county's sequence and feed: what a phone pulls, in the order in which it became visible.

The sequence is taken last in a writing transaction, from a row that stays locked until the commit;
so a reader never sees a number while a smaller one is still to come (sync.md 3.4).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Table,
    bindparam,
    column,
    func,
    insert,
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


def commits_from(conn: Connection, county: str, first: int, last: int) -> list[Commit]:
    """Return the commits that the numbers from `first` to `last` belong to, in order."""
    end = (
        select(feed_commit.c.seq)
        .where(feed_commit.c.county == county, feed_commit.c.seq >= last)
        .order_by(feed_commit.c.seq)
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(feed_commit.c.seq, feed_commit.c.tag)
        .where(feed_commit.c.county == county, feed_commit.c.seq >= first, feed_commit.c.seq <= end)
        .order_by(feed_commit.c.seq)
    )
    return [Commit(row.seq, row.tag) for row in conn.execute(query)]


def commit_of(conn: Connection, county: str, seq: int) -> Commit | None:
    """Return the commit that a number belongs to, None when it was never taken."""
    query = (
        select(feed_commit.c.seq, feed_commit.c.tag)
        .where(feed_commit.c.county == county, feed_commit.c.seq >= seq)
        .order_by(feed_commit.c.seq)
        .limit(1)
    )
    row = conn.execute(query).first()
    return None if row is None else Commit(row.seq, row.tag)


def feed_tables() -> dict[str, Table]:
    """Return the tables whose rows phones keep, by the kind that the feed calls them."""
    return {**record_tables(), "review": review, "conflict": conflict, "person": person_member}


def _within(table: Table, county: str, scope: str) -> Any:
    is_within = (table.c.county == county) & table.c.village_code.between(*_range(scope))
    if table is departure:
        # Who sees the new village too has the record from there.
        is_within &= ~departure.c.to_village.between(*_range(scope))
    return is_within


def _range(scope: str) -> tuple[str, str]:
    return scope.ljust(12, "0"), scope.ljust(12, "9")


def page_seqs(conn: Connection, county: str, scope: str, after: int, limit: int) -> list[int]:
    """Return the numbers of the next rows of a scope, at most `limit`, in order."""
    parts = [
        select(
            select(table.c.seq)
            .where(_within(table, county, scope), table.c.seq > after)
            .order_by(table.c.seq)
            .limit(limit)
            .subquery()
        )
        for table in (*feed_tables().values(), departure)
    ]
    every = union_all(*parts).subquery()
    query = select(every.c.seq).order_by(every.c.seq).limit(limit)
    return list(conn.execute(query).scalars())


def rows_between(
    conn: Connection, table: Table, columns: Sequence[Column[Any]],
    *, county: str, scope: str, after: int, last: int,
) -> list[Any]:  # fmt: skip
    """Return rows of one kind of the feed with `after` < seq <= `last`, in order."""
    query = (
        select(*columns)
        .where(_within(table, county, scope), table.c.seq > after, table.c.seq <= last)
        .order_by(table.c.seq)
    )
    return list(conn.execute(query).all())


def departures_between(
    conn: Connection, county: str, scope: str, after: int, last: int
) -> list[tuple[str, int, str]]:
    """Return (record id, seq, kind) of what left a scope, with `after` < seq <= `last`, in order."""
    columns = [departure.c.record_id, departure.c.seq, departure.c.kind]
    rows = rows_between(
        conn, departure, columns, county=county, scope=scope, after=after, last=last
    )
    return [(row.record_id, row.seq, row.kind) for row in rows]


def sums_within(conn: Connection, county: str, scope: str) -> dict[str, list[int]]:
    """Return, for each kind of which there is any, [rows, sum of seq, mixed sum] (`changes.SUM_PRIMES`)."""
    sums = {}
    for kind, table in feed_tables().items():
        seq = table.c.seq
        query = select(
            func.count(), func.sum(seq), func.sum((seq % SUM_PRIMES[0]) * (seq % SUM_PRIMES[1]))
        ).where(_within(table, county, scope))
        count, *rest = conn.execute(query).one()
        if count:
            sums[kind] = [count, *map(int, rest)]
    return sums


def add_departures(conn: Connection, county: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note that records left a village; a later departure from it takes the earlier one's place."""
    statement = upsert(conn, departure, ["county", "kind", "record_id", "village_code"])
    for row in rows:
        conn.execute(statement, {**row, "county": county})
