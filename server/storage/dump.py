"""Every table as rows of plain JSON values: what a backup holds, the same for both databases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select

from server.storage.tables import handover_piece, metadata, rate_count, record_tables

Row = Mapping[str, Any]

_PASSING = (rate_count, handover_piece)
"""Counts of calls and half-arrived files are not worth keeping: a phone asks how much has come."""


def dumped_tables() -> dict[str, Table]:
    """Return the tables that a backup holds, by name."""
    fixed = {table.name: table for table in metadata.sorted_tables if table not in _PASSING}
    return {**fixed, **record_tables()}


def rows_of(conn: Connection, table: Table) -> Iterator[dict[str, Any]]:
    """Yield every row of a table in the order of its key."""
    query = select(table).order_by(*table.primary_key.columns)
    result = conn.execution_options(yield_per=500).execute(query)
    for row in result.mappings():
        yield {name: value for name, value in row.items() if value is not None}


def add_rows(conn: Connection, table: Table, rows: Iterable[Row]) -> int:
    """Add rows to a table; return how many. KeyError names a column that the table does not have."""
    added = 0
    names = [column.name for column in table.columns]
    batch: list[dict[str, Any]] = []
    for row in rows:
        unknown = set(row) - set(names)
        if unknown:
            raise KeyError(f"{table.name}.{sorted(unknown)[0]}")
        batch.append({name: row.get(name) for name in names})
        added += 1
        if len(batch) == 500:
            conn.execute(insert(table), batch)
            batch = []
    if batch:
        conn.execute(insert(table), batch)
    return added


def holds_records(conn: Connection) -> bool:
    """Tell whether the database holds anything that a restore would overwrite."""
    return any(
        conn.execute(select(func.count()).select_from(table)).scalar_one() > 0
        for name, table in dumped_tables().items()
        if name not in ("meta", "division")
    )


def delete_everything(conn: Connection) -> None:
    """Delete every row of every table."""
    for table in (*dumped_tables().values(), *_PASSING):
        conn.execute(delete(table))
