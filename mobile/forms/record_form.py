"""One record as a form: its groups, its questions, and what an answer does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobile.storage.drafts import Draft
from mobile.storage.records import Shown
from shared_schemas import codes, resident_id
from shared_schemas.codes import divisions
from shared_schemas.fields import Code, Codes, Declared, Divisions, Skills, Value, listed
from shared_schemas.locale import text
from shared_schemas.phone_index import ID_NO, NAME_BIRTH
from shared_schemas.records import asked_fields, record_kind
from shared_schemas.rules import Hit, Level

if TYPE_CHECKING:
    from mobile.forms.visit import Visit

Option = tuple[str, str, str]
"""Code, label, group (the relation buttons; empty for most lists)."""

MISSING_RULES = frozenset({"REQUIRED", "V10"})
"""Rules that only say that an answer is missing."""


MOST_OFTEN = 4
"""How many of a long list of codes are offered at once."""

MOST_TYPED = 6
"""How many of the words that repeat in a village are offered: most villages have no more groups."""


@dataclass(frozen=True, slots=True)
class Question:
    """One field as a screen draws it, at this moment. Ask again after every answer."""

    name: str
    label: str
    hint: str
    widget: str
    """`Declared.widget`: text, name, resident_id, phone, division, code, codes, divisions, flag, number, day, records, skills."""
    options: list[Option]
    value: Value
    shown: str
    """The value as a person reads it."""
    required: bool
    aside: bool
    """Asked behind “more”, unless there is an answer or something is said about it."""
    error: str | None
    """What is wrong, once it was answered or `show_missing` is set."""
    warning: str | None
    """What is doubtful and has no reason yet; give one with `Visit.accept_warning(warning_hit, …)`."""
    comment: str | None
    """The reviewer's words, when the household was returned."""
    changed: bool
    """Answered differently in this visit."""
    locked: bool
    """The visit was submitted and not recalled."""
    warning_hit: Hit | None = None
    notice: str = ""
    """What the cadre should know, and may pass over."""
    often: tuple[str, ...] = ()
    """What people of this village have most: of a long list of codes, and of words that repeat."""
    excludes_others: str | None = None
    """The code that stands alone where several may be chosen (“healthy”)."""
    most: int | None = None
    """How many options or places may be chosen, for codes and divisions."""


@dataclass(frozen=True, slots=True)
class Group:
    """A question group: one screen."""

    name: str
    title: str
    done: bool
    likely: bool
    """Whether nothing is open here, but only because an answer is likely: it is looked at later."""
    problems: tuple[Hit, ...]


