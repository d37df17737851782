"""The rules V01–V20 of domain.md 4.9 over a household bundle; the same on phone and server.

Level E stops a submit, W asks the cadre for a reason, R is raised for the reviewer. `check_bundle`
runs them all and gives hits, each with the record, the field and the words for a person.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from shared_schemas import records, resident_id
from shared_schemas.bundle import Bundle, Record
from shared_schemas.fields import age_on
from shared_schemas.locale import text
from shared_schemas.records import intention as intentions
from shared_schemas.records.consent import SHARE_HR, SURVEY
from shared_schemas.records.household import MONITORED, OUT_OF_POVERTY, REGISTERED_POOR
from shared_schemas.records.member import HEAD, NOT_EMPLOYED, WORKING_AGE

SPOUSES = frozenset({"10", "11", "12"})
CHILDREN = frozenset(
    {"20", "21", "22", "23", "24", "25", "26", "30", "31", "32", "33", "34", "35", "36"}
)
PARENTS = frozenset({"51", "52"})
ABLE = frozenset({"1", "2", "3"})
CANNOT_WORK = frozenset({"4", "5"})
GONE = frozenset({"2", "5"})
"""member_change: died, moved away."""


class Level(StrEnum):
    """How grave a hit is."""

    ERROR = "E"
    WARNING = "W"
    REVIEW = "R"


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that a record breaks. `reason` holds the cadre's words where a warning was accepted."""

    rule: str
    level: Level
    kind: str
    record_id: str
    field: str
    key: str
    args: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    reason: str | None = None

    def message(self, lang: str = "zh") -> str:
        """Return what is wrong and what to do now, one line in `lang`."""
        args = dict(self.args)
        if "field" in args:
            args["field"] = records.record_kind(self.kind).fields[self.field].info.label(lang)
        return text(self.key, lang, **args)

    @property
    def reason_key(self) -> str:
        """Key of this warning in the household's `rule_reasons`."""
        return f"{self.rule} {self.record_id}"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a bundle is checked against besides itself; each side brings what it knows.

    `today` is the ISO date of the check. `scope` is the cadre's division prefix, None when it does
    not matter. `village_known` tells whether a village is in the division list. `id_elsewhere`
    returns a short place name when an ID number stands in another household. `phone_households`
    counts the other households that have a phone number. `on_server` makes V03 and V20 a matter
    for the reviewer instead of a warning. `values_judged` tells that every value has passed its field's
    own check already, so that FORMAT need not ask again.
    """

    today: str
    scope: str | None = None
    village_known: Callable[[str], bool] = lambda _: True
    id_elsewhere: Callable[[str, str], str | None] = lambda _id, _household: None
    phone_households: Callable[[str, str], int] = lambda _phone, _household: 0
    on_server: bool = False
    values_judged: bool = False
    open_conflicts: int = 0


Check = Callable[[Bundle, Surroundings], Iterator[Hit]]
RULES: dict[str, Check] = {}


def rule(code: str) -> Callable[[Check], Check]:
    """Register a check under its code of domain.md 4.9."""

    def register(check: Check) -> Check:
        RULES[code] = check
        return check

    return register


def check_bundle(bundle: Bundle, around: Surroundings) -> list[Hit]:
    """Return every hit, errors first; a warning whose reason was given carries the reason."""
    reasons = bundle.household.get("rule_reasons") or {}

    def explained(hit: Hit) -> Hit:
        reason = reasons.get(hit.reason_key) if hit.level is Level.WARNING else None
        return dataclasses.replace(hit, reason=reason) if reason else hit

    hits = [explained(hit) for check in RULES.values() for hit in check(bundle, around)]
    hits.sort(key=lambda hit: "ERW".index(hit.level))
    return hits


def lane(hits: list[Hit]) -> str:
    """Return the reviewer's lane of a bundle: "green", "yellow" (warnings) or "red"."""
    if any(hit.level is not Level.WARNING for hit in hits):
        return "red"
    return "yellow" if hits else "green"


def _hit(
    code: str, level: Level, kind: str, record: Record, field: str, variant: str, /, **args: Any
) -> Hit:
    return Hit(code, level, kind, record.get("id", ""), field, f"rules.{code}.{variant}", args)


E, W, R = Level.ERROR, Level.WARNING, Level.REVIEW


def _called(member: Record) -> str:
    return str(member.get("name") or "这位成员")


def _of_age(bundle: Bundle, member: Record, today: str) -> int | None:
    return age_on(member.get("birth_date"), bundle.household.get("survey_date") or today)


