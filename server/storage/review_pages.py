"""Questions that the county's pages ask: lists, counts, a household with its history, devices.

Read only; what the pages decide goes through services. Every question takes the county and the
reader's scope, a prefix of division codes, so that nobody sees beyond it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    case,
    exists,
    func,
    or_,
    select,
)

from server.storage.changes import count_held
from server.storage.households_twice import pair_counts as household_pair_counts
from server.storage.persons import OPEN, pair_counts
from server.storage.tables import (
    audit,
    change,
    conflict,
    device,
    division,
    incarnation,
    labourer,
    organisation,
    person_member,
    record_tables,
    reveal,
    review,
    user_account,
)
from shared_schemas.records.member import HEAD

CHUNK = 500
"""Ids in one IN list: well under the parameter limits of both databases."""


def _within(table: Any, county: str, scope: str) -> ColumnElement[bool]:
    inside = table.c.village_code.startswith(scope, autoescape=True)
    return and_(table.c.county == county, inside)


# Places ------------------------------------------------------------------------------------------


def place_names(conn: Connection, scope: str) -> list[str]:
    """Return the names of a scope's county, township and village, as far down as it goes."""
    codes = [scope[:width].ljust(12, "0") for width in (6, 9, 12) if len(scope) >= width]
    if not codes and scope:
        codes = [scope.ljust(12, "0")]
    names = division_names(conn, codes)
    return [names[code] for code in codes if code in names]


def division_names(conn: Connection, codes: Iterable[str]) -> dict[str, str]:
    """Return the names of divisions by their twelve digits."""
    wanted = sorted({code.ljust(12, "0") for code in codes if code})
    names: dict[str, str] = {}
    for start in range(0, len(wanted), CHUNK):
        query = select(division.c.code, division.c.name).where(
            division.c.code.in_(wanted[start : start + CHUNK])
        )
        names |= {row.code: row.name for row in conn.execute(query)}
    return names


def places_of_level(conn: Connection, scope: str, level: int) -> list[tuple[str, str]]:
    """Return (code, name) of the divisions of a level within a scope, in the order of codes."""
    query = (
        select(division.c.code, division.c.name)
        .where(
            division.c.level == level,
            division.c.code.startswith(scope, autoescape=True),
            division.c.valid_to.is_(None) | (division.c.valid_to == ""),
        )
        .order_by(division.c.code)
    )
    return [(row.code, row.name) for row in conn.execute(query)]


def organisation_name(conn: Connection, org_id: str) -> str:
    """Return an organisation's name, empty when there is none."""
    query = select(organisation.c.name).where(organisation.c.id == org_id)
    return conn.execute(query).scalar() or ""


# Lists of households -----------------------------------------------------------------------------

_REVISED = review.c.approved_at_ms.is_not(None)
_shown_state = case(
    (and_(review.c.state == "in_review", _REVISED), "revision"), else_=review.c.state
)
"""State as the pages name it: an approved household that was edited again is a revision."""

