"""Households that may be listed twice: what speaks for it, the pairs to decide about, who counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    union_all,
    update,
)

from server.storage.engine import in_county, upsert
from server.storage.persons import OPEN, UNSURE
from server.storage.tables import (
    audit,
    candidate_pair,
    household_pair,
    person_member,
    record_tables,
    review,
    user_account,
)
from shared_schemas.records.member import HEAD

ONE, TWO = "one", "two"
STATES = (OPEN, UNSURE, ONE, TWO)


# What speaks for it ------------------------------------------------------------------------------


def members_in_two(
    conn: Connection, county: str, household_ids: Collection[str]
) -> list[tuple[str, str, str, str]]:
    """Return (household, member, other household, other member) of who is one person by links."""
    return [tuple(row) for row in conn.execute(_IN_TWO, {"county": county, "ids": household_ids})]


_own, _other = person_member.alias("own"), person_member.alias("other")
_IN_TWO = (
    select(_own.c.household_id, _own.c.member_id, _other.c.household_id, _other.c.member_id)
    .join(_other, and_(_other.c.county == _own.c.county, _other.c.person_id == _own.c.person_id))
    .where(in_county(_own.c.household_id, "ids"), _other.c.household_id != _own.c.household_id)
)


def proposed_members(
    conn: Connection, county: str, household_ids: Collection[str], *, least: float
) -> list[tuple[str, str, str, str, float]]:
    """Return (household, member, other household, other member, score) of undecided candidates."""
    asked = {"county": county, "ids": household_ids, "least": least}
    return [tuple(row) for row in conn.execute(_proposed(), asked)]


@cache
def _proposed() -> Any:
    member = record_tables()["member"]
    own, other = member.alias("own"), member.alias("other")
    halves = []
    for mine, theirs in (("left_id", "right_id"), ("right_id", "left_id")):
        pair = candidate_pair.alias(mine)
        halves.append(
            select(
                own.c.household_id, own.c.id, other.c.household_id.label("other_household"),
                other.c.id.label("other_id"), pair.c.score,
            )
            .join(pair, and_(pair.c.county == own.c.county, pair.c[mine] == own.c.id))
            .join(other, and_(other.c.county == pair.c.county, other.c.id == pair.c[theirs]))
            .where(
                in_county(own.c.household_id, "ids"),
                other.c.household_id != own.c.household_id,
                pair.c.state.in_((OPEN, UNSURE)),
                pair.c.score >= bindparam("least"),
                own.c.deleted.is_not(True),
                other.c.deleted.is_not(True),
            )
        )  # fmt: skip
    return union_all(*halves)


def members_on_lists(conn: Connection, county: str, household_ids: Collection[str]) -> list[Any]:
    """Return (id, household_id, relation, member_change) of the present members."""
    return list(conn.execute(_on_lists(), {"county": county, "ids": household_ids}))


@cache
def _on_lists() -> Any:
    member = record_tables()["member"]
    return select(
        member.c.id, member.c.household_id, member.c.relation, member.c.member_change
    ).where(in_county(member.c.household_id, "ids"), member.c.deleted.is_not(True))


def lists_of(conn: Connection, county: str, household_ids: Collection[str]) -> dict[str, Row[Any]]:
    """Return (id, village_code, registry_no, is_split, split_from) of the present households."""
    rows = conn.execute(_lists(), {"county": county, "ids": household_ids})
    return {row.id: row for row in rows}


@cache
def _lists() -> Any:
    household = record_tables()["household"]
    return select(
        household.c.id,
        household.c.village_code,
        household.c.registry_no,
        household.c.is_split,
        household.c.split_from,
    ).where(in_county(household.c.id, "ids"), household.c.deleted.is_not(True))


def households_of_members(conn: Connection, county: str, member_ids: Collection[str]) -> set[str]:
    """Return the households that these members are listed in."""
    member = record_tables()["member"]
    query = select(member.c.household_id).where(in_county(member.c.id, "ids"))
    return set(conn.execute(query, {"county": county, "ids": member_ids}).scalars())


# Pairs -------------------------------------------------------------------------------------------


def pairs_of(
    conn: Connection, county: str, household_ids: Collection[str]
) -> dict[tuple[str, str], Row[Any]]:
    """Return the pairs that have one of these households, by their ids."""
    rows = conn.execute(_PAIRS_OF, {"county": county, "ids": household_ids})
    return {(row.left_id, row.right_id): row for row in rows}


_PAIRS_OF = select(household_pair).where(
    or_(in_county(household_pair.c.left_id, "ids"), in_county(household_pair.c.right_id, "ids"))
)


def put_pairs(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store pairs, each in place of what was known of it."""
    if rows:
        key = ["county", "left_id", "right_id"]
        conn.execute(upsert(conn, household_pair, key), [dict(row) for row in rows])


