"""A household bundle as the review page shows it. Pure; every field comes from its declaration.

A person's card holds the member, his intentions, consents and placements, each by its question
groups. A field shows when the form asks it or it has a value. Beside it stand the rule hits with
the cadre's reason, the value that it had in the version the reviewer last saw, and open conflicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared_schemas.bundle import Bundle, Record, bundle_of
from shared_schemas.fields import Audience, Declared, age_on
from shared_schemas.locale import text
from shared_schemas.records import RecordKind, asked_fields, record_kind
from shared_schemas.records.member import HEAD
from shared_schemas.upgrade import up

Key = tuple[str, str, str]
"""Kind, record id and field name."""

NEVER_SHOWN = frozenset({"record", "none"})
"""Widgets of ids and of reasons, which stand elsewhere on the page."""


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field of the page."""

    kind: str
    record_id: str
    name: str
    label: str
    value: str
    answered: bool
    changed: bool = False
    before: str = ""
    hits: tuple[Mapping[str, Any], ...] = ()
    comment: str = ""
    in_conflict: bool = False

    @property
    def width(self) -> int:
        """How many of the three columns the value needs."""
        em = sum(2 if ord(character) > 0x2000 else 1 for character in self.value)
        return 1 if em <= 12 else 2 if em <= 40 else 3

    @property
    def key(self) -> str:
        """Name of the field's comment box in the form."""
        return f"{self.kind}.{self.record_id}.{self.name}"

    @property
    def level(self) -> str:
        """Gravest level among the hits, empty without any."""
        return min((hit["level"] for hit in self.hits), key="ERW".index, default="")

    @property
    def worth_a_look(self) -> bool:
        """Whether it is shown when only changes are."""
        return self.changed or bool(self.hits) or bool(self.comment) or self.in_conflict


@dataclass(frozen=True, slots=True)
class GroupView:
    """A question group of one record."""

    title: str
    fields: tuple[FieldView, ...]
    sub: bool = False


@dataclass(frozen=True, slots=True)
class CardView:
    """The household, or a person with all that belongs to him."""

    record_id: str
    title: str
    note: str
    is_new: bool
    is_void: bool
    groups: tuple[GroupView, ...]
    hits: tuple[Mapping[str, Any], ...] = ()
    """Hits about fields that are not declared, as a missing consent."""

    @property
    def changed_count(self) -> int:
        """How many fields differ from what the reviewer last saw."""
        return sum(f.changed for group in self.groups for f in group.fields)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the reviewer saw last: old values of changed fields, and records that are new since."""

    before: Mapping[Key, Any] = field(default_factory=dict)
    new_records: frozenset[str] = frozenset()
    since: str = ""
    """"approved" or "returned": which version it is; empty at the first review."""


def seen_at_approval(records: Sequence[tuple[str, Record]], approved: Sequence[Any]) -> Seen:
    """Return what changed since the approved version, `[[kind, id, values]]`."""
    old = {(kind, record_id): values for kind, record_id, values in approved}
    before: dict[Key, Any] = {}
    new = set()
    for kind, record in records:
        known = old.get((kind, record["id"]))
        if known is None:
            new.add(record["id"])
            continue
        for name in record_kind(kind).fields:
            if record.get(name) != known.get(name):
                before[kind, record["id"], name] = known.get(name)
    return Seen(before, frozenset(new), "approved")


def seen_at_return(
    records: Sequence[tuple[str, Record]], changes: Iterable[Any], returned_at_ms: int
) -> Seen:
    """Return what changed since the household was returned, from the changes that arrived.

    `changes` are rows with kind, record_id, values, schema, received_at_ms and outcome, in any order.
    """
    history: dict[Key, Any] = {}
    before: dict[Key, Any] = {}
    known: set[str] = set()
    present = {(kind, record["id"]): record for kind, record in records}
    for change in sorted(changes, key=lambda c: (c.received_at_ms, c.n)):
        late = change.received_at_ms > returned_at_ms
        if not late:
            known.add(change.record_id)
        if change.outcome == "held":
            continue
        for name, value in up(change.kind, change.values, change.schema).items():
            key = (change.kind, change.record_id, name)
            if late:
                before.setdefault(key, history.get(key))
            else:
                history[key] = value
    changed = {
        key: old
        for key, old in before.items()
        if (record := present.get(key[:2])) is not None and record.get(key[2]) != old
    }
    new = {record["id"] for _, record in records} - known
    return Seen(changed, frozenset(new), "returned")


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside the fields: hits, comments, conflicts, names for codes and ids."""

    hits: Sequence[Mapping[str, Any]] = ()
    comments: Sequence[Mapping[str, Any]] = ()
    conflicts: frozenset[Key] = frozenset()
    places: Mapping[str, str] = field(default_factory=dict)
    households: Mapping[str, str] = field(default_factory=dict)
    """Other households that a field names → what they are called."""
    seen: Seen = field(default_factory=Seen)
    today: str = ""
    lang: str = "zh"


def division_codes(records: Iterable[tuple[str, Record]], approved: Iterable[Any] = ()) -> set[str]:
    """Return every division code that the page will want the name of."""
    everything = [*records, *((kind, values) for kind, _, values in approved)]
    codes: set[str] = set()
    for kind, record in everything:
        for name, declared in record_kind(kind).fields.items():
            value = record.get(name)
            if declared.widget == "division" and isinstance(value, str):
                codes.add(value)
            elif declared.widget == "divisions" and isinstance(value, list):
                codes |= set(value)
    return codes