STATES = ("in_review", "revision", "returned", "to_confirm", "approved", "void")
LANES = ("green", "yellow", "red")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list of households is asked for. `place` is a township or village prefix."""

    county: str
    scope: str
    state: str = "in_review"
    lane: str = ""
    place: str = ""
    search: str = ""

    def condition(self, *, any_state: bool = False, any_lane: bool = False) -> ColumnElement[bool]:
        """Return the condition on `review`, with or without the state and lane."""
        parts = [_within(review, self.county, self.scope)]
        if self.place:
            parts.append(review.c.village_code.startswith(self.place, autoescape=True))
        if self.state and not any_state:
            parts.append(_shown_state == self.state)
        if self.lane and not any_lane:
            parts.append(review.c.lane == self.lane)
        if self.search:
            parts.append(_matches(self.search))
        return and_(*parts)


def _matches(search: str) -> ColumnElement[bool]:
    tables = record_tables()
    household, member = tables["household"], tables["member"]
    named = exists().where(
        member.c.county == review.c.county,
        member.c.household_id == review.c.household_id,
        member.c.name.contains(search, autoescape=True),
    )
    numbered = exists().where(
        household.c.county == review.c.county,
        household.c.id == review.c.household_id,
        household.c.registry_no.startswith(search, autoescape=True),
    )
    return or_(named, numbered, review.c.household_id == search.lower())


def state_counts(conn: Connection, wanted: Wanted) -> dict[str, dict[str, int]]:
    """Return for each shown state how many households each lane has; "" for no lane yet."""
    query = (
        select(_shown_state.label("shown"), review.c.lane, func.count().label("n"))
        .where(wanted.condition(any_state=True, any_lane=True))
        .group_by(_shown_state, review.c.lane)
    )
    counts: dict[str, dict[str, int]] = {}
    for row in conn.execute(query):
        counts.setdefault(row.shown, {})[row.lane or ""] = row.n
    return counts


@dataclass(frozen=True, slots=True)
class HouseholdRow:
    """One line of the review list."""

    household_id: str
    village_code: str
    state: str
    lane: str
    head: str
    members: int
    registry_no: str
    hits: list[dict[str, Any]]
    comments: list[dict[str, Any]]
    bundle_seq: int
    submitted_at_ms: int | None
    submitted_by: str | None
    decided_at_ms: int | None
    decided_by: str | None


_lane_order = case((review.c.lane == "red", 0), (review.c.lane == "yellow", 1), else_=2)


def households(
    conn: Connection, wanted: Wanted, *, limit: int, offset: int = 0
) -> list[HouseholdRow]:
    """Return the households that are asked for: red before yellow before green, oldest first."""
    query = (
        select(review, _shown_state.label("shown"))
        .where(wanted.condition())
        .order_by(_lane_order, review.c.submitted_at_ms, review.c.household_id)
        .limit(limit)
        .offset(offset)
    )
    return _household_rows(conn, wanted.county, conn.execute(query).all())


def neighbours(conn: Connection, wanted: Wanted, household_id: str) -> tuple[str, str]:
    """Return the households before and after one in a list, "" where there is none.

    Only the list's first thousand are looked at: a reviewer works from its top.
    """
    query = (
        select(review.c.household_id)
        .where(wanted.condition())
        .order_by(_lane_order, review.c.submitted_at_ms, review.c.household_id)
        .limit(1000)
    )
    ids = list(conn.execute(query).scalars())
    if household_id not in ids:
        return "", next(iter(ids), "")
    at = ids.index(household_id)
    return ids[at - 1] if at else "", ids[at + 1] if at + 1 < len(ids) else ""


_fresh_green = (_shown_state == "in_review", review.c.lane == "green")  # fmt: skip
"""Green and new: a revision of an approved household is looked at by itself."""


def green_of_village(conn: Connection, county: str, scope: str, village: str) -> list[Row[Any]]:
    """Return (household_id, bundle_seq) of the green households of a village that wait, by id."""
    query = (
        select(review.c.household_id, review.c.bundle_seq)
        .where(
            _within(review, county, scope),
            review.c.village_code == village,
            *_fresh_green,
        )
        .order_by(review.c.household_id)
    )
    return list(conn.execute(query))


def households_by_id(conn: Connection, county: str, ids: Sequence[str]) -> list[HouseholdRow]:
    """Return the lines of given households."""
    query = (
        select(review, _shown_state.label("shown"))
        .where(review.c.county == county, review.c.household_id.in_(ids))
        .order_by(review.c.household_id)
    )
    return _household_rows(conn, county, conn.execute(query).all())


def _household_rows(conn: Connection, county: str, rows: Sequence[Row[Any]]) -> list[HouseholdRow]:
    ids = [row.household_id for row in rows]
    heads, sizes, numbers = _heads(conn, county, ids)
    return [
        HouseholdRow(
            household_id=row.household_id,
            village_code=row.village_code or "",
            state=row.shown,
            lane=row.lane or "",
            head=heads.get(row.household_id, ""),
            members=sizes.get(row.household_id, 0),
            registry_no=numbers.get(row.household_id) or "",
            hits=row.hits or [],
            comments=row.comments or [],
            bundle_seq=row.bundle_seq,
            submitted_at_ms=row.submitted_at_ms,
            submitted_by=row.submitted_by,
            decided_at_ms=row.decided_at_ms,
            decided_by=row.decided_by,
        )
        for row in rows
    ]


def _heads(
    conn: Connection, county: str, ids: Sequence[str]
) -> tuple[dict[str, str], dict[str, int], dict[str, str | None]]:
    """Return the head's name, the number of members and the register number of households."""
    tables = record_tables()
    household, member = tables["household"], tables["member"]
    heads: dict[str, str] = {}
    sizes: dict[str, int] = {}
    numbers: dict[str, str | None] = {}
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        query = select(member.c.household_id, member.c.name, member.c.relation).where(
            member.c.county == county,
            member.c.household_id.in_(some),
            member.c.deleted.is_(None) | ~member.c.deleted,
        )
        for row in conn.execute(query):
            sizes[row.household_id] = sizes.get(row.household_id, 0) + 1
            if row.relation == HEAD or row.household_id not in heads:
                heads[row.household_id] = row.name or ""
        query = select(household.c.id, household.c.registry_no).where(
            household.c.county == county, household.c.id.in_(some)
        )
        numbers |= {row.id: row.registry_no for row in conn.execute(query)}
    return heads, sizes, numbers


