"""The available-labour list of domain.md 4.7: pull, page, hold, reveal.

Every pull states a purpose and is logged with everybody whom it listed; what a firm does afterwards
it does by pull number and list number, never by a person's id. Rows are masked. The columns come
from the declarations (`card_fields`), the same for JSON and spreadsheet.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row

from server.services.labourers import ETHNIC, card_fields, reveal_fields
from server.storage import labour as storage
from server.storage.accounts import Firm
from server.storage.divisions import place_names
from server.storage.persons import PersonMember, registrations_of
from shared_schemas.codes.divisions import division
from shared_schemas.errors import ChushanError
from shared_schemas.fields import Declared, age_on
from shared_schemas.locale import text
from shared_schemas.records import record_kind
from shared_schemas.records.intention import AWAY, CHANGE, EITHER, NEARBY

CONFIRMED_WITHIN_DAYS = 180
AVAILABLE_WITHIN_DAYS = 30
WORKING_AGE, ADULT_AGE = 16, 18
HOLD_MS = 72 * 3600 * 1000
MOST_ROWS_OF_PAGE = 1000
MOST_ROWS_OF_FILE = 20_000

AVAILABLE, MAY_CHANGE = "available", "change"
"""Sections of the list: people without a post, and people who have one and would change."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a firm asks for. Nothing given asks nothing."""

    section: str = AVAILABLE
    occupations: tuple[str, ...] = ()
    sex: str | None = None
    age_min: int | None = None
    age_max: int | None = None
    reach: str | None = None
    """At least this far."""
    wage_max: int | None = None
    """Wage floor at most this, yuan a month."""
    available_by: str | None = None
    mandarin: str | None = None
    """At least this well: "1" speaks, "2" understands."""
    together: str | None = None
    township: str | None = None
    """Division code of 9 or 12 digits."""
    confirmed_within_days: int | None = None
    minors: bool = False
    """Also people of 16 and 17, for posts that the law allows them."""


def filters_from(values: Mapping[str, Any]) -> Filters:
    """Return the filters of JSON values, as `list_pull.filters` keeps them."""
    known = {field.name for field in fields(Filters)}
    given = {name: value for name, value in values.items() if name in known}
    return Filters(**{**given, "occupations": tuple(given.get("occupations") or ())})


def criteria_for(filters: Filters, firm: Firm, *, today: str, now_ms: int) -> storage.Criteria:
    """Return what the database is asked, with every date of the rule worked out for `today`."""
    soon = _days_after(today, AVAILABLE_WITHIN_DAYS)
    fresh = min(filters.confirmed_within_days or CONFIRMED_WITHIN_DAYS, CONFIRMED_WITHIN_DAYS)
    youngest = max(filters.age_min or 0, WORKING_AGE if filters.minors else ADULT_AGE)
    changing = filters.section == MAY_CHANGE
    return storage.Criteria(
        counties=firm.counties,
        org_id=firm.org_id,
        now_ms=now_ms,
        wants_job=(CHANGE,) if changing else (AWAY, NEARBY, EITHER),
        states=("available", "on_job") if changing else ("available",),
        born_on_or_before=_years_before(today, youngest),
        born_after=None if filters.age_max is None else _years_before(today, filters.age_max + 1),
        graduates_by=soon,
        confirmed_since=_days_after(today, -fresh),
        available_by=min(filters.available_by or soon, soon),
        sex=filters.sex,
        occupations=filters.occupations,
        reach_at_least=filters.reach,
        wage_most=filters.wage_max,
        mandarin_at_most=filters.mandarin,
        together_with=filters.together,
        township=filters.township[:9] if filters.township else None,
    )


def _days_after(day: str, days: int) -> str:
    return (dt.date.fromisoformat(day) + dt.timedelta(days=days)).isoformat()


def _years_before(day: str, years: int) -> str:
    # Compared as text: "2008-02-29" of a common year is no day, but it sorts where it should.
    return f"{int(day[:4]) - years:04}{day[4:]}"