def forget_pairs(conn: Connection, county: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Drop pairs for which nothing speaks any more."""
    for pair in pairs:
        conn.execute(delete(household_pair).where(_is_pair(county, pair)))


def settle_pair(conn: Connection, county: str, pair: tuple[str, str], **values: Any) -> None:
    """Write a decision into a pair."""
    conn.execute(update(household_pair).where(_is_pair(county, pair)).values(**values))


def pair_to_decide(conn: Connection, county: str, pair: tuple[str, str]) -> Row[Any] | None:
    """Return a pair and make other deciders of it wait (PostgreSQL)."""
    query = select(household_pair).where(_is_pair(county, pair)).with_for_update()
    return conn.execute(query).first()


def _is_pair(county: str, pair: tuple[str, str]) -> ColumnElement[bool]:
    table = household_pair.c
    return and_(table.county == county, table.left_id == pair[0], table.right_id == pair[1])


def _pairs_within(county: str, scope: str) -> Select[Any]:
    left, right = review.alias("l"), review.alias("r")
    sides = [
        and_(
            side.c.county == household_pair.c.county,
            side.c.household_id == household_pair.c[column],
            side.c.village_code.startswith(scope, autoescape=True),
            side.c.state != "void",
        )
        for side, column in ((left, "left_id"), (right, "right_id"))
    ]
    # Two lists that are one by way of a third need no decision of their own.
    root = [func.coalesce(side.c.same_as, side.c.household_id) for side in (left, right)]
    return (
        select(household_pair, user_account.c.name.label("decided_name"))
        .join(left, sides[0])
        .join(right, sides[1])
        .outerjoin(user_account, user_account.c.id == household_pair.c.decided_by)
        .where(
            household_pair.c.county == county,
            or_(household_pair.c.state != OPEN, root[0] != root[1]),
        )
    )


def pairs(
    conn: Connection, county: str, scope: str, state: str, *, limit: int, offset: int = 0
) -> list[Row[Any]]:
    """Return pairs of which the reader may see both sides, those with most people in common first."""
    table = household_pair.c
    query = (
        _pairs_within(county, scope)
        .where(table.state == state)
        .order_by(table.shared.desc(), table.left_id, table.right_id)
        .limit(limit)
        .offset(offset)
    )
    return list(conn.execute(query))


def pair_within(
    conn: Connection, county: str, scope: str, pair: tuple[str, str]
) -> Row[Any] | None:
    """Return a pair when the reader may see both sides."""
    return conn.execute(_pairs_within(county, scope).where(_is_pair(county, pair))).first()


def pair_counts(conn: Connection, county: str, scope: str) -> dict[str, int]:
    """Return how many pairs are in each state."""
    each = _pairs_within(county, scope).subquery()
    query = select(each.c.state, func.count()).group_by(each.c.state)
    found = {row[0]: row[1] for row in conn.execute(query)}
    return {state: found.get(state, 0) for state in STATES}


# Which list counts -------------------------------------------------------------------------------


def joined(conn: Connection, county: str, household_ids: Collection[str]) -> list[Row[Any]]:
    """Return the pairs said to be one household that have one of these, in the order of decisions."""
    return list(conn.execute(_JOINED, {"county": county, "ids": household_ids}))


_JOINED = _PAIRS_OF.where(household_pair.c.state == ONE).order_by(
    household_pair.c.decided_at_ms, household_pair.c.left_id, household_pair.c.right_id
)


def standing(
    conn: Connection, county: str, household_ids: Collection[str]
) -> dict[str, tuple[str, str | None]]:
    """Return (state, same_as) of the reviews of these households."""
    rows = conn.execute(_STANDING, {"county": county, "ids": household_ids})
    return {row.household_id: (row.state, row.same_as) for row in rows}


_STANDING = select(review.c.household_id, review.c.state, review.c.same_as).where(
    in_county(review.c.household_id, "ids")
)


def put_same_as(conn: Connection, county: str, rows: Sequence[tuple[str, str | None, int]]) -> None:
    """Write by which other list households are counted: (household, that one or None, number)."""
    conn.execute(
        update(review)
        .where(review.c.county == county, review.c.household_id == bindparam("b_household"))
        .values(same_as=bindparam("b_same_as"), seq=bindparam("b_seq")),
        [{"b_household": one, "b_same_as": other, "b_seq": seq} for one, other, seq in rows],
    )


# The page ----------------------------------------------------------------------------------------


def heads_of(conn: Connection, county: str, household_ids: Collection[str]) -> dict[str, str]:
    """Return the names of the heads of these households."""
    member = record_tables()["member"]
    query = select(member.c.household_id, member.c.name).where(
        in_county(member.c.household_id, "ids"),
        member.c.relation == HEAD,
        member.c.deleted.is_not(True),
    )
    rows = conn.execute(query, {"county": county, "ids": household_ids})
    return {row.household_id: row.name or "" for row in rows}


def stories_of(conn: Connection, county: str, pair: tuple[str, str]) -> list[Row[Any]]:
    """Return what was decided about two lists being one household, newest first."""
    query = (
        select(audit, user_account.c.name.label("person"))
        .outerjoin(user_account, user_account.c.id == audit.c.actor)
        .where(
            audit.c.county == county,
            audit.c.target_kind == "household_pair",
            audit.c.target_id == "+".join(pair),
        )
        .order_by(audit.c.at_ms.desc(), audit.c.id)
        .limit(50)
    )
    return list(conn.execute(query))
