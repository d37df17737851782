"""The field types of Chushan's records, each a marshmallow field with typed metadata.

A field of a record is declared once, as one of these types with an `Info`. The phone form, both
databases, the API, the pages, the exports and the roster import all follow from that declaration;
`shared_schemas/records/` holds the declarations.

Every type has one check, `verdict(value)`, used at two speeds: marshmallow calls it inside
`Schema.load`, the push path calls it directly for each changed field.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Any

import marshmallow as ma

from shared_schemas import codes, resident_id
from shared_schemas.locale import text

Value = str | int | bool | list[Any] | dict[str, Any] | None


class Merge(StrEnum):
    """What happens when two devices changed the same field without seeing each other (sync.md 3.2)."""

    LATER = "later"
    """Low stakes: the later edit shows, the other is kept on the conflict page."""
    HOLD = "hold"
    """High stakes: the present value stays until a person decides."""
    UNION = "union"
    """Lists: both sets of entries are kept."""
    WITHDRAW = "withdraw"
    """Consent: the answer that shares less wins, always."""


class Authority(StrEnum):
    """Which registration of a person is believed where several differ (domain.md 4.5)."""

    HOME = "home"
    """Who somebody is: the registration of the home that the county has approved."""
    NEWEST = "newest"
    """What changes with the months: the registration that was confirmed last."""
    UNION = "union"
    """Lists: the entries of all registrations."""
    WITHDRAWAL = "withdrawal"
    """Consent: the answer that shares less, wherever it was given."""


class Audience(StrEnum):
    """Who may be shown a field. A field leaves the server only to an audience that it names."""

    CADRE = "cadre"
    COUNTY = "county"
    FIRM_LIST = "firm_list"
    FIRM_REVEAL = "firm_reveal"


class Sensitivity(StrEnum):
    """PIPL class of a field: article 28 lists what is sensitive."""

    PLAIN = "plain"
    PERSONAL = "personal"
    SENSITIVE = "sensitive"


_AUTHORITY_OF_MERGE = {
    Merge.LATER: Authority.NEWEST,
    Merge.HOLD: Authority.HOME,
    Merge.UNION: Authority.UNION,
    Merge.WITHDRAW: Authority.WITHDRAWAL,
}

INTERNAL = frozenset({Audience.CADRE, Audience.COUNTY})
LISTED = INTERNAL | {Audience.FIRM_LIST}
REVEALED = INTERNAL | {Audience.FIRM_REVEAL}


@dataclass(frozen=True)
class Facts:
    """What a condition may look at: one record, its member and its household, on the survey date.

    The values must not change while conditions look at them: the age is worked out once.
    """

    values: Mapping[str, Any]
    member: Mapping[str, Any] = field(default_factory=dict)
    household: Mapping[str, Any] = field(default_factory=dict)
    today: str | None = None
    refused: bool = False
    """Whether the member concerned refused the survey: of him only who he is is asked then."""

    @property
    def survey_date(self) -> str | None:
        """ISO date of the visit; the day at hand while the visit is still being recorded."""
        return self.household.get("survey_date") or self.today

    @cached_property
    def age(self) -> int | None:
        """Age in whole years of the member concerned on the survey date, None when unknown."""
        birth = self.member.get("birth_date") or self.values.get("birth_date")
        return age_on(birth, self.survey_date)


Condition = Callable[[Facts], bool]


def always(_: Facts) -> bool:
    """Condition that holds for every record."""
    return True


def age_on(birth_date: str | None, on: str | None) -> int | None:
    """Age in whole years on a day; both are ISO dates; None when either is missing or malformed."""
    return _age_on(birth_date, on) if birth_date and on else None


@lru_cache(maxsize=1024)  # several rules and conditions ask it of each person
def _age_on(birth_date: str, on: str) -> int | None:
    try:
        born, day = dt.date.fromisoformat(birth_date), dt.date.fromisoformat(on)
    except ValueError:
        return None
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def listed(words: Iterable[str], lang: str) -> str:
    """Return words as a list in a sentence of `lang`."""
    return (", " if lang == "en" else "、").join(words)


@dataclass(frozen=True, slots=True)
class Info:
    """Everything about a field but its type: labels, question group, need, merge, who sees it."""

    zh: str
    en: str
    group: str = ""
    """Question group: one screen of the phone form. Empty: set by the program, never asked."""
    required: Condition | None = None
    asked: Condition | None = None
    aside: bool = False
    """Asked behind “more”: few have an answer, or a roster brings it. Never where `required`."""
    tells_change: bool = False
    """Asks what has changed since the last visit: aside in a household that is new."""
    repeats: bool = False
    """Typed text that neighbours share: what was typed in this village is offered."""
    merge: Merge = Merge.LATER
    settled_by: Authority | None = None
    """Who is believed across registrations, where `merge` does not tell it already."""
    audiences: frozenset[Audience] = INTERNAL
    sensitivity: Sensitivity = Sensitivity.PERSONAL
    roster: tuple[str, ...] = ()
    """Column headings of county spreadsheets that mean this field (domain.md 3.2)."""
    hint_zh: str = ""
    hint_en: str = ""
    since: int = 1
    """Schema that brought the field; phones of older ones do not know it."""

    @property
    def authority(self) -> Authority:
        """Which of several registrations of one person is believed about this field.

        What two phones may not overwrite, the home answers for; what a later edit may replace, the
        latest visit does.
        """
        return self.settled_by or _AUTHORITY_OF_MERGE[self.merge]

    def label(self, lang: str = "zh") -> str:
        """Return the label in `lang` ("zh" or "en")."""
        return self.en if lang == "en" else self.zh

    def hint(self, lang: str = "zh") -> str:
        """Return the one-line help in `lang`, empty when there is none."""
        return self.hint_en if lang == "en" else self.hint_zh


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a value is refused: the rule it breaks and the words for a person."""

    rule: str
    key: str
    args: Mapping[str, Any] = field(default_factory=dict)

    def message(self, lang: str = "zh") -> str:
        """Return what is wrong and what to do now, in `lang`."""
        return text(self.key, lang, **self.args)