@dataclass(frozen=True, slots=True)
class ListRow:
    """One person as a firm sees him: masked, with the fields declared for the audience firm_list."""

    list_no: int
    name: str
    age: int | None
    county: str
    county_name: str
    township: str
    township_name: str
    pair_no: int | None
    days_since_confirmed: int | None
    held_until_ms: int | None
    card: Mapping[str, Any]

    @property
    def minor(self) -> bool:
        """True for somebody of 16 or 17, to whom the law allows only some posts."""
        return self.age is not None and self.age < ADULT_AGE

    def values(self) -> dict[str, Any]:
        """Return the row as JSON values, in the order of `columns`."""
        own = {
            "list_no": self.list_no,
            "name": self.name,
            "age": self.age,
            "minor": self.minor,
            "county": self.county,
            "county_name": self.county_name,
            "township": self.township,
            "township_name": self.township_name,
            "pair_no": self.pair_no,
            "days_since_confirmed": self.days_since_confirmed,
            "held_until_ms": self.held_until_ms,
        }
        return own | {key: self.card.get(key) for key, _ in _card_declarations()}


@dataclass(frozen=True, slots=True)
class ListColumn:
    """A column of the list for a person: its key in `ListRow.values`, heading, and how it shows."""

    key: str
    zh: str
    en: str
    declared: Declared | None = None

    def heading(self, lang: str = "zh") -> str:
        """Return the heading in `lang`."""
        return self.en if lang == "en" else self.zh

    def shown(self, values: Mapping[str, Any], lang: str = "zh") -> str:
        """Return this column of a row as a person reads it."""
        value = values.get(self.key)
        if self.key == "occupations" and not value and values.get("any_occupation"):
            return record_kind("intention").fields["any_occupation"].info.label(lang)
        if value is None:
            return ""
        if self.declared is not None:
            return shown(self.declared, value, lang)
        if isinstance(value, bool):
            return text("yes" if value else "no", lang)
        return str(value)


_OWN_COLUMNS = (
    ListColumn("list_no", "序号", "No."),
    ListColumn("name", "姓名", "Name"),
    ListColumn("age", "年龄", "Age"),
    ListColumn("minor", "未成年工", "Under 18"),
    ListColumn("county_name", "县", "County"),
    ListColumn("township_name", "乡镇", "Township"),
    ListColumn("pair_no", "同行组号", "Pair no."),
    ListColumn("days_since_confirmed", "确认至今(天)", "Days since confirmed"),
)


def _card_declarations() -> list[tuple[str, Declared]]:
    ethnic = record_kind("member").fields[ETHNIC]
    listed = [(field.key, field.declared) for field in card_fields()]
    return listed if any(key == ETHNIC for key, _ in listed) else [*listed, (ETHNIC, ethnic)]


def columns() -> tuple[ListColumn, ...]:
    """Return the columns that a person reads, on the page and in the spreadsheet."""
    return _OWN_COLUMNS + tuple(
        ListColumn(key, declared.info.zh, declared.info.en, declared)
        for key, declared in _card_declarations()
    )


def shown(declared: Declared, value: Any, lang: str = "zh") -> str:
    """Return a declared value as a person reads it, division codes by their names."""
    if declared.widget in ("division", "divisions"):
        codes = value if isinstance(value, list) else [value]
        return "、".join(place.name if (place := division(code)) else code for code in codes)
    return declared.shown(value, lang)


def masked(name: str) -> str:
    """Return the first character and a star: enough to talk about a row, too little to find one."""
    return f"{name[:1]}*"


@dataclass(frozen=True, slots=True)
class PulledList:
    """A page of a pull. `next_cursor` is None on the last page; `total` counts all who answer."""

    pull_id: str
    at_ms: int
    purpose: str
    total: int
    rows: tuple[ListRow, ...]
    next_cursor: str | None


def pull_list(
    conn: Connection,
    firm: Firm,
    filters: Filters,
    *,
    purpose: str,
    channel: str,
    user_id: str | None,
    limit: int,
    today: str,
    now_ms: int,
    new_id: Callable[[], str],
) -> PulledList:
    """Pull the first page of a list and log it; `conn` must be writing.

    `channel` is page, api or xlsx. A pair is never split over two pages, so a page may hold a few
    rows more than `limit`. ChushanError bad_query without a purpose.
    """
    if not purpose.strip():
        raise ChushanError("bad_query", "purpose 必填:说明名单的用途")
    pull_id = new_id()
    storage.add_pull(
        conn,
        {
            "id": pull_id,
            "org_id": firm.org_id,
            "user_id": user_id,
            "at_ms": now_ms,
            "purpose": purpose.strip(),
            "filters": {k: v for k, v in asdict(filters).items() if v not in (None, (), False)},
            "counties": list(firm.counties),
            "rows": 0,
            "channel": channel,
        },
    )
    return _new_page(conn, firm, filters, pull_id, 0, at_ms=now_ms, purpose=purpose.strip(),
                     limit=limit, today=today, now_ms=now_ms)  # fmt: skip


