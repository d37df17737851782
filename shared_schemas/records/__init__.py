"""The kinds of record and their declared fields. Nothing else in the project lists fields by hand.

A kind is a marshmallow schema whose fields are `shared_schemas.fields` types. Ask
`record_kind("member").fields` for the declarations, in form order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import marshmallow as ma

from shared_schemas.fields import Audience, Declared, Facts, Fault, Info
from shared_schemas.records.consent import Consent
from shared_schemas.records.household import Household
from shared_schemas.records.intention import Intention
from shared_schemas.records.member import Member
from shared_schemas.records.placement import Placement


@dataclass(frozen=True)
class RecordKind:
    """A kind of record: its wire name, its schema and its words."""

    name: str
    schema: type[ma.Schema]
    zh: str
    en: str

    @cached_property
    def fields(self) -> Mapping[str, Declared]:
        """Declared fields by name, in form order."""
        declared = self.schema._declared_fields
        return {name: f for name, f in declared.items() if isinstance(f, Declared)}

    @cached_property
    def groups(self) -> Mapping[str, tuple[str, str]]:
        """Question groups (name → Chinese and English title), in form order."""
        groups: Mapping[str, tuple[str, str]] = self.schema.groups  # type: ignore[attr-defined]
        return groups

    def label(self, lang: str = "zh") -> str:
        """Return the kind's name for a person."""
        return self.en if lang == "en" else self.zh

    def seen_by(self, audience: Audience) -> Iterator[str]:
        """Yield the names of the fields that an audience may see."""
        return (name for name, f in self.fields.items() if audience in f.info.audiences)


_KINDS: dict[str, RecordKind] = {
    kind.name: kind
    for kind in (
        RecordKind("household", Household, "农户", "Household"),
        RecordKind("member", Member, "成员", "Member"),
        RecordKind("intention", Intention, "就业意愿", "Work intention"),
        RecordKind("consent", Consent, "同意书", "Consent"),
        RecordKind("placement", Placement, "就业去向", "Placement"),
    )
}


def record_kinds() -> tuple[RecordKind, ...]:
    """Return every kind, a household first, so that a bundle reads from the top."""
    return tuple(_KINDS.values())


def record_kind(name: str) -> RecordKind:
    """Return the kind called `name`; KeyError when there is none."""
    return _KINDS[name]


def is_record_kind(name: object) -> bool:
    """Tell whether `name` is a kind of record."""
    return name in _KINDS


def faults(kind: str, values: Mapping[str, Any]) -> dict[str, Fault]:
    """Check the given fields of a record, each by itself; unknown fields are not judged."""
    declared = record_kind(kind).fields
    found = {}
    for name, value in values.items():
        field = declared.get(name)
        if value is None or field is None:
            continue
        fault = field.verdict(value)
        if fault is not None:
            found[name] = fault
    return found


def asked_fields(kind: str, facts: Facts) -> list[str]:
    """Return the fields that the form asks now, skip logic applied, in form order."""
    return [
        name
        for name, f in record_kind(kind).fields.items()
        if f.info.group and (f.info.asked is None or f.info.asked(facts))
    ]


def missing_fields(kind: str, facts: Facts) -> list[str]:
    """Return the required fields that are asked and have no answer yet."""
    # Most fields have an answer: look at that first, conditions cost more. 0 and false are answers.
    answer = facts.values.get
    return [
        name
        for name, info in _required(record_kind(kind))
        if not answer(name)
        and answer(name) in (None, "", [])
        and (info.asked is None or info.asked(facts))
        and (info.required is not None and info.required(facts))
    ]


@cache
def _required(kind: RecordKind) -> list[tuple[str, Info]]:
    fields = ((name, declared.info) for name, declared in kind.fields.items())
    return [(name, info) for name, info in fields if info.group and info.required is not None]
