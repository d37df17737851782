"""The field-wise three-way merge (sync.md 3.2). Pure: values in, values out.

The server is the only merger, so one integer per field is exact causality: an edit saw everything
up to its `base`. A field whose present value was written after that by another device was not
seen, and only then are clocks or policies asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared_schemas.changes import Change, Outcome
from shared_schemas.fields import Merge, Value

COUNTY = "county"
"""Author of reviewers' decisions in place of an incarnation; a decision stays until another one."""

MERGED = "merged"
"""Author of a value made of two that were written apart: neither of their authors has seen it, so a
further edit of either is apart from it again."""

VOID = "deleted"
"""The field that voids a record."""

UNSEQUENCED = 1 << 62
"""Stands for the sequence number of this transaction, which is allocated last."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a value was written and by which incarnation. `eff_ms` is the clamped time of the edit."""

    eff_ms: int
    incarnation: str
    seq: int


@dataclass(frozen=True, slots=True)
class Version:
    """A record on the server: its values and who wrote each. `stamps` are exceptions from `row`."""

    values: Mapping[str, Value]
    row: Stamp
    stamps: Mapping[str, Stamp] = field(default_factory=dict)

    def stamp(self, name: str) -> Stamp:
        """Return the stamp of one field."""
        return self.stamps.get(name, self.row)


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """Two values of one field, neither of whose authors had seen the other's."""

    field: str
    ours: Value
    theirs: Value
    ours_stamp: Stamp
    theirs_stamp: Stamp
    shown: str
    """Which value shows until the county decides: "ours" (on the server) or "theirs" (arrived)."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The result of a merge. `version` has UNSEQUENCED where this transaction's seq belongs."""

    version: Version
    outcome: Outcome
    written: frozenset[str]
    conflicts: tuple[FieldConflict, ...] = ()


def effective_ms(at_ms: int, *, sent_ms: int, received_ms: int, base_committed_ms: int) -> int:
    """Return the time of an edit, corrected for a wrong clock and clamped to what is possible.

    A drift of more than 60 s between sending and receipt shifts the edit by that much (intervals
    on one device stay true); then it cannot lie before the version that it was based on, nor after
    its receipt. All in UTC epoch milliseconds.
    """
    drift = received_ms - sent_ms
    if abs(drift) > 60_000:
        at_ms += drift
    return max(base_committed_ms, min(at_ms, received_ms))


def merge_change(
    current: Version | None,
    change: Change,
    *,
    incarnation: str,
    eff_ms: int,
    policy: Callable[[str], Merge],
    lost: bool = False,
) -> Merged:
    """Merge one change into the record it is about.

    `policy` gives the declared `Merge` of a field. `lost` marks a change from before the server was
    restored from a backup: then nothing that another incarnation wrote counts as seen.
    """
    mine = Stamp(eff_ms, incarnation, UNSEQUENCED)
    if current is None:
        present = {name: v for name, v in change.values.items() if v is not None}
        return Merged(Version(present, mine), Outcome.APPLIED, frozenset(present))

    values = dict(current.values)
    stamps = dict(current.stamps)
    conflicts: list[FieldConflict] = []
    written: set[str] = set()
    beside_others = False
    unseen = _others_wrote_since(current, 0 if lost else change.base, incarnation)
    for name, value in change.values.items():
        stamp = current.stamp(name)
        # Voiding a record takes every field with it, so it must have seen every field.
        voids_unseen = name == VOID and value is True and unseen
        seen = stamp.incarnation == incarnation or not (stamp.seq > change.base or lost)
        if seen and not voids_unseen:
            if values.get(name) != value:
                written.add(name)
            values[name] = value
            stamps[name] = Stamp(max(eff_ms, stamp.eff_ms), incarnation, UNSEQUENCED)
            continue
        beside_others = True
        if values.get(name) == value:
            continue
        rule = policy(name)
        # Who bore the record left this field alone: that is nobody's answer yet.
        is_blank = name not in current.values and name not in current.stamps and not voids_unseen
        is_decided = stamp.incarnation == COUNTY and rule is not Merge.WITHDRAW
        merged: tuple[Value] | None = None
        if is_blank:
            merged = (value,)
        elif not is_decided:
            merged = _merge_silently(rule, values.get(name), value)
        if merged is not None:
            author = incarnation if values.get(name) is None else MERGED
            if values.get(name) != merged[0]:
                written.add(name)
            values[name] = merged[0]
            stamps[name] = Stamp(max(eff_ms, stamp.eff_ms), author, UNSEQUENCED)
            continue
        later = (eff_ms, incarnation) > (stamp.eff_ms, stamp.incarnation)
        arrived_shows = rule is not Merge.HOLD and stamp.incarnation != COUNTY and later
        conflicts.append(
            FieldConflict(
                field=name,
                ours=values.get(name),
                theirs=value,
                ours_stamp=stamp,
                theirs_stamp=mine,
                shown="theirs" if arrived_shows else "ours",
            )
        )
        if arrived_shows:
            values[name] = value
            stamps[name] = mine
            written.add(name)

    if conflicts:
        outcome = Outcome.CONFLICT
    elif beside_others or _others_wrote_since(current, change.base, incarnation):
        outcome = Outcome.MERGED
    else:
        outcome = Outcome.APPLIED
    kept = {name: v for name, v in values.items() if v is not None}
    return Merged(Version(kept, current.row, stamps), outcome, frozenset(written), tuple(conflicts))


