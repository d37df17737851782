"""Imports a roster: rows become households to be confirmed, written like everybody else's changes.

A record's change holds only what differs from what the last roster said of it, based on the
sequence at which that roster said it. So the same file twice changes nothing, a newer file merges
field by field with what cadres changed meanwhile, and a run that was killed is simply run again.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Any

import xlsxwriter
from sqlalchemy import Connection, Engine

from server.services.apply_changes import IMPORT, Applied, Author, apply_changes, next_n
from server.services.read_roster import (
    HEAD_OF_HOUSEHOLD,
    ID_NO,
    NAME,
    VILLAGE,
    CellFault,
    Places,
    Roster,
    RosterRow,
    RowParser,
    Target,
    mapping_of,
    mapping_to_json,
    missing_columns,
    open_roster,
)
from server.services.scope import in_scope, scope_prefix
from server.storage import roster as storage
from server.storage.divisions import places_within
from server.storage.engine import reading, writing
from server.storage.roster import Known
from shared_schemas import SCHEMA_VERSION, ids
from shared_schemas.changes import Change, Outcome
from shared_schemas.errors import ChushanError
from shared_schemas.records import record_kind

BATCH_ROWS = 500
PERSON_KEYS = ("person_no", "id_no", "name", "birth_date")

Progress = Callable[[int, int], None]
"""Told (rows read, rows in all) after every batch."""


@dataclass(frozen=True, slots=True)
class RosterFile:
    """A roster to import: where to, by whom, and what its columns mean (None: by their headings)."""

    data: bytes
    file_name: str
    county: str
    scope: str
    user_id: str
    mapping: Mapping[int, Target] | None = None


@dataclass(slots=True)
class Counts:
    """What came of an import. Rows are lines of the sheet; records are what was written."""

    rows_read: int = 0
    rows_bad: int = 0
    values_left_out: int = 0
    households_new: int = 0
    members_new: int = 0
    records_changed: int = 0
    conflicts: int = 0
    held: int = 0

    @property
    def message(self) -> str:
        """Return in a line what needs a person's eye, empty when nothing does."""
        parts = (
            (self.rows_bad, "行未导入"),
            (self.values_left_out, "项看不懂,已留空"),
            (self.conflicts, "条与干部的修改不同,在“冲突”页待定"),
            (self.held, "条未能写入,在“待处理”页"),
        )
        return ";".join(f"{count} {words}" for count, words in parts if count)


@dataclass(frozen=True, slots=True)
class Imported:
    """A finished import."""

    import_id: str
    counts: Counts


def import_roster(
    engine: Engine,
    file: RosterFile,
    *,
    clock: Callable[[], int],
    new_id: Callable[[], str],
    progress: Progress | None = None,
) -> Imported:
    """Begin and run an import; see `begin_import` and `run_import`."""
    roster = open_roster(file.data)
    import_id = begin_import(engine, file, now_ms=clock(), new_id=new_id, roster=roster)
    return run_import(engine, file, import_id, clock=clock, progress=progress, roster=roster)


def begin_import(
    engine: Engine,
    file: RosterFile,
    *,
    now_ms: int,
    new_id: Callable[[], str],
    roster: Roster | None = None,
) -> str:
    """Check that a file can be imported, note the run and return its id.

    `roster` is the file when it is open already. ChushanError: forbidden outside the user's scope,
    invalid_values when a needed column is missing, and those of `open_roster`.
    """
    whole_county = in_scope(f"{file.county}000000", file.scope)
    if not whole_county and not scope_prefix(file.scope).startswith(file.county):
        raise ChushanError("forbidden", f"您不负责 {file.county}")
    roster = roster or open_roster(file.data)
    mapping = _mapping(file, roster)
    missing = missing_columns(mapping, scope=scope_prefix(file.scope))
    if missing:
        raise ChushanError("invalid_values", f"缺少必需的列:{'、'.join(missing)}")
    if not _places(engine, file).villages:
        raise ChushanError("invalid_values", "区划表里还没有这里的村,请管理员先导入区划")
    import_id = new_id()
    sha256 = hashlib.sha256(file.data).hexdigest()
    with writing(engine) as conn:
        storage.mark_broken_off(conn, file.county, sha256)
        storage.add_import(
            conn,
            {
                "county": file.county,
                "id": import_id,
                "file_name": file.file_name[:200],
                "sha256": sha256,
                "by_user": file.user_id,
                "started_at_ms": now_ms,
                "state": "running",
                "mapping": mapping_to_json(mapping),
                "rows_read": 0,
                "rows_total": roster.rows_total,
                "rows_bad": 0,
                "households_new": 0,
                "members_new": 0,
                "records_changed": 0,
            },
        )
    return import_id


