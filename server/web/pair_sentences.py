"""Why two registrations look like one person, in sentences that name the very digit or character. Pure.

The matcher says a level ("one_digit"); the reviewer wants to know which digit, and whose checksum
is wrong. What a sentence cannot name it leaves to the words of the level.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz.distance import Levenshtein

from shared_schemas.fields import Value
from shared_schemas.locale import text
from shared_schemas.match_features import features_of, id_number, phone_number
from shared_schemas.names import normal_name

Values = Mapping[str, Value]
"""A member's values, with `village_code` beside them."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One thing that was compared, in words; `weight` above zero speaks for one person."""

    words: str
    weight: float


def line_words(line: Mapping[str, Any], lang: str = "zh") -> str:
    """Return one line of the comparison in few words."""
    try:
        return text(f"pages.duplicates.line.{line['comparison']}.{line['level']}", lang)
    except KeyError:  # a model that compares more finely than these words know
        return f"{line['comparison']}: {line['level']}"


def sentences(
    breakdown: Sequence[Mapping[str, Any]],
    left: Values,
    right: Values,
    *,
    lang: str = "zh",
    places: Mapping[str, str] | None = None,
) -> list[Sentence]:
    """Return the comparison in sentences, what speaks for one person first, the strongest first."""
    # What weighs nothing speaks neither for nor against.
    lines = [
        line for line in breakdown
        if line["comparison"] != "prior" and abs(line["weight"]) >= 0.05
    ]  # fmt: skip
    lines.sort(key=lambda line: -line["weight"])
    return [
        Sentence(_said(line, left, right, lang, places or {}), float(line["weight"]))
        for line in lines
    ]


def _said(
    line: Mapping[str, Any], left: Values, right: Values, lang: str, places: Mapping[str, str]
) -> str:
    say = _DETAILS.get(line["comparison"])
    if say is not None:
        found = say(line["level"], left, right, lang)
        if found:
            return found
    plain = line_words(line, lang)
    where = _where(line, left, right, places)
    return _with(plain, where, lang) if where else plain


def _where(line: Mapping[str, Any], left: Values, right: Values, places: Mapping[str, str]) -> str:
    if line["comparison"] != "place":
        return ""
    width = {"village": 12, "township": 9, "county": 9}.get(line["level"], 6)
    names = [
        places.get(str(side.get("village_code") or "")[:width].ljust(12, "0"), "")
        for side in (left, right)
    ]
    return "" if not all(names) else _slash(*names)


def _with(plain: str, detail: str, lang: str) -> str:
    return text("pages.duplicates.said.with", lang, plain=plain, detail=detail)


def _slash(a: str, b: str) -> str:
    return a if a == b else f"{a}/{b}"


# Numbers ------------------------------------------------------------------------------------------


def _number(level: str, left: Values, right: Values, lang: str) -> str:
    a, b = id_number(left.get("id_no")), id_number(right.get("id_no"))
    if not a or not b:
        return ""
    if level == "two_valid":
        return text("pages.duplicates.said.two_valid", lang, places=_places(a, b, lang))
    if level not in ("one_digit", "two_digits"):
        return ""
    valid = [features_of(side).is_id_valid for side in (left, right)]
    verdict = text(f"pages.duplicates.said.checks_{_whose(*valid)}", lang)
    return text(f"pages.duplicates.said.number_{_slip(a, b)}", lang,
                places=_places(a, b, lang), side=_shorter(a, b, lang), verdict=verdict)  # fmt: skip


def _whose(left: bool | None, right: bool | None) -> str:
    return {(True, False): "left", (False, True): "right", (True, True): "both"}.get(
        (bool(left), bool(right)), "neither"
    )


def _slip(a: str, b: str) -> str:
    """Return what kind of slip lies between two numbers: swapped, missing or differing."""
    if len(a) != len(b):
        return "missing"
    at = _differing_places(a, b)
    if len(at) == 2 and at[1] == at[0] + 1 and a[at[0]] == b[at[1]] and a[at[1]] == b[at[0]]:
        return "swapped"
    return "differs"