class RecordForm:
    """One record of a visit. Made by `Visit`; every answer is saved when this returns."""

    def __init__(
        self,
        visit: Visit,
        kind: str,
        record_id: str,
        *,
        known: Shown | None = None,
        preset: Mapping[str, Any] | None = None,
    ) -> None:
        self.visit = visit
        self.kind = kind
        self.record_id = record_id
        self.known = known
        """The record as the phone shows it outside this visit, None when it was born in it."""
        self.preset = dict(preset or {})
        """What the program answers until a person says otherwise; saved with the first touch."""
        self.drafts: dict[str, Draft] = {}
        self.next_was_refused = False

    @property
    def show_missing(self) -> bool:
        """Whether fields without an answer show that one is needed: set it when “next” was refused."""
        return self.next_was_refused or self.visit.show_missing

    @show_missing.setter
    def show_missing(self, wanted: bool) -> None:
        self.next_was_refused = wanted

    @property
    def answered(self) -> dict[str, Any]:
        """The values that somebody gave, or the program where a person does not say otherwise."""
        known = self.known.values if self.known else {}
        drafted = {name: draft.value for name, draft in self.drafts.items()}
        values = {**known, **self.preset, **drafted}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def guesses(self) -> dict[str, Any]:
        """Likely answers that nobody has looked at yet (`Visit.is_guessing`): shown, and not stored."""
        return self.visit.guesses_of(self)

    @property
    def values(self) -> dict[str, Any]:
        """The values as they stand in this visit, what is only likely with them."""
        return {**self.guesses, **self.answered}

    @property
    def is_born(self) -> bool:
        """Whether the record exists: it was there before, or something was answered in it."""
        return self.known is not None or bool(self.drafts)

    @property
    def is_void(self) -> bool:
        """Whether the record was taken out."""
        return bool(self.answered.get("deleted"))

    @property
    def is_outdated(self) -> bool:
        """Whether this is a consent to words that are no longer read: he is asked anew."""
        if self.kind != "consent" or self.known is None or "given" in self.drafts:
            return False
        known = self.known.values
        version = known.get("text_version")
        return known.get("given") is True and version not in (None, text("consent.version"))

    def source(self, name: str) -> tuple[str, int]:
        """Return the version (epoch, seq) of the record that the cadre sees in a field.

        A field that shows an own change which the county has not shown back has that change's
        version: the edit over it saw no more (sync.md 3.3, rule 2).
        """
        if name in self.drafts:
            return self.drafts[name].epoch, self.drafts[name].base
        if self.known is None:
            return self.visit.epoch, 0
        return self.known.sources.get(name, (self.known.epoch, self.known.seq))

    def title(self, lang: str = "zh") -> str:
        """Return what the record is called: the person's name, or the kind."""
        label = record_kind(self.kind).label(lang)
        if self.kind == "household":
            return label
        if self.kind == "member":
            return self.values.get("name") or text("visit.new_member", lang)
        member = self.visit.member(self.values.get("member_id"))
        if self.kind == "consent":
            asked = record_kind("consent").fields["consent_kind"]
            label = asked.shown(self.values.get("consent_kind"), lang)
        return f"{member.title(lang)} · {label}" if member else label

    def groups(self, lang: str = "zh") -> list[Group]:
        """Return the groups in which something is asked now."""
        kind = record_kind(self.kind)
        names = self._asked()
        asked = {kind.fields[name].info.group for name in names}
        values, guesses = self.values, self.guesses
        unlikely = {
            kind.fields[name].info.group
            for name in names
            if name not in values and not self._is_aside(kind.fields[name])
        }
        guessed = {kind.fields[name].info.group for name in guesses}
        hits = self._hits()
        groups = []
        for name, titles in kind.groups.items():
            if name not in asked:
                continue
            problems = tuple(
                hit
                for field, hit in hits
                if kind.fields[field].info.group == name and hit.reason is None
            )
            is_done = self.is_born and not problems and not self.is_outdated
            is_likely = name in guessed and name not in unlikely and not problems
            groups.append(Group(name, titles[lang == "en"], is_done, is_likely, problems))
        return groups

    def visible_problems(self, group: str) -> int:
        """Count what is wrong in a group and shows: a missing answer only with `show_missing`."""
        fields = record_kind(self.kind).fields
        return sum(
            fields[name].info.group == group and hit.reason is None and self._shows(name, hit)
            for name, hit in self._hits()
        )

    def questions(self, group: str, lang: str = "zh") -> list[Question]:
        """Return the questions of a group that are asked now, skip logic applied."""
        fields = record_kind(self.kind).fields
        hits = self._hits()
        wrong = {name for name, hit in hits if hit.level is Level.ERROR}
        facts = self.visit.facts(self)
        asked = set(self._asked())
        values = self.values
        # A value that is not asked for but stands in the way (an import) is shown, to be cleared.
        names = [
            name
            for name, field in fields.items()
            if field.info.group == group
            and (name in asked or (name in wrong and values.get(name) is not None))
        ]
        return [
            self._question(name, fields[name], [h for n, h in hits if n == name], facts, lang)
            for name in names
        ]

    def refuse_all(self, names: Sequence[str]) -> None:
        """Answer no to several questions at once."""
        self.visit.save(self, dict.fromkeys(names, False), at=names[-1])

    def answer(self, name: str, value: Value) -> None:
        """Save an answer at once. A good ID number fills birth date and sex."""
        if value in ("", []):
            value = None
        answers = {name: value}
        field = record_kind(self.kind).fields[name]
        if field.widget == "resident_id" and isinstance(value, str) and not field.verdict(value):
            answers |= {
                "birth_date": resident_id.birth_date(value),
                "sex": resident_id.sex(value),
            }
        self.visit.save(self, answers, at=name)

    def typed(self, name: str, text: str) -> None:
        """Save what a person typed; text that means no value is kept as typed and shows an error."""
        self.answer(name, record_kind(self.kind).fields[name].parsed(text))

    def clear(self, name: str) -> None:
        """Take an answer away."""
        self.answer(name, None)

    def _is_aside(self, field: Declared) -> bool:
        is_new_household = self.visit.household.known is None
        return field.info.aside or (field.info.tells_change and is_new_household)

    def _asked(self) -> list[str]:
        return asked_fields(self.kind, self.visit.facts(self))

    def _hits(self) -> list[tuple[str, Hit]]:
        """Return the hits that a screen shows beside a field of this record."""
        return self.visit.hits_of(self)

    def _shows(self, name: str, hit: Hit) -> bool:
        is_answered = self.values.get(name) is not None and hit.rule not in MISSING_RULES
        return is_answered or self.show_missing

    def _question(
        self, name: str, field: Declared, hits: list[Hit], facts: Any, lang: str
    ) -> Question:
        value = self.values.get(name)
        shown = [hit for hit in hits if self._shows(name, hit)]
        error = next((hit for hit in shown if hit.level is Level.ERROR), None)
        warning = next(
            (hit for hit in shown if hit.level is Level.WARNING and hit.reason is None), None
        )
        needed = field.info.required
        comment = self.visit.comment(self.record_id, name)
        return Question(
            name=name,
            label=field.info.label(lang),
            hint=self._hint(name, field, value, lang),
            widget=field.widget,
            options=self._options(field, value, lang),
            value=value,
            shown=as_read(self.visit, field, value, lang),
            required=bool(needed is not None and needed(facts)),
            aside=self._is_aside(field) and value is None and not hits and not comment,
            error=error.message(lang) if error else None,
            warning=warning.message(lang) if warning else None,
            comment=comment,
            changed=name in self.drafts
            and value != (self.known.values.get(name) if self.known else None),
            locked=self.visit.locked,
            warning_hit=warning,
            notice="" if error or warning else self._notice(name, lang),
            often=self._often(name, field),
            excludes_others=getattr(field, "excludes_others", None),
            most=getattr(field, "most", None),
        )

    def _hint(self, name: str, field: Declared, value: Value, lang: str) -> str:
        if field.widget == "resident_id" and isinstance(value, str) and not field.verdict(value):
            area = divisions.id_area_name(resident_id.area(value), int(value[6:10]))
            if area:
                return text("visit.id_area", lang, area=area)
        return field.info.hint(lang)

    def _often(self, name: str, field: Declared) -> tuple[str, ...]:
        if field.info.repeats:
            return tuple(said for said, _ in self.visit.said_here(self.kind, name)[:MOST_TYPED])
        if not isinstance(field, Code | Codes):
            return ()
        known = {code.code for code in codes.code_list(field.codes).offered()}
        if len(known) <= 2 * MOST_OFTEN:
            return ()
        counts: Counter[str] = Counter()
        for said, count in self.visit.said_here(self.kind, name):
            for code in json.loads(said) if isinstance(field, Codes) else [said]:
                counts[code] += count
        return tuple(code for code, _ in counts.most_common() if code in known)[:MOST_OFTEN]

    def _notice(self, name: str, lang: str) -> str:
        """Return that a person may be registered elsewhere, beside what tells it."""
        kind = {"id_no": ID_NO, "birth_date": NAME_BIRTH}.get(name)
        if self.kind != "member" or kind is None:
            return ""
        if kind == NAME_BIRTH and self.visit.registered_in(self, ID_NO):
            return ""  # said beside the number already
        places = self.visit.registered_in(self, kind)
        return text(f"visit.registered_{kind}", lang, place=listed(places, lang)) if places else ""

    def _options(self, field: Declared, value: Value, lang: str) -> list[Option]:
        if field.widget == "records":
            others = [m for m in self.visit.members if m.record_id != self.values.get("member_id")]
            return [(m.record_id, m.title(lang), "") for m in others]
        if field.widget == "household":
            return self.visit.other_households()
        if isinstance(field, Skills):
            field = field.parts["occupation"]
        if not isinstance(field, Code | Codes):
            return []
        chosen = value if isinstance(value, list) else [value]
        known = codes.code_list(field.codes)
        # A code that this app does not know yet is offered as what it is, so that it can stay.
        unknown = [
            (code, code, "") for code in chosen if isinstance(code, str) and code not in known
        ]
        return [
            (code.code, code.en if lang == "en" else code.zh, code.group)
            for code in known.codes
            if code.offered or code.code in chosen
        ] + unknown


def as_read(visit: Visit, field: Declared, value: Value, lang: str = "zh") -> str:
    """Return a value as the cadre reads it; places, households and members by their names."""
    if field.widget == "division" and isinstance(value, str):
        return visit.place_name(value)
    if field.widget in ("household", "record") and isinstance(value, str):
        member = visit.member(value)
        return member.title(lang) if member else visit.household_name(value)
    if isinstance(field, Divisions) and isinstance(value, list):
        return listed((visit.place_name(str(code)) for code in value), lang)
    if field.widget == "records" and isinstance(value, list):
        members = [visit.member(str(member_id)) for member_id in value]
        return listed((member.title(lang) for member in members if member), lang)
    try:
        return field.shown(value, lang)
    except (AttributeError, KeyError, TypeError):
        # A value of another type than declared, as typed or from a newer app: shown as it is.
        return str(value)
