"""What the county does with a held change: apply it after all, or close it with a reason."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from server.services.apply_changes import Applied, apply_held
from server.services.review import county_author
from server.services.scope import in_scope
from server.storage.accounts import User
from server.storage.audit import add_audit
from server.storage.changes import LoggedChange, change_by_key, dismiss_held
from shared_schemas.errors import ChushanError

APPLIED, CLOSED = "held_applied", "held_closed"


def apply_held_change(
    conn: Connection,
    county: str,
    incarnation: str,
    n: int,
    *,
    user: User,
    now_ms: int,
    new_id: Callable[[], str],
) -> Applied:
    """Apply a held change as its author's edit; the scope and the phone's state are not asked again.

    It stays held (outcome "held" with its reason) when its values are still invalid or its household
    is missing. ChushanError wrong_state when nobody waits for it any more.
    """
    held = _held(conn, county, incarnation, n, user)
    applied = apply_held(
        conn, county, incarnation, n, by=county_author(county, user), now_ms=now_ms
    )
    if applied is None:
        raise ChushanError("wrong_state")
    add_audit(conn, county, id=new_id(), at_ms=now_ms, actor=user.id, action=APPLIED,
              target_kind=held.change.kind, target_id=held.change.record_id[:13],
              detail={"incarnation": incarnation, "n": n,
                      "outcome": applied.outcome.value})  # fmt: skip
    return applied


def close_held_change(
    conn: Connection,
    county: str,
    incarnation: str,
    n: int,
    reason: str,
    *,
    user: User,
    now_ms: int,
    new_id: Callable[[], str],
) -> None:
    """Close a held change without applying it; it stays in the log, and its author reads the reason."""
    if not reason.strip():
        raise ChushanError("invalid_values", "请写明不采用的原因")
    held = _held(conn, county, incarnation, n, user)
    if not dismiss_held(conn, county, incarnation, n, reason.strip(), by=user.id, now_ms=now_ms):
        raise ChushanError("wrong_state")
    add_audit(conn, county, id=new_id(), at_ms=now_ms, actor=user.id, action=CLOSED,
              target_kind=held.change.kind, target_id=held.change.record_id[:13],
              detail={"incarnation": incarnation, "n": n, "reason": reason.strip()})  # fmt: skip


def _held(conn: Connection, county: str, incarnation: str, n: int, user: User) -> LoggedChange:
    """Return a change that the person may deal with; a place that nobody knows is the county's."""
    logged = change_by_key(conn, county, incarnation, n)
    whole_county = len(user.scope) <= 6
    if logged is None or not (whole_county or in_scope(logged.village_code, user.scope)):
        raise ChushanError("not_found")
    return logged