def _mapping(file: RosterFile, roster: Roster) -> dict[int, Target]:
    return dict(file.mapping) if file.mapping is not None else mapping_of(roster.headings)


def run_import(
    engine: Engine,
    file: RosterFile,
    import_id: str,
    *,
    clock: Callable[[], int],
    progress: Progress | None = None,
    roster: Roster | None = None,
) -> Imported:
    """Import the rows, about 500 in a transaction; the run's row in the database is its progress."""
    run = _Run(file, import_id, clock)
    try:
        _run(engine, run, roster or open_roster(file.data), progress)
    except BaseException:
        # Whatever stopped it, even Ctrl-C: the page must not show a run that nobody runs.
        with writing(engine) as conn:
            storage.update_import(conn, file.county, import_id, {"state": "failed"})
        raise
    return Imported(import_id, run.counts)


def _places(engine: Engine, file: RosterFile) -> Places:
    scope = scope_prefix(file.scope)
    with reading(engine) as conn:
        listed = places_within(conn, file.county)
    return Places(listed, scope=scope if len(scope) > len(file.county) else file.county)


@dataclass(slots=True)
class _Run:
    """A run under way. `homes` remembers where each household was placed, by its first row."""

    file: RosterFile
    import_id: str
    clock: Callable[[], int]
    counts: Counts = field(default_factory=Counts)
    homes: dict[str, tuple[str, int]] = field(default_factory=dict)


def _run(engine: Engine, run: _Run, roster: Roster, progress: Progress | None) -> None:
    file = run.file
    mapping = _mapping(file, roster)
    places = _places(engine, file)
    parser = RowParser(mapping, roster.headings, places)
    columns = {target: n for n, target in mapping.items()}
    for batch in _batches(parser.parse(row_no, cells) for row_no, cells in roster.rows()):
        with writing(engine) as conn:
            _import_batch(conn, run, batch, columns, roster.headings)
            storage.update_import(conn, file.county, run.import_id, _progress_values(run.counts))
        if progress is not None:
            progress(run.counts.rows_read, roster.rows_total)
    with writing(engine) as conn:
        storage.update_import(
            conn,
            file.county,
            run.import_id,
            {
                **_progress_values(run.counts),
                "rows_total": run.counts.rows_read,
                "state": "done",
                "finished_at_ms": run.clock(),
                "message": run.counts.message or None,
            },
        )
    if progress is not None:
        progress(run.counts.rows_read, run.counts.rows_read)


def _progress_values(counts: Counts) -> dict[str, int]:
    return {
        "rows_read": counts.rows_read,
        "rows_bad": counts.rows_bad,
        "households_new": counts.households_new,
        "members_new": counts.members_new,
        "records_changed": counts.records_changed,
    }


def _batches(rows: Iterable[RosterRow]) -> Iterator[list[RosterRow]]:
    """Yield batches that end where a household ends, as long as its rows stand together."""
    batch: list[RosterRow] = []
    for row in rows:
        full = len(batch) >= BATCH_ROWS and row.registry_no != batch[-1].registry_no
        if full or len(batch) >= 4 * BATCH_ROWS:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


# --- one batch --------------------------------------------------------------------------------