def villages_with_green(conn: Connection, county: str, scope: str) -> list[tuple[str, int]]:
    """Return (village, households) of the villages that have green households waiting."""
    query = (
        select(review.c.village_code, func.count())
        .where(_within(review, county, scope), *_fresh_green)
        .group_by(review.c.village_code)
        .order_by(review.c.village_code)
    )
    return [(row[0], row[1]) for row in conn.execute(query)]


def waiting_counts(conn: Connection, county: str, scope: str) -> dict[str, int]:
    """Return how many households, conflicts and held changes wait for the county."""
    waiting = select(func.count()).where(
        _within(review, county, scope), review.c.state == "in_review"
    )
    open_ones = select(func.count()).where(
        _within(conflict, county, scope), conflict.c.state == "open"
    )
    return {
        "review": conn.execute(waiting).scalar_one(),
        "conflicts": conn.execute(open_ones).scalar_one(),
        "held": count_held(conn, county),
        "duplicates": pair_counts(conn, county, scope)[OPEN],
        "duplicate_households": household_pair_counts(conn, county, scope)[OPEN],
    }


# One household -----------------------------------------------------------------------------------


def review_row(conn: Connection, county: str, scope: str, household_id: str) -> Row[Any] | None:
    """Return the review of a household within the scope, with its `shown` state."""
    query = select(review, _shown_state.label("shown")).where(
        _within(review, county, scope), review.c.household_id == household_id
    )
    return conn.execute(query).first()


def changes_of(
    conn: Connection, county: str, record_ids: Sequence[str], *, limit: int = 200
) -> list[Row[Any]]:
    """Return the changes to records, newest first, with author and device names."""
    query = (
        select(
            change,
            user_account.c.name.label("author"),
            device.c.label.label("device"),
        )
        .outerjoin(user_account, user_account.c.id == change.c.author_id)
        .outerjoin(device, and_(device.c.county == change.c.county,
                                device.c.id == change.c.device_id))
        .where(change.c.county == county, change.c.record_id.in_(record_ids))
        .order_by(change.c.received_at_ms.desc(), change.c.n.desc())
        .limit(limit)
    )  # fmt: skip
    return list(conn.execute(query))


def audits_of(conn: Connection, county: str, target_id: str) -> list[Row[Any]]:
    """Return what people decided about a household, newest first."""
    query = (
        select(audit, user_account.c.name.label("person"))
        .outerjoin(user_account, user_account.c.id == audit.c.actor)
        .where(audit.c.county == county, audit.c.target_id == target_id)
        .order_by(audit.c.at_ms.desc())
        .limit(100)
    )
    return list(conn.execute(query))


