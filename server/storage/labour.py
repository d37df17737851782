"""SQL of the labour list: labourers, pulls, holds and reveals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from server.storage.engine import upsert
from server.storage.tables import (
    county_double,
    hold,
    labourer,
    list_pull,
    list_pull_row,
    organisation,
    person_member,
    reveal,
)

CHUNK = 500
"""Ids in one IN list: well under the parameter limits of both databases."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """What the labour list asks of a labourer. Days are ISO dates; None asks nothing.

    `org_id` is the firm that asks: whom another firm holds at `now_ms` it does not see.
    """

    counties: tuple[str, ...]
    org_id: str
    now_ms: int
    wants_job: tuple[str, ...]
    states: tuple[str, ...]
    born_on_or_before: str
    graduates_by: str
    confirmed_since: str
    available_by: str
    born_after: str | None = None
    sex: str | None = None
    occupations: tuple[str, ...] = ()
    reach_at_least: str | None = None
    wage_most: int | None = None
    mandarin_at_most: str | None = None
    together_with: str | None = None
    township: str | None = None


def _held_by_others(criteria: Criteria) -> CompoundSelect[Any]:
    held = select(hold.c.member_id).where(
        hold.c.county.in_(criteria.counties),
        hold.c.org_id != criteria.org_id,
        hold.c.until_ms > criteria.now_ms,
    )
    return held.union(_same_person_as(held, criteria.counties))


def _same_person_as(members: Select[Any], counties: Sequence[str]) -> Select[Any]:
    """Return the other registrations of the persons that some registrations belong to."""
    own, other = person_member.alias("own"), person_member.alias("other")
    return (
        select(other.c.member_id)
        .join(own, and_(own.c.county == other.c.county, own.c.person_id == other.c.person_id))
        .where(other.c.county.in_(counties), own.c.member_id.in_(members))
    )


def _listed_elsewhere(criteria: Criteria) -> Select[Any]:
    """Return the registrations of persons who are listed by another of theirs, or by none."""
    return select(person_member.c.member_id).where(
        person_member.c.county.in_(criteria.counties),
        person_member.c.person_id.is_not(None),
        ~person_member.c.listed,
    )


def _listed_in_another_county(counties: Sequence[str]) -> Select[Any]:
    """Return those whom two counties call one person and who are newer in another county asked for."""
    mine, theirs = county_double.alias("mine"), county_double.alias("theirs")
    own, other = labourer.alias("own_row"), labourer.alias("other_row")
    return (
        select(mine.c.record_id)
        .join(theirs, and_(theirs.c.county == mine.c.other_county, theirs.c.id == mine.c.id))
        .join(own, and_(own.c.county == mine.c.county, own.c.member_id == mine.c.record_id))
        .join(
            other, and_(other.c.county == theirs.c.county, other.c.member_id == theirs.c.record_id)
        )
        .where(
            mine.c.county.in_(counties),
            theirs.c.county.in_(counties),
            mine.c.verdict == "same",
            theirs.c.verdict == "same",
            other.c.share_hr,
            ~other.c.gone,
            other.c.listable,
            or_(
                other.c.confirmed_on > own.c.confirmed_on,
                and_(other.c.confirmed_on == own.c.confirmed_on, theirs.c.county < mine.c.county),
            ),
        )
    )


def _is_available(criteria: Criteria, every: Sequence[str] | None = None) -> ColumnElement[bool]:
    """The availability predicate of domain.md 4.7, whole, with the filters of one request.

    `every`: all counties of the request, where the criteria name only one of them.
    """
    l = labourer.c  # noqa: E741 - read beside the definition it is clearer than a long name
    conditions = [
        l.county.in_(criteria.counties)
        if len(criteria.counties) != 1
        else l.county == criteria.counties[0],
        l.share_hr,
        ~l.gone,
        l.listable,
        l.wants_job.in_(criteria.wants_job),
        l.state.in_(criteria.states),
        l.labour_ability.in_(("1", "2", "3")),
        or_(l.in_school.is_(None), l.in_school == "0", l.graduates_on <= criteria.graduates_by),
        l.confirmed_on >= criteria.confirmed_since,
        or_(l.available_from.is_(None), l.available_from <= criteria.available_by),
        l.birth_date <= criteria.born_on_or_before,
        # Few people are held, so they are looked up once, not asked about for every row.
        l.member_id.not_in(_held_by_others(criteria)),
        l.member_id.not_in(_listed_elsewhere(criteria)),
        l.member_id.not_in(_listed_in_another_county(every or criteria.counties)),
    ]
    if criteria.born_after is not None:
        conditions.append(l.birth_date > criteria.born_after)
    if criteria.sex is not None:
        conditions.append(l.sex == criteria.sex)
    if criteria.occupations:
        wished = [l.occupations.contains(f",{code},") for code in ("*", *criteria.occupations)]
        conditions.append(or_(*wished))
    if criteria.reach_at_least is not None:
        conditions.append(l.reach >= criteria.reach_at_least)
    if criteria.wage_most is not None:
        conditions.append(or_(l.wage_floor.is_(None), l.wage_floor <= criteria.wage_most))
    if criteria.mandarin_at_most is not None:
        conditions.append(l.speaks_mandarin <= criteria.mandarin_at_most)
    if criteria.together_with is not None:
        conditions.append(l.together_with == criteria.together_with)
    if criteria.township is not None:
        conditions.append(
            and_(l.village_code >= criteria.township, l.village_code < _after(criteria.township))
        )
    return and_(*conditions)


def _after(prefix: str) -> str:
    """Return the first text after all that begin with a prefix of digits."""
    return str(int(prefix) + 1)


def count_available(conn: Connection, criteria: Criteria) -> int:
    """Return how many labourers answer the criteria."""
    query = select(func.count()).select_from(labourer).where(_is_available(criteria))
    return int(conn.execute(query).scalar_one())


_SHOWN = (
    labourer.c.county,
    labourer.c.member_id,
    labourer.c.village_code,
    labourer.c.name,
    labourer.c.birth_date,
    labourer.c.confirmed_on,
    labourer.c.partners,
    labourer.c.card,
)


def available_labourers(
    conn: Connection, criteria: Criteria, *, limit: int, not_in_pull: str | None = None
) -> list[Row[Any]]:
    """Return labourers who answer the criteria, the most recently confirmed first.

    `not_in_pull` leaves out those whom that pull already listed: its next page.
    """
    found: list[Row[Any]] = []
    for county in criteria.counties:
        # One county after the other: each comes out of the index in order and stops when full.
        query = (
            select(*_SHOWN)
            .where(_is_available(replace(criteria, counties=(county,)), criteria.counties))
            .order_by(labourer.c.confirmed_on.desc(), labourer.c.member_id.desc())
            .limit(limit)
        )
        if not_in_pull is not None:
            query = query.where(~_listed_by(not_in_pull, (county,)))
        found += conn.execute(query).all()
    found.sort(key=lambda row: (row.confirmed_on, row.member_id), reverse=True)
    return found[:limit]


def _listed_by(pull_id: str, counties: Sequence[str]) -> ColumnElement[bool]:
    """Tell whether a pull listed a labourer, by this registration of his or by another."""
    by_this = exists().where(
        list_pull_row.c.county == labourer.c.county,
        list_pull_row.c.pull_id == pull_id,
        list_pull_row.c.member_id == labourer.c.member_id,
    )
    in_pull = select(list_pull_row.c.member_id).where(
        list_pull_row.c.county.in_(counties), list_pull_row.c.pull_id == pull_id
    )
    return or_(by_this, labourer.c.member_id.in_(_same_person_as(in_pull, counties)))


def available_among(
    conn: Connection,
    criteria: Criteria,
    member_ids: Sequence[str],
    *,
    not_in_pull: str | None = None,
) -> list[Row[Any]]:
    """Return those of the members who answer the criteria."""
    found: list[Row[Any]] = []
    for start in range(0, len(member_ids), CHUNK):
        query = select(*_SHOWN).where(
            _is_available(criteria), labourer.c.member_id.in_(member_ids[start : start + CHUNK])
        )
        if not_in_pull is not None:
            query = query.where(~_listed_by(not_in_pull, criteria.counties))
        found += conn.execute(query).all()
    return found


def add_pull(conn: Connection, values: Mapping[str, Any]) -> None:
    """Log a pull."""
    conn.execute(insert(list_pull), [dict(values)])


def pull_of(conn: Connection, pull_id: str, org_id: str, *, lock: bool = False) -> Row[Any] | None:
    """Return a pull of that firm, None when there is none. `lock` serialises writers of it."""
    query = select(list_pull).where(list_pull.c.id == pull_id, list_pull.c.org_id == org_id)
    return conn.execute(query.with_for_update() if lock else query).first()


def add_pull_rows(conn: Connection, pull_id: str, rows: Sequence[tuple[str, str, int]]) -> None:
    """Log who was listed, (county, member_id, list_no), and count them in the pull."""
    if not rows:
        return
    conn.execute(
        insert(list_pull_row),
        [
            {"county": county, "pull_id": pull_id, "member_id": member_id, "list_no": list_no}
            for county, member_id, list_no in rows
        ],
    )
    conn.execute(
        update(list_pull).where(list_pull.c.id == pull_id).values(rows=list_pull.c.rows + len(rows))
    )


def pull_rows_after(
    conn: Connection, pull_id: str, counties: Sequence[str], after: int, limit: int
) -> list[Row[Any]]:
    """Return (county, member_id, list_no) of a pull from list number `after` + 1 on."""
    query = (
        select(list_pull_row.c.county, list_pull_row.c.member_id, list_pull_row.c.list_no)
        .where(
            list_pull_row.c.county.in_(counties),
            list_pull_row.c.pull_id == pull_id,
            list_pull_row.c.list_no > after,
        )
        .order_by(list_pull_row.c.list_no)
        .limit(limit)
    )
    return list(conn.execute(query).all())


def list_numbers(
    conn: Connection, pull_id: str, counties: Sequence[str], member_ids: Sequence[str]
) -> dict[str, int]:
    """Return the list numbers under which a pull lists those of the members that it lists."""
    found: dict[str, int] = {}
    for start in range(0, len(member_ids), CHUNK):
        query = select(list_pull_row.c.member_id, list_pull_row.c.list_no).where(
            list_pull_row.c.county.in_(counties),
            list_pull_row.c.pull_id == pull_id,
            list_pull_row.c.member_id.in_(member_ids[start : start + CHUNK]),
        )
        found |= {row.member_id: row.list_no for row in conn.execute(query)}
    return found


def listed_in_pull(
    conn: Connection, pull_id: str, counties: Sequence[str], list_nos: Sequence[int]
) -> list[Row[Any]]:
    """Return the labourers behind list numbers, with the hold on each; locks their rows.

    The lock keeps two firms from holding one person at the same moment.
    """
    query = (
        select(
            list_pull_row.c.list_no,
            labourer.c.county,
            labourer.c.member_id,
            labourer.c.share_hr,
            labourer.c.gone,
            labourer.c.reveals,
        )
        .join(
            labourer,
            and_(
                labourer.c.county == list_pull_row.c.county,
                labourer.c.member_id == list_pull_row.c.member_id,
            ),
        )
        .where(
            list_pull_row.c.county.in_(counties),
            list_pull_row.c.pull_id == pull_id,
            list_pull_row.c.list_no.in_(list_nos),
        )
        .order_by(labourer.c.county, labourer.c.member_id)
        .with_for_update(of=labourer)
    )
    return list(conn.execute(query).all())


def holds_on(
    conn: Connection, counties: Sequence[str], member_ids: Sequence[str]
) -> dict[tuple[str, str], Row[Any]]:
    """Return the latest hold of each member, run out or not, by (county, member_id)."""
    found: dict[tuple[str, str], Row[Any]] = {}
    for start in range(0, len(member_ids), CHUNK):
        query = select(hold).where(
            hold.c.county.in_(counties), hold.c.member_id.in_(member_ids[start : start + CHUNK])
        )
        found |= {(row.county, row.member_id): row for row in conn.execute(query)}
    return found


def put_holds(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store holds, each in place of the earlier one on that member."""
    if rows:
        conn.execute(upsert(conn, hold, ["county", "member_id"]), list(rows))


