"""What the phone knows of households: displayed records, lists, bundles."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from mobile.storage import pinyin
from mobile.storage.database import Store, decode, encode, get
from shared_schemas.bundle import Bundle, bundle_of
from shared_schemas.records import RecordKind, record_kind, record_kinds
from shared_schemas.records.member import HEAD
from shared_schemas.upgrade import up

TO_VISIT, DRAFT, WAITING, SYNCED = "to_visit", "draft", "waiting", "synced"
RETURNED, APPROVED, HELD, CONFLICT = "returned", "approved", "held", "conflict"
STATES = (RETURNED, CONFLICT, HELD, DRAFT, TO_VISIT, WAITING, SYNCED, APPROVED)
"""States of a household on the phone, those that ask something of the cadre first."""

DONE = frozenset({WAITING, SYNCED, APPROVED, HELD, CONFLICT})
WITH_COUNTY = frozenset({HELD, CONFLICT})


LEAST_TO_BE_USUAL = 5
"""Records that a village must have before anything is usual in it."""


@dataclass(frozen=True, slots=True)
class HouseholdRow:
    """A household in a list. `state` is one of STATES; its words are `text(f"visit.state.{state}")`."""

    id: str
    village_code: str
    head_name: str
    address: str
    """Group and address, as far as known."""
    phone: str
    member_count: int
    state: str
    returned_count: int
    """How many comments of the reviewer wait for an answer; 0 unless returned."""
    conflict_count: int
    survey_date: str | None


@dataclass(frozen=True, slots=True)
class VillageRow:
    """A village of the cadre with its counts of households."""

    code: str
    name: str
    total: int
    done: int
    returned: int
    to_confirm: int
    drafts: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A record as displayed, and which version of the county's it is: `seq` of `epoch`."""

    kind: str
    id: str
    values: Mapping[str, Any]
    seq: int
    epoch: str
    sources: Mapping[str, tuple[str, int]]
    """Fields shown from this phone's own unconfirmed changes: the (epoch, base) of that change."""


def refresh(connection: sqlite3.Connection, kind_name: str, record_id: str) -> None:
    """Write the displayed columns of a record anew: the county's values, own changes over them."""
    kind = record_kind(kind_name)
    row = connection.execute(
        f'SELECT server FROM "{kind_name}" WHERE id = ?',  # noqa: S608
        (record_id,),
    ).fetchone()
    pending = _over_the_countys(
        connection.execute(
            "SELECT * FROM outbox WHERE record_id = ? AND kind = ? ORDER BY id",
            (record_id, kind_name),
        )
    )
    server = json.loads(row["server"]) if row and row["server"] else None
    if server is None and not pending:
        connection.execute(f'DELETE FROM "{kind_name}" WHERE id = ?', (record_id,))  # noqa: S608
        return
    values = dict(server or {})
    for _, own in pending:
        values.update(own)
    cells = [encode(field, values.get(name)) for name, field in kind.fields.items()]
    connection.execute(_statement(kind_name, tuple(kind.fields), row is None), (*cells, record_id))


@cache
def _statement(kind_name: str, names: tuple[str, ...], is_new: bool) -> str:
    if not is_new:
        assignments = ", ".join(f'"{name}" = ?' for name in names)
        return f'UPDATE "{kind_name}" SET {assignments} WHERE id = ?'  # noqa: S608
    # At once with all that it has: each index is written in one place only.
    columns = ", ".join(f'"{name}"' for name in names)
    marks = "?, " * len(names)
    return f'INSERT INTO "{kind_name}" ({columns}, id, seq, generation) VALUES ({marks}?, 0, 0)'  # noqa: S608


def _over_the_countys(
    changes: Iterable[sqlite3.Row],
) -> list[tuple[sqlite3.Row, dict[str, Any]]]:
    """Return a record's own changes that the county has not shown back, with what they still show.

    `changes` are all that are kept, in order. One that is held may be older than one that the county
    has shown back since: of what that one wrote it shows no more.
    """
    found = []
    outdone: set[str] = set()
    for change in reversed(list(changes)):
        own = values_of(change)
        if not change["covered"]:
            found.append((change, {name: own[name] for name in own if name not in outdone}))
        elif change["resolution"] != "dismissed":
            outdone |= own.keys()
    return found[::-1]