def household_ids(records: Iterable[tuple[str, Record]], approved: Iterable[Any] = ()) -> set[str]:
    """Return the ids of other households that the page will want the name of."""
    everything = [*records, *((kind, values) for kind, _, values in approved)]
    return {
        value
        for kind, record in everything
        for name, declared in record_kind(kind).fields.items()
        if declared.widget == "household" and isinstance(value := record.get(name), str)
    }


def shown_value(
    declared: Declared,
    value: Any,
    *,
    lang: str = "zh",
    places: Mapping[str, str] | None = None,
    people: Mapping[str, str] | None = None,
) -> str:
    """Return a value as a person reads it, codes of places and ids of people by their names."""
    if value in (None, "", [], {}):
        return ""
    if declared.widget in ("division", "divisions"):
        codes = value if isinstance(value, list) else [value]
        return "、".join((places or {}).get(code, code) for code in codes)
    if declared.widget in ("record", "records", "household"):
        ids = value if isinstance(value, list) else [value]
        return "、".join((people or {}).get(one, one) for one in ids)
    return declared.shown(value, lang)


def cards(records: Sequence[tuple[str, Record]], beside: Beside) -> list[CardView]:
    """Return the cards of a bundle: the household, then each person, the head first."""
    bundle = bundle_of(list(records))
    members = [record for kind, record in records if kind == "member"]
    members.sort(key=lambda m: (bool(m.get("deleted")), m.get("relation") != HEAD,
                                m.get("birth_date") or "9", m["id"]))  # fmt: skip
    people = {m["id"]: str(m.get("name") or m["id"]) for m in members} | dict(beside.households)
    out = [_card("household", bundle.household, [], bundle, beside, people)]
    for member in members:
        own = [
            (kind, record)
            for kind, record in records
            if kind != "member"
            and record.get("member_id") == member["id"]
            and not record.get("deleted")
        ]
        out.append(_card("member", member, own, bundle, beside, people))
    return out


def _card(
    kind: str,
    record: Record,
    below: Sequence[tuple[str, Record]],
    bundle: Bundle,
    beside: Beside,
    people: Mapping[str, str],
) -> CardView:
    groups = [*_groups(kind, record, bundle, beside, people, sub=False)]
    ids = {record["id"]}
    for other_kind, other in below:
        ids.add(other["id"])
        groups += _groups(other_kind, other, bundle, beside, people, sub=True)
    shown = {(f.kind, f.record_id, f.name) for group in groups for f in group.fields}
    loose = tuple(
        hit
        for hit in beside.hits
        if hit["record_id"] in ids and (hit["kind"], hit["record_id"], hit["field"]) not in shown
    )
    return CardView(
        record_id=record["id"],
        title=_title(kind, record, beside),
        note=_note(kind, record, beside),
        is_new=record["id"] in beside.seen.new_records,
        is_void=bool(record.get("deleted")),
        groups=tuple(groups),
        hits=loose,
    )


def _title(kind: str, record: Record, beside: Beside) -> str:
    if kind == "member":
        return str(record.get("name") or record["id"])
    return record_kind(kind).label(beside.lang)


def _note(kind: str, record: Record, beside: Beside) -> str:
    if kind != "member":
        return beside.places.get(str(record.get("village_code")), "")
    declared = record_kind(kind).fields
    age = age_on(record.get("birth_date"), beside.today)
    parts = [
        declared["relation"].shown(record.get("relation"), beside.lang),
        declared["sex"].shown(record.get("sex"), beside.lang),
        "" if age is None else text("pages.review.age", beside.lang, age=age),
    ]
    return " · ".join(part for part in parts if part)


def _groups(
    kind_name: str,
    record: Record,
    bundle: Bundle,
    beside: Beside,
    people: Mapping[str, str],
    *,
    sub: bool,
) -> list[GroupView]:
    kind = record_kind(kind_name)
    english = beside.lang == "en"
    asked = set(asked_fields(kind_name, bundle.facts(kind_name, record, beside.today)))
    first = next(iter(kind.groups))
    by_group: dict[str, list[FieldView]] = {name: [] for name in kind.groups}
    for name in kind.seen_by(Audience.COUNTY):
        declared = kind.fields[name]
        if declared.widget in NEVER_SHOWN or name == "deleted":
            continue
        view = _field(kind, record, name, beside, people)
        if name in asked or view.answered or view.changed or view.hits:
            # What the program fills in belongs to no question group; it stands with the first.
            by_group.setdefault(declared.info.group or first, []).append(view)
    if sub:
        every = [view for fields in by_group.values() for view in fields]
        return [GroupView(kind.label(beside.lang), tuple(every), sub)]
    titles = {name: (words[1] if english else words[0]) for name, words in kind.groups.items()}
    return [
        GroupView(titles.get(name, name), tuple(fields), sub)
        for name, fields in by_group.items()
        if fields
    ]


def _field(
    kind: RecordKind, record: Record, name: str, beside: Beside, people: Mapping[str, str]
) -> FieldView:
    declared = kind.fields[name]
    key = (kind.name, record["id"], name)

    def words(value: Any) -> str:
        return shown_value(declared, value, lang=beside.lang, places=beside.places, people=people)

    value = words(record.get(name))
    comments = [
        str(c["text"]) for c in beside.comments if (c["kind"], c["record_id"], c["field"]) == key
    ]
    return FieldView(
        kind=kind.name,
        record_id=record["id"],
        name=name,
        label=declared.info.label(beside.lang),
        value=value,
        answered=bool(value),
        changed=key in beside.seen.before,
        before=words(beside.seen.before.get(key)),
        hits=tuple(
            hit for hit in beside.hits if (hit["kind"], hit["record_id"], hit["field"]) == key
        ),
        comment="；".join(comments),
        in_conflict=key in beside.conflicts,
    )