def people_revealed_since(conn: Connection, org_id: str, since_ms: int) -> set[tuple[str, str]]:
    """Return (county, member_id) of everybody revealed to a firm since then."""
    query = (
        select(reveal.c.county, reveal.c.member_id)
        .where(reveal.c.org_id == org_id, reveal.c.at_ms >= since_ms)
        .distinct()
    )
    return {(row.county, row.member_id) for row in conn.execute(query)}


def lock_firm(conn: Connection, org_id: str) -> None:
    """Make this transaction the only one that counts this firm's reveals."""
    conn.execute(
        select(organisation.c.id).where(organisation.c.id == org_id).with_for_update()
    ).all()


def add_reveal(conn: Connection, values: Mapping[str, Any]) -> None:
    """Log that a firm was told who somebody is."""
    conn.execute(insert(reveal), [dict(values)])


def pulls_of_county(conn: Connection, county: str, *, limit: int = 200) -> list[Row[Any]]:
    """Return who pulled people of a county, newest first.

    Columns: pull_id, at_ms, org_id, org_name, purpose, channel, filters, rows (persons of this
    county only) and reveals (of them).
    """
    person = func.coalesce(person_member.c.person_id, list_pull_row.c.member_id)
    counted = (
        select(list_pull_row.c.pull_id, func.count(person.distinct()).label("rows"))
        .outerjoin(person_member, _of_registration(list_pull_row))
        .where(list_pull_row.c.county == county)
        .group_by(list_pull_row.c.pull_id)
        .subquery()
    )
    known = func.coalesce(person_member.c.person_id, reveal.c.member_id)
    revealed = (
        select(func.count(known.distinct()))
        .select_from(reveal.outerjoin(person_member, _of_registration(reveal)))
        .where(reveal.c.county == county, reveal.c.pull_id == list_pull.c.id)
        .scalar_subquery()
    )
    query = (
        select(
            list_pull.c.id.label("pull_id"),
            list_pull.c.at_ms,
            list_pull.c.org_id,
            organisation.c.name.label("org_name"),
            list_pull.c.purpose,
            list_pull.c.channel,
            list_pull.c.filters,
            counted.c.rows,
            revealed.label("reveals"),
        )
        .join(counted, counted.c.pull_id == list_pull.c.id)
        .outerjoin(organisation, organisation.c.id == list_pull.c.org_id)
        .order_by(list_pull.c.at_ms.desc(), list_pull.c.id)
        .limit(limit)
    )
    return list(conn.execute(query).all())


