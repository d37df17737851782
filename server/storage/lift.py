"""Brings what is stored under the names of older schemas to today's (shared_schemas/upgrade.py).

The log of changes stays as it was written; whoever reads it lifts what he reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Connection,
    Table,
    Text,
    column,
    inspect,
    or_,
    select,
    text,
    type_coerce,
    update,
)

from server.storage.tables import conflict, labourer, record_tables, review
from shared_schemas.upgrade import LENSES, Lens, up

CHUNK = 5000


def lift_stored(conn: Connection) -> int:
    """Lift records, conflicts, reviews and the labour list; return how many records moved.

    Running it again does nothing, but for what a server of the older version wrote meanwhile.
    """
    count = 0
    for lens in LENSES:
        count += _lift_records(conn, lens)
        _lift_conflicts(conn, lens)
        _lift_reviews(conn, lens)
        _lift_cards(conn, lens)
    return count


def lift_row(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record's table row of any older schema with today's columns."""
    lifted = up(kind, row, 0)
    for lens in LENSES:
        if lens.kind == kind and lens.old in row:
            lifted["stamps"] = _restamped(lens, lifted["stamps"])
    return lifted


def _restamped(lens: Lens, stamps: list[Any]) -> list[Any]:
    eff_ms, incarnation, seq, exceptions = stamps
    renamed = {lens.new if name == lens.old else name: s for name, s in exceptions.items()}
    return [eff_ms, incarnation, seq, renamed]


def _lift_records(conn: Connection, lens: Lens) -> int:
    table = record_tables()[lens.kind]
    types = {found["name"]: found["type"] for found in inspect(conn).get_columns(table.name)}
    if lens.old not in types:
        return 0
    # The column is not declared any more; only the database knows of it.
    old = column(lens.old, types[lens.old])
    query = (
        select(table.c.county, table.c.id, table.c.stamps, table.c[lens.new], old)
        .select_from(table)
        .where(old.is_not(None))
        .limit(CHUNK)
    )
    quote = conn.dialect.identifier_preparer.quote
    empty = text(
        f"UPDATE {quote(table.name)} SET {quote(lens.old)} = NULL"  # noqa: S608 - names of columns
        " WHERE county = :county AND id = :id"
    )
    count = 0
    while rows := conn.execute(query).all():
        for county, record_id, stamps, present, value in rows:
            is_older = present is not None and not _newer(lens, stamps)
            values = {} if is_older else {lens.new: lens.up(value)}
            kept = [*stamps[:3], {k: s for k, s in stamps[3].items() if k != lens.old}]
            conn.execute(
                update(table)
                .where(table.c.county == county, table.c.id == record_id)
                .values(stamps=kept if is_older else _restamped(lens, stamps), **values)
            )
        conn.execute(empty, [{"county": row[0], "id": row[1]} for row in rows])
        count += len(rows)
    return count


def _newer(lens: Lens, stamps: list[Any]) -> bool:
    """Tell whether the older field was written after the one that took its place."""
    row, exceptions = stamps[:3], stamps[3]
    return bool(exceptions.get(lens.old, row)[2] > exceptions.get(lens.new, row)[2])


def _lift_conflicts(conn: Connection, lens: Lens) -> None:
    is_about = (conflict.c.kind == lens.kind) & (conflict.c.field == lens.old)
    for row in conn.execute(select(conflict).where(is_about)).mappings().all():
        values = {
            name: None if row[name] is None else lens.up(row[name])
            for name in ("ours", "theirs", "decided_value")
        }
        conn.execute(
            update(conflict)
            .where(conflict.c.county == row["county"], conflict.c.id == row["id"])
            .values(field=lens.new, **values)
        )


def _lift_reviews(conn: Connection, lens: Lens) -> None:
    names = ("comments", "hits", "approved_values")
    for row in conn.execute(
        select(review).where(or_(*(_mentions(review, name, lens.old) for name in names)))
    ).mappings().all():  # fmt: skip
        conn.execute(
            update(review)
            .where(review.c.county == row["county"], review.c.household_id == row["household_id"])
            .values(
                comments=[_renamed(lens, entry) for entry in row["comments"]],
                hits=[_renamed(lens, entry) for entry in row["hits"]],
                approved_values=row["approved_values"]
                and [[kind, rid, up(kind, v, 0)] for kind, rid, v in row["approved_values"]],
            )
        )


def _renamed(lens: Lens, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    is_about = entry.get("kind") == lens.kind and entry.get("field") == lens.old
    return {**entry, "field": lens.new} if is_about else entry


def _lift_cards(conn: Connection, lens: Lens) -> None:
    query = select(labourer.c.county, labourer.c.member_id, labourer.c.card)
    for row in conn.execute(query.where(_mentions(labourer, "card", lens.old))).all():
        conn.execute(
            update(labourer)
            .where(labourer.c.county == row.county, labourer.c.member_id == row.member_id)
            .values(card=up(lens.kind, row.card, 0))
        )


def _mentions(table: Table, name: str, field: str) -> Any:
    return type_coerce(table.c[name], Text).contains(json.dumps(field), autoescape=True)
