"""The one way in which records are written: judge, merge, store, log, recheck.

Every change ends in exactly one outcome and is kept in the log whatever it is. Nothing here knows
where a change came from, a phone, a reviewer or a roster; the `Author` says it.

Order matters. Records are read and locked first, merged and checked in memory, and the county's
sequence is taken last (sync.md 3.4), so that other writers of the county wait only for the writing.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from server.services.check_bundles import Author, check_bundles, store_checks
from server.services.households_twice import households_written
from server.services.persons import members_written
from server.services.scope import in_scope
from server.storage.changes import (
    LoggedChange,
    add_changes,
    authors_of,
    held_by_keys,
    held_for,
    held_for_upgrade,
    later_values,
    set_outcomes,
)
from server.storage.conflicts import (
    Branch,
    add_conflicts,
    conflicts_of,
    extend_conflicts,
    open_branches,
)
from server.storage.devices import count_up
from server.storage.feed import add_departures, allocate, commit_times, wait_for_writers
from server.storage.records import (
    StoredRecord,
    lock_households,
    records_by_id,
    records_of_households,
    write_records,
)
from shared_schemas import SCHEMA_VERSION
from shared_schemas.changes import Change, HeldReason, Outcome, content_hash
from shared_schemas.ids import household_id as id_from_bits
from shared_schemas.merge import (
    COUNTY,
    UNSEQUENCED,
    FieldConflict,
    Merged,
    Stamp,
    Version,
    effective_ms,
    merge_change,
    sequenced,
    stamps_to_json,
    version_from_json,
)
from shared_schemas.records import faults, is_record_kind, record_kind
from shared_schemas.upgrade import finer, lifted, up

__all__ = [
    "COUNTY",
    "IMPORT",
    "Applied",
    "Author",
    "apply_changes",
    "apply_held",
    "apply_understood",
    "next_n",
]

IMPORT = "import"
HOUSEHOLD = "household"


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a change. `seq` is 0 for a held one, `reason` a HeldReason."""

    n: int
    outcome: Outcome
    seq: int
    reason: str | None = None


@dataclass(slots=True)
class _Edit:
    """A change on its way to its outcome."""

    sent: Change
    """As it was written, in the words of its own schema; so it is logged."""
    author: Author
    hash: str
    schema: int
    sent_ms: int
    received_ms: int
    change: Change = field(init=False)
    """The same in today's schema; so it is judged and merged."""
    lost: bool = False
    forced: bool = False
    """The county decided that a held change is applied: its scope is not asked again."""
    stored: bool = False
    """It is in the log already, held until now."""
    eff_ms: int = 0
    outcome: Outcome = Outcome.HELD
    reason: HeldReason | None = None
    village_code: str | None = None

    def __post_init__(self) -> None:
        self.change = lifted(self.sent, self.schema)


@dataclass(slots=True)
class _Draft:
    """A record while a batch is merged into it."""

    kind: str
    id: str
    version: Version | None
    extra: dict[str, Any]
    village_code: str | None
    seq: int
    is_new: bool
    home_before: str = ""
    village_before: str | None = None
    touched: bool = False

    @property
    def values(self) -> Mapping[str, Any]:
        return self.version.values if self.version else {}

    @property
    def household_id(self) -> str:
        return self.id if self.kind == HOUSEHOLD else str(self.values.get("household_id") or "")


@dataclass(slots=True)
class _Work:
    """What one transaction has in hand."""

    conn: Connection
    county: str
    drafts: dict[tuple[str, str], _Draft] = field(default_factory=dict)
    merges: list[tuple[_Edit, _Draft, Merged]] = field(default_factory=list)
    committed: Mapping[int, int] = field(default_factory=dict)
    households_before: set[str] = field(default_factory=set)
    judged: list[_Edit] = field(default_factory=list)


def next_n(conn: Connection, county: str, incarnation: str, count: int = 1) -> int:
    """Take `count` numbers for the changes of the county or of an import; return the first.

    Until the commit other reviewers of the county wait here.
    """
    return count_up(conn, county, incarnation, count) - count + 1