def _merge_silently(rule: Merge, ours: Value, theirs: Value) -> tuple[Value] | None:
    """Return the value that loses neither side, in a one-tuple, or None where a choice is needed."""
    if ours is None:
        return (theirs,) if rule is not Merge.HOLD else None
    if rule is Merge.WITHDRAW:
        # The answer that shares less: "no" before "yes", the earliest withdrawal before none.
        if isinstance(ours, bool) and isinstance(theirs, bool):
            return (ours and theirs,)
        return (min(str(ours), str(theirs)),) if theirs is not None else (ours,)
    if rule is Merge.UNION and isinstance(ours, list) and isinstance(theirs, list):
        return (ours + [entry for entry in theirs if not _listed(entry, ours)],)
    return None


def _listed(entry: Any, entries: list[Any]) -> bool:
    """Tell whether a list has an entry; two certificates with one number are one."""
    if isinstance(entry, dict) and entry.get("cert_no"):
        return any(
            isinstance(other, dict) and other.get("cert_no") == entry["cert_no"]
            for other in entries
        )
    return entry in entries


def _others_wrote_since(current: Version, base: int, incarnation: str) -> bool:
    return any(
        stamp.seq > base and stamp.incarnation != incarnation
        for stamp in (current.row, *current.stamps.values())
    )


def sequenced(version: Version, seq: int) -> Version:
    """Return the version with this transaction's sequence number in place of UNSEQUENCED."""

    def filled(stamp: Stamp) -> Stamp:
        return Stamp(stamp.eff_ms, stamp.incarnation, seq) if stamp.seq == UNSEQUENCED else stamp

    row = filled(version.row)
    stamps = {name: filled(stamp) for name, stamp in version.stamps.items()}
    return Version(
        version.values, row, {name: stamp for name, stamp in stamps.items() if stamp != row}
    )


def stamps_to_json(version: Version) -> list[Any]:
    """Return the stamps as compact JSON values: [eff, incarnation, seq, {field: [eff, inc, seq]}]."""
    exceptions = {
        name: [stamp.eff_ms, stamp.incarnation, stamp.seq] for name, stamp in version.stamps.items()
    }
    return [version.row.eff_ms, version.row.incarnation, version.row.seq, exceptions]


def version_from_json(values: Mapping[str, Value], stamps: list[Any]) -> Version:
    """Return the version whose stamps `stamps_to_json` wrote."""
    eff_ms, incarnation, seq, exceptions = stamps
    return Version(
        values,
        Stamp(eff_ms, incarnation, seq),
        {name: Stamp(*entry) for name, entry in exceptions.items()},
    )
