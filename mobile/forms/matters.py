"""What the county has to settle about a household: conflicts and held changes, in the cadre's words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mobile.forms.record_form import as_read
from mobile.forms.visit import Visit
from mobile.storage import records
from shared_schemas.changes import HeldReason
from shared_schemas.locale import text
from shared_schemas.records import is_record_kind, record_kind


@dataclass(frozen=True, slots=True)
class Matter:
    """Something about this household that waits for the county, or that the county has said.

    `kind` is conflict, held, closed or listed_twice; `lines` follow the title.
    """

    kind: str
    title: str
    lines: tuple[str, ...]


def matters(visit: Visit, lang: str = "zh") -> list[Matter]:
    """Return what the county has to settle about a household, then what it has said."""
    found = [
        _conflict(visit, row, lang) for row in records.conflicts(visit.store, visit.household_id)
    ]
    unsettled = records.unsettled(visit.store, visit.household_id)
    held = [change for change in unsettled if change.note is None]
    for reason in dict.fromkeys(change.reason for change in held):
        of_reason = [change for change in held if change.reason == reason]
        found.append(_held(visit, reason, of_reason, lang))
    found += [_closed(visit, change, lang) for change in unsettled if change.note is not None]
    other = records.counted_with(visit.store, visit.household_id)
    return [*found, _listed_twice(visit, other, lang)] if other else found


def _listed_twice(visit: Visit, other: str, lang: str) -> Matter:
    known = records.household_row(visit.store, other)
    where = (
        text("matter.listed_twice_here", lang, head=known.head_name)
        if known and known.head_name
        else ""
    )
    said = (where, text("matter.listed_twice_go_on", lang))
    return Matter("listed_twice", text("matter.listed_twice", lang), tuple(s for s in said if s))


def _conflict(visit: Visit, row: Mapping[str, Any], lang: str) -> Matter:
    kind, name = str(row.get("record_kind")), str(row.get("field"))
    lines = [_side(visit, row, side, lang) for side in ("ours", "theirs")]
    what = _what(visit, kind, str(row.get("record_id")), [name], lang)
    return Matter("conflict", text("matter.conflict", lang, what=what), tuple(lines))


def _side(visit: Visit, row: Mapping[str, Any], side: str, lang: str) -> str:
    said = _value(visit, str(row.get("record_kind")), str(row.get("field")), row.get(side), lang)
    who = row.get(f"{side}_name") or text("matter.county", lang)
    device, at_ms = row.get(f"{side}_device"), row.get(f"{side}_at_ms")
    if device:
        who = text("matter.who_where", lang, who=who, device=device)
    if at_ms:
        at = dt.datetime.fromtimestamp(at_ms / 1000).astimezone()
        who = text("matter.who_when", lang, who=who, month=at.month, day=at.day, time=f"{at:%H:%M}")
    key = "matter.side_shown" if row.get("shown") == side else "matter.side"
    return text(key, lang, value=said, who=who)


def _held(visit: Visit, reason: str, changes: Iterable[records.Unsettled], lang: str) -> Matter:
    known = reason in {one.value for one in HeldReason}
    why = text(f"matter.why.{reason if known else 'unknown'}", lang)
    what = [_what(visit, one.kind, one.record_id, one.values, lang) for one in changes]
    return Matter("held", text("matter.held", lang), (why, *dict.fromkeys(what)))


def _closed(visit: Visit, change: records.Unsettled, lang: str) -> Matter:
    what = _what(visit, change.kind, change.record_id, change.values, lang)
    said = text("matter.county_says", lang, note=change.note)
    return Matter("closed", text("matter.closed", lang), (what, said))


def _what(visit: Visit, kind: str, record_id: str, names: Iterable[str], lang: str) -> str:
    """Return whose record it is and which of its fields."""
    if not is_record_kind(kind):
        return kind
    try:
        whose = visit.record(record_id).title(lang)
    except KeyError:
        whose = record_kind(kind).label(lang)
    fields = record_kind(kind).fields
    labels = [fields[name].info.label(lang) for name in names if name in fields]
    labels = [label for label in labels if label]
    shown_labels = "、".join(labels[:4]) if lang == "zh" else ", ".join(labels[:4])
    more = "…" if len(labels) > 4 else ""
    return f"{whose} · {shown_labels}{more}" if labels else whose


def _value(visit: Visit, kind: str, name: str, value: Any, lang: str) -> str:
    declared = record_kind(kind).fields.get(name) if is_record_kind(kind) else None
    said = str(value or "") if declared is None else as_read(visit, declared, value, lang)
    return said or text("matter.nothing", lang)