def apply_changes(
    conn: Connection,
    changes: Sequence[Change],
    *,
    author: Author,
    sent_ms: int,
    received_ms: int,
    schema: int,
    lost: bool = False,
    hold: HeldReason | None = None,
    hashes: Mapping[int, str] | None = None,
) -> list[Applied]:
    """Apply changes of one author in the order of `n`; return what became of each.

    Each (incarnation, n) must be new to the county: `receive_push` sees to it for phones, `next_n`
    gives numbers for the county and imports. `lost` marks changes from before the server was
    restored; `hold` keeps all of them back for one reason; `hashes` saves hashing again.
    """
    edits = [
        _Edit(
            change,
            author,
            hash=hashes[change.n] if hashes else content_hash(change),
            schema=schema,
            sent_ms=sent_ms,
            received_ms=received_ms,
            lost=lost,
        )
        for change in changes
    ]
    seqs = _apply(conn, author, edits, now_ms=received_ms, hold=hold)
    return [
        Applied(edit.change.n, edit.outcome, seqs[i], edit.reason.value if edit.reason else None)
        for i, edit in enumerate(edits)
    ]


def apply_held(
    conn: Connection,
    county: str,
    keys: Collection[tuple[str, int]],
    *,
    by: Author,
    now_ms: int,
) -> list[Applied]:
    """Apply held changes, by (incarnation, n), because a person of the county decided so.

    Scope, revocation and voidness are not asked again; invalid values are, and such a change stays
    held. Each counts as its first author's edit. One that does not wait any more is left out.
    """
    waiting = held_by_keys(conn, county, keys)
    edits = [_edit_from_log(logged, county, forced=True) for logged in waiting]
    if not edits:
        return []
    seqs = _apply(conn, by, edits, now_ms=now_ms, resolution="applied")
    return [
        Applied(edit.change.n, edit.outcome, seq, edit.reason.value if edit.reason else None)
        for edit, seq in zip(edits, seqs, strict=True)
    ]


def apply_understood(conn: Connection, *, now_ms: int) -> int:
    """Judge again what was held because an older version of this server did not understand it.

    Returns how many changes were released. Each counts as its own author's edit, in the order in
    which they came; one that is still not understood goes on waiting.
    """
    released = 0
    for county, waiting in held_for_upgrade(conn).items():
        edits = [_edit_from_log(logged, county) for logged in waiting]
        understood = [edit for edit in edits if edit.reason is None]
        by_life = itertools.groupby(understood, key=lambda edit: edit.author)
        for author, of_life in by_life:
            batch = list(of_life)
            _apply(conn, author, batch, now_ms=now_ms)
            released += sum(edit.reason is None for edit in batch)
    return released


def _apply(
    conn: Connection,
    author: Author,
    edits: list[_Edit],
    *,
    now_ms: int,
    hold: HeldReason | None = None,
    resolution: str = "released",
) -> list[int]:
    work = _Work(conn, author.county)
    if hold is None:
        _screen(edits)
    else:
        for edit in edits:
            edit.reason = hold
    good = [edit for edit in edits if edit.reason is None]
    _load(work, good)
    born = {(e.change.kind, e.change.record_id) for e in good} - work.drafts.keys()
    for edit in good:
        _judge(work, edit)
    for edit in edits:
        if edit.reason is not None:
            edit.eff_ms = min(edit.change.at_ms, edit.received_ms)
            edit.village_code = edit.village_code or _village_meant(edit.change)
    _move_children(work)
    seqs = _store(work, author, edits, now_ms=now_ms, resolution=resolution)
    released = _released(work, edits, born & work.drafts.keys())
    if released:
        later = _apply(conn, author, released, now_ms=now_ms)
        place = {id(edit): i for i, edit in enumerate(edits)}
        for edit, seq in zip(released, later, strict=True):
            if id(edit) in place:
                seqs[place[id(edit)]] = seq
    return seqs


# --- what can be said of a change by itself ---