class Declared(ma.fields.Field[Any]):
    """A declared field. Subclasses say what a good value is (`verdict`) and how it is stored."""

    widget = "text"
    """What the phone and the pages draw for it."""
    column = "TEXT"
    """Storage class in both databases: TEXT, INTEGER or JSON."""

    def __init__(self, zh: str, en: str, **info: Any) -> None:
        self.info = Info(zh, en, **info)
        super().__init__(
            required=False,
            allow_none=True,
            metadata={"title": zh, "description": en, "x-audiences": sorted(self.info.audiences)},
        )

    def verdict(self, value: Any) -> Fault | None:
        """Return why `value` is refused, or None. `value` is never None."""
        raise NotImplementedError

    def shown(self, value: Any, lang: str = "zh") -> str:
        """Return `value` as a person reads it."""
        return "" if value is None else str(value)

    def parsed(self, typed: str) -> Value:
        """Return the value that a person's text means; text that means none comes back unchanged."""
        return typed.strip() or None

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        fault = self.verdict(value)
        if fault is not None:
            raise ma.ValidationError(fault.message())
        return value

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return value

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a value (for the OpenAPI document)."""
        return {"type": ["string", "null"]}


def _format(key: str, **args: Any) -> Fault:
    return Fault("FORMAT", f"format.{key}", args)


class Text(Declared):
    """Free text of at most `max_length` characters."""

    def __init__(self, zh: str, en: str, *, max_length: int = 80, **info: Any) -> None:
        super().__init__(zh, en, **info)
        self.max_length = max_length

    def verdict(self, value: Any) -> Fault | None:
        if not isinstance(value, str):
            return _format("text")
        if len(value) > self.max_length:
            return _format("too_long", most=self.max_length)
        if _CONTROL.search(value):
            return _format("control")
        return None

    def json_schema(self) -> dict[str, Any]:
        return {"type": ["string", "null"], "maxLength": self.max_length}


_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
# Han with all extensions, the ideographic zero and iteration mark, Latin, Hangul, Tibetan, the dots
# that join the parts of a transliterated name, the apostrophe and inner spaces.
_NAME = re.compile(
    "^[A-Za-zÀ-ɏ\u0f00-\u0fff\uac00-\ud7a3\u3005\u3007\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U000323af·•.'’ -]+$"
)


class PersonName(Text):
    """A person's name: 2–50 characters. A Tibetan name has no surname; nothing here parses one."""

    widget = "name"

    def __init__(self, zh: str, en: str, **info: Any) -> None:
        super().__init__(zh, en, max_length=50, **info)

    def verdict(self, value: Any) -> Fault | None:
        if not isinstance(value, str) or not 2 <= len(value.strip()) <= self.max_length:
            return _format("name_length")
        if not _NAME.match(value):
            return _format("name_characters")
        return None


