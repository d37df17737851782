"""Who did what, when, to which record and why: one row for each act of a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert

from server.storage.tables import audit


def add_audit(
    conn: Connection,
    county: str,
    *,
    id: str,
    at_ms: int,
    actor: str,
    action: str,
    target_kind: str | None = None,
    target_id: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add an act. `detail` holds ids, counts and the person's reason, never personal data."""
    conn.execute(
        insert(audit).values(
            county=county,
            id=id,
            at_ms=at_ms,
            actor=actor,
            action=action,
            target_kind=target_kind,
            target_id=target_id,
            detail=None if detail is None else dict(detail),
        )
    )