_CURSOR = re.compile(r"([0-9a-z]{13,17})\.([0-9]{1,9})")


def next_page(
    conn: Connection, firm: Firm, cursor: str, *, limit: int, today: str, now_ms: int
) -> PulledList:
    """Return the page that a cursor names, under the same pull number; `conn` must be writing.

    A cursor asked twice gives the same people twice, less those who withdrew meanwhile.
    """
    match = _CURSOR.fullmatch(cursor)
    pull = storage.pull_of(conn, match[1], firm.org_id, lock=True) if match else None
    if match is None or pull is None or int(match[2]) > pull.rows:
        raise ChushanError("bad_query", "cursor 无效")
    pull_id, given = match[1], int(match[2])
    filters = filters_from(pull.filters)
    if given == pull.rows:
        return _new_page(conn, firm, filters, pull_id, pull.rows, at_ms=pull.at_ms,
                         purpose=pull.purpose, limit=limit, today=today, now_ms=now_ms)  # fmt: skip
    criteria = criteria_for(filters, firm, today=today, now_ms=now_ms)
    listed = storage.pull_rows_after(conn, pull_id, firm.counties, given, limit)
    numbers = {row.member_id: row.list_no for row in listed}
    again = storage.available_among(conn, criteria, list(numbers))
    last = max(numbers.values(), default=given)
    rows = _list_rows(conn, firm, pull_id, again, numbers, today=today, now_ms=now_ms)
    return PulledList(pull_id, pull.at_ms, pull.purpose, storage.count_available(conn, criteria),
                      rows, f"{pull_id}.{last}")  # fmt: skip


def _new_page(
    conn: Connection,
    firm: Firm,
    filters: Filters,
    pull_id: str,
    already: int,
    *,
    at_ms: int,
    purpose: str,
    limit: int,
    today: str,
    now_ms: int,
) -> PulledList:
    criteria = criteria_for(filters, firm, today=today, now_ms=now_ms)
    before = pull_id if already else None
    found = storage.available_labourers(conn, criteria, limit=limit + 1, not_in_pull=before)
    more, found = len(found) > limit, found[:limit]
    together = _partners_beside(conn, criteria, found, not_in_pull=before)
    numbers = {row.member_id: n for n, row in enumerate(together, start=already + 1)}
    storage.add_pull_rows(
        conn, pull_id, [(row.county, row.member_id, numbers[row.member_id]) for row in together]
    )
    total = storage.count_available(conn, criteria) if more or already else len(together)
    rows = _list_rows(conn, firm, pull_id, together, numbers, today=today, now_ms=now_ms)
    cursor = f"{pull_id}.{already + len(together)}" if more else None
    return PulledList(pull_id, at_ms, purpose, total, rows, cursor)


def _partners_beside(
    conn: Connection,
    criteria: storage.Criteria,
    rows: Sequence[Row[Any]],
    *,
    not_in_pull: str | None,
) -> list[Row[Any]]:
    """Return the rows with each one's available partners moved beside it."""
    known = {row.member_id: row for row in rows}
    missing = {p for row in rows for p in row.partners if p not in known}
    for row in storage.available_among(conn, criteria, sorted(missing), not_in_pull=not_in_pull):
        known[row.member_id] = row
    ordered: dict[str, Row[Any]] = {}
    for row in rows:
        for member_id in (row.member_id, *row.partners):
            if member_id in known:
                ordered.setdefault(member_id, known[member_id])
    return list(ordered.values())


def _list_rows(
    conn: Connection,
    firm: Firm,
    pull_id: str,
    rows: Sequence[Row[Any]],
    numbers: Mapping[str, int],
    *,
    today: str,
    now_ms: int,
) -> tuple[ListRow, ...]:
    elsewhere = sorted({p for row in rows for p in row.partners} - set(numbers))
    listed = dict(numbers) | storage.list_numbers(conn, pull_id, firm.counties, elsewhere)
    pairs = pair_numbers(rows, listed)
    holds = _holds_on(conn, firm, [(row.county, row.member_id) for row in rows], now_ms)
    counties = {f"{row.county}000000" for row in rows}
    names = place_names(conn, counties | {f"{row.village_code[:9]}000" for row in rows})

    def held_until(row: Row[Any]) -> int | None:
        held = holds.get((row.county, row.member_id))
        mine = held is not None and held.org_id == firm.org_id and held.until_ms > now_ms
        return held.until_ms if held is not None and mine else None

    def list_row(row: Row[Any]) -> ListRow:
        county, township = f"{row.county}000000", f"{row.village_code[:9]}000"
        return ListRow(
            list_no=numbers[row.member_id],
            name=masked(row.name),
            age=age_on(row.birth_date, today),
            county=county,
            county_name=names.get(county, county),
            township=township,
            township_name=names.get(township, township),
            pair_no=pairs.get(row.member_id),
            days_since_confirmed=_days_between(row.confirmed_on, today),
            held_until_ms=held_until(row),
            card=row.card,
        )

    return tuple(sorted(map(list_row, rows), key=lambda row: row.list_no))