def _of_registration(table: Any) -> ColumnElement[bool]:
    return and_(
        person_member.c.county == table.c.county, person_member.c.member_id == table.c.member_id
    )


def pulls_of_firm(conn: Connection, org_id: str, *, limit: int = 50) -> list[Row[Any]]:
    """Return a firm's own pulls, newest first."""
    query = (
        select(list_pull)
        .where(list_pull.c.org_id == org_id)
        .order_by(list_pull.c.at_ms.desc(), list_pull.c.id)
        .limit(limit)
    )
    return list(conn.execute(query).all())


def firms_named(conn: Connection, name_or_id: str) -> list[Row[Any]]:
    """Return the active organisations with that id or exact name."""
    query = select(organisation).where(
        organisation.c.active,
        or_(organisation.c.id == name_or_id, organisation.c.name == name_or_id),
    )
    return list(conn.execute(query).all())


def replace_labourers(
    conn: Connection, county: str, household_ids: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Put `rows` in place of all labourers of these households.

    Somebody who moved in from another household leaves his row there.
    """
    _forget(conn, county, labourer.c.household_id, household_ids)
    _forget(conn, county, labourer.c.member_id, [row["member_id"] for row in rows])
    if rows:
        conn.execute(insert(labourer), [dict(row) for row in rows])


def _forget(
    conn: Connection, county: str, column: ColumnElement[str], values: Sequence[str]
) -> None:
    for start in range(0, len(values), CHUNK):
        conn.execute(
            delete(labourer).where(
                labourer.c.county == county, column.in_(values[start : start + CHUNK])
            )
        )


def listed_labourers(conn: Connection, county: str, household_ids: Sequence[str]) -> list[Row[Any]]:
    """Return (member_id, household_id, gone, share_hr) of those who could stand on a list."""
    found: list[Row[Any]] = []
    for start in range(0, len(household_ids), CHUNK):
        found += conn.execute(
            select(
                labourer.c.member_id,
                labourer.c.household_id,
                labourer.c.gone,
                labourer.c.share_hr,
            ).where(
                labourer.c.county == county,
                labourer.c.household_id.in_(household_ids[start : start + CHUNK]),
                labourer.c.share_hr,
                ~labourer.c.gone,
            )
        ).all()
    return found


def restrict_labourers(conn: Connection, county: str, taken: Sequence[Mapping[str, Any]]) -> None:
    """Set `gone` and `share_hr` of labourers: {b_member_id, b_gone, b_share_hr}."""
    if not taken:
        return
    conn.execute(
        update(labourer)
        .where(labourer.c.county == county, labourer.c.member_id == bindparam("b_member_id"))
        .values(gone=bindparam("b_gone"), share_hr=bindparam("b_share_hr")),
        list(taken),
    )
