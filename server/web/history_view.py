"""The story of a household for the review page: who changed or decided what, when, on which phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.web.bundle_view import shown_value
from shared_schemas.locale import text
from shared_schemas.records import is_record_kind, record_kind
from shared_schemas.upgrade import up


@dataclass(frozen=True, slots=True)
class Event:
    """One step: changes of one push of one person taken together, or a decision."""

    at_ms: int
    who: str
    device: str
    what: str
    lines: tuple[str, ...] = ()
    more: int = 0
    seq: int = 1 << 62
    """Order among events of one moment; a decision comes after what it is about."""


MOST_LINES = 6


def history(
    changes: Sequence[Any],
    audits: Sequence[Any],
    records: Sequence[tuple[str, Mapping[str, Any]]],
    lang: str,
    places: Mapping[str, str],
    households: Mapping[str, str],
) -> list[Event]:
    """Return the events, newest first. `places` and `households` say what codes and ids are called."""
    people = {r["id"]: str(r.get("name") or "") for kind, r in records if kind == "member"}
    people |= households
    owner = {r["id"]: str(r.get("member_id") or r["id"]) for _, r in records}
    pushes: dict[tuple[int, str], list[Any]] = {}
    for change in changes:
        pushes.setdefault((change.received_at_ms, change.incarnation), []).append(change)
    events = [_push(group, people, owner, lang, places) for group in pushes.values()]
    events += [_decision(row, lang) for row in audits]
    return sorted(events, key=lambda event: (event.at_ms, event.seq), reverse=True)


def _push(
    group: Sequence[Any],
    people: Mapping[str, str],
    owner: Mapping[str, str],
    lang: str,
    places: Mapping[str, str],
) -> Event:
    first = group[0]
    lines = []
    for change in sorted(group, key=lambda c: c.n):
        if not is_record_kind(change.kind):
            continue
        fields = record_kind(change.kind).fields
        whose = people.get(owner.get(change.record_id, ""), "")
        named = [
            (fields[name], value)
            for name, value in up(change.kind, change.values, change.schema).items()
            if name in fields and fields[name].widget not in ("record", "none")
        ]
        if change.base == 0 or len(named) > 3:
            label = record_kind(change.kind).label(lang)
            lines.append(text("pages.history.many", lang, who=whose, kind=label, count=len(named)))
        else:
            for declared, value in named:
                shown = shown_value(declared, value, lang=lang, places=places, people=people)
                lines.append(
                    text("pages.history.one", lang, who=whose, field=declared.info.label(lang),
                         value=shown or "—")
                )  # fmt: skip
    source = {"county": "county", "import": "import"}.get(first.incarnation, "device")
    return Event(
        at_ms=first.received_at_ms,
        who=first.author or "",
        device=first.device or "",
        what=text(f"pages.history.{source}", lang),
        lines=tuple(line.strip() for line in lines[:MOST_LINES]),
        more=max(0, len(lines) - MOST_LINES),
        seq=max(change.seq for change in group),
    )


def _decision(row: Any, lang: str) -> Event:
    detail = row.detail or {}
    lines = [str(c["text"]) for c in detail.get("comments", []) if c.get("text")]
    if detail.get("reason"):
        lines.append(str(detail["reason"]))
    return Event(
        at_ms=row.at_ms,
        who=row.person or "",
        device="",
        what=text(f"pages.history.{row.action}", lang),
        lines=tuple(lines[:MOST_LINES]),
        more=max(0, len(lines) - MOST_LINES),
    )
