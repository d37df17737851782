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
    Text,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    type_coerce,
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


STRENGTHS = {"strong": (8.0, None), "middle": (4.0, 8.0), "weak": (None, 4.0)}
"""How much a pair weighs, from and below, log2; from `strong` on it weighs what a machine may link."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pairs of a county are asked for: of a state, of which the reader may see both sides.

    `reason`: a code that the pair was proposed for. `place`: the division that one side at least is
    in. `strength`: a key of STRENGTHS. Empty asks nothing.
    """

    county: str
    scope: str
    state: str = OPEN
    reason: str = ""
    place: str = ""
    strength: str = ""


def _pairs_within(
    county: str, scope: str, *, state: str = OPEN, place: str = ""
) -> tuple[Select[Any], ColumnElement[Any]]:
    """Return the pairs of which the reader may see both sides, and what their queue begins with.

    What waits is begun with pairs of which both sides were approved, for these are counted twice in
    every list and figure as long as they wait; what was decided, with the newest.
    """
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
    approved = [
        exists().where(
            review.c.county == candidate_pair.c.county,
            review.c.household_id == side.c.household_id,
            review.c.approved_at_ms.is_not(None),
        )
        for side in (left, right)
    ]
    first: ColumnElement[Any] = case((and_(*approved), 1), else_=0)
    if state in (MERGED, NOT_SAME):
        first = func.coalesce(candidate_pair.c.decided_at_ms, 0)
    query = (
        select(
            candidate_pair,
            user_account.c.name.label("decided_name"),
            left.c.village_code.label("left_village"),
            right.c.village_code.label("right_village"),
            first.label("first"),
        )
        .join(left, sides[0])
        .join(right, sides[1])
        .outerjoin(user_account, user_account.c.id == candidate_pair.c.decided_by)
        .where(
            candidate_pair.c.county == county,
            # Two that are one person by way of others need no decision of their own.
            or_(candidate_pair.c.state != OPEN, ~is_settled),
        )
    )
    if place:
        query = query.where(
            or_(*(side.c.village_code.startswith(place, autoescape=True) for side in (left, right)))
        )
    return query, first


def _queue(wanted: Wanted) -> tuple[Select[Any], list[ColumnElement[Any]]]:
    """Return the pairs that are wanted and the key of their order, from high to low."""
    query, first = _pairs_within(
        wanted.county, wanted.scope, state=wanted.state, place=wanted.place
    )
    c = candidate_pair.c
    query = query.where(c.state == wanted.state)
    if wanted.reason:
        # Codes stand in the JSON text in quotes.
        query = query.where(
            type_coerce(c.reasons, Text).contains(f'"{wanted.reason}"', autoescape=True)
        )
    least, below = STRENGTHS.get(wanted.strength, (None, None))
    if least is not None:
        query = query.where(c.score >= least)
    if below is not None:
        query = query.where(c.score < below)
    return query, [first, c.score, c.left_id, c.right_id]


def pairs(conn: Connection, wanted: Wanted, *, limit: int, offset: int = 0) -> list[Row[Any]]:
    """Return pairs in the order of the queue: what matters most and is likeliest first."""
    query, key = _queue(wanted)
    return list(
        conn.execute(query.order_by(*(part.desc() for part in key)).limit(limit).offset(offset))
    )


def neighbours(
    conn: Connection, wanted: Wanted, pair: tuple[str, str]
) -> tuple[tuple[str, str] | None, tuple[str, str] | None]:
    """Return the pairs before and after one in the queue, whether or not it stands there itself.

    Behind the last comes the first again, so that what was passed over is met once more.
    """
    query, key = _queue(wanted)
    others = query.where(~_is_pair(candidate_pair, wanted.county, pair))
    falling = others.order_by(*(part.desc() for part in key)).limit(1)
    anywhere, _ = _pairs_within(wanted.county, wanted.scope, state=wanted.state)
    here = conn.execute(anywhere.where(_is_pair(candidate_pair, wanted.county, pair))).first()
    if here is None:
        return None, _ids(conn.execute(falling).first())
    values = (here.first, here.score, here.left_id, here.right_id)
    at = tuple_(*(literal(value, part.type) for value, part in zip(values, key, strict=True)))
    rising = others.order_by(*(part.asc() for part in key)).limit(1)
    before = conn.execute(rising.where(tuple_(*key) > at)).first()
    after = conn.execute(falling.where(tuple_(*key) < at)).first()
    return _ids(before), _ids(after or conn.execute(falling).first())


def _ids(row: Row[Any] | None) -> tuple[str, str] | None:
    return None if row is None else (row.left_id, row.right_id)


def pair_within(
    conn: Connection, county: str, scope: str, pair: tuple[str, str]
) -> Row[Any] | None:
    """Return a pair when the reader may see both sides."""
    query, _ = _pairs_within(county, scope)
    return conn.execute(query.where(_is_pair(candidate_pair, county, pair))).first()


def pair_counts(conn: Connection, county: str, scope: str) -> dict[str, int]:
    """Return how many pairs are in each state."""
    query, _ = _pairs_within(county, scope)
    counted = query.with_only_columns(candidate_pair.c.state, func.count())
    found = {row[0]: row[1] for row in conn.execute(counted.group_by(candidate_pair.c.state))}
    return {state: found.get(state, 0) for state in STATES}


def count_pairs(conn: Connection, wanted: Wanted) -> int:
    """Return how many pairs are wanted."""
    query, _ = _queue(wanted)
    return int(conn.execute(query.with_only_columns(func.count())).scalar_one())


def pair_facets(conn: Connection, county: str, scope: str, state: str) -> list[Row[Any]]:
    """Return what the pairs of a state are filtered by: reasons, score and both villages of each."""
    query, _ = _pairs_within(county, scope, state=state)
    columns = {column.name: column for column in query.selected_columns}
    return list(
        conn.execute(
            query.where(candidate_pair.c.state == state).with_only_columns(
                *(columns[name] for name in ("reasons", "score", "left_village", "right_village"))
            )
        )
    )


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


def link_of_pair(conn: Connection, county: str, pair: tuple[str, str]) -> Row[Any] | None:
    """Return the link of two registrations that is in force."""
    query = select(person_link).where(
        _is_pair(person_link, county, pair), person_link.c.withdrawn_at_ms.is_(None)
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


def last_act(
    conn: Connection, county: str, pair: tuple[str, str], actions: Sequence[str]
) -> Row[Any] | None:
    """Return the newest act of some kinds about a pair."""
    query = (
        select(audit.c.action, audit.c.actor, audit.c.at_ms, audit.c.detail)
        .where(
            audit.c.county == county,
            audit.c.target_kind == "member",
            audit.c.target_id == pair[0],
            audit.c.action.in_(actions),
            type_coerce(audit.c.detail, Text).contains(f'"{pair[1]}"', autoescape=True),
        )
        .order_by(audit.c.at_ms.desc(), audit.c.id.desc())
    )
    return conn.execute(query.limit(1)).first()