@dataclass(slots=True)
class _Home:
    """The rows of one household in a batch: its own values and those of its members."""

    values: dict[str, Any]
    rows: list[RosterRow]


def _import_batch(
    conn: Connection,
    run: _Run,
    batch: Sequence[RosterRow],
    columns: Mapping[Target, int],
    headings: Mapping[int, str],
) -> None:
    homes, faults = _gather(batch, run.homes, columns, headings)
    plan = _Plan(run.file.county, {}, run.clock())
    _plan_households(conn, plan, homes)
    faults += _plan_members(conn, plan, homes, columns, headings)
    written = [edit for edit in plan.edits.values() if edit.values]
    applied = _write(conn, run, written, now_ms=plan.now_ms)
    faults += [fault for row in batch for fault in row.faults]
    storage.add_faults(conn, run.file.county, run.import_id, map(_fault_row, _one_a_cell(faults)))
    run.counts.rows_read += len(batch)
    run.counts.rows_bad += len({fault.row_no for fault in faults if fault.refuses_row})
    run.counts.values_left_out += sum(not fault.refuses_row for fault in faults)
    for edit, outcome in zip(written, applied, strict=True):
        if outcome.outcome is Outcome.HELD:
            run.counts.held += 1
            continue
        run.counts.conflicts += outcome.outcome is Outcome.CONFLICT
        run.counts.households_new += edit.is_new and edit.kind == "household"
        run.counts.members_new += edit.is_new and edit.kind == "member"
        run.counts.records_changed += not edit.is_new


def _one_a_cell(faults: Iterable[CellFault]) -> list[CellFault]:
    """Return the gravest fault of each cell."""
    kept: dict[tuple[int, int], CellFault] = {}
    for fault in sorted(faults, key=lambda fault: not fault.refuses_row):
        kept.setdefault((fault.row_no, fault.column_no), fault)
    return list(kept.values())


def _fault_row(fault: CellFault) -> dict[str, Any]:
    return {
        "row_no": fault.row_no,
        "column_no": fault.column_no,
        "heading": fault.heading,
        "value": fault.value,
        "reason": fault.told,
    }


def _gather(
    batch: Iterable[RosterRow],
    placed: dict[str, tuple[str, int]],
    columns: Mapping[Target, int],
    headings: Mapping[int, str],
) -> tuple[dict[str, _Home], list[CellFault]]:
    """Return the households of a batch by register number, and what their rows disagree about.

    The head's row speaks for the household. Another phone in another row is that member's own.
    """
    homes: dict[str, _Home] = {}
    faults: list[CellFault] = []
    good = [row for row in batch if not row.is_refused]
    for row in sorted(good, key=lambda row: row.member.get("relation") != HEAD_OF_HOUSEHOLD):
        village = row.household["village_code"]
        home_village, first_row = placed.setdefault(row.registry_no, (village, row.row_no))
        if village != home_village:
            reason = f"与同户第 {first_row} 行不在一个村,户编号或村有一个填错了"
            faults.append(_fault(row, VILLAGE, columns, headings, village, reason, refuses=True))
            continue
        home = homes.setdefault(row.registry_no, _Home({}, []))
        member = dict(row.member)
        for name, value in row.household.items():
            kept = home.values.setdefault(name, value)
            if kept == value:
                continue
            if name == "phone":
                member.setdefault("phone", value)
                continue
            reason = f"与同户第 {home.rows[0].row_no} 行不一致,以那一行为准"
            target = ("household", name)
            if target in columns:
                faults.append(_fault(row, target, columns, headings, value, reason, refuses=False))
        home.rows.append(replace(row, member=member))
    return homes, faults


def _fault(
    row: RosterRow,
    target: Target,
    columns: Mapping[Target, int],
    headings: Mapping[int, str],
    value: Any,
    reason: str,
    *,
    refuses: bool,
) -> CellFault:
    column_no = columns.get(target, 0)
    kind, name = target
    shown = record_kind(kind).fields[name].shown(value)
    return CellFault(row.row_no, column_no, headings.get(column_no, ""), shown, reason, refuses)