def values_of(change: sqlite3.Row) -> dict[str, Any]:
    """Return the values of a row of the outbox in today's schema; it is sent as it was written."""
    return up(change["kind"], json.loads(change["values"]), change["schema"])


def _values(kind: RecordKind, row: sqlite3.Row) -> dict[str, Any]:
    values = {name: decode(field, row[name]) for name, field in kind.fields.items()}
    return {name: value for name, value in values.items() if value is not None}


def shown_records(connection: sqlite3.Connection, household_id: str) -> list[Shown]:
    """Return every record of a household as displayed, void ones included, the household first."""
    sources: dict[str, dict[str, tuple[str, int]]] = defaultdict(dict)
    of_record: dict[str, list[sqlite3.Row]] = defaultdict(list)
    for change in connection.execute(
        "SELECT * FROM outbox WHERE household_id = ? ORDER BY id", (household_id,)
    ):
        of_record[change["record_id"]].append(change)
    for record_id, changes in of_record.items():
        for change, own in _over_the_countys(changes):
            for name in own:
                # The first change of a field saw the oldest version; a later one inherits its base.
                sources[record_id].setdefault(name, (change["epoch"], change["base"]))
    found = []
    for kind in record_kinds():
        column = "id" if kind.name == "household" else "household_id"
        for row in connection.execute(
            f'SELECT * FROM "{kind.name}" WHERE "{column}" = ? ORDER BY rowid',  # noqa: S608
            (household_id,),
        ):
            found.append(
                Shown(
                    kind.name,
                    row["id"],
                    _values(kind, row),
                    row["seq"],
                    row["epoch"] or "",
                    sources.get(row["id"], {}),
                )
            )
    return found


def bundle(store: Store, household_id: str) -> Bundle:
    """Return a household with all that belongs to it, as displayed: the county's values, own submits over them."""
    with store.reading() as connection:
        shown = shown_records(connection, household_id)
    return bundle_of([(record.kind, {**record.values, "id": record.id}) for record in shown])


def households(
    store: Store, village_code: str | None = None, query: str = "", *, brief: bool = False
) -> list[HouseholdRow]:
    """Return households, those that ask something of the cadre first.

    `query` matches names of head and members, pinyin initials of them, address and phone. `brief`
    leaves the people out: where one counts, reading fifty thousand of them is most of the time.
    """
    with store.reading() as connection:
        found = _listed(connection, village_code=village_code, with_people=not brief)
    query = query.strip()
    rows = [listed.row for listed in found if not query or listed.matches(query)]
    rows.sort(key=lambda row: (STATES.index(row.state), row.address, row.head_name))
    return rows


def household_row(store: Store, household_id: str) -> HouseholdRow | None:
    """Return one household as lists show it, None when the phone does not know it."""
    with store.reading() as connection:
        found = _listed(connection, household_id=household_id)
    return found[0].row if found else None


def villages(store: Store, only: str | None = None) -> list[VillageRow]:
    """Return the villages in the cadre's scope, also those without a household yet; or one alone."""
    with store.reading() as connection:
        scope = get(connection, "scope", "")
        named = {
            row["code"]: row["name"]
            for row in connection.execute("SELECT code, name FROM division WHERE level = 5")
            if row["code"].startswith(scope) and only in (None, row["code"])
        }
        states: dict[str, list[str]] = {code: [] for code in named}
        for listed in _listed(connection, village_code=only, with_people=False):
            states.setdefault(listed.row.village_code, []).append(listed.row.state)
    return [
        VillageRow(
            code=code,
            name=named.get(code, code),
            total=len(of_village),
            done=sum(state in DONE for state in of_village),
            returned=of_village.count(RETURNED),
            to_confirm=of_village.count(TO_VISIT),
            drafts=of_village.count(DRAFT),
        )
        for code, of_village in sorted(states.items())
    ]