# Conflicts and held changes ----------------------------------------------------------------------


def _conflicts() -> Any:
    ours, theirs, decider = (user_account.alias(n) for n in ("ours_user", "theirs_user", "by"))
    return (
        select(
            conflict,
            ours.c.name.label("ours_name"),
            theirs.c.name.label("theirs_name"),
            decider.c.name.label("decided_name"),
        )
        .outerjoin(ours, ours.c.id == conflict.c.ours_author)
        .outerjoin(theirs, theirs.c.id == conflict.c.theirs_author)
        .outerjoin(decider, decider.c.id == conflict.c.decided_by)
    )


def conflicts(
    conn: Connection, county: str, scope: str, *, state: str, limit: int, offset: int = 0
) -> list[Row[Any]]:
    """Return conflicts with the names of both authors; open ones oldest first."""
    order = conflict.c.seq if state == "open" else conflict.c.decided_at_ms.desc()
    query = (
        _conflicts()
        .where(_within(conflict, county, scope), conflict.c.state == state)
        .order_by(order, conflict.c.id)
        .limit(limit)
        .offset(offset)
    )
    return list(conn.execute(query))


def conflict_count(conn: Connection, county: str, scope: str, state: str) -> int:
    """Return how many conflicts are in a state."""
    query = select(func.count()).where(_within(conflict, county, scope), conflict.c.state == state)
    return conn.execute(query).scalar_one()


def conflicts_of_household(conn: Connection, county: str, household_id: str) -> list[Row[Any]]:
    """Return the open conflicts of a household."""
    query = _conflicts().where(
        conflict.c.county == county,
        conflict.c.household_id == household_id,
        conflict.c.state == "open",
    )
    return list(conn.execute(query))


def device_labels(conn: Connection, county: str, incarnations: Iterable[str]) -> dict[str, str]:
    """Return the labels of the devices that incarnations ran on."""
    wanted = sorted({i for i in incarnations if i})
    if not wanted:
        return {}
    query = (
        select(incarnation.c.id, device.c.label)
        .join(device, and_(device.c.county == incarnation.c.county,
                           device.c.id == incarnation.c.device_id))
        .where(incarnation.c.county == county, incarnation.c.id.in_(wanted))
    )  # fmt: skip
    return {row.id: row.label for row in conn.execute(query)}


# The county's day --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far a place is surveyed: households known, visited, approved, members."""

    code: str
    name: str
    households: int
    surveyed: int
    approved: int
    returned: int


def coverage(conn: Connection, scope: str, *, county: str | None, width: int) -> list[Coverage]:
    """Return the coverage of every place below a scope; `width` is their number of digits.

    Surveyed is every household that a cadre sent at least once; the rest is from the register and
    still to visit. `county` None spans the counties of a prefecture. A household that is listed
    twice counts once, where the list stands that it is counted with.
    """
    counted = review.alias("counted")
    village = func.coalesce(counted.c.village_code, review.c.village_code)
    place = func.substr(village, 1, width)
    home = func.coalesce(review.c.same_as, review.c.household_id)

    def homes(*where: Any) -> Any:
        return func.count(case((and_(*where), home)).distinct())

    query = (
        select(
            place.label("place"),
            func.count(home.distinct()).label("households"),
            homes(review.c.state != "to_confirm").label("surveyed"),
            homes(_REVISED).label("approved"),
            homes(review.c.state == "returned").label("returned"),
        )
        .outerjoin(counted, and_(counted.c.county == review.c.county,
                                 counted.c.household_id == review.c.same_as))
        .where(village.startswith(scope, autoescape=True), review.c.state != "void",
               *([review.c.county == county] if county else []))
        .group_by(place)
        .order_by(place)
    )  # fmt: skip
    found = {row.place or "": row for row in conn.execute(query)}
    level = {6: 3, 9: 4, 12: 5}[width]
    listed = {code[:width]: name for code, name in places_of_level(conn, scope, level)}
    names = listed | {
        code[:width]: name for code, name in division_names(conn, set(found) - set(listed)).items()
    }

    def covered(code: str) -> Coverage:
        row = found.get(code)
        if row is None:
            return Coverage(code, names[code], 0, 0, 0, 0)
        name = names.get(code, code)
        return Coverage(code, name, row.households, row.surveyed, row.approved, row.returned)

    return [covered(code) for code in sorted(found)] + [
        covered(code) for code in sorted(set(listed) - set(found))
    ]