@dataclass(slots=True)
class _Edit:
    """What the roster newly says of one record."""

    kind: str
    record_id: str
    is_new: bool
    values: dict[str, Any]
    said: dict[str, Any]
    """All that rosters have said of it, these values included."""
    base: int
    at_ms: int


@dataclass(slots=True)
class _Plan:
    """What a batch is going to write, households before members."""

    county: str
    edits: dict[str, _Edit]
    now_ms: int
    household_ids: dict[str, str] = field(default_factory=dict)

    def say(self, kind: str, record_id: str, known: Known | None, values: dict[str, Any]) -> _Edit:
        """Plan a record; only what differs from what the last roster said becomes a change.

        A register says how things stood before the cadre stood at the door: where both changed a
        field, the edit counts as older, so the cadre's value shows and the county decides.
        """
        said = dict(known.said) if known else {}
        new = {name: value for name, value in values.items() if said.get(name) != value}
        at_ms = self.now_ms if known is None else known.born_ms - (known.seq == 0)
        edit = _Edit(kind, record_id, known is None, new, said | new,
                     known.seq if known else 0, max(at_ms, 0))  # fmt: skip
        self.edits[record_id] = edit
        return edit


def household_id_for(county: str, registry_no: str) -> str:
    """Return the id that a household of the register gets when nobody has registered it yet."""
    return ids.household_id(_bits(f"{county}\x00{registry_no}", 8))


def _bits(words: str, size: int) -> int:
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=size).digest(), "big")


def _plan_households(conn: Connection, plan: _Plan, homes: Mapping[str, _Home]) -> None:
    own_ids = {registry_no: household_id_for(plan.county, registry_no) for registry_no in homes}
    known = storage.households_known(conn, plan.county, list(own_ids), list(own_ids.values()))
    by_id = {household.id: household for household in known}
    by_number: dict[str, Known] = {}
    for household in known:
        if not household.values.get("deleted"):
            by_number.setdefault(str(household.values.get("registry_no")), household)
    for registry_no, home in homes.items():
        # The one that an earlier roster made, whatever its number is now; else the cadre's own.
        found = by_id.get(own_ids[registry_no]) or by_number.get(registry_no)
        household_id = found.id if found else own_ids[registry_no]
        plan.household_ids[registry_no] = household_id
        plan.say("household", household_id, found, home.values)


def _plan_members(
    conn: Connection,
    plan: _Plan,
    homes: Mapping[str, _Home],
    columns: Mapping[Target, int],
    headings: Mapping[int, str],
) -> list[CellFault]:
    """Plan the members of each household; return the rows that name somebody a second time."""
    faults: list[CellFault] = []
    present: dict[str, list[Known]] = {}
    wanted = sorted(set(plan.household_ids.values()))
    for member in storage.members_known(conn, plan.county, wanted, PERSON_KEYS):
        present.setdefault(member.household_id, []).append(member)
    for registry_no, home in homes.items():
        household_id = plan.household_ids[registry_no]
        family = present.setdefault(household_id, [])
        for row in home.rows:
            known = match_person(row.member, family)
            if known is not None and known.id in plan.edits:
                target = ID_NO if ID_NO in columns and row.member.get("id_no") else NAME
                faults.append(_fault(row, target, columns, headings, row.member.get(target[1]),
                                     "这个人在同一户里已经出现过", refuses=True))  # fmt: skip
                continue
            member_id = known.id if known else _new_member_id(household_id, row.member, family)
            values = dict(row.member) | ({} if known else {"household_id": household_id})
            edit = plan.say("member", member_id, known, values)
            if known is None:
                family.append(Known(member_id, household_id, values, edit.said, 0, 0))
            if row.member.get("relation") == HEAD_OF_HOUSEHOLD:
                _name_head(plan.edits[household_id], member_id)
    return faults


