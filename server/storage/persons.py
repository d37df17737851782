"""Persons of several registrations: pairs to decide about, links, and the rows derived from them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from server.storage.engine import in_county, upsert
from server.storage.tables import (
    audit,
    candidate_pair,
    labourer,
    person_link,
    person_member,
    record_tables,
    review,
    user_account,
)

OPEN, MERGED, NOT_SAME, UNSURE = "open", "merged", "not_same", "unsure"
STATES = (OPEN, UNSURE, MERGED, NOT_SAME)
MACHINE, PERSON = "machine", "person"


def ordered(left: str, right: str) -> tuple[str, str]:
    """Return a pair as it is kept: the lower id first."""
    return (left, right) if left < right else (right, left)


def counties_with_members(conn: Connection) -> list[str]:
    """Return the counties of which members are stored, in order."""
    member = record_tables()["member"]
    return list(
        conn.execute(select(member.c.county).distinct().order_by(member.c.county)).scalars()
    )


def people_of_county(conn: Connection, county: str) -> Iterable[Row[Any]]:
    """Return the present members of a county as a register lists them.

    Columns: record_id, name, sex, birth_date, id_no, phone, village_code, household_id, relation,
    work_employer, head_name.
    """
    member, household = record_tables()["member"], record_tables()["household"]
    head = member.alias("head")
    shown = (
        "name",
        "sex",
        "birth_date",
        "id_no",
        "phone",
        "village_code",
        "household_id",
        "relation",
        "work_employer",
    )
    home = member.outerjoin(
        household,
        and_(household.c.county == member.c.county, household.c.id == member.c.household_id),
    ).outerjoin(
        head, and_(head.c.county == member.c.county, head.c.id == household.c.head_member_id)
    )
    return conn.execute(
        select(
            member.c.id.label("record_id"),
            *(member.c[name] for name in shown),
            head.c.name.label("head_name"),
        )
        .select_from(home)
        .where(member.c.county == county, member.c.deleted.is_not(True))
        .order_by(member.c.id)
    )


# Pairs -------------------------------------------------------------------------------------------


def pairs_of_members(
    conn: Connection, county: str, member_ids: Collection[str]
) -> dict[tuple[str, str], Row[Any]]:
    """Return the pairs that have one of these members, by their ids."""
    wanted = sorted(member_ids)
    query = select(candidate_pair).where(
        candidate_pair.c.county == county,
        or_(candidate_pair.c.left_id.in_(wanted), candidate_pair.c.right_id.in_(wanted)),
    )
    return {(row.left_id, row.right_id): row for row in conn.execute(query)}


def put_pairs(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store proposed pairs; of one that is known only score, breakdown and reasons change."""
    if rows:
        keep = ("state", "proposed_at_ms", "decided_by", "decided_at_ms", "note")
        key = ["county", "left_id", "right_id"]
        conn.execute(upsert(conn, candidate_pair, key, keep=keep), [dict(row) for row in rows])


def settle_pair(conn: Connection, county: str, pair: tuple[str, str], **values: Any) -> None:
    """Write a decision into a pair."""
    conn.execute(update(candidate_pair).where(_is_pair(candidate_pair, county, pair)), values)


def forget_pair(conn: Connection, county: str, pair: tuple[str, str]) -> None:
    """Drop a pair that no key joins any more."""
    conn.execute(delete(candidate_pair).where(_is_pair(candidate_pair, county, pair)))


def _is_pair(table: Any, county: str, pair: tuple[str, str]) -> ColumnElement[bool]:
    return and_(table.c.county == county, table.c.left_id == pair[0], table.c.right_id == pair[1])


def pair_to_decide(conn: Connection, county: str, pair: tuple[str, str]) -> Row[Any] | None:
    """Return a pair and make other deciders of it wait (PostgreSQL)."""
    query = select(candidate_pair).where(_is_pair(candidate_pair, county, pair)).with_for_update()
    return conn.execute(query).first()