@rule("FORMAT")
def values_are_well_formed(bundle: Bundle, around: Surroundings) -> Iterator[Hit]:
    """Every value passes its field's own check (V01 and V11 among them)."""
    if around.values_judged:
        return
    for kind, record in bundle.records():
        for name, fault in records.faults(kind, record).items():
            yield Hit(fault.rule, E, kind, record.get("id", ""), name, fault.key, fault.args)


@rule("REQUIRED")
def required_fields_are_answered(bundle: Bundle, around: Surroundings) -> Iterator[Hit]:
    """Every required field that is asked has an answer (V10 among them)."""
    for kind, record in bundle.records():
        declared = records.record_kind(kind).fields
        for name in records.missing_fields(kind, bundle.facts(kind, record, around.today)):
            code = "V10" if name == "education" else "REQUIRED"
            yield Hit(code, E, kind, record.get("id", ""), name, f"rules.{code}.missing",
                      {"field": declared[name].info.zh})  # fmt: skip


@rule("V02")
def birth_and_sex_agree_with_id(bundle: Bundle, around: Surroundings) -> Iterator[Hit]:
    """Birth date and sex equal those inside the ID number."""
    for member in bundle.members:
        number = member.get("id_no")
        if not isinstance(number, str):
            continue
        if not around.values_judged and resident_id.slip(number):
            continue
        inside = resident_id.birth_date(number)
        if member.get("birth_date") not in (None, inside):
            yield _hit("V02", E, "member", member, "birth_date", "birth", inside=inside)
        if member.get("sex") not in (None, resident_id.sex(number)):
            variant = "male" if resident_id.sex(number) == "1" else "female"
            yield _hit("V02", E, "member", member, "sex", variant)


@rule("V03")
def id_stands_in_one_household(bundle: Bundle, around: Surroundings) -> Iterator[Hit]:
    """An ID number stands once: not twice in this household, not in another one."""
    seen: set[str] = set()
    for member in bundle.members:
        number = member.get("id_no")
        if not number:
            continue
        if number in seen:
            yield _hit("V03", E, "member", member, "id_no", "twice_here")
        seen.add(number)
        place = around.id_elsewhere(number, bundle.household.get("id", ""))
        if place is not None:
            level = R if around.on_server else W
            yield _hit("V03", level, "member", member, "id_no", "elsewhere", place=place)


@rule("V04")
def one_head_and_at_most_one_spouse(bundle: Bundle, _: Surroundings) -> Iterator[Hit]:
    """Exactly one head; more than one spouse, or a spouse of the head's sex, is doubtful."""
    heads = [m for m in bundle.members if m.get("relation") == HEAD]
    spouses = [m for m in bundle.members if m.get("relation") in SPOUSES]
    if not bundle.members:
        yield _hit("V04", E, "household", bundle.household, "head_member_id", "nobody")
    elif len(heads) != 1:
        yield _hit("V04", E, "household", bundle.household, "head_member_id",
                   "heads", count=len(heads))  # fmt: skip
    if len(spouses) > 1:
        yield _hit("V04", W, "member", spouses[1], "relation", "spouses", count=len(spouses))
    if len(heads) == 1:
        for spouse in spouses:
            if spouse.get("sex") and spouse.get("sex") == heads[0].get("sex"):
                yield _hit("V04", W, "member", spouse, "sex", "same_sex")


@rule("V05")
def parents_are_older_than_children(bundle: Bundle, _: Surroundings) -> Iterator[Hit]:
    """A parent is at least 14 years older than a child, both counted from the head."""
    head = next((m for m in bundle.members if m.get("relation") == HEAD), None)
    if head is None:
        return
    for member in bundle.members:
        relation = member.get("relation")
        older, younger = (head, member) if relation in CHILDREN else (member, head)
        if relation not in CHILDREN | PARENTS:
            continue
        gap = age_on(older.get("birth_date"), younger.get("birth_date"))
        if gap is not None and gap < 14:
            yield _hit("V05", W, "member", member, "birth_date", "gap", name=_called(member))


@rule("V06")
def children_have_no_intention(bundle: Bundle, around: Surroundings) -> Iterator[Hit]:
    """Nobody under 16 has a work intention."""
    for intention in bundle.intentions:
        member = bundle.member(intention.get("member_id"))
        age = _of_age(bundle, member, around.today)
        if age is not None and age < WORKING_AGE:
            yield _hit("V06", E, "intention", intention, "wants_job", "minor", name=_called(member))