class ResidentId(Declared):
    """Resident identity number of 18 characters, GB 11643-1999; the last may be X."""

    widget = "resident_id"

    def verdict(self, value: Any) -> Fault | None:
        if not isinstance(value, str):
            return Fault("V01", "rules.V01.length")
        slip = resident_id.slip(value)
        return Fault("V01", f"rules.V01.{slip}") if slip else None

    def parsed(self, typed: str) -> Value:
        return re.sub(r"\s", "", typed).upper() or None

    def json_schema(self) -> dict[str, Any]:
        return {"type": ["string", "null"], "pattern": "^[0-9]{17}[0-9X]$"}


_MOBILE = re.compile(r"^1[3-9]\d{9}$", re.ASCII)
_LANDLINE = re.compile(r"^0\d{2,3}-?\d{7,8}$", re.ASCII)


class Phone(Declared):
    """A mainland mobile number, or a landline with its area code."""

    widget = "phone"

    def verdict(self, value: Any) -> Fault | None:
        if isinstance(value, str) and (_MOBILE.match(value) or _LANDLINE.match(value)):
            return None
        return Fault("V11", "rules.V11.format")

    def parsed(self, typed: str) -> Value:
        return re.sub(r"\s", "", typed) or None

    def json_schema(self) -> dict[str, Any]:
        return {"type": ["string", "null"], "pattern": r"^(1[3-9]\d{9}|0\d{2,3}-?\d{7,8})$"}


class DivisionCode(Declared):
    """A 12-digit division code (统计用区划代码), padded with zeros above its level."""

    widget = "division"

    def __init__(self, zh: str, en: str, *, level: int | None = None, **info: Any) -> None:
        super().__init__(zh, en, **info)
        self.level = level

    def verdict(self, value: Any) -> Fault | None:
        if not isinstance(value, str) or not _CODE12.match(value):
            return _format("division")
        if self.level == 5 and value.endswith("000"):
            return _format("division_village")
        return None

    def json_schema(self) -> dict[str, Any]:
        return {"type": ["string", "null"], "pattern": "^[1-9][0-9]{11}$"}


_CODE12 = re.compile(r"^[1-9]\d{11}$", re.ASCII)


class Code(Declared):
    """One code of a list in `shared_schemas/codes`."""

    widget = "code"

    def __init__(self, zh: str, en: str, *, codes: str, **info: Any) -> None:
        super().__init__(zh, en, **info)
        self.codes = codes

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(code.code for code in codes.code_list(self.codes).codes)

    def verdict(self, value: Any) -> Fault | None:
        if isinstance(value, str) and value in self._known:
            return None
        return _format("code", list=codes.code_list(self.codes).zh)

    def shown(self, value: Any, lang: str = "zh") -> str:
        return "" if value is None else codes.code_list(self.codes).label(str(value), lang)

    def parsed(self, typed: str) -> Value:
        typed = typed.strip()
        for code in codes.code_list(self.codes).codes:
            if typed in (code.code, code.zh, code.en):
                return code.code
        return typed or None

    def json_schema(self) -> dict[str, Any]:
        known = [code.code for code in codes.code_list(self.codes).codes]
        return {"type": ["string", "null"], "enum": [*known, None]}