def _differing_places(a: str, b: str) -> list[int]:
    """Return where two texts differ, counted in the longer one from nought."""
    if len(a) == len(b):
        return [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    short, long = sorted((a, b), key=len)
    steps = Levenshtein.editops(short, long)
    return [step.dest_pos for step in steps]


def _places(a: str, b: str, lang: str) -> str:
    at = [str(i + 1) for i in _differing_places(a, b)]
    return text("pages.duplicates.said.and", lang).join(at)


def _shorter(a: str, b: str, lang: str) -> str:
    return text(f"pages.duplicates.side_{'left' if len(a) < len(b) else 'right'}", lang)


def _phone(level: str, left: Values, right: Values, lang: str) -> str:
    a, b = phone_number(left.get("phone")), phone_number(right.get("phone"))
    if level != "one_digit" or not a or not b:
        return ""
    slip = "missing" if len(a) != len(b) else "differs"
    return text(f"pages.duplicates.said.phone_{slip}", lang,
                places=_places(a, b, lang), side=_shorter(a, b, lang))  # fmt: skip


# Names --------------------------------------------------------------------------------------------


def _name(level: str, left: Values, right: Values, lang: str) -> str:
    a, b = (normal_name(str(side.get("name") or "")) for side in (left, right))
    if not a or not b or level == "equal":
        return ""
    plain = line_words({"comparison": "name", "level": level}, lang)
    if level == "dropped_or_swapped":
        kind = "swapped" if len(a) == len(b) else "dropped"
        lost = "".join((max(a, b, key=len))[i] for i in _differing_places(a, b))
        return text(f"pages.duplicates.said.name_{kind}", lang, lost=lost,
                    side=_shorter(a, b, lang), names=_slash(a, b))  # fmt: skip
    if level in ("same_sound", "dialect", "one_character") and len(a) == len(b):
        at = _differing_places(a, b)
        detail = _slash("".join(a[i] for i in at), "".join(b[i] for i in at))
        return _with(plain, detail + (_sounds(left, right, at) if level == "dialect" else ""), lang)
    return _with(plain, _slash(a, b), lang)


def _sounds(left: Values, right: Values, at: Sequence[int]) -> str:
    read = [(features_of(side).name_pinyin or "").split() for side in (left, right)]
    if any(i >= len(syllables) for syllables in read for i in at):
        return ""
    a, b = (" ".join(syllables[i] for i in at) for syllables in read)
    return f" {_slash(a, b)}"


# Days ---------------------------------------------------------------------------------------------


def _birth(level: str, left: Values, right: Values, lang: str) -> str:
    a, b = (str(side.get("birth_date") or "") for side in (left, right))
    if not a or not b or level == "equal":
        return ""
    days = [features_of(side).birth_day for side in (left, right)]
    if level == "lunar" and days[0] is not None and days[1] is not None:
        return text("pages.duplicates.said.lunar", lang, days=abs(days[0] - days[1]),
                    dates=_slash(a, b))  # fmt: skip
    plain = line_words({"comparison": "birth_date", "level": level}, lang)
    same_year = re.match(r"\d{4}-", a) and a[:5] == b[:5]
    shown = (a[5:], b[5:]) if level == "swapped" and same_year else (a, b)
    return _with(plain, _slash(*shown), lang)


def _employer(level: str, left: Values, right: Values, lang: str) -> str:
    said = str(left.get("work_employer") or "")
    plain = line_words({"comparison": "employer", "level": level}, lang)
    return _with(plain, said, lang) if said else ""


_DETAILS: Mapping[str, Callable[[str, Values, Values, str], str]] = {
    "id_no": _number,
    "phone": _phone,
    "name": _name,
    "birth_date": _birth,
    "employer": _employer,
}
