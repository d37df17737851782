"""Two registrations side by side, and a person of several, as the pages show them. Pure.

Every field comes from its declaration. What is equal is folded away; what differs is marked down to
the character. The registration to believe is the one that the field's authority names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.services.candidates import differing
from server.web.bundle_view import shown_value
from server.web.pair_sentences import line_words
from shared_schemas.bundle import Record
from shared_schemas.fields import Audience, age_on
from shared_schemas.golden import (
    Golden,
    Registration,
    Why,
    golden_record,
    person_fields,
    persons,
)
from shared_schemas.locale import text
from shared_schemas.names import normal_name
from shared_schemas.records import record_kind
from shared_schemas.records.member import HEAD

Marked = tuple[tuple[str, bool], ...]
"""A text in runs: (characters, whether they differ from the other side)."""

_COMPARED = ("text", "name", "resident_id", "phone", "day")
"""Widgets whose values are compared character by character; of others the whole value differs."""


@dataclass(frozen=True, slots=True)
class FieldPair:
    """A field on both sides. `source` is the side to believe, left or right; empty where they agree."""

    name: str
    label: str
    left: Marked
    right: Marked
    source: str
    why: str
    is_equal: bool
    is_answered: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """A step of the waterfall: from where to where the score went, in percent of the width."""

    words: str
    weight: float
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Relative:
    """Somebody on the household list of one side."""

    member_id: str
    name: str
    relation: str
    sex: str
    birth_date: str
    age: int | None
    is_self: bool
    note: str
    """`both`: on the list of the other side too; `same_day`: born on the same day as the one compared."""


def field_pairs(
    left: Registration,
    right: Registration,
    *,
    lang: str = "zh",
    places: Mapping[str, str] | None = None,
) -> list[FieldPair]:
    """Return every field of a member that the county may see, in form order."""
    believed = golden_record([left, right])
    seen = set(record_kind("member").seen_by(Audience.COUNTY))
    return [
        _field_pair(name, left, right, believed.get(name), lang, places or {})
        for name in person_fields()
        if name in seen
    ]


def _field_pair(
    name: str,
    left: Registration,
    right: Registration,
    golden: Golden | None,
    lang: str,
    places: Mapping[str, str],
) -> FieldPair:
    declared = person_fields()[name]
    values = [side.values.get(name) for side in (left, right)]
    shown = [shown_value(declared, value, lang=lang, places=places) for value in values]
    agree = golden is not None and golden.why is Why.AGREE
    unasked = golden is None and any(shown)
    by_character = declared.widget in _COMPARED and all(shown) and not agree
    marked = [
        _runs(mine, differing(mine, other)) if by_character
        else ((mine, bool(mine) and all(shown) and not agree),)
        for mine, other in (shown, reversed(shown))
    ]  # fmt: skip
    source = "" if golden is None or agree else "left" if golden.source == left.id else "right"
    return FieldPair(
        name=name,
        label=declared.info.label(lang),
        left=marked[0],
        right=marked[1],
        source=source,
        why=text(f"pages.duplicates.believed.{golden.why if golden else 'unasked'}", lang),
        is_equal=agree or not (golden or unasked) or (unasked and shown[0] == shown[1]),
        is_answered=any(shown),
    )


def _runs(shown: str, differs: Sequence[bool]) -> Marked:
    runs: list[tuple[str, bool]] = []
    for character, marked in zip(shown, differs, strict=True):
        if runs and runs[-1][1] == marked:
            runs[-1] = (runs[-1][0] + character, marked)
        else:
            runs.append((character, marked))
    return tuple(runs)


def waterfall(breakdown: Sequence[Mapping[str, Any]], lang: str = "zh") -> tuple[list[Bar], float]:
    """Return the steps from nothing to the score, and where zero stands, in percent of the width."""
    lines = [line for line in breakdown if line["weight"]]
    lines.sort(key=lambda line: -line["weight"])
    at, stops = 0.0, [0.0]
    for line in lines:
        at += line["weight"]
        stops.append(at)
    low, high = min(stops), max(stops)
    span = (high - low) or 1.0
    bars = [
        Bar(
            words=line_words(line, lang),
            weight=line["weight"],
            start=100 * (min(before, after) - low) / span,
            width=100 * abs(after - before) / span,
        )
        for line, before, after in zip(lines, stops, stops[1:], strict=False)
    ]
    return bars, 100 * (0.0 - low) / span


def relatives(
    own: Sequence[Record], others: Sequence[Record], member_id: str, *, today: str, lang: str = "zh"
) -> list[Relative]:
    """Return the people on one side's household list, the head first.

    Who is on both lists tells that one family was registered twice; somebody born on the same day
    as the one compared is a twin.
    """
    there = {key for member in others for key in _keys(member)}
    compared = next((m for m in own if m["id"] == member_id), {})
    declared = record_kind("member").fields

    def relative(member: Record) -> Relative:
        is_self = member["id"] == member_id
        same_day = member.get("birth_date") == compared.get("birth_date") is not None
        note = "both" if there & _keys(member) else "same_day" if same_day else ""
        return Relative(
            member_id=member["id"],
            name=str(member.get("name") or member["id"]),
            relation=declared["relation"].shown(member.get("relation"), lang),
            sex=declared["sex"].shown(member.get("sex"), lang),
            birth_date=str(member.get("birth_date") or ""),
            age=age_on(member.get("birth_date"), today),
            is_self=is_self,
            note="" if is_self else note,
        )

    present = [m for m in own if not m.get("deleted")]
    present.sort(key=lambda m: (m.get("relation") != HEAD, m.get("birth_date") or "9", m["id"]))
    return [relative(member) for member in present]


def _keys(member: Record) -> set[tuple[Any, ...]]:
    found: set[tuple[Any, ...]] = set()
    if member.get("id_no"):
        found.add(("id_no", member["id_no"]))
    if member.get("name") and member.get("birth_date"):
        found.add(("name", normal_name(str(member["name"])), member["birth_date"]))
    return found


@dataclass(frozen=True, slots=True)
class Believed:
    """A line of the golden record: the value, why it is believed, and what each registration says."""

    label: str
    value: str
    why: str
    source: str
    """The registration that the value comes from; empty where all that answer agree."""
    said: Mapping[str, str]
    """Registration → its value, of those that answer."""


def believed_lines(
    golden: Mapping[str, Golden],
    registrations: Collection[Registration],
    *,
    lang: str = "zh",
    places: Mapping[str, str] | None = None,
) -> list[Believed]:
    """Return the golden record as the person page shows it, what registrations disagree on first."""
    seen = set(record_kind("member").seen_by(Audience.COUNTY))
    lines = []
    for name, entry in golden.items():
        declared = person_fields()[name]
        if name not in seen:
            continue
        said = {
            r.id: shown_value(declared, r.values[name], lang=lang, places=places)
            for r in registrations
            if r.values.get(name) not in (None, "", [])
        }
        lines.append(
            Believed(
                label=declared.info.label(lang),
                value=shown_value(declared, entry.value, lang=lang, places=places),
                why=text(f"pages.duplicates.believed.{entry.why}", lang),
                source=entry.source if entry.why is not Why.AGREE else "",
                said=said,
            )
        )
    return sorted(lines, key=lambda line: len(set(line.said.values())) < 2)


# The picture of a person --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Node:
    """A registration in the picture: its number and where it stands, in percent of the width."""

    number: int
    x: float


@dataclass(frozen=True, slots=True)
class Arc:
    """A link in the picture, between two registrations."""

    left: int
    right: int
    path: str
    in_force: bool


def cluster(
    numbers: Mapping[str, int], links: Sequence[tuple[str, str, bool]]
) -> tuple[list[Node], list[Arc], int]:
    """Return the registrations of a person side by side, an arc for every link, and the height.

    `links`: (registration, registration, whether in force). Arcs over more registrations are higher.
    Two links of one pair are one arc, in force when one of them is.
    """
    step = 100 / max(1, len(numbers))
    x = {number: step * (number - 0.5) for number in numbers.values()}
    ends = sorted({tuple(sorted((numbers[a], numbers[b]))) for a, b, _ in links})
    force = {tuple(sorted((numbers[a], numbers[b]))) for a, b, in_force in links if in_force}
    tallest = max((b - a for a, b in ends), default=1)
    height = 26 + 16 * min(tallest, 4)

    def path(a: int, b: int) -> str:
        rise = 2 * 16 * min(b - a, 4)
        return f"M{x[a]:.2f} {height - 14} Q{(x[a] + x[b]) / 2:.2f} {height - 14 - rise} {x[b]:.2f} {height - 14}"

    return (
        [Node(number, at) for number, at in x.items()],
        [Arc(a, b, path(a, b), (a, b) in force) for a, b in ends],
        height,
    )


def parts_without(
    numbers: Mapping[str, int], links: Sequence[tuple[str, str]], taken: tuple[str, str]
) -> list[list[int]]:
    """Return the persons, as numbers of registrations, that are left when a link is taken back."""
    left = [link for link in links if link != taken]
    joined = [sorted(numbers[one] for one in person) for person in persons(left)]
    met = {number for person in joined for number in person}
    return sorted([*joined, *([number] for number in numbers.values() if number not in met)])