def _screen(edits: Iterable[_Edit]) -> None:
    for edit in edits:
        change = edit.change
        if not is_record_kind(change.kind):
            edit.reason = HeldReason.UNKNOWN_KIND
        elif (len(change.record_id) == 13) != (change.kind == HOUSEHOLD):
            edit.reason = HeldReason.INVALID
        elif faults(change.kind, change.values):
            # A newer phone may know a code or a form of value that this server has yet to learn.
            is_newer = edit.schema > SCHEMA_VERSION
            edit.reason = HeldReason.UNKNOWN_SCHEMA if is_newer else HeldReason.INVALID


def _village_meant(change: Change) -> str | None:
    """Return the village that a held change names, for the county's page."""
    village = change.values.get("village_code")
    return village[:12] if isinstance(village, str) and village.isdigit() else None


# --- what is there already ---


def _load(work: _Work, edits: Sequence[_Edit]) -> None:
    wanted: dict[str, set[str]] = {HOUSEHOLD: set()}
    for edit in edits:
        change = edit.change
        wanted.setdefault(change.kind, set()).add(change.record_id)
        # Ids of children begin with their household's; one that moved says so in its values.
        wanted[HOUSEHOLD].add(change.record_id[:13])
        named = change.values.get("household_id")
        if isinstance(named, str):
            wanted[HOUSEHOLD].add(named)
    missing = {
        kind: {i for i in ids if (kind, i) not in work.drafts} for kind, ids in wanted.items()
    }
    lock_households(work.conn, work.county, missing[HOUSEHOLD])
    for kind, ids in missing.items():
        for record in records_by_id(work.conn, work.county, kind, ids, lock=True).values():
            _take_up(work, record)
    moved = {
        draft.household_id
        for draft in work.drafts.values()
        if draft.household_id and (HOUSEHOLD, draft.household_id) not in work.drafts
    }
    for record in records_by_id(work.conn, work.county, HOUSEHOLD, moved, lock=True).values():
        _take_up(work, record)
    bases = {edit.change.base for edit in edits if edit.change.base}
    work.committed = {**work.committed, **commit_times(work.conn, work.county, bases)}


def _take_up(work: _Work, record: StoredRecord) -> _Draft:
    draft = _Draft(
        kind=record.kind,
        id=record.id,
        version=version_from_json(record.values, record.stamps),
        extra=dict(record.extra),
        village_code=record.village_code,
        seq=record.seq,
        is_new=False,
        home_before=record.household_id,
        village_before=record.village_code,
    )
    work.drafts[record.kind, record.id] = draft
    if record.kind == HOUSEHOLD:
        work.households_before.add(record.id)
    return draft


def _released(work: _Work, edits: Sequence[_Edit], born: set[tuple[str, str]]) -> list[_Edit]:
    """Return the held changes that wait for nothing any more, now that this batch is stored.

    Two phones may send a household and its member at the same moment. Writers of a county pass here
    one after the other (`allocate`, `wait_for_writers`), so the later of the two sees the earlier.
    """
    orphans = {
        (edit.author.incarnation, edit.change.n): edit
        for edit in edits
        if edit.reason is HeldReason.MISSING_HOUSEHOLD and not edit.stored
    }
    if orphans:
        wait_for_writers(work.conn, work.county)
        awaited = {key for edit in orphans.values() for key in _waits_for(edit.change)}
        born = born | _came_meanwhile(work, awaited)
    if not born:
        return []
    released = []
    for logged in held_for(work.conn, work.county, HeldReason.MISSING_HOUSEHOLD):
        if not born.isdisjoint(_waits_for(logged.change)):
            own = orphans.get((logged.incarnation, logged.change.n))
            if own is not None:
                own.reason, own.stored = None, True
            released.append(own or _edit_from_log(logged, work.county))
    return released