def _wants_to_leave(intention: Record) -> bool:
    return intention.get("wants_job") in (intentions.AWAY, intentions.EITHER, intentions.CHANGE)


def _wants_work(intention: Record) -> bool:
    return _wants_to_leave(intention) or intention.get("wants_job") == intentions.NEARBY


@rule("V07")
def students_do_not_seek_work(bundle: Bundle, _: Surroundings) -> Iterator[Hit]:
    """A student who wants a job is doubtful."""
    for intention in bundle.intentions:
        member = bundle.member(intention.get("member_id"))
        if member.get("in_school") not in (None, "0") and _wants_work(intention):
            yield _hit(
                "V07", W, "intention", intention, "wants_job", "student", name=_called(member)
            )


@rule("V08")
def ability_agrees_with_wish_and_health(bundle: Bundle, around: Surroundings) -> Iterator[Hit]:
    """Unable but wants to leave; healthy, 16–59, no student, but recorded as unable."""
    for intention in bundle.intentions:
        member = bundle.member(intention.get("member_id"))
        if member.get("labour_ability") in CANNOT_WORK and _wants_to_leave(intention):
            yield _hit(
                "V08", W, "intention", intention, "wants_job", "unable", name=_called(member)
            )
    for member in bundle.members:
        age = _of_age(bundle, member, around.today)
        idle = member.get("labour_ability") in CANNOT_WORK and member.get("health") == ["1"]
        if idle and age is not None and WORKING_AGE <= age <= 59 and not _studies(member):
            yield _hit("V08", W, "member", member, "labour_ability", "able", name=_called(member))


def _studies(member: Record) -> bool:
    return member.get("in_school") not in (None, "0")


@rule("V09")
def work_place_goes_with_months(bundle: Bundle, _: Surroundings) -> Iterator[Hit]:
    """A place of work needs months, months need a place."""
    for member in bundle.members:
        place, months = member.get("work_place_code"), member.get("work_months")
        if place and months is None:
            yield _hit("V09", E, "member", member, "work_months", "no_months")
        if months and not place:
            yield _hit("V09", E, "member", member, "work_place_code", "no_place")


@rule("V11")
def worker_can_be_called(bundle: Bundle, around: Surroundings) -> Iterator[Hit]:
    """Somebody of 16–64 who wants a job has a phone; one number on more than 3 households is doubtful."""
    for intention in bundle.intentions:
        member = bundle.member(intention.get("member_id"))
        age = _of_age(bundle, member, around.today)
        needs = _wants_work(intention) and age is not None and WORKING_AGE <= age <= 64
        if needs and not member.get("phone") and not bundle.household.get("phone"):
            yield _hit("V11", E, "member", member, "phone", "missing", name=_called(member))
    numbered = [("household", bundle.household), *(("member", m) for m in bundle.members)]
    for kind, record in numbered:
        phone = record.get("phone")
        if phone and around.phone_households(phone, bundle.household.get("id", "")) >= 3:
            yield _hit("V11", W, kind, record, "phone", "shared")


@rule("V12")
def village_is_known_and_in_scope(bundle: Bundle, around: Surroundings) -> Iterator[Hit]:
    """The village is in the division list; outside the cadre's scope it needs a reason."""
    village = bundle.household.get("village_code")
    if not isinstance(village, str):
        return
    if not around.village_known(village):
        yield _hit("V12", E, "household", bundle.household, "village_code", "unknown")
    elif around.scope is not None and not village.startswith(around.scope):
        yield _hit("V12", W, "household", bundle.household, "village_code", "out_of_scope")


REACH_PREFIX = {"1": 9, "2": 6, "3": 2}
"""How many leading digits of the village a region must share for each reach code."""


@rule("V13")
def regions_lie_within_reach(bundle: Bundle, _: Surroundings) -> Iterator[Hit]:
    """A wished region lies within the furthest reach."""
    village = bundle.household.get("village_code") or ""
    for intention in bundle.intentions:
        digits = REACH_PREFIX.get(str(intention.get("reach")))
        if digits is None or not village:
            continue
        for region in intention.get("regions") or []:
            if not isinstance(region, str) or region[:digits] != village[:digits]:
                yield _hit("V13", E, "intention", intention, "regions", "beyond")
                break