def pair_numbers(rows: Iterable[Any], listed: Mapping[str, int]) -> dict[str, int]:
    """Return the pair number of those who go with somebody who is listed too.

    It is the lowest list number of the group: rows with one pair number belong together. `rows`
    have `member_id` and `partners`; `listed` gives list numbers.
    """
    pairs: dict[str, int] = {}
    for row in rows:
        group = [p for p in row.partners if p in listed]
        if not group or row.member_id not in listed:
            continue
        group.append(row.member_id)
        number = min(min(listed[m], pairs.get(m, listed[m])) for m in group)
        pairs |= dict.fromkeys(group, number)
    return pairs


Key = tuple[str, str]
"""County and member id."""


def _holds_on(
    conn: Connection,
    firm: Firm,
    keys: Sequence[Key],
    now_ms: int,
    persons: Mapping[Key, Sequence[PersonMember]] | None = None,
) -> dict[Key, Row[Any]]:
    """Return the hold that counts on each person, by whichever of his registrations it was made.

    Two firms may hold two registrations that turn out to be one person: the earlier hold counts,
    and the other begins to count again should the two be taken apart.
    """
    if persons is None:
        persons = registrations_of(conn, keys)
    every = {row.member_id for rows in persons.values() for row in rows} | {m for _, m in keys}
    holds = storage.holds_on(conn, firm.counties, sorted(every))
    found = {}
    for county, member_id in keys:
        own = [row.member_id for row in persons.get((county, member_id), ())] or [member_id]
        best = _hold_that_counts([holds[county, m] for m in own if (county, m) in holds],
                                 firm.org_id, now_ms)  # fmt: skip
        if best is not None:
            found[county, member_id] = best
    return found


def _hold_that_counts(holds: Sequence[Row[Any]], org_id: str, now_ms: int) -> Row[Any] | None:
    in_force = [held for held in holds if held.until_ms > now_ms]
    if in_force:
        return min(in_force, key=lambda h: (h.until_ms - HOLD_MS * (1 + h.extended), h.org_id))
    return max(holds, key=lambda held: (held.org_id == org_id, held.until_ms), default=None)


def _person_key(key: Key, persons: Mapping[Key, Sequence[PersonMember]]) -> Key:
    """Return what one person has in common, whichever of his registrations is meant."""
    return key[0], min((row.member_id for row in persons.get(key, ())), default=key[1])


def _is_barred(key: Key, persons: Mapping[Key, Sequence[PersonMember]]) -> bool:
    """Tell whether another registration of a person keeps him from being listed by any."""
    rows = persons.get(key, ())
    return bool(rows) and not any(row.listed for row in rows)


def _days_between(earlier: str | None, later: str) -> int | None:
    if earlier is None:
        return None
    return (dt.date.fromisoformat(later) - dt.date.fromisoformat(earlier)).days


@dataclass(frozen=True, slots=True)
class HoldAnswer:
    """What became of the wish to hold one person: `held`, or refused with an error code."""

    list_no: int
    held: bool
    until_ms: int | None = None
    code: str | None = None