def village_name(store: Store, code: str) -> str:
    """Return what a village is called, its code when the phone does not know it."""
    row = store.connection.execute("SELECT name FROM division WHERE code = ?", (code,)).fetchone()
    return row["name"] if row else code


def division_names(store: Store, prefix: str, level: int) -> list[tuple[str, str]]:
    """Return (code, name) of the divisions of a level within a prefix: a picker's page."""
    rows = store.connection.execute(
        "SELECT code, name FROM division WHERE level = ? ORDER BY code", (level,)
    )
    return [(row["code"], row["name"]) for row in rows if row["code"].startswith(prefix)]


def village_known(store: Store, code: str) -> bool:
    """Tell whether a village is in the list that the county sent; everything is before it came."""
    known = store.connection.execute(
        "SELECT EXISTS (SELECT 1 FROM division WHERE code = ?)"
        " OR NOT EXISTS (SELECT 1 FROM division)",
        (code,),
    ).fetchone()[0]
    return bool(known)


def id_elsewhere(store: Store, id_no: str, household_id: str) -> str | None:
    """Return the place of another household on this phone in which an ID number stands."""
    connection = store.connection
    row = connection.execute(
        "SELECT household_id FROM member WHERE id_no = ? AND household_id <> ?"
        " AND coalesce(deleted, 0) = 0"
        " UNION ALL SELECT household_id FROM draft WHERE kind = 'member' AND field = 'id_no'"
        " AND value = ? AND household_id <> ? LIMIT 1",
        (id_no, household_id, json.dumps(id_no), household_id),
    ).fetchone()
    if row is None:
        return None
    other = household_row(store, row["household_id"])
    if other is None:
        return None
    place = village_name(store, other.village_code) + other.address
    return f"{place}({other.head_name})" if other.head_name else place


def phone_households(store: Store, phone: str, household_id: str) -> int:
    """Count the other households on this phone in which a phone number stands."""
    count = store.connection.execute(
        "SELECT count(*) FROM ("
        " SELECT id FROM household WHERE phone = ? AND coalesce(deleted, 0) = 0"
        " UNION SELECT household_id FROM member WHERE phone = ? AND coalesce(deleted, 0) = 0"
        ") WHERE id <> ?",
        (phone, phone, household_id),
    ).fetchone()[0]
    return int(count)


def comments(store: Store, household_id: str) -> list[dict[str, Any]]:
    """Return the reviewer's comments that wait for an answer: {kind, record_id, field, text}."""
    row = household_row(store, household_id)
    if row is None or not row.returned_count:
        return []
    found = store.connection.execute(
        "SELECT comments FROM review WHERE household_id = ?", (household_id,)
    ).fetchone()
    return list(json.loads(found["comments"]))


def returned_words(store: Store) -> dict[str, list[str]]:
    """Return what the reviewer said of each household that he returned, the whole first."""
    rows = store.connection.execute(
        "SELECT household_id, comments FROM review WHERE state = 'returned'"
    )
    said = {row["household_id"]: json.loads(row["comments"] or "[]") for row in rows}
    return {
        household_id: [c["text"] for c in sorted(of, key=lambda c: bool(c.get("field")))]
        for household_id, of in said.items()
    }


@dataclass(frozen=True, slots=True)
class Touched:
    """The household that was answered or handed in last, and on which day where the phone is."""

    household_id: str
    day: str


def last_touched(store: Store) -> Touched | None:
    """Return the household of the newest answer, None before the first."""
    row = store.connection.execute(
        "SELECT household_id, date(max(at_ms) / 1000, 'unixepoch', 'localtime') AS day FROM"
        " (SELECT household_id, at_ms FROM draft UNION ALL SELECT household_id, at_ms FROM outbox)"
    ).fetchone()
    return Touched(row["household_id"], row["day"]) if row["household_id"] else None


def said_in_village(
    store: Store, village_code: str, kind: str, field: str
) -> list[tuple[Any, int]]:
    """Return the values of a field in a village and how many records have each, the most frequent first."""
    home = "r.id" if kind == "household" else "r.household_id"
    rows = store.connection.execute(
        f'SELECT r."{field}" AS value, count(*) AS count FROM "{kind}" r'  # noqa: S608
        f" JOIN household h ON h.id = {home}"
        f' WHERE h.village_code = ? AND r."{field}" IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1',
        (village_code,),
    )
    return [(row["value"], row["count"]) for row in rows]