def match_person(person: Mapping[str, Any], family: Iterable[Known]) -> Known | None:
    """Return the member of a household that a row is about, None for somebody new.

    The register's person number decides, then the ID number, then the name, unless birth date or a
    number says that it is somebody else. What the last roster said counts as well as what stands
    now: a cadre may have corrected a name.
    """

    def spoken(member: Known, name: str) -> set[Any]:
        return {member.values.get(name), member.said.get(name)} - {None}

    for name in ("person_no", "id_no"):
        for member in family:
            if person.get(name) is not None and person[name] in spoken(member, name):
                return member
    for member in family:
        others = [
            name
            for name in ("person_no", "id_no", "birth_date")
            if person.get(name) is not None
            and spoken(member, name)
            and person[name] not in spoken(member, name)
        ]
        if person.get("name") in spoken(member, "name") and not others:
            return member
    return None


def _new_member_id(household_id: str, person: Mapping[str, Any], family: Iterable[Known]) -> str:
    """Return the id that a person of the register gets: the same for the same file.

    Twenty bits are few: where two persons of one household meet, the later one counts on.
    """
    key = person.get("person_no") or person.get("id_no") or f"{person['name']}"
    taken = {member.id for member in family}
    salt = 0
    while (found := ids.child_id(household_id, _bits(f"{key}\x00{salt}", 3))) in taken:
        salt += 1
    return found


def _name_head(household: _Edit, member_id: str) -> None:
    if household.said.get("head_member_id") != member_id:
        household.values["head_member_id"] = member_id
        household.said["head_member_id"] = member_id


def _write(conn: Connection, run: _Run, edits: Sequence[_Edit], *, now_ms: int) -> list[Applied]:
    """Write what the plan says, as the import of that user, and keep what the roster said."""
    if not edits:
        return []
    file = run.file
    first = next_n(conn, file.county, IMPORT, len(edits))
    changes = [
        Change(first + i, edit.kind, edit.record_id, edit.base, edit.at_ms, edit.values)
        for i, edit in enumerate(edits)
    ]
    author = Author(file.county, IMPORT, file.user_id, None, file.scope, IMPORT)
    applied = apply_changes(conn, changes, author=author, sent_ms=now_ms, received_ms=now_ms,
                            schema=SCHEMA_VERSION)  # fmt: skip
    storage.put_roster_rows(
        conn,
        file.county,
        [
            {
                "kind": edit.kind,
                "record_id": edit.record_id,
                "values": edit.said,
                "seq": outcome.seq or edit.base,
            }
            for edit, outcome in zip(edits, applied, strict=True)
        ],
    )
    return applied


# --- the sheet of faults ----------------------------------------------------------------------


def fault_sheet(engine: Engine, county: str, import_id: str, file: IO[bytes] | str) -> int:
    """Write the faults of an import as .xlsx, every cell as text; return how many there are."""
    with reading(engine) as conn:
        faults = storage.faults_of(conn, county, import_id)
    book = xlsxwriter.Workbook(file, {"constant_memory": True})
    sheet = book.add_worksheet("未导入")
    bold = book.add_format({"bold": True, "bg_color": "#E8EEF4", "bottom": 1})
    for column, (heading, width) in enumerate(
        (("行号", 8), ("列", 16), ("内容", 26), ("原因", 70))
    ):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, heading, bold)
    sheet.freeze_panes(1, 0)
    for line, fault in enumerate(faults, start=1):
        sheet.write_number(line, 0, fault.row_no)
        sheet.write_string(line, 1, fault.heading)
        sheet.write_string(line, 2, fault.value or "")
        sheet.write_string(line, 3, fault.reason)
    book.close()
    return len(faults)


def fault_sheet_bytes(engine: Engine, county: str, import_id: str) -> bytes:
    """Return the sheet of faults for a download."""
    file = io.BytesIO()
    fault_sheet(engine, county, import_id, file)
    return file.getvalue()