@rule("V14")
def dates_are_not_in_the_future(bundle: Bundle, around: Surroundings) -> Iterator[Hit]:
    """Visit, birth and consent are not in the future (one day of grace for time zones)."""
    latest = (date.fromisoformat(around.today) + timedelta(days=1)).isoformat()
    dated = [("household", bundle.household, "survey_date")]
    dated += [("member", m, "birth_date") for m in bundle.members]
    dated += [("consent", c, "consented_on") for c in bundle.consents]
    for kind, record, name in dated:
        value = record.get(name)
        # Few are later, so that is asked before their form.
        if isinstance(value, str) and value > latest and re.match(r"\d{4}-\d\d-\d\d$", value):
            yield _hit("V14", E, kind, record, name, "future")


@rule("V15")
def category_fields_agree(bundle: Bundle, _: Surroundings) -> Iterator[Hit]:
    """Register dates and monitoring belong to the category."""
    household = bundle.household
    category = household.get("category")
    if household.get("monitor_type") and category != MONITORED:
        yield _hit("V15", E, "household", household, "monitor_type", "monitor")
    if household.get("jdlk_to") and category != OUT_OF_POVERTY:
        yield _hit("V15", E, "household", household, "jdlk_to", "out")
    start, end = household.get("jdlk_from"), household.get("jdlk_to")
    if start and end and str(end) < str(start):
        yield _hit("V15", E, "household", household, "jdlk_to", "order")


@rule("V16")
def consent_was_asked(bundle: Bundle, around: Surroundings) -> Iterator[Hit]:
    """Whoever has an intention was asked for both consents and agreed to the survey; nobody was left out."""
    for intention in bundle.intentions:
        member = bundle.member(intention.get("member_id"))
        answers = {
            c.get("consent_kind"): c.get("given") and not c.get("withdrawn_on")
            for c in bundle.consents
            if c.get("member_id") == member.get("id")
        }
        for kind in (SURVEY, SHARE_HR):
            if kind not in answers:
                yield _hit("V16", E, "member", member, "consent", f"{kind}_missing",
                           name=_called(member))  # fmt: skip
        if answers.get(SURVEY) is False:
            yield _hit("V16", E, "member", member, "consent", "refused", name=_called(member))
    yield from _nobody_asked(bundle, around)


def _nobody_asked(bundle: Bundle, around: Surroundings) -> Iterator[Hit]:
    """To ask everybody of 16–64 who can work and is here is what a visit is for; a refusal is an answer."""
    asked = {i.get("member_id") for i in bundle.intentions}
    asked |= {c.get("member_id") for c in bundle.consents if c.get("given") is not None}
    for member in bundle.members:
        if member["id"] in asked or member.get("labour_ability") not in ABLE or _studies(member):
            continue
        age = _of_age(bundle, member, around.today)
        here = member.get("member_change") not in GONE
        if here and age is not None and WORKING_AGE <= age <= 64:
            yield _hit("V16", W, "member", member, "consent", "unasked", name=_called(member))


@rule("V17")
def registered_household_has_a_number(bundle: Bundle, _: Surroundings) -> Iterator[Hit]:
    """A household of the poverty register has its register number."""
    household = bundle.household
    listed = household.get("category") in (REGISTERED_POOR, OUT_OF_POVERTY, MONITORED)
    if listed and not household.get("registry_no"):
        yield _hit("V17", W, "household", household, "registry_no", "missing")


@rule("V18")
def wages_are_plausible(bundle: Bundle, _: Surroundings) -> Iterator[Hit]:
    """A wage floor or wage outside 1,500–15,000 yuan a month is doubtful."""
    waged = [("intention", i, "wage_floor") for i in bundle.intentions]
    waged += [("member", m, "work_wage") for m in bundle.members]
    waged += [("placement", p, "monthly_wage") for p in bundle.placements]
    for kind, record, name in waged:
        wage = record.get(name)
        if isinstance(wage, int) and not 1_500 <= wage <= 15_000:
            yield _hit("V18", W, kind, record, name, "outlier", wage=wage)


@rule("V19")
def placed_people_are_employed(bundle: Bundle, _: Surroundings) -> Iterator[Hit]:
    """Somebody who is on the job according to a placement does not say that he has no work."""
    for placement in bundle.placements:
        member = bundle.member(placement.get("member_id"))
        if placement.get("state") == "on_job" and member.get("work_form") == NOT_EMPLOYED:
            yield _hit("V19", R, "member", member, "work_form", "on_job", name=_called(member))


@rule("V20")
def conflicts_are_decided(bundle: Bundle, around: Surroundings) -> Iterator[Hit]:
    """Fields that two devices changed apart wait for the county."""
    if around.open_conflicts:
        yield _hit("V20", R, "household", bundle.household, "village_code", "conflict",
                   count=around.open_conflicts)  # fmt: skip
