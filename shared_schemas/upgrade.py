"""Lenses: what a phone of an older schema says, as today's understands it, and the other way round.

A schema only ever adds fields, or puts one in place of another. An added field needs nothing but
`since` in its declaration. A replaced one needs a lens here, which is kept for ever: the log holds
changes as they were written, of every schema, and phones wake up after a year in a drawer.

`down` undoes `up` on everything that the older schema knows. `up` does not undo `down`: the older one
may say less, and `finer` keeps it from overwriting what it cannot say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared_schemas import SCHEMA_VERSION
from shared_schemas.changes import Change
from shared_schemas.records import is_record_kind, record_kind


@dataclass(frozen=True, slots=True)
class Lens:
    """A field that schema `since` put in place of another. `up` and `down` never see None."""

    since: int
    kind: str
    old: str
    new: str
    up: Callable[[Any], Any]
    down: Callable[[Any], Any]


NO_LODGING, LODGING = "0", "1"


def _lodging_up(needed: Any) -> Any:
    if not isinstance(needed, bool):
        return needed  # malformed: the field's own check refuses it
    return LODGING if needed else NO_LODGING


def _lodging_down(lodging: Any) -> Any:
    return lodging != NO_LODGING


LENSES: tuple[Lens, ...] = (
    # A couple that wants a room of its own is another wish to an employer than a bed.
    Lens(3, "intention", "needs_lodging", "lodging", _lodging_up, _lodging_down),
)
"""In the order of the schemas that brought them."""


def up(
    kind: str, values: Mapping[str, Any], schema: int, to: int = SCHEMA_VERSION
) -> dict[str, Any]:
    """Return values written under `schema` as the schema `to` has them; unknown fields stay.

    Where a value stands under both names, the newer one was said by who knew both.
    """
    lifted = dict(values)
    for lens in LENSES:
        if lens.kind == kind and schema < lens.since <= to and lens.old in lifted:
            value = lifted.pop(lens.old)
            lifted.setdefault(lens.new, None if value is None else lens.up(value))
    return lifted


def down(kind: str, values: Mapping[str, Any], schema: int) -> dict[str, Any]:
    """Return today's values as a phone of `schema` understands them: what it does not know is left out.

    Fields that are not declared here are of a newer phone and stay as they are.
    """
    if schema >= SCHEMA_VERSION or not is_record_kind(kind):
        return dict(values)
    lowered = dict(values)
    for lens in reversed(LENSES):
        if lens.kind == kind and lens.since > schema and lens.new in lowered:
            value = lowered.pop(lens.new)
            lowered[lens.old] = None if value is None else lens.down(value)
    declared = record_kind(kind).fields
    return {
        name: value
        for name, value in lowered.items()
        if name not in declared or declared[name].info.since <= schema
    }


def lifted(change: Change, schema: int) -> Change:
    """Return a change written under `schema` as today's schema has it."""
    if not any(
        lens.kind == change.kind and lens.since > schema and lens.old in change.values
        for lens in LENSES
    ):
        return change
    return replace(change, values=up(change.kind, change.values, schema))


def finer(
    kind: str, present: Mapping[str, Any], values: Mapping[str, Any], schema: int
) -> Mapping[str, Any]:
    """Return the lifted `values` of a change, the present one where `schema` cannot tell the two apart.

    A phone that says "needs lodging" agrees with the couple's room that it cannot say; were its
    word taken as it is, the room would be lost or in conflict.
    """
    told = dict(values)
    for lens in LENSES:
        if lens.kind != kind or lens.since <= schema:
            continue
        now, said = present.get(lens.new), values.get(lens.new)
        if None not in (now, said) and now != said and lens.down(now) == lens.down(said):
            told[lens.new] = now
    return told


def row_up(kind: str, values: Mapping[str, Any], schema: int) -> dict[str, Any]:
    """Return a pulled row of any kind, as a server of `schema` sent it, in today's schema."""
    if kind == "review" and values.get("comments"):
        comments = [
            {**one, "field": field_up(one["kind"], one["field"], schema)}
            for one in values["comments"]
        ]
        return {**values, "comments": comments}
    if kind == "conflict":
        about, field = values["record_kind"], values["field"]
        sides = {n: up(about, {field: values[n]}, schema) for n in _SIDES if n in values}
        return {**values, "field": field_up(about, field, schema), **_only_values(sides)}
    return up(kind, values, schema)


def row_down(kind: str, values: Mapping[str, Any], schema: int) -> dict[str, Any]:
    """Return a row to be pulled, of any kind, in the words of a phone of `schema`.

    The reviewer's word about a field that the phone does not know comes beside no field.
    """
    if kind == "review" and values.get("comments"):
        comments = [
            {**one, "field": field_down(one["kind"], one["field"], schema)}
            for one in values["comments"]
        ]
        return {**values, "comments": comments}
    if kind == "conflict":
        about, field = values["record_kind"], values["field"]
        known = field_down(about, field, schema)
        if not known:
            return dict(values)
        sides = {n: down(about, {field: values[n]}, schema) for n in _SIDES if n in values}
        return {**values, "field": known, **_only_values(sides)}
    return down(kind, values, schema)


_SIDES = ("ours", "theirs", "decided_value")
"""The members of a conflict that are values of its field."""


def _only_values(sides: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {name: next(iter(side.values())) for name, side in sides.items()}


def field_up(kind: str, field: str, schema: int) -> str:
    """Return what today's schema calls a field of `schema`."""
    return next(iter(up(kind, {field: None}, schema)))


def field_down(kind: str, field: str, schema: int) -> str:
    """Return what a phone of `schema` calls a field, empty where it does not know it."""
    return next(iter(down(kind, {field: None}, schema)), "")