def _pairs_within(county: str, scope: str) -> Select[Any]:
    member = record_tables()["member"]
    left, right = member.alias("l"), member.alias("r")
    sides = [
        and_(
            side.c.county == candidate_pair.c.county,
            side.c.id == candidate_pair.c[column],
            side.c.village_code.startswith(scope, autoescape=True),
            side.c.deleted.is_not(True),
        )
        for side, column in ((left, "left_id"), (right, "right_id"))
    ]
    one, other = person_member.alias("one"), person_member.alias("other")
    is_settled = exists().where(
        one.c.county == candidate_pair.c.county,
        one.c.member_id == candidate_pair.c.left_id,
        other.c.county == candidate_pair.c.county,
        other.c.member_id == candidate_pair.c.right_id,
        one.c.person_id == other.c.person_id,
    )
    return (
        select(candidate_pair, user_account.c.name.label("decided_name"))
        .join(left, sides[0])
        .join(right, sides[1])
        .outerjoin(user_account, user_account.c.id == candidate_pair.c.decided_by)
        .where(
            candidate_pair.c.county == county,
            # Two that are one person by way of others need no decision of their own.
            or_(candidate_pair.c.state != OPEN, ~is_settled),
        )
    )


def pairs(
    conn: Connection, county: str, scope: str, state: str, *, limit: int, offset: int = 0
) -> list[Row[Any]]:
    """Return pairs of which the reader may see both sides, the likeliest first."""
    query = (
        _pairs_within(county, scope)
        .where(candidate_pair.c.state == state)
        .order_by(
            candidate_pair.c.score.desc(), candidate_pair.c.left_id, candidate_pair.c.right_id
        )
        .limit(limit)
        .offset(offset)
    )
    return list(conn.execute(query))


def pair_within(
    conn: Connection, county: str, scope: str, pair: tuple[str, str]
) -> Row[Any] | None:
    """Return a pair when the reader may see both sides."""
    query = _pairs_within(county, scope).where(_is_pair(candidate_pair, county, pair))
    return conn.execute(query).first()


def pair_counts(conn: Connection, county: str, scope: str) -> dict[str, int]:
    """Return how many pairs are in each state."""
    each = _pairs_within(county, scope).subquery()
    query = select(each.c.state, func.count()).group_by(each.c.state)
    found = {row[0]: row[1] for row in conn.execute(query)}
    return {state: found.get(state, 0) for state in STATES}


# Links -------------------------------------------------------------------------------------------


def add_link(conn: Connection, county: str, values: Mapping[str, Any]) -> None:
    """Store a link."""
    conn.execute(insert(person_link), {"county": county, **values})


def link_by_id(conn: Connection, county: str, link_id: str) -> Row[Any] | None:
    """Return a link, withdrawn or not, and make other deciders of it wait (PostgreSQL)."""
    query = (
        select(person_link)
        .where(person_link.c.county == county, person_link.c.id == link_id)
        .with_for_update()
    )
    return conn.execute(query).first()


def withdraw_link(conn: Connection, county: str, link_id: str, **values: Any) -> None:
    """Take a link back; the row stays as the story of it."""
    conn.execute(
        update(person_link)
        .where(person_link.c.county == county, person_link.c.id == link_id)
        .values(**values)
    )


def were_linked(conn: Connection, county: str, member_ids: Collection[str]) -> set[tuple[str, str]]:
    """Return the pairs with one of these members that are or ever were linked."""
    wanted = sorted(member_ids)
    query = select(person_link.c.left_id, person_link.c.right_id).where(
        person_link.c.county == county,
        or_(person_link.c.left_id.in_(wanted), person_link.c.right_id.in_(wanted)),
    )
    return {(row.left_id, row.right_id) for row in conn.execute(query)}


def links_among(
    conn: Connection, county: str, member_ids: Collection[str], *, withdrawn: bool = False
) -> list[Row[Any]]:
    """Return the links of these members with the names of those who made and withdrew them.

    Only those in force, or with `withdrawn` all, the oldest first.
    """
    wanted = sorted(member_ids)
    maker, taker = user_account.alias("maker"), user_account.alias("taker")
    query = (
        select(person_link, maker.c.name.label("linked_name"), taker.c.name.label("withdrawn_name"))
        .outerjoin(maker, maker.c.id == person_link.c.linked_by)
        .outerjoin(taker, taker.c.id == person_link.c.withdrawn_by)
        .where(
            person_link.c.county == county,
            or_(person_link.c.left_id.in_(wanted), person_link.c.right_id.in_(wanted)),
        )
        .order_by(person_link.c.linked_at_ms, person_link.c.id)
    )
    if not withdrawn:
        query = query.where(person_link.c.withdrawn_at_ms.is_(None))
    return list(conn.execute(query))


# Persons -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PersonMember:
    """A registration that belongs, or once belonged, to a person of several."""

    member_id: str
    household_id: str
    village_code: str
    person_id: str | None
    registrations: int
    listed: bool
    seq: int = 0