@dataclass(frozen=True, slots=True)
class Day:
    """What happened since a time: households sent and decided, changes, registered people."""

    submitted: int
    approved: int
    returned: int
    changes: int
    people: int
    consented: int


def day_figures(conn: Connection, county: str, scope: str, since_ms: int) -> Day:
    """Return the figures since the beginning of the day."""
    mine = _within(review, county, scope)

    def count(table: Any, *where: Any) -> int:
        return conn.execute(select(func.count()).select_from(table).where(*where)).scalar_one()

    decided = review.c.decided_at_ms >= since_ms
    home = func.coalesce(review.c.same_as, review.c.household_id).distinct()

    def count_homes(*where: Any) -> int:
        return conn.execute(select(func.count(home)).where(mine, *where)).scalar_one()

    listed = and_(_within(labourer, county, scope), ~labourer.c.gone)
    is_one_of = and_(
        person_member.c.county == labourer.c.county,
        person_member.c.member_id == labourer.c.member_id,
    )
    person = func.coalesce(person_member.c.person_id, labourer.c.member_id)

    def count_persons(*where: Any) -> int:
        counted = select(func.count(person.distinct())).select_from(
            labourer.outerjoin(person_member, is_one_of)
        )
        return conn.execute(counted.where(*where)).scalar_one()

    by_it = or_(person_member.c.person_id.is_(None), person_member.c.listed)
    return Day(
        submitted=count_homes(review.c.submitted_at_ms >= since_ms),
        approved=count_homes(review.c.state == "approved", decided),
        returned=count_homes(review.c.state == "returned", decided),
        changes=count(change, _within(change, county, scope),
                      change.c.received_at_ms >= since_ms),
        people=count_persons(listed),
        consented=count_persons(listed, labourer.c.share_hr, by_it),
    )  # fmt: skip


# Who asked for whose phone ---------------------------------------------------------------------


def reveals_of_county(conn: Connection, county: str, *, limit: int = 100) -> list[Row[Any]]:
    """Return whose name and phone were told to which firm, and why, newest first."""
    member = record_tables()["member"]
    query = (
        select(
            reveal,
            organisation.c.name.label("firm"),
            member.c.name.label("worker"),
            member.c.village_code,
            member.c.household_id,
        )
        .outerjoin(organisation, organisation.c.id == reveal.c.org_id)
        .outerjoin(member, and_(member.c.county == reveal.c.county,
                                member.c.id == reveal.c.member_id))
        .where(reveal.c.county == county)
        .order_by(reveal.c.at_ms.desc(), reveal.c.id)
        .limit(limit)
    )  # fmt: skip
    return list(conn.execute(query))


# People ------------------------------------------------------------------------------------------


def people_within(conn: Connection, scope: str, *, firms: bool = False) -> list[Row[Any]]:
    """Return the accounts within a scope, inactive ones too; `firms` adds those of HR firms."""
    inside = user_account.c.scope.startswith(scope, autoescape=True)
    office = and_(inside, user_account.c.role != "hr_firm")
    query = (
        select(user_account, organisation.c.name.label("organisation"))
        .outerjoin(organisation, organisation.c.id == user_account.c.org_id)
        .where(or_(office, user_account.c.role == "hr_firm") if firms else office)
        .order_by(user_account.c.role, user_account.c.scope, user_account.c.login)
    )
    return list(conn.execute(query))


def organisations(conn: Connection) -> list[Row[Any]]:
    """Return the active organisations by name."""
    query = select(organisation).where(organisation.c.active).order_by(organisation.c.name)
    return list(conn.execute(query))
