"""Records as they stand: one row each, its values in the declared columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, Table, bindparam, select, update

from server.storage.engine import in_county, insert_many
from server.storage.tables import JsonText, record_tables, to_json_text
from shared_schemas.fields import Value
from shared_schemas.records import record_kind, record_kinds

Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as stored. `extra` holds fields that this server does not know."""

    kind: str
    id: str
    seq: int
    village_code: str | None
    stamps: list[Any]
    values: Values
    extra: Values = field(default_factory=dict)

    @property
    def household_id(self) -> str:
        """Id of the household that the record belongs to, or is."""
        return self.id if self.kind == "household" else str(self.values.get("household_id") or "")


_HEAD = ("county", "id", "seq", "stamps", "extra", "village_code")


@cache
def _value_columns(kind: str, table: Table) -> tuple[str, ...]:
    return tuple(name for name in record_kind(kind).fields if name in table.c)


def _records(
    conn: Connection, county: str, kind: str, key: str, ids: Collection[str], *, lock: bool = False
) -> list[StoredRecord]:
    table = record_tables()[kind]
    names = _value_columns(kind, table)
    rows = conn.execute(_select(kind, table, key, lock), {"county": county, "ids": ids})
    return [
        StoredRecord(
            kind=kind,
            id=row[0],
            seq=row[1],
            stamps=row[2],
            extra=row[3] or {},
            village_code=row[4],
            values={
                name: value for name, value in zip(names, row[5:], strict=True) if value is not None
            },
        )
        for row in rows
    ]


@cache
def _select(kind: str, table: Table, key: str, lock: bool) -> Select[Any]:
    head = [table.c[name] for name in _HEAD[1:]]
    values = [table.c[name].label(f"v_{name}") for name in _value_columns(kind, table)]
    query = select(*head, *values).where(in_county(table.c[key], "ids")).order_by(table.c.id)
    return query.with_for_update() if lock else query


def records_by_id(
    conn: Connection, county: str, kind: str, ids: Collection[str], *, lock: bool = False
) -> dict[str, StoredRecord]:
    """Return the records of a kind that have one of these ids; `lock` as in `lock_households`."""
    if not ids:
        return {}
    found = _records(conn, county, kind, "id", ids, lock=lock)
    return {record.id: record for record in found}


def records_of_households(
    conn: Connection, county: str, household_ids: Collection[str]
) -> list[StoredRecord]:
    """Return every record of these households, households first, void ones included."""
    if not household_ids:
        return []
    found: list[StoredRecord] = []
    for kind in record_kinds():
        key = "id" if kind.name == "household" else "household_id"
        found += _records(conn, county, kind.name, key, household_ids)
    return found


def lock_households(conn: Connection, county: str, household_ids: Collection[str]) -> None:
    """Make other writers of these households wait until the commit.

    Needed on PostgreSQL before a bundle is read to be changed; on SQLite there is one writer.
    Several are locked in the order of their ids, so that two writers cannot wait for each other.
    """
    if conn.dialect.name == "sqlite" or not household_ids:
        return
    query = _lock(record_tables()["household"])
    conn.execute(query, {"county": county, "ids": household_ids}).all()


@cache
def _lock(table: Table) -> Select[Any]:
    return (
        select(table.c.id)
        .where(in_county(table.c.id, "ids"))
        .order_by(table.c.id)
        .with_for_update()
    )


def households_with(
    conn: Connection, county: str, kind: str, column: str, wanted: Collection[str]
) -> list[tuple[str, str, str | None]]:
    """Return (value, household id, village) of the records that have a wanted value in a column.

    Void records do not count.
    """
    if not wanted:
        return []
    query = _households_with(record_tables()[kind], column)
    rows = conn.execute(query, {"county": county, "wanted": wanted})
    return [(row[0], row[1], row[2]) for row in rows]


@cache
def _households_with(table: Table, column: str) -> Select[Any]:
    household = table.c.id if table.name == "household" else table.c.household_id
    return select(table.c[column], household, table.c.village_code).where(
        in_county(table.c[column], "wanted"),
        table.c.deleted.is_not(True),
    )


def write_records(
    conn: Connection, county: str, *, new: Iterable[StoredRecord], changed: Iterable[StoredRecord]
) -> None:
    """Write records as they now stand. A new one whose id exists raises IntegrityError."""
    for kind, rows in _by_kind(new).items():
        table = record_tables()[kind]
        names = (*_HEAD, *_new_columns(kind, table))
        insert_many(conn, table, names, [_ready_row(county, r, table) for r in rows])
    for kind, rows in _by_kind(changed).items():
        conn.execute(_update(kind, record_tables()[kind]), [_changed_row(county, r) for r in rows])


def _by_kind(records: Iterable[StoredRecord]) -> dict[str, list[StoredRecord]]:
    found: dict[str, list[StoredRecord]] = {}
    for record in records:
        found.setdefault(record.kind, []).append(record)
    return found


@cache
def _new_columns(kind: str, table: Table) -> tuple[str, ...]:
    return tuple(name for name in _value_columns(kind, table) if name not in _HEAD)


@cache
def _json_columns(kind: str, table: Table) -> frozenset[str]:
    names = _value_columns(kind, table)
    return frozenset(name for name in names if isinstance(table.c[name].type, JsonText))


def _ready_row(county: str, record: StoredRecord, table: Table) -> list[Any]:
    """Return a new record's row as the driver takes it."""
    values: Mapping[str, Any] = record.values
    texts = {
        name: to_json_text(values[name])
        for name in _json_columns(record.kind, table) & values.keys()
    }
    ready = {**values, **texts} if texts else values
    return [
        county,
        record.id,
        record.seq,
        to_json_text(record.stamps),
        to_json_text(record.extra) if record.extra else None,
        record.village_code,
        *map(ready.get, _new_columns(record.kind, table)),
    ]


def _row(county: str, record: StoredRecord) -> dict[str, Any]:
    names = _value_columns(record.kind, record_tables()[record.kind])
    values: dict[str, Any] = dict.fromkeys(names)
    values.update(record.values)
    values["county"] = county
    values["id"] = record.id
    values["seq"] = record.seq
    values["stamps"] = record.stamps
    values["extra"] = record.extra or None
    values["village_code"] = record.village_code
    return values


def _changed_row(county: str, record: StoredRecord) -> dict[str, Any]:
    row = _row(county, record)
    row["b_county"] = row.pop("county")
    row["b_id"] = row.pop("id")
    return row


@cache
def _update(kind: str, table: Table) -> Any:
    names = {*_value_columns(kind, table), *_HEAD[2:]}
    return (
        update(table)
        .where(table.c.county == bindparam("b_county"), table.c.id == bindparam("b_id"))
        .values({name: bindparam(name) for name in names})
    )


def pairs(records: Sequence[StoredRecord]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return records as (kind, record) pairs for `shared_schemas.bundle.bundle_of`."""
    return [(record.kind, {**record.values, "id": record.id}) for record in records]
