"""SQL of the roster import: runs, faults, and what the last roster said of each record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from server.storage.engine import upsert
from server.storage.tables import record_tables, roster_fault, roster_import, roster_row


@dataclass(frozen=True, slots=True)
class Known:
    """A record as the import has to know it: what stands and what the last roster said.

    `seq` is that at which the last roster said it, 0 when no roster ever spoke of the record.
    `born_ms` is the effective time of the record's first writing.
    """

    id: str
    household_id: str
    values: Mapping[str, Any]
    said: Mapping[str, Any]
    seq: int
    born_ms: int


def add_import(conn: Connection, values: Mapping[str, Any]) -> None:
    """Note that an import begins."""
    conn.execute(insert(roster_import), [dict(values)])


def update_import(conn: Connection, county: str, import_id: str, values: Mapping[str, Any]) -> None:
    """Note how far an import has come."""
    conn.execute(
        update(roster_import)
        .where(roster_import.c.county == county, roster_import.c.id == import_id)
        .values(dict(values))
    )


def import_of(conn: Connection, county: str, import_id: str) -> Row[Any] | None:
    """Return one run of the import, None when the county has none with that id."""
    query = select(roster_import).where(
        roster_import.c.county == county, roster_import.c.id == import_id
    )
    return conn.execute(query).first()


def imports_of(conn: Connection, county: str, *, limit: int = 50) -> list[Row[Any]]:
    """Return the runs of a county, newest first."""
    query = (
        select(roster_import)
        .where(roster_import.c.county == county)
        .order_by(roster_import.c.started_at_ms.desc(), roster_import.c.id)
        .limit(limit)
    )
    return list(conn.execute(query).all())


def mark_broken_off(conn: Connection, county: str, sha256: str) -> None:
    """Mark runs of the same file that were killed: the run that begins now does their work."""
    conn.execute(
        update(roster_import)
        .where(
            roster_import.c.county == county,
            roster_import.c.sha256 == sha256,
            roster_import.c.state == "running",
        )
        .values(state="broken_off")
    )


def add_faults(
    conn: Connection, county: str, import_id: str, faults: Iterable[Mapping[str, Any]]
) -> None:
    """Keep what could not be read: {row_no, column_no, heading, value, reason}."""
    rows = [{"county": county, "import_id": import_id, **fault} for fault in faults]
    if rows:
        conn.execute(insert(roster_fault), rows)


def faults_of(
    conn: Connection, county: str, import_id: str, *, limit: int | None = None
) -> list[Row[Any]]:
    """Return the faults of a run in the order of the sheet."""
    query = (
        select(roster_fault)
        .where(roster_fault.c.county == county, roster_fault.c.import_id == import_id)
        .order_by(roster_fault.c.row_no, roster_fault.c.column_no)
        .limit(limit)
    )
    return list(conn.execute(query).all())


def count_faults(conn: Connection, county: str, import_id: str) -> int:
    """Return how many faults a run has."""
    query = select(func.count()).where(
        roster_fault.c.county == county, roster_fault.c.import_id == import_id
    )
    return int(conn.execute(query).scalar_one())


def households_known(
    conn: Connection, county: str, registry_nos: Sequence[str], ids: Sequence[str]
) -> list[Known]:
    """Return the households with one of these register numbers or ids, void ones included."""
    table = record_tables()["household"]
    wanted = table.c.registry_no.in_(registry_nos) | table.c.id.in_(ids)
    return _known(conn, county, "household", wanted, ("registry_no", "deleted"))


def members_known(
    conn: Connection, county: str, household_ids: Sequence[str], names: Sequence[str]
) -> list[Known]:
    """Return the members of households with the values of `names`, void ones included."""
    table = record_tables()["member"]
    return _known(conn, county, "member", table.c.household_id.in_(household_ids), names)


def _known(
    conn: Connection, county: str, kind: str, wanted: Any, names: Sequence[str]
) -> list[Known]:
    table = record_tables()[kind]
    household = table.c.id if kind == "household" else table.c.household_id
    query = (
        select(
            table.c.id,
            household,
            table.c.stamps,
            roster_row.c["values"],
            roster_row.c.seq,
            *(table.c[name].label(f"v_{name}") for name in names),
        )
        .outerjoin(
            roster_row,
            (roster_row.c.county == table.c.county)
            & (roster_row.c.kind == kind)
            & (roster_row.c.record_id == table.c.id),
        )
        .where(table.c.county == county, wanted)
        .order_by(table.c.id)
    )
    return [
        Known(
            id=row[0],
            household_id=row[1],
            values={n: v for n, v in zip(names, row[5:], strict=True) if v is not None},
            said=row[3] or {},
            seq=row[4] or 0,
            born_ms=row[2][0],
        )
        for row in conn.execute(query)
    ]


def put_roster_rows(conn: Connection, county: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Keep what this roster said: {kind, record_id, values, seq}."""
    listed = [{"county": county, **row} for row in rows]
    if listed:
        conn.execute(upsert(conn, roster_row, ["county", "kind", "record_id"]), listed)
