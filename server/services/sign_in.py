"""Passwords of people: how they are kept, checked, and slowed down when guessed."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection

from server.storage.accounts import (
    User,
    calls_counted,
    count_call,
    set_password_hash,
    user_by_login,
)
from shared_schemas.errors import ChushanError

WINDOW_S = 15 * 60
SHORTEST_PASSWORD = 10
_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """Return what is stored of a password; ChushanError invalid_values for a short one."""
    if len(password) < SHORTEST_PASSWORD:
        raise ChushanError("invalid_values", detail=f"at least {SHORTEST_PASSWORD} characters")
    return _hasher.hash(password)


def check_sign_in(
    conn: Connection, login: str, password: str, *, now_ms: int, attempts: int
) -> tuple[User, str] | None:
    """Return the person and his password hash, or None where login or password is wrong.

    `conn` may write: a wrong attempt is counted (let the transaction commit). ChushanError
    limit_reached after `attempts` wrong ones for a login within 15 minutes; then not even the
    right password helps. An unknown login takes as long as a known one.
    """
    window, spent_s = divmod(now_ms // 1000, WINDOW_S)
    bucket = f"sign-in {login.strip().lower()}"[:80]
    if calls_counted(conn, bucket, window) >= attempts:
        raise ChushanError("limit_reached", retry_after_s=WINDOW_S - spent_s)
    found = user_by_login(conn, login.strip())
    user, stored = found if found else (None, None)
    if not _verify(stored or _nobodys_hash(), password) or user is None or stored is None:
        count_call(conn, bucket, window)
        return None
    if _hasher.check_needs_rehash(stored):
        stored = _hasher.hash(password)
        set_password_hash(conn, user.id, stored)
    return user, stored


def _verify(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return _hasher.hash("no account has this password")