def hold_listed(
    conn: Connection, firm: Firm, *, pull_id: str, list_nos: Sequence[int], now_ms: int
) -> list[HoldAnswer]:
    """Hold people of a pull for 72 hours; asked again while held, extend once by 72 hours.

    Nobody else sees them meanwhile. A hold that ran out goes back to all firms for 72 hours before
    the same firm may hold that person again. `conn` must be writing.
    """
    people = _listed(conn, firm, pull_id, list_nos)
    keys = [(row.county, row.member_id) for row in people.values()]
    persons = registrations_of(conn, keys, lock=True)
    holds = _holds_on(conn, firm, keys, now_ms, persons)
    given: dict[Key, HoldAnswer] = {}
    answers, kept = [], []
    for list_no in dict.fromkeys(list_nos):
        person = people.get(list_no)
        if person is None:
            answers.append(HoldAnswer(list_no, False, code="not_found"))
            continue
        key = (person.county, person.member_id)
        one = _person_key(key, persons)
        if one in given:  # the pull listed him twice, before it was known that the two are one
            answers.append(replace(given[one], list_no=list_no))
            continue
        held = holds.get(key)
        code, extended, until_ms = _hold_verdict(person, held, firm.org_id, now_ms)
        if _is_barred(key, persons):
            code = "wrong_state"
        answer = (
            HoldAnswer(list_no, False, code=code) if code else HoldAnswer(list_no, True, until_ms)
        )
        answers.append(answer)
        given[one] = answer
        if not code:
            kept.append(
                {
                    "county": person.county,
                    "member_id": held.member_id if held is not None and extended else key[1],
                    "org_id": firm.org_id,
                    "until_ms": until_ms,
                    "extended": extended,
                }
            )
    storage.put_holds(conn, kept)
    return answers


def _hold_verdict(
    person: Row[Any], held: Row[Any] | None, org_id: str, now_ms: int
) -> tuple[str, bool, int]:
    """Return (error code or "", whether it is an extension, until when)."""
    if person.gone or not person.share_hr:
        return "wrong_state", False, 0
    if held is None:
        return "", False, now_ms + HOLD_MS
    if held.until_ms > now_ms:
        if held.org_id != org_id:
            return "held_by_other", False, 0
        return ("wrong_state", False, 0) if held.extended else ("", True, held.until_ms + HOLD_MS)
    if held.org_id == org_id and held.until_ms + HOLD_MS > now_ms:
        return "wrong_state", False, 0
    return "", False, now_ms + HOLD_MS


def day_start_ms(today: str, timezone: str) -> int:
    """Return when a local day began, UTC epoch milliseconds."""
    midnight = dt.datetime.combine(dt.date.fromisoformat(today), dt.time(), ZoneInfo(timezone))
    return int(midnight.timestamp() * 1000)


def reveal_listed(
    conn: Connection,
    firm: Firm,
    *,
    pull_id: str,
    list_no: int,
    reason: str,
    user_id: str | None,
    per_day: int,
    day_start_ms: int,
    now_ms: int,
    new_id: Callable[[], str],
) -> dict[str, Any]:
    """Tell a firm the fields of the audience firm_reveal of one person it pulled, and log it.

    At most `per_day` people since `day_start_ms`; the same person again that day is free.
    ChushanError: bad_query without a reason, not_found outside the pull, wrong_state after a
    withdrawal or departure, held_by_other, limit_reached.
    """
    if not reason.strip():
        raise ChushanError("bad_query", "reason 必填:说明联系本人的原因")
    storage.lock_firm(conn, firm.org_id)
    person = _listed(conn, firm, pull_id, [list_no]).get(list_no)
    if person is None:
        raise ChushanError("not_found", "这份名单里没有这个序号")
    key = (person.county, person.member_id)
    persons = registrations_of(conn, [key], lock=True)
    if person.gone or not person.share_hr or _is_barred(key, persons):
        raise ChushanError("wrong_state", "本人已撤回同意或已不在名单")
    held = _holds_on(conn, firm, [key], now_ms, persons).get(key)
    if held is not None and held.until_ms > now_ms and held.org_id != firm.org_id:
        raise ChushanError("held_by_other")
    told = storage.people_revealed_since(conn, firm.org_id, day_start_ms)
    persons = registrations_of(conn, {*told, key})
    told = {_person_key(one, persons) for one in told}
    if _person_key(key, persons) not in told and len(told) >= per_day:
        raise ChushanError("limit_reached", f"每天最多查看 {per_day} 人的联系方式")
    storage.add_reveal(
        conn,
        {
            "county": person.county,
            "id": new_id(),
            "org_id": firm.org_id,
            "user_id": user_id,
            "member_id": person.member_id,
            "pull_id": pull_id,
            "reason": reason.strip(),
            "at_ms": now_ms,
        },
    )
    return {field.key: person.reveals.get(field.key) for field in reveal_fields()}


def _listed(
    conn: Connection, firm: Firm, pull_id: str, list_nos: Sequence[int]
) -> dict[int, Row[Any]]:
    if storage.pull_of(conn, pull_id, firm.org_id) is None:
        raise ChushanError("not_found", "没有这个名单号")
    found = storage.listed_in_pull(conn, pull_id, firm.counties, list_nos)
    return {row.list_no: row for row in found}