class Codes(Declared):
    """Several codes of one list, at most `most`, without repeats; the order is the worker's."""

    widget = "codes"
    column = "JSON"

    def __init__(
        self,
        zh: str,
        en: str,
        *,
        codes: str,
        most: int = 20,
        excludes_others: str | None = None,
        **info: Any,
    ) -> None:
        super().__init__(zh, en, **info)
        self.codes = codes
        self.most = most
        self.excludes_others = excludes_others

    def verdict(self, value: Any) -> Fault | None:
        known = codes.code_list(self.codes)
        if not isinstance(value, list) or not all(isinstance(v, str) and v in known for v in value):
            return _format("code", list=known.zh)
        if len(set(value)) != len(value):
            return _format("repeated")
        if len(value) > self.most:
            return _format("too_many", most=self.most)
        if self.excludes_others in value and len(value) > 1:
            return _format("excludes", code=known.label(str(self.excludes_others)))
        return None

    def shown(self, value: Any, lang: str = "zh") -> str:
        known = codes.code_list(self.codes)
        return listed((known.label(code, lang) for code in value or []), lang)

    def parsed(self, typed: str) -> Value:
        one = Code(self.info.zh, self.info.en, codes=self.codes)
        return [one.parsed(part) for part in re.split(r"[、,，;；\s]+", typed) if part] or None

    def json_schema(self) -> dict[str, Any]:
        known = [code.code for code in codes.code_list(self.codes).codes]
        return {
            "type": ["array", "null"],
            "items": {"type": "string", "enum": known},
            "maxItems": self.most,
            "uniqueItems": True,
        }


class Divisions(Declared):
    """Up to `most` division codes of 12 digits: where a worker would go."""

    widget = "divisions"
    column = "JSON"

    def __init__(self, zh: str, en: str, *, most: int = 3, **info: Any) -> None:
        super().__init__(zh, en, **info)
        self.most = most

    def verdict(self, value: Any) -> Fault | None:
        if not isinstance(value, list) or not all(
            isinstance(v, str) and _CODE12.match(v) for v in value
        ):
            return _format("division")
        return _format("too_many", most=self.most) if len(value) > self.most else None

    def json_schema(self) -> dict[str, Any]:
        item = {"type": "string", "pattern": "^[1-9][0-9]{11}$"}
        return {"type": ["array", "null"], "items": item, "maxItems": self.most}


class Flag(Declared):
    """Yes or no."""

    widget = "flag"
    column = "INTEGER"

    def verdict(self, value: Any) -> Fault | None:
        return None if isinstance(value, bool) else _format("flag")

    def shown(self, value: Any, lang: str = "zh") -> str:
        return "" if value is None else text("yes" if value else "no", lang)

    def parsed(self, typed: str) -> Value:
        typed = typed.strip()
        if typed in ("是", "有", "1", "true", "True", "Y", "y"):
            return True
        if typed in ("否", "无", "0", "false", "False", "N", "n"):
            return False
        return typed or None

    def json_schema(self) -> dict[str, Any]:
        return {"type": ["boolean", "null"]}


class WholeNumber(Declared):
    """A whole number between `least` and `most`, both included."""

    widget = "number"
    column = "INTEGER"

    def __init__(self, zh: str, en: str, *, least: int, most: int, **info: Any) -> None:
        super().__init__(zh, en, **info)
        self.least = least
        self.most = most

    def verdict(self, value: Any) -> Fault | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return _format("number")
        if not self.least <= value <= self.most:
            return _format("range", least=self.least, most=self.most)
        return None

    def parsed(self, typed: str) -> Value:
        typed = typed.strip()
        return int(typed) if re.fullmatch(r"-?[0-9]{1,12}", typed) else typed or None

    def json_schema(self) -> dict[str, Any]:
        return {"type": ["integer", "null"], "minimum": self.least, "maximum": self.most}


class Day(Declared):
    """A calendar day, `YYYY-MM-DD`, from 1900 to 2100."""

    widget = "day"

    def verdict(self, value: Any) -> Fault | None:
        if isinstance(value, str) and _DAY.match(value):
            try:
                dt.date.fromisoformat(value)
            except ValueError:
                return _format("day")
            return None
        return _format("day")

    def parsed(self, typed: str) -> Value:
        typed = typed.strip()
        match = re.fullmatch(r"(\d{4})[-./年]?(\d{1,2})[-./月]?(\d{1,2})日?", typed, re.ASCII)
        if not match:
            return typed or None
        year, month, day = (int(part) for part in match.groups())
        return f"{year:04}-{month:02}-{day:02}"

    def json_schema(self) -> dict[str, Any]:
        return {"type": ["string", "null"], "format": "date"}


_DAY = re.compile(r"^(19|20)\d\d-\d\d-\d\d$", re.ASCII)


