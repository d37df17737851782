"""The index that phones fetch: what it holds of which registration, and how it changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from server.storage.engine import insert_ignoring
from server.storage.tables import index_change, index_entry, phone_index, record_tables
from shared_schemas.phone_index import Change, Entry


@dataclass(frozen=True, slots=True)
class Index:
    """One generation of a county's index: its key, and how far it has come.

    `upto_seq`: members up to this number of the county's feed are in it. `number`: how many changes
    there were. `complete`: whether it has held everybody once, so that phones may have it.
    """

    county: str
    generation: int
    key: str
    upto_seq: int
    number: int
    entries: int
    total: int
    townships: tuple[str, ...]
    complete: bool


def indexes(conn: Connection, county: str) -> list[Index]:
    """Return the generations of a county's index, newest first; two while a new key is taken up."""
    query = (
        select(phone_index)
        .where(phone_index.c.county == county)
        .order_by(phone_index.c.generation.desc())
    )
    return [
        Index(**{**row, "townships": tuple(row["townships"])})
        for row in conn.execute(query).mappings()
    ]


def add_index(conn: Connection, county: str, generation: int, key: str) -> None:
    """Begin a generation, unless somebody has begun it meanwhile."""
    row = {"county": county, "generation": generation, "key": key, "upto_seq": 0, "number": 0,
           "entries": 0, "total": 0, "townships": [], "complete": False}  # fmt: skip
    conn.execute(insert_ignoring(conn, phone_index), row)


def drop_before(conn: Connection, county: str, generation: int) -> None:
    """Let go of the generations before one."""
    for table in (index_change, index_entry, phone_index):
        conn.execute(delete(table).where(table.c.county == county, table.c.generation < generation))


def members_after(conn: Connection, county: str, seq: int, limit: int) -> Sequence[Row[Any]]:
    """Return members in the order of the feed, with what they are looked up by."""
    member = record_tables()["member"]
    return conn.execute(
        select(
            member.c.id, member.c.seq, member.c.village_code, member.c.deleted,
            member.c.id_no, member.c.name, member.c.birth_date,
        )
        .where(member.c.county == county, member.c.seq > seq)
        .order_by(member.c.seq)
        .limit(limit)
    ).all()  # fmt: skip


def entries_of(
    conn: Connection, index: Index, member_ids: Collection[str]
) -> dict[tuple[str, str], Entry]:
    """Return what stands in the index of these members, by (member, what it is looked up by)."""
    query = select(index_entry).where(
        index_entry.c.county == index.county,
        index_entry.c.generation == index.generation,
        index_entry.c.member_id.in_(member_ids),
    )
    return {
        (row.member_id, row.kind): (row.fingerprint, row.township) for row in conn.execute(query)
    }


def write_entries(
    conn: Connection,
    index: Index,
    *,
    gone: Collection[tuple[str, str]],
    new: Mapping[tuple[str, str], Entry],
) -> None:
    """Take entries out and put others in."""
    key = {"county": index.county, "generation": index.generation}
    if gone:
        conn.execute(
            delete(index_entry).where(
                index_entry.c.county == bindparam("in_county"),
                index_entry.c.generation == bindparam("of_generation"),
                index_entry.c.member_id == bindparam("of_member"),
                index_entry.c.kind == bindparam("of_kind"),
            ),
            [
                {"in_county": index.county, "of_generation": index.generation,
                 "of_member": member_id, "of_kind": kind}
                for member_id, kind in gone
            ],
        )  # fmt: skip
    if new:
        conn.execute(
            insert(index_entry),
            [
                {**key, "member_id": member_id, "kind": kind, "fingerprint": mark,
                 "township": township}
                for (member_id, kind), (mark, township) in new.items()
            ],
        )  # fmt: skip


def add_changes(
    conn: Connection, index: Index, changes: Sequence[Change], *, after: int, at_ms: int
) -> None:
    """Note how the index changed, numbered without gaps."""
    if changes:
        conn.execute(
            insert(index_change),
            [
                {"county": index.county, "generation": index.generation, "number": number,
                 "fingerprint": mark, "township": township, "added": added, "at_ms": at_ms}
                for number, (mark, township, added) in enumerate(changes, start=after + 1)
            ],
        )  # fmt: skip


def move_on(conn: Connection, before: Index, after: Index) -> bool:
    """Note how far the index has come; False when somebody else has brought it on meanwhile."""
    moved = conn.execute(
        update(phone_index)
        .where(
            phone_index.c.county == before.county,
            phone_index.c.generation == before.generation,
            phone_index.c.upto_seq == before.upto_seq,
        )
        .values(
            upto_seq=after.upto_seq, number=after.number, entries=after.entries,
            total=after.total, townships=list(after.townships), complete=after.complete,
        )
    )  # fmt: skip
    return moved.rowcount == 1


def forget_changes_before(conn: Connection, county: str, at_ms: int) -> None:
    """Let go of old changes: a phone that has not asked for so long fetches the index anew."""
    conn.execute(
        delete(index_change).where(index_change.c.county == county, index_change.c.at_ms < at_ms)
    )


def changes_after(conn: Connection, index: Index, number: int, limit: int) -> list[Row[Any]]:
    """Return the changes after a number, in order."""
    return list(
        conn.execute(
            select(index_change)
            .where(
                index_change.c.county == index.county,
                index_change.c.generation == index.generation,
                index_change.c.number > number,
            )
            .order_by(index_change.c.number)
            .limit(limit)
        )
    )


def entries_between(conn: Connection, index: Index, first: int, last: int) -> list[Entry]:
    """Return the entries whose fingerprints lie between two, both included."""
    rows = conn.execute(
        select(index_entry.c.fingerprint, index_entry.c.township).where(
            index_entry.c.county == index.county,
            index_entry.c.generation == index.generation,
            index_entry.c.fingerprint.between(first, last),
        )
    )
    return [(row.fingerprint, row.township) for row in rows]
