"""What the county does with held changes: apply them after all, or close them with a reason.

One by one, or all of one phone and reason together: then in batches of a bounded size, each in a
transaction of its own, so that neither the phones nor the county wait long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from server.services.apply_changes import Applied, apply_held
from server.services.review import county_author
from server.services.scope import in_scope
from server.storage.accounts import User
from server.storage.audit import add_audit
from server.storage.changes import (
    HeldBy,
    LoggedChange,
    change_by_key,
    dismiss_held,
    held_by_keys,
    held_keys,
)
from shared_schemas.changes import HeldReason, Outcome
from shared_schemas.errors import ChushanError

APPLIED, CLOSED = "held_applied", "held_closed"

APPLICABLE = frozenset(
    {
        HeldReason.OUT_OF_SCOPE,
        HeldReason.DEVICE_REVOKED,
        HeldReason.RECORD_VOID,
        HeldReason.MISSING_HOUSEHOLD,
    }
)
"""Reasons for which a person may decide otherwise. What is not understood or invalid cannot be applied."""

BATCH = 100
"""Changes of one transaction."""

Key = tuple[str, int]


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
    [*applied] = _apply(conn, county, [held], user=user, now_ms=now_ms, new_id=new_id)
    if not applied:
        raise ChushanError("wrong_state")
    return applied[0]


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
    said = _said(reason)
    held = _held(conn, county, incarnation, n, user)
    if not _close(conn, county, [held], said, user=user, now_ms=now_ms, new_id=new_id):
        raise ChushanError("wrong_state")


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a batch. `last` is the key to go on after; None when nothing was left."""

    done: int
    still_held: int
    last: Key | None


def settle_batch(
    conn: Connection,
    county: str,
    which: HeldBy,
    *,
    close_with: str | None,
    after: Key | None,
    user: User,
    now_ms: int,
    new_id: Callable[[], str],
) -> Settled:
    """Apply the next held changes of a phone or a reason, or close them with the county's words.

    Call it again with `after` until `last` is None.
    """
    said = None if close_with is None else _said(close_with)
    if said is None and which.reason not in APPLICABLE:
        raise ChushanError("wrong_state")
    keys = held_keys(conn, county, which, after=after, limit=BATCH)
    held = held_by_keys(conn, county, keys)
    if said is not None:
        done = _close(conn, county, held, said, user=user, now_ms=now_ms, new_id=new_id)
        return Settled(done, 0, keys[-1] if keys else None)
    applied = _apply(conn, county, held, user=user, now_ms=now_ms, new_id=new_id)
    still = sum(one.outcome is Outcome.HELD for one in applied)
    return Settled(len(applied) - still, still, keys[-1] if keys else None)


def _apply(
    conn: Connection,
    county: str,
    held: Sequence[LoggedChange],
    *,
    user: User,
    now_ms: int,
    new_id: Callable[[], str],
) -> list[Applied]:
    keys = [(one.incarnation, one.change.n) for one in held]
    applied = apply_held(conn, county, keys, by=county_author(county, user), now_ms=now_ms)
    if len(applied) < len(held):
        return []  # somebody else settled it meanwhile
    for one, came in zip(held, applied, strict=True):
        add_audit(conn, county, id=new_id(), at_ms=now_ms, actor=user.id, action=APPLIED,
                  target_kind=one.change.kind, target_id=one.change.record_id[:13],
                  detail={"incarnation": one.incarnation, "n": one.change.n,
                          "outcome": came.outcome.value})  # fmt: skip
    return applied


def _close(
    conn: Connection,
    county: str,
    held: Sequence[LoggedChange],
    said: str,
    *,
    user: User,
    now_ms: int,
    new_id: Callable[[], str],
) -> int:
    done = 0
    for one in held:
        n = one.change.n
        if dismiss_held(conn, county, one.incarnation, n, said, by=user.id, now_ms=now_ms):
            add_audit(conn, county, id=new_id(), at_ms=now_ms, actor=user.id, action=CLOSED,
                      target_kind=one.change.kind, target_id=one.change.record_id[:13],
                      detail={"incarnation": one.incarnation, "n": n, "reason": said})  # fmt: skip
            done += 1
    return done


def _said(reason: str) -> str:
    if not reason.strip():
        raise ChushanError("invalid_values", "请写明不采用的原因")
    return reason.strip()[:200]


def _held(conn: Connection, county: str, incarnation: str, n: int, user: User) -> LoggedChange:
    """Return a change that the person may deal with; a place that nobody knows is the county's."""
    logged = change_by_key(conn, county, incarnation, n)
    whole_county = len(user.scope) <= 6
    if logged is None or not (whole_county or in_scope(logged.village_code, user.scope)):
        raise ChushanError("not_found")
    return logged
