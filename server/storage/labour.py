"""SQL of the labour list: labourers, pulls, holds and reveals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from server.storage.tables import labourer

CHUNK = 500
"""Ids in one IN list: well under the parameter limits of both databases."""


def replace_labourers(
    conn: Connection, county: str, household_ids: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Put `rows` in place of all labourers of these households."""
    for start in range(0, len(household_ids), CHUNK):
        conn.execute(
            delete(labourer).where(
                labourer.c.county == county,
                labourer.c.household_id.in_(household_ids[start : start + CHUNK]),
            )
        )
    if rows:
        conn.execute(insert(labourer), list(rows))


def listed_labourers(conn: Connection, county: str, household_ids: Sequence[str]) -> list[Row[Any]]:
    """Return (member_id, household_id, gone, share_hr) of those who could stand on a list."""
    found: list[Row[Any]] = []
    for start in range(0, len(household_ids), CHUNK):
        found += conn.execute(
            select(
                labourer.c.member_id,
                labourer.c.household_id,
                labourer.c.gone,
                labourer.c.share_hr,
            ).where(
                labourer.c.county == county,
                labourer.c.household_id.in_(household_ids[start : start + CHUNK]),
                labourer.c.share_hr,
                ~labourer.c.gone,
            )
        ).all()
    return found


def restrict_labourers(conn: Connection, county: str, taken: Sequence[Mapping[str, Any]]) -> None:
    """Set `gone` and `share_hr` of labourers: {b_member_id, b_gone, b_share_hr}."""
    if not taken:
        return
    conn.execute(
        update(labourer)
        .where(labourer.c.county == county, labourer.c.member_id == bindparam("b_member_id"))
        .values(gone=bindparam("b_gone"), share_hr=bindparam("b_share_hr")),
        list(taken),
    )
