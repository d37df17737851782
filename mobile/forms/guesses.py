"""Likely answers, shown to be looked at: a touch fewer where they are right, a touch where they are not.

A guess follows from what this visit or this village has said already. It is stored only when the cadre
goes on with it before his eyes (`RecordForm.keep_guesses`). What a person must say himself is
never guessed: consent, wishes, health, income, and whether a household gets an allowance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared_schemas.fields import age_on
from shared_schemas.records.intention import AWAY, EITHER, NEARBY
from shared_schemas.records.member import HEAD, NOT_EMPLOYED, WORKING_AGE

SPOUSES = frozenset({"10", "11", "12"})
SPOUSE, SON, DAUGHTER, FATHER, MOTHER = "10", "20", "30", "51", "52"
FEMALE = "2"
UNMARRIED, MARRIED = "10", "20"
NOT_IN_SCHOOL, COMPULSORY = "0", "1"
HEALTHY, ORDINARY_WORKER = "1", "1"
AT_HOME = "1"
GENERATION = 16
"""Least years between parents and children."""

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Known:
    """What the visit has said: the other members, the member that a record is about, the consents before."""

    today: str
    others: Sequence[Values] = ()
    member: Values | None = None
    consents: Sequence[Values] = ()
    usual: Callable[[str, str], Any] = lambda kind, field: None
    """What nearly all records of a kind say in a field in this village; None where they differ."""

    @property
    def head(self) -> Values | None:
        """The head, once there is one."""
        return next((one for one in self.others if one.get("relation") == HEAD), None)


def guesses(kind: str, values: Values, known: Known) -> dict[str, Any]:
    """Return likely answers by field; the caller leaves out what is answered or not asked."""
    made = _OF_KIND.get(kind, lambda *_: {})(values, known)
    return {name: value for name, value in made.items() if value is not None}


def _household(_: Values, known: Known) -> dict[str, Any]:
    relocated = known.usual("household", "relocated")
    return {
        "relocated": None if relocated is None else bool(relocated),
        "survey_mode": AT_HOME,
    }


def _member(values: Values, known: Known) -> dict[str, Any]:
    age = age_on(values.get("birth_date"), known.today)
    return {
        "relation": _relation(values, age, known),
        "lives_here": True,
        "ethnic": (known.head or {}).get("ethnic") or known.usual("member", "ethnic"),
        "in_school": _schooling(age),
        "marital": _marital(values, age, known),
        "labour_ability": _ability(values, age),
    }


def _relation(values: Values, age: int | None, known: Known) -> str | None:
    if known.head is None:
        return HEAD if age is None or age >= WORKING_AGE else None
    head_age = age_on(known.head.get("birth_date"), known.today)
    sex = values.get("sex")
    if age is None or head_age is None or sex is None:
        return None
    if head_age - age >= GENERATION:
        return DAUGHTER if sex == FEMALE else SON
    if age - head_age >= GENERATION:
        return MOTHER if sex == FEMALE else FATHER
    has_spouse = any(one.get("relation") in SPOUSES for one in known.others)
    is_spouse = sex != known.head.get("sex") and age >= 20 and not has_spouse
    return SPOUSE if is_spouse else None


def _schooling(age: int | None) -> str | None:
    if age is None:
        return None
    if 7 <= age <= 14:
        return COMPULSORY
    return NOT_IN_SCHOOL if age >= 25 or age < 3 else None


def _marital(values: Values, age: int | None, known: Known) -> str | None:
    relation = values.get("relation")
    is_head_of_two = relation == HEAD and any(o.get("relation") in SPOUSES for o in known.others)
    if relation in SPOUSES or is_head_of_two:
        return MARRIED
    return UNMARRIED if age is not None and age < 20 else None


def _ability(values: Values, age: int | None) -> str | None:
    if values.get("health") != [HEALTHY] or age is None or not WORKING_AGE <= age < 60:
        return None
    return ORDINARY_WORKER if values.get("in_school") == NOT_IN_SCHOOL else None


def _consent(values: Values, known: Known) -> dict[str, Any]:
    methods = [one.get("method") for one in known.consents if one.get("method")]
    given = values.get("given") is True
    return {"method": methods[-1] if given and methods else None}


def _intention(values: Values, known: Known) -> dict[str, Any]:
    is_free = (known.member or {}).get("work_form") == NOT_EMPLOYED
    wants = values.get("wants_job") in (AWAY, NEARBY, EITHER)
    return {"available_from": known.today if is_free and wants else None}


_OF_KIND: dict[str, Callable[[Values, Known], dict[str, Any]]] = {
    "household": _household,
    "member": _member,
    "consent": _consent,
    "intention": _intention,
}