RECORD_ID = re.compile(r"^[0-9a-hjkmnp-tv-z]{13}([0-9a-hjkmnp-tv-z]{4})?$")
"""Household: 64 random bits in 13 Crockford base32 characters; records below it add 4 (sync.md 3.1)."""


class RecordId(Declared):
    """Id of another record."""

    widget = "record"

    def verdict(self, value: Any) -> Fault | None:
        if isinstance(value, str) and RECORD_ID.match(value):
            return None
        return _format("record_id")

    def json_schema(self) -> dict[str, Any]:
        return {"type": ["string", "null"], "pattern": RECORD_ID.pattern}


class HouseholdId(RecordId):
    """Id of another household, chosen from those that the phone knows."""

    widget = "household"

    def verdict(self, value: Any) -> Fault | None:
        return super().verdict(value) if len(str(value)) == 13 else _format("record_id")

    def json_schema(self) -> dict[str, Any]:
        return {"type": ["string", "null"], "pattern": "^[0-9a-hjkmnp-tv-z]{13}$"}


class RecordIds(Declared):
    """Ids of other records, at most 20."""

    widget = "records"
    column = "JSON"

    def verdict(self, value: Any) -> Fault | None:
        good = isinstance(value, list) and len(value) <= 20
        if good and all(isinstance(v, str) and RECORD_ID.match(v) for v in value):
            return None
        return _format("record_id")

    def json_schema(self) -> dict[str, Any]:
        item = {"type": "string", "pattern": RECORD_ID.pattern}
        return {"type": ["array", "null"], "items": item, "maxItems": 20}


class Skills(Declared):
    """What a worker can do: a list of {occupation, level, cert_no, cert_date}, at most 10."""

    widget = "skills"
    column = "JSON"
    parts: Mapping[str, Declared]

    def __init__(self, zh: str, en: str, **info: Any) -> None:
        super().__init__(zh, en, **info)
        self.parts = {
            "occupation": Code("工种", "Occupation", codes="occupation"),
            "level": Code("等级", "Level", codes="skill_level"),
            "cert_no": Text("证书编号", "Certificate no.", max_length=40),
            "cert_date": Day("发证日期", "Certificate date"),
        }

    def verdict(self, value: Any) -> Fault | None:
        if not isinstance(value, list) or len(value) > 10:
            return _format("too_many", most=10)
        for entry in value:
            if not isinstance(entry, dict) or not entry.get("occupation"):
                return _format("skill")
            for name, part in entry.items():
                if name not in self.parts:
                    return _format("skill")
                fault = None if part is None else self.parts[name].verdict(part)
                if fault is not None:
                    return fault
            if entry.get("level") not in (None, "0") and not entry.get("cert_date"):
                return _format("skill_date")
        return None

    def shown(self, value: Any, lang: str = "zh") -> str:
        return listed(
            (
                self.parts["occupation"].shown(entry.get("occupation"), lang)
                + (
                    f"({self.parts['level'].shown(entry['level'], lang)})"
                    if entry.get("level") not in (None, "0")
                    else ""
                )
                for entry in value or []
            ),
            lang,
        )

    def parsed(self, typed: str) -> Value:
        occupation = self.parts["occupation"]
        parts = [part for part in re.split(r"[、,，;；\s]+", typed) if part]
        return [{"occupation": occupation.parsed(part)} for part in parts] or None

    def json_schema(self) -> dict[str, Any]:
        item = {
            "type": "object",
            "properties": {name: part.json_schema() for name, part in self.parts.items()},
            "required": ["occupation"],
            "additionalProperties": False,
        }
        return {"type": ["array", "null"], "items": item, "maxItems": 10}


class Reasons(Declared):
    """Why a warning was accepted: {"V05 <record id>": the cadre's words}."""

    widget = "none"
    column = "JSON"

    def verdict(self, value: Any) -> Fault | None:
        good = isinstance(value, dict) and len(value) <= 100
        if good and all(
            isinstance(k, str) and isinstance(v, str) and len(k) <= 40 and len(v) <= 80
            for k, v in value.items()
        ):
            return None
        return _format("reasons")

    def json_schema(self) -> dict[str, Any]:
        return {
            "type": ["object", "null"],
            "additionalProperties": {"type": "string", "maxLength": 80},
        }
