"""What members are compared by, kept with them: their features, and the keys by which they are found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, or_, select

from server.storage.engine import in_county, insert_many, upsert
from server.storage.tables import linkage_model, match_features, match_key, record_tables

MOST_SHARING = 200
"""A key that more members share than this is a placeholder or a mistake, and finds nobody."""


def people_of_households(
    conn: Connection, county: str, household_ids: Collection[str]
) -> list[Row[Any]]:
    """Return the present members of these households, with the name of the head as `head_name`."""
    return list(conn.execute(_people(), {"county": county, "ids": household_ids}))


@cache
def _people() -> Any:
    member, household = record_tables()["member"], record_tables()["household"]
    head = member.alias("head")
    named = ("id", "name", "sex", "birth_date", "id_no", "phone", "village_code", "household_id",
             "relation", "work_employer")  # fmt: skip
    home = and_(household.c.county == member.c.county, household.c.id == member.c.household_id)
    its_head = and_(head.c.county == member.c.county, head.c.id == household.c.head_member_id)
    return (
        select(*(member.c[name] for name in named), head.c.name.label("head_name"))
        .select_from(member.outerjoin(household, home).outerjoin(head, its_head))
        .where(in_county(member.c.household_id, "ids"), member.c.deleted.is_not(True))
    )


def household_ids_after(conn: Connection, county: str, last: str, limit: int) -> list[str]:
    """Return the ids of households that have members, in order, after the last one."""
    member = record_tables()["member"]
    query = (
        select(member.c.household_id)
        .distinct()
        .where(member.c.county == county, member.c.household_id > last)
        .order_by(member.c.household_id)
        .limit(limit)
    )
    return list(conn.execute(query).scalars())


def kept_features(
    conn: Connection, county: str, household_ids: Collection[str], member_ids: Collection[str]
) -> dict[str, str]:
    """Return the stored features of the members of these households, and of these members."""
    given = {"county": county, "homes": household_ids, "ids": member_ids}
    return {row[0]: row[1] for row in conn.execute(_KEPT, given).all()}


_KEPT = select(match_features.c.member_id, match_features.c.features).where(
    or_(
        in_county(match_features.c.household_id, "homes"),
        in_county(match_features.c.member_id, "ids"),
    )
)


def features_by_id(conn: Connection, county: str, member_ids: Collection[str]) -> dict[str, str]:
    """Return the stored features of members."""
    if not member_ids:
        return {}
    rows = conn.execute(_BY_ID, {"county": county, "ids": member_ids}).all()
    return {row[0]: row[1] for row in rows}


_BY_ID = select(match_features.c.member_id, match_features.c.features).where(
    in_county(match_features.c.member_id, "ids")
)


def put_features(
    conn: Connection, county: str, rows: Mapping[str, tuple[str, str, Sequence[str]]]
) -> None:
    """Store (household id, features, keys) of members of whom nothing is stored."""
    insert_many(
        conn, match_features, ("county", "member_id", "household_id", "features"),
        [(county, one, home, text) for one, (home, text, _) in rows.items()],
    )  # fmt: skip
    insert_many(
        conn, match_key, ("county", "key_hash", "member_id"),
        [(county, key, one) for one, (_, _, keys) in rows.items() for key in keys],
    )  # fmt: skip


def drop_features(conn: Connection, county: str, former: Mapping[str, Sequence[str]]) -> None:
    """Forget what members were compared by; `former` has the keys by which each was found."""
    if former:
        rows = [
            {"of": county, "key": key, "one": one} for one, keys in former.items() for key in keys
        ]
        if rows:
            conn.execute(_DROP_KEY, rows)
        conn.execute(_DROP_FEATURES, {"county": county, "ids": list(former)})


_DROP_KEY = delete(match_key).where(
    match_key.c.county == bindparam("of"),
    match_key.c.key_hash == bindparam("key"),
    match_key.c.member_id == bindparam("one"),
)
_DROP_FEATURES = delete(match_features).where(in_county(match_features.c.member_id, "ids"))


def forget_features(conn: Connection, county: str) -> None:
    """Forget what all members of a county were compared by."""
    for table in (match_key, match_features):
        conn.execute(delete(table).where(table.c.county == county))


def sharing(conn: Connection, county: str, keys: Collection[str]) -> dict[str, list[str]]:
    """Return the members that have each of these keys; keys that too many share are left out."""
    given = {"county": county, "keys": keys, "most": len(keys) * ORDINARY}
    rows = conn.execute(_SHARING, given).all()
    if len(rows) == given["most"]:
        rows = conn.execute(_SHARING_EACH, given | {"most": MOST_SHARING + 1}).all()
    found: dict[str, list[str]] = {}
    for key, member_id in rows:
        found.setdefault(key, []).append(member_id)
    return {key: members for key, members in found.items() if len(members) <= MOST_SHARING}


ORDINARY = 20
"""Members of a key, on the average of a push. Where a placeholder brings more, each key is counted,
which takes half as long again."""

_SHARING = (
    select(match_key.c.key_hash, match_key.c.member_id)
    .where(in_county(match_key.c.key_hash, "keys"))
    .limit(bindparam("most"))
)
_counted = (
    select(
        match_key.c.key_hash,
        match_key.c.member_id,
        func.row_number()
        .over(partition_by=match_key.c.key_hash, order_by=match_key.c.member_id)
        .label("place"),
    )
    .where(in_county(match_key.c.key_hash, "keys"))
    .subquery()
)
_SHARING_EACH = select(_counted.c.key_hash, _counted.c.member_id).where(
    _counted.c.place <= bindparam("most")
)


def model_made_at(conn: Connection, county: str) -> int | None:
    """Return when the county's own model was made, None where it has none."""
    return conn.execute(_MADE_AT, {"county": county}).scalar()


_MADE_AT = select(linkage_model.c.made_at_ms).where(linkage_model.c.county == bindparam("county"))


def stored_model(conn: Connection, county: str) -> Mapping[str, Any]:
    """Return the county's own model."""
    query = select(linkage_model.c.model).where(linkage_model.c.county == county)
    return dict(conn.execute(query).scalar_one())


def put_model(conn: Connection, county: str, model: Mapping[str, Any], *, now_ms: int) -> None:
    """Store the county's own model in place of the former."""
    row = {"county": county, "made_at_ms": now_ms, "model": dict(model)}
    conn.execute(upsert(conn, linkage_model, ["county"]), row)