_MEMBER_COLUMNS = [
    person_member.c[name]
    for name in ("member_id", "household_id", "village_code", "person_id", "registrations",
                 "listed", "seq")
]  # fmt: skip


def members_of_persons(
    conn: Connection, county: str, member_ids: Collection[str]
) -> list[PersonMember]:
    """Return the given registrations, and all others of the same persons, in the order of ids."""
    wanted = sorted(member_ids)
    of_person = select(person_member.c.person_id).where(
        person_member.c.county == county, person_member.c.member_id.in_(wanted)
    )
    query = (
        select(*_MEMBER_COLUMNS)
        .where(
            person_member.c.county == county,
            or_(person_member.c.member_id.in_(wanted), person_member.c.person_id.in_(of_person)),
        )
        .order_by(person_member.c.member_id)
    )
    return [PersonMember(*row) for row in conn.execute(query)]


def linked_in_households(
    conn: Connection, county: str, household_ids: Collection[str]
) -> list[PersonMember]:
    """Return the registrations of these households that belong to a person of several."""
    if not household_ids:
        return []
    rows = conn.execute(_LINKED_IN, {"county": county, "ids": household_ids})
    return [PersonMember(*row) for row in rows]


_LINKED_IN = select(*_MEMBER_COLUMNS).where(
    in_county(person_member.c.household_id, "ids"), person_member.c.person_id.is_not(None)
)


def put_members(conn: Connection, county: str, rows: Iterable[PersonMember]) -> None:
    """Store derived rows, each in place of the former of its registration."""
    statement = upsert(conn, person_member, ["county", "member_id"])
    for row in rows:
        conn.execute(statement, {"county": county, **asdict(row)})


def registrations_of(
    conn: Connection, keys: Collection[tuple[str, str]], *, lock: bool = False
) -> dict[tuple[str, str], list[PersonMember]]:
    """Return the registrations of the persons of (county, member id), by that key.

    Somebody with one registration is left out. The lock keeps two firms from holding one person by
    two registrations at the same moment.
    """
    found: dict[tuple[str, str], list[PersonMember]] = {}
    for county in sorted({county for county, _ in keys}):
        own = {member for c, member in keys if c == county}
        rows = [row for row in members_of_persons(conn, county, own) if row.person_id]
        if lock and rows:
            locked = select(person_member.c.member_id).where(
                person_member.c.county == county,
                person_member.c.member_id.in_([row.member_id for row in rows]),
            )
            conn.execute(locked.order_by(person_member.c.member_id).with_for_update()).all()
        of_person: dict[str | None, list[PersonMember]] = {}
        for row in rows:
            of_person.setdefault(row.person_id, []).append(row)
        for row in rows:
            if row.member_id in own:
                found[county, row.member_id] = of_person[row.person_id]
    return found


# What the derivation looks at --------------------------------------------------------------------


def labourers_of(conn: Connection, county: str, member_ids: Collection[str]) -> dict[str, Row[Any]]:
    """Return what the labour list knows of these members."""
    query = select(
        labourer.c.member_id, labourer.c.share_hr, labourer.c.gone, labourer.c.listable,
        labourer.c.state, labourer.c.confirmed_on, labourer.c.approved_at_ms,
    ).where(labourer.c.county == county, labourer.c.member_id.in_(sorted(member_ids)))  # fmt: skip
    return {row.member_id: row for row in conn.execute(query)}


def approved_households(conn: Connection, county: str, household_ids: Collection[str]) -> set[str]:
    """Return those of the households that the county has approved at some time."""
    query = select(review.c.household_id).where(
        review.c.county == county,
        review.c.household_id.in_(sorted(household_ids)),
        review.c.approved_at_ms.is_not(None),
    )
    return set(conn.execute(query).scalars())


def audits_of_members(conn: Connection, county: str, member_ids: Collection[str]) -> list[Row[Any]]:
    """Return what was decided about these registrations being a person, newest first."""
    query = (
        select(audit, user_account.c.name.label("person"))
        .outerjoin(user_account, user_account.c.id == audit.c.actor)
        .where(
            audit.c.county == county,
            audit.c.target_kind == "member",
            audit.c.target_id.in_(sorted(member_ids)),
        )
        .order_by(audit.c.at_ms.desc(), audit.c.id)
        .limit(100)
    )
    return list(conn.execute(query))
