"""People who stand in two counties: the keyed hashes that find them, and what each county says.

Each side of a double is a row of its own county and holds nothing of the other county but its code.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, insert, select, update

from server.storage.engine import insert_ignoring, upsert
from server.storage.tables import (
    county_counter,
    county_double,
    cross_key,
    cross_key_state,
    record_tables,
)


def counties(conn: Connection) -> list[str]:
    """Return the counties that anything was ever written in."""
    return list(conn.execute(select(county_counter.c.county)).scalars())


def wait_for_finders(conn: Connection) -> None:
    """Wait for whoever is finding doubles: two counties at once would not see each other's hashes.

    From here to the commit others wait.
    """
    row = {"county": "", "key_mark": "", "upto_seq": 0}
    conn.execute(insert_ignoring(conn, cross_key_state), row)
    conn.execute(update(cross_key_state).where(cross_key_state.c.county == "").values(upto_seq=0))


def key_state(conn: Connection, county: str) -> tuple[str, int]:
    """Return under which key a county's hashes were made, and up to which number of its feed."""
    row = conn.execute(select(cross_key_state).where(cross_key_state.c.county == county)).first()
    return (row.key_mark, row.upto_seq) if row else ("", 0)


def put_key_state(conn: Connection, county: str, key_mark: str, upto_seq: int) -> None:
    """Note under which key a county's hashes were made, and how far they have come."""
    row = {"county": county, "key_mark": key_mark, "upto_seq": upto_seq}
    conn.execute(upsert(conn, cross_key_state, ["county"]), row)


def forget_keys(conn: Connection, county: str) -> None:
    """Let go of a county's hashes: they were made under another key."""
    conn.execute(delete(cross_key).where(cross_key.c.county == county))


def members_after(conn: Connection, county: str, seq: int, limit: int) -> Sequence[Row[Any]]:
    """Return members in the order of the feed, with what they are compared by."""
    member = record_tables()["member"]
    return conn.execute(
        select(
            member.c.id, member.c.seq, member.c.deleted, member.c.id_no, member.c.name,
            member.c.birth_date, member.c.sex,
        )
        .where(member.c.county == county, member.c.seq > seq)
        .order_by(member.c.seq)
        .limit(limit)
    ).all()  # fmt: skip


def replace_keys(conn: Connection, county: str, keys: Mapping[str, Mapping[str, str]]) -> None:
    """Put the hashes of registrations, by registration and kind, in place of those they had."""
    conn.execute(
        delete(cross_key).where(cross_key.c.county == county, cross_key.c.record_id.in_(list(keys)))
    )
    rows = [
        {"county": county, "record_id": record_id, "kind": kind, "key_hash": key_hash}
        for record_id, of_one in keys.items()
        for kind, key_hash in of_one.items()
    ]
    if rows:
        conn.execute(insert(cross_key), rows)


def sharing(conn: Connection, county: str, record_ids: Collection[str]) -> Sequence[Row[Any]]:
    """Return registrations of other counties that share a hash with these."""
    own, other = cross_key.alias("own"), cross_key.alias("other")
    return conn.execute(
        select(own.c.record_id, own.c.kind, other.c.county, other.c.record_id.label("other_id"))
        .join(
            other,
            and_(
                other.c.key_hash == own.c.key_hash,
                other.c.kind == own.c.kind,
                other.c.county != own.c.county,
            ),
        )
        .where(own.c.county == county, own.c.record_id.in_(record_ids))
    ).all()


def keys_of(conn: Connection, county: str, record_ids: Collection[str]) -> dict[str, str]:
    """Return the hashes of the ID numbers of registrations."""
    query = select(cross_key.c.record_id, cross_key.c.key_hash).where(
        cross_key.c.county == county,
        cross_key.c.record_id.in_(record_ids),
        cross_key.c.kind == "id",
    )
    return {row.record_id: row.key_hash for row in conn.execute(query)}


def put_double(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note both sides of a double; what the counties have said of it stays said."""
    for row in rows:
        conn.execute(insert_ignoring(conn, county_double), row)
        conn.execute(
            update(county_double)
            .where(county_double.c.county == row["county"], county_double.c.id == row["id"])
            .values(strength=row["strength"])
        )


def drop_unsaid(
    conn: Connection, county: str, record_ids: Collection[str], found: Collection[str]
) -> None:
    """Let go of doubles of these registrations that are found no more and of which nobody spoke."""
    rows = conn.execute(
        select(county_double.c.id, county_double.c.other_county).where(
            county_double.c.county == county,
            county_double.c.record_id.in_(record_ids),
            county_double.c.id.not_in(found),
        )
    ).all()
    for row in rows:
        sides = [
            side for each in (county, row.other_county) if (side := double(conn, each, row.id))
        ]
        if not any(side.word or side.verdict for side in sides):
            for side in sides:
                conn.execute(
                    delete(county_double).where(
                        county_double.c.county == side.county, county_double.c.id == side.id
                    )
                )


def double(conn: Connection, county: str, double_id: str) -> Row[Any] | None:
    """Return a county's side of a double."""
    return conn.execute(_DOUBLE, {"in_county": county, "with_id": double_id}).first()


_DOUBLE = select(county_double).where(
    county_double.c.county == bindparam("in_county"), county_double.c.id == bindparam("with_id")
)


def doubles(conn: Connection, county: str, scope: str, limit: int) -> Sequence[Row[Any]]:
    """Return a county's sides of its doubles within a scope, with what the other side has said.

    Of the other side its words alone come with it, never its registration.
    """
    member = record_tables()["member"]
    theirs = county_double.alias("theirs")
    return conn.execute(
        select(
            county_double,
            member.c.name, member.c.village_code,
            theirs.c.word.label("their_word"), theirs.c.verdict.label("their_verdict"),
        )
        .join(
            member,
            and_(
                member.c.county == county_double.c.county,
                member.c.id == county_double.c.record_id,
            ),
        )
        .join(
            theirs,
            and_(
                theirs.c.county == county_double.c.other_county,
                theirs.c.id == county_double.c.id,
            ),
        )
        .where(
            county_double.c.county == county, member.c.village_code.startswith(scope),
        )
        .order_by(county_double.c.verdict, county_double.c.strength, county_double.c.id)
        .limit(limit)
    ).all()  # fmt: skip


def say(conn: Connection, county: str, double_id: str, said: Mapping[str, Any]) -> None:
    """Note what a county says of a double."""
    conn.execute(
        update(county_double)
        .where(county_double.c.county == county, county_double.c.id == double_id)
        .values(**said)
    )
