"""The card that says what this family could get, in plain words: sums, papers, and what is still open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mobile.forms.visit import Visit
from shared_schemas.benefits import Benefit, Chance, chances, most_yuan
from shared_schemas.codes import divisions
from shared_schemas.locale import text
from shared_schemas.records import record_kind


@dataclass(frozen=True, slots=True)
class Line:
    """One rule: what, how much at most, what to bring, what to ask first, and where it is written."""

    title: str
    sum: str
    papers: str
    open: str
    source: str


@dataclass(frozen=True, slots=True)
class Share:
    """What one person, or the household, could get; `sums` add up what one place of work offers."""

    who: str
    sums: tuple[str, ...]
    lines: tuple[Line, ...]


def shares(visit: Visit, lang: str = "zh") -> list[Share]:
    """Return what speaks for this family: the household, then each person."""
    found = chances(visit.bundle(), visit.today)
    by_person: dict[str | None, list[Chance]] = {}
    for chance in found:
        by_person.setdefault(chance.member_id, []).append(chance)
    return [
        Share(
            who=_who(visit, member_id, lang),
            sums=tuple(_sums(of, lang)),
            lines=tuple(_line(chance, lang) for chance in of),
        )
        for member_id, of in by_person.items()
    ]


def _who(visit: Visit, member_id: str | None, lang: str) -> str:
    member = visit.member(member_id)
    return member.title(lang) if member else text("benefit.household", lang)


def _sums(found: Sequence[Chance], lang: str) -> list[str]:
    sums = []
    for place in dict.fromkeys(c.benefit.place for c in found if c.benefit.place):
        renting, lodged = (most_yuan(found, place, renting=rents) for rents in (True, False))
        if not renting:
            continue
        name = _place(place)
        if renting == lodged:
            sums.append(text("benefit.sum", lang, place=name, yuan=f"{renting:,}"))
        else:
            sums.append(
                text("benefit.sum_rent", lang, place=name, yuan=f"{renting:,}", less=f"{lodged:,}")
            )
    return sums


def _line(chance: Chance, lang: str) -> Line:
    rule = chance.benefit
    labels = (record_kind(kind).fields[name].info.label(lang) for kind, name in chance.open)
    separator = "、" if lang == "zh" else ", "
    asked = separator.join(labels)
    return Line(
        title=_title(rule, lang),
        sum=_sum(rule, lang),
        papers=text("benefit.papers", lang, papers=separator.join(rule.papers[lang])),
        open=text("benefit.open", lang, fields=asked) if asked else "",
        source=text("benefit.source", lang, source=rule.source[lang]),
    )


def _title(rule: Benefit, lang: str) -> str:
    if not rule.place:
        return rule.names[lang]
    return text("benefit.at", lang, place=_place(rule.place), what=rule.names[lang])


def _sum(rule: Benefit, lang: str) -> str:
    if rule.yuan is None:
        return text("benefit.by_document", lang)
    key = "benefit.employer" if rule.is_paid_to_employer else "benefit.most"
    per = text(f"benefit.per.{rule.per}", lang)
    renting = text("benefit.renting", lang) if rule.if_renting else ""
    return text(key, lang, yuan=f"{rule.yuan:,}", per=per) + renting


def _place(code: str) -> str:
    place = divisions.division(code)
    if place is None:
        return code
    above = divisions.division(place.parent) if place.parent and place.level == 3 else None
    return f"{above.name}{place.name}" if above else place.name