def usual(said: Sequence[tuple[Any, int]]) -> Any:
    """Return what four fifths of those counted say; None where no value has so many."""
    total = sum(count for _, count in said)
    if total < LEAST_TO_BE_USUAL or said[0][1] < 0.8 * total:
        return None
    return said[0][0]


def conflicts(store: Store, household_id: str) -> list[dict[str, Any]]:
    """Return the open conflicts of a household as the county sent them (both values, both names)."""
    rows = store.connection.execute(
        "SELECT \"values\" FROM conflict WHERE household_id = ? AND state = 'open' ORDER BY seq",
        (household_id,),
    )
    return [json.loads(row["values"]) for row in rows]


def counted_with(store: Store, household_id: str) -> str | None:
    """Return the household that the county counts this one with, which is listed twice then."""
    row = store.connection.execute(
        "SELECT same_as FROM review WHERE household_id = ?", (household_id,)
    ).fetchone()
    return row["same_as"] if row else None


def other_registrations(store: Store, household_id: str) -> dict[str, int]:
    """Return the members of a household that are registered elsewhere too, and how many times."""
    rows = store.connection.execute(
        "SELECT member_id, registrations FROM person WHERE household_id = ? AND registrations > 1",
        (household_id,),
    )
    return {row["member_id"]: row["registrations"] - 1 for row in rows}


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A submitted change that the county holds back, or has closed: then `note` has its words."""

    kind: str
    record_id: str
    values: Mapping[str, Any]
    reason: str
    note: str | None


def unsettled(store: Store, household_id: str) -> list[Unsettled]:
    """Return a household's changes that the county holds, and those it closed.

    A closed one is news until the cadre submits that record again.
    """
    rows = store.connection.execute(
        'SELECT kind, record_id, schema, "values", reason, resolution, note FROM outbox AS o'
        " WHERE household_id = ? AND state = 'acked' AND outcome = 'held'"
        " AND (resolution IS NULL OR (resolution = 'dismissed' AND NOT EXISTS"
        " (SELECT 1 FROM outbox WHERE record_id = o.record_id AND id > o.id"
        " AND resolution IS NOT 'dismissed')))"
        " ORDER BY id",
        (household_id,),
    )
    return [
        Unsettled(
            row["kind"],
            row["record_id"],
            values_of(row),
            row["reason"] or "",
            (row["note"] or "") if row["resolution"] else None,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class _Listed:
    row: HouseholdRow
    names: tuple[str, ...]

    def matches(self, query: str) -> bool:
        if any(query in text for text in (*self.names, self.row.address, self.row.phone)):
            return True
        return any(pinyin.matches(name, query) for name in self.names)


def _listed(
    connection: sqlite3.Connection,
    *,
    village_code: str | None = None,
    household_id: str | None = None,
    with_people: bool = True,
) -> list[_Listed]:
    """Return households with the drafts of open visits over them; each of six tables is read once."""
    chosen = "1"
    args: tuple[str, ...] = ()
    if household_id is not None:
        chosen, args = "h.id = ?", (household_id,)
    elif village_code is not None:
        chosen, args = "h.village_code = ?", (village_code,)
    records: dict[str, dict[str, Any]] = {}
    of_household: dict[str, list[str]] = defaultdict(list)
    for row in connection.execute(
        "SELECT id, village_code, group_no, address, phone, survey_date, head_member_id, deleted"  # noqa: S608
        f" FROM household h WHERE {chosen}",
        args,
    ):
        records[row["id"]] = dict(row)
        of_household[row["id"]] = []
    people: Iterable[sqlite3.Row] = ()
    if with_people:
        people = connection.execute(
            "SELECT m.id, m.household_id, m.name, m.relation, m.deleted FROM member m"  # noqa: S608
            f" JOIN household h ON h.id = m.household_id WHERE {chosen} ORDER BY m.rowid",
            args,
        )
    for row in people:
        records[row["id"]] = dict(row)
        of_household[row["household_id"]].append(row["id"])
    drafted = _lay_drafts(connection, records, of_household)
    if village_code is not None:
        # A draft may move a household to another village, or begin one here.
        of_household = {
            key: members
            for key, members in of_household.items()
            if records[key].get("village_code") == village_code
        }
    if household_id is not None:
        of_household = {k: m for k, m in of_household.items() if k == household_id}
    reviews = {row["household_id"]: row for row in connection.execute(
        "SELECT household_id, state, json_array_length(comments) AS comments FROM review"
    )}  # fmt: skip
    open_conflicts = dict(
        connection.execute(
            "SELECT household_id, count(*) FROM conflict WHERE state = 'open' GROUP BY household_id"
        ).fetchall()
    )
    pending: dict[str, set[str]] = defaultdict(set)
    for row in connection.execute(
        "SELECT DISTINCT household_id, state, outcome FROM outbox WHERE covered = 0"
    ):
        pending[row["household_id"]].add(
            HELD if row["outcome"] == "held" else SYNCED if row["state"] == "acked" else WAITING
        )
    listed = []
    for key, member_ids in of_household.items():
        household = records[key]
        if household.get("deleted"):
            continue
        members = [records[member] for member in member_ids if not records[member].get("deleted")]
        review = reviews.get(key)
        conflicts_here = open_conflicts.get(key, 0)
        state = _state(
            household,
            drafted=key in drafted,
            pending=pending.get(key, set()),
            review=review["state"] if review else None,
            conflicts=conflicts_here,
        )
        is_returned = bool(review and review["state"] == RETURNED and state in (RETURNED, DRAFT))
        row = HouseholdRow(
            id=key,
            village_code=household.get("village_code") or "",
            head_name=_head_name(household, members),
            address=" ".join(filter(None, (household.get("group_no"), household.get("address")))),
            phone=household.get("phone") or "",
            member_count=len(members),
            state=state,
            returned_count=max(1, review["comments"] or 0) if is_returned and review else 0,
            conflict_count=conflicts_here,
            survey_date=household.get("survey_date"),
        )
        listed.append(_Listed(row, tuple(m["name"] for m in members if m.get("name"))))
    return listed


def _lay_drafts(
    connection: sqlite3.Connection,
    records: dict[str, dict[str, Any]],
    of_household: dict[str, list[str]],
) -> set[str]:
    """Lay the drafts over the records read; return the households that have one."""
    drafted = set()
    for row in connection.execute(
        "SELECT record_id, kind, household_id, field, value FROM draft ORDER BY rowid"
    ):
        drafted.add(row["household_id"])
        if row["kind"] not in ("household", "member"):
            continue
        if row["record_id"] not in records:
            records[row["record_id"]] = {}
            if row["kind"] == "member":
                of_household.setdefault(row["household_id"], []).append(row["record_id"])
        if row["kind"] == "household":
            of_household.setdefault(row["record_id"], [])
        records[row["record_id"]][row["field"]] = json.loads(row["value"])
    # A household that exists elsewhere (another village) appears here by its drafts alone: without
    # its own row it is not listed.
    for key in [key for key in of_household if key not in records]:
        del of_household[key]
    return drafted


def _state(
    household: Mapping[str, Any],
    *,
    drafted: bool,
    pending: Iterable[str],
    review: str | None,
    conflicts: int,
) -> str:
    pending = set(pending)
    if drafted:
        return DRAFT
    for state in (WAITING, HELD):
        if state in pending:
            return state
    if SYNCED in pending:
        return CONFLICT if conflicts else SYNCED
    if review == RETURNED:
        return RETURNED
    if conflicts:
        return CONFLICT
    if review == "approved":
        return APPROVED
    if review == "in_review" or (review is None and household.get("survey_date")):
        return SYNCED
    return TO_VISIT


def _head_name(household: Mapping[str, Any], members: list[dict[str, Any]]) -> str:
    head = next((m for m in members if m.get("relation") == HEAD), None)
    if head is None:
        head = next((m for m in members if m.get("id") == household.get("head_member_id")), None)
    return (head or {}).get("name") or ""