def _came_meanwhile(work: _Work, awaited: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return those of the awaited records that are stored by now and were not when it was judged."""
    wanted: dict[str, set[str]] = {}
    for kind, record_id in awaited - work.drafts.keys():
        wanted.setdefault(kind, set()).add(record_id)
    return {
        (kind, record_id)
        for kind, ids in wanted.items()
        for record_id in records_by_id(work.conn, work.county, kind, ids)
    }


def _waits_for(change: Change) -> set[tuple[str, str]]:
    """Return the record of a change and its household, as far as the change tells them."""
    home = change.values.get("household_id")
    home_id = home if isinstance(home, str) else change.record_id[:13]
    return {(change.kind, change.record_id), (HOUSEHOLD, home_id)}


def _edit_from_log(logged: LoggedChange, county: str, *, forced: bool = False) -> _Edit:
    source = logged.incarnation if logged.incarnation in (COUNTY, IMPORT) else "device"
    return _Edit(
        logged.change,
        Author(county, logged.incarnation, logged.author_id, logged.device_id, county, source),
        hash=logged.hash,
        schema=logged.schema,
        sent_ms=logged.received_at_ms,
        received_ms=logged.received_at_ms,
        lost=logged.lost,
        forced=forced,
        stored=True,
        reason=_screened(logged),
    )


def _screened(logged: LoggedChange) -> HeldReason | None:
    edit = _Edit(logged.change, _NOBODY, logged.hash, logged.schema, 0, 0)
    _screen([edit])
    return edit.reason


_NOBODY = Author("", "", "", None, "", "")


# --- judge and merge ---


def _judge(work: _Work, edit: _Edit) -> None:
    if edit.reason is not None:
        return
    change = edit.change
    draft = work.drafts.get((change.kind, change.record_id))
    edit.reason = _reason_to_hold(work, edit, draft)
    if edit.reason is not None:
        edit.village_code = draft.village_code if draft else None
        return
    declared = record_kind(change.kind).fields
    outdone = _outdone(work, edit) if edit.stored else frozenset()
    known = change.values
    if outdone or not known.keys() <= declared.keys():
        known = {n: v for n, v in known.items() if n in declared and n not in outdone}
    told = known
    if edit.schema < SCHEMA_VERSION and draft is not None:
        told = finer(change.kind, draft.values, known, edit.schema)
    if draft is None:
        draft = _Draft(change.kind, change.record_id, None, {}, None, 0, is_new=True)
        work.drafts[change.kind, change.record_id] = draft
    edit.eff_ms = effective_ms(
        change.at_ms,
        sent_ms=edit.sent_ms,
        received_ms=edit.received_ms,
        base_committed_ms=min(work.committed.get(change.base, 0), edit.received_ms),
    )
    merged = merge_change(
        draft.version,
        change if told is change.values else replace(change, values=told),
        incarnation=edit.author.incarnation,
        eff_ms=edit.eff_ms,
        policy=lambda name: declared[name].info.merge,
        # A base that this database never gave out is of another life of it: it saw nothing here.
        lost=edit.lost or (change.base > 0 and change.base not in work.committed),
    )
    draft.version = merged.version
    draft.touched = True
    if len(known) != len(change.values):
        unknown = {n: v for n, v in change.values.items() if n not in declared}
        _keep_unknown(draft, edit, unknown)
    edit.outcome = merged.outcome
    work.judged.append(edit)
    if merged.conflicts or not draft.is_new:
        work.merges.append((edit, draft, merged))
    household = draft if change.kind == HOUSEHOLD else work.drafts[HOUSEHOLD, draft.household_id]
    draft.village_code = str(household.values["village_code"])
    edit.village_code = draft.village_code


def _outdone(work: _Work, edit: _Edit) -> frozenset[str]:
    """Return the fields that its own author has changed again since, while the edit was held."""
    change, incarnation = edit.change, edit.author.incarnation
    later = [
        other.change.values
        for other in work.judged
        if other.author.incarnation == incarnation
        and other.change.record_id == change.record_id
        and other.change.n > change.n
    ] + [
        up(change.kind, values, schema)
        for schema, values in later_values(
            work.conn, work.county, incarnation, change.record_id, change.n
        )
    ]
    return frozenset(name for values in later for name in values)


def _keep_unknown(draft: _Draft, edit: _Edit, values: Mapping[str, Any]) -> None:
    """Keep the fields of a newer phone, and who wrote them when, for the server that will know them.

    A null never wipes one: who sent it may not know it either.
    """
    kept = {name: value for name, value in values.items() if value is not None}
    draft.extra.update(kept)
    if draft.version is not None:
        mine = Stamp(edit.eff_ms, edit.author.incarnation, UNSEQUENCED)
        stamps = {**draft.version.stamps, **dict.fromkeys(kept, mine)}
        draft.version = replace(draft.version, stamps=stamps)


def _reason_to_hold(work: _Work, edit: _Edit, draft: _Draft | None) -> HeldReason | None:
    change, author = edit.change, edit.author
    values = change.values
    if change.kind == HOUSEHOLD:
        present = draft.values.get("village_code") if draft else None
        wanted = values.get("village_code", present)
        if wanted is None:
            return HeldReason.INVALID  # a household without a village is in nobody's scope
        villages = {str(wanted), str(present or wanted)}
    else:
        home = values.get("household_id", draft.household_id if draft else None)
        if home is None and draft is not None:
            return HeldReason.INVALID  # a record of nobody's household is in nobody's scope either
        household = work.drafts.get((HOUSEHOLD, str(home)))
        if home is None or household is None or household.version is None:
            return HeldReason.MISSING_HOUSEHOLD
        villages = {str(household.values["village_code"])}
        if draft is not None and draft.village_code:
            villages.add(draft.village_code)
    scope = author.county if edit.forced else author.scope
    if not all(v[:6] == work.county and in_scope(v, scope) for v in villages):
        return HeldReason.OUT_OF_SCOPE
    is_void = draft is not None and draft.values.get("deleted") is True
    mends = values.get("deleted") is False or author.source == COUNTY or edit.forced
    if is_void and not mends and values.get("deleted") is not True:
        return HeldReason.RECORD_VOID
    return None


def _move_children(work: _Work) -> None:
    """Let the records of a household that moved to another village follow it."""
    moved = {
        draft.id
        for (kind, _), draft in work.drafts.items()
        if kind == HOUSEHOLD and draft.village_before not in (None, draft.village_code)
    }
    for record in records_of_households(work.conn, work.county, moved):
        if (record.kind, record.id) not in work.drafts:
            _take_up(work, record)
    # Also who came into it just now, or into one that is as new, and not who left it just now.
    for draft in work.drafts.values():
        household = work.drafts.get((HOUSEHOLD, draft.household_id))
        if household is not None and draft.village_code != household.village_code:
            draft.village_code = household.village_code
            draft.touched = True


def _departures(touched: Iterable[_Draft]) -> list[dict[str, Any]]:
    """Return a table row without seq for each record that leaves its village.

    A household takes along what belongs to it, and yet each is named: a phone may have known it in
    another household, or show it in one by an edit that is held.
    """
    return [
        {
            "kind": draft.kind,
            "record_id": draft.id,
            "village_code": draft.village_before,
            "to_village": draft.village_code,
        }
        for draft in touched
        if draft.village_before not in (None, draft.village_code)
    ]


def _move_conflicts(
    work: _Work,
    departures: Iterable[Mapping[str, Any]],
    new: Iterable[dict[str, Any]],
    extended: list[dict[str, Any]],
) -> None:
    """Let the conflicts of a household that moved to another village follow it."""
    moved = {row["record_id"]: row["to_village"] for row in departures if row["kind"] == HOUSEHOLD}
    if not moved:
        return
    for row in new:
        row["village_code"] = moved.get(row["household_id"], row["village_code"])
    changed = {row["id"]: row for row in extended}
    for conflict_id, household in conflicts_of(work.conn, work.county, moved):
        if conflict_id not in changed:
            changed[conflict_id] = {"id": conflict_id}
            extended.append(changed[conflict_id])
        changed[conflict_id]["village_code"] = moved[household]


# --- store ---


def _store(
    work: _Work, author: Author, edits: Sequence[_Edit], *, now_ms: int, resolution: str
) -> list[int]:
    conn, county = work.conn, work.county
    touched = [draft for draft in work.drafts.values() if draft.touched]
    conflict_rows, extended = _conflict_rows(work)
    departures = _departures(touched)
    _move_conflicts(work, departures, conflict_rows, extended)
    bundles = _bundles(work, touched)
    fresh: dict[str, int] = {}
    for row in conflict_rows:
        fresh[row["household_id"]] = fresh.get(row["household_id"], 0) + 1
    checked = check_bundles(
        conn, county, bundles, now_ms=now_ms, author=author, new_conflicts=fresh
    )
    count = len(departures) + len(touched) + len(conflict_rows) + len(extended) + len(checked)
    next_seq = allocate(conn, county, count, at_ms=now_ms, tag=secrets.token_hex(4)) if count else 0
    # Before the records: who sees both villages lets go of the old before it gets the new.
    for departure in departures:
        departure["seq"] = next_seq
        next_seq += 1
    for draft in touched:
        draft.seq = next_seq
        next_seq += 1
    for row in (*conflict_rows, *extended):
        row["seq"] = next_seq
        next_seq += 1
    write_records(
        conn,
        county,
        new=[_record(draft) for draft in touched if draft.is_new],
        changed=[_record(draft) for draft in touched if not draft.is_new],
    )
    add_departures(conn, county, departures)
    add_conflicts(conn, conflict_rows)
    extend_conflicts(conn, county, extended)
    newest = _newest(work, bundles)
    reviews = [
        replace(entry.review, seq=next_seq + i, bundle_seq=newest[entry.review.household_id])
        for i, entry in enumerate(checked)
    ]
    store_checks(conn, county, checked, reviews)
    members_written(
        conn, county, households=bundles, now_ms=now_ms,
        members={draft.id for draft in touched if draft.kind == "member"},
    )  # fmt: skip
    households_written(conn, county, bundles, now_ms=now_ms)
    logged = [_logged(work, edit, resolution) for edit in edits]
    add_changes(conn, county, [e for e, edit in zip(logged, edits, strict=True) if not edit.stored])
    set_outcomes(conn, county, [e for e, edit in zip(logged, edits, strict=True) if edit.stored])
    return [entry.seq for entry in logged]


def _record(draft: _Draft) -> StoredRecord:
    assert draft.version is not None, "a touched record has values"  # noqa: S101
    version = sequenced(draft.version, draft.seq)
    return StoredRecord(
        kind=draft.kind,
        id=draft.id,
        seq=draft.seq,
        village_code=draft.village_code,
        stamps=stamps_to_json(version),
        values=version.values,
        extra=draft.extra,
    )


def _bundles(work: _Work, touched: Collection[_Draft]) -> dict[str, list[StoredRecord]]:
    """Return all records of the touched households as they will stand."""
    affected = {draft.household_id for draft in touched}
    affected |= {draft.home_before for draft in touched if draft.home_before}
    stored = records_of_households(work.conn, work.county, affected & work.households_before)
    found: dict[str, list[StoredRecord]] = {key: [] for key in affected}
    for draft in touched:
        found[draft.household_id].append(_unsequenced(draft))
    for record in stored:
        draft_here = work.drafts.get((record.kind, record.id))
        if draft_here is None or not draft_here.touched:
            found[record.household_id].append(record)
    return found


def _unsequenced(draft: _Draft) -> StoredRecord:
    return StoredRecord(
        draft.kind, draft.id, UNSEQUENCED, draft.village_code, [], draft.values, draft.extra
    )


def _newest(work: _Work, bundles: Mapping[str, Iterable[StoredRecord]]) -> dict[str, int]:
    return {
        key: max(work.drafts[r.kind, r.id].seq if r.seq == UNSEQUENCED else r.seq for r in records)
        for key, records in bundles.items()
    }


def _conflict_rows(work: _Work) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return new conflicts, and open ones whose values moved on, both as table rows without seq.

    There is one open conflict for each record, field and arriving incarnation; a further edit from
    either side of it replaces that side's value.
    """
    if not work.merges:
        return [], []
    open_rows = open_branches(work.conn, work.county, {d.id for _, d, _ in work.merges})
    new: dict[Branch, dict[str, Any]] = {}
    extended: dict[str, dict[str, Any]] = {}
    for edit, draft, merged in work.merges:
        inc = edit.author.incarnation
        for found in merged.conflicts:
            branch = (draft.kind, draft.id, found.field, inc)
            arrived = {
                "theirs": found.theirs,
                "theirs_at_ms": edit.eff_ms,
                "shown": found.shown,
            }
            if branch in new:
                new[branch] |= arrived
            elif branch in open_rows:
                row = open_rows[branch]
                extended.setdefault(row["id"], {"id": row["id"]}).update(arrived)
                displaced = found.ours_stamp.incarnation
                aside = (draft.kind, draft.id, found.field, displaced)
                is_kept = displaced == row["ours_incarnation"] or aside in open_rows or aside in new
                if found.shown == "theirs" and found.ours is not None and not is_kept:
                    # A third has written meanwhile, after seeing one side: his value goes aside.
                    new[aside] = _displaced_row(work.county, edit, draft, found)
            else:
                new[branch] = _conflict_row(work.county, edit, draft, found) | arrived
        if open_rows:
            contested = {found.field for found in merged.conflicts}
            for branch, was in open_rows.items():
                name = branch[2]
                if branch[:2] != (draft.kind, draft.id) or name not in merged.written - contested:
                    continue
                side = {was["theirs_incarnation"]: "theirs", was["ours_incarnation"]: "ours"}
                if inc in side:
                    moved = {
                        side[inc]: draft.values.get(name),
                        f"{side[inc]}_at_ms": edit.eff_ms,
                        "shown": side[inc],
                    }
                    extended.setdefault(was["id"], {"id": was["id"]}).update(moved)
    authors = authors_of(work.conn, work.county, {row["record_id"] for row in new.values()})
    for fresh in new.values():
        for which in ("ours", "theirs"):
            who = (fresh["record_id"], fresh[f"{which}_incarnation"])
            fresh.setdefault(f"{which}_author", authors.get(who))
    return list(new.values()), list(extended.values())


def _conflict_row(county: str, edit: _Edit, draft: _Draft, found: FieldConflict) -> dict[str, Any]:
    return {
        "county": county,
        "id": id_from_bits(secrets.randbits(64)),
        "kind": draft.kind,
        "record_id": draft.id,
        "household_id": draft.household_id,
        "village_code": draft.village_code,
        "field": found.field,
        "ours": found.ours,
        "theirs_author": edit.author.user_id,
        "ours_incarnation": found.ours_stamp.incarnation,
        "theirs_incarnation": edit.author.incarnation,
        "ours_at_ms": found.ours_stamp.eff_ms,
        "state": "open",
    }


def _displaced_row(county: str, edit: _Edit, draft: _Draft, found: FieldConflict) -> dict[str, Any]:
    row = _conflict_row(county, edit, draft, found)
    del row["theirs_author"]
    return row | {
        "ours": found.theirs,
        "ours_author": edit.author.user_id,
        "ours_incarnation": edit.author.incarnation,
        "ours_at_ms": edit.eff_ms,
        "theirs": found.ours,
        "theirs_incarnation": found.ours_stamp.incarnation,
        "theirs_at_ms": found.ours_stamp.eff_ms,
        "shown": "ours",
    }


def _logged(work: _Work, edit: _Edit, resolution: str) -> LoggedChange:
    held = edit.reason is not None
    return LoggedChange(
        change=edit.sent,
        incarnation=edit.author.incarnation,
        hash=edit.hash,
        schema=edit.schema,
        author_id=edit.author.user_id,
        device_id=edit.author.device_id,
        received_at_ms=edit.received_ms,
        eff_ms=edit.eff_ms,
        outcome=Outcome.HELD if held else edit.outcome,
        seq=0 if held else work.drafts[edit.change.kind, edit.change.record_id].seq,
        reason=edit.reason.value if edit.reason else None,
        village_code=edit.village_code,
        resolution=resolution if edit.stored and not held else None,
        lost=edit.lost,
    )
