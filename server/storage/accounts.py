"""People, organisations and their credentials: sign-ins of offices and firms, keys of firms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from server.storage.engine import insert_or_add
from server.storage.tables import api_key, organisation, rate_count, user_account


@dataclass(frozen=True, slots=True)
class User:
    """A person who can sign in. `scope` is a division prefix; empty for a firm's user."""

    id: str
    login: str
    name: str
    role: str
    scope: str
    org_id: str | None = None

    @property
    def county(self) -> str | None:
        """Six digits of the one county that this person works for, None for a wider scope."""
        return self.scope[:6] if len(self.scope) >= 6 else None


@dataclass(frozen=True, slots=True)
class Firm:
    """An HR firm as its key identifies it. `counties` are those of its agreements."""

    org_id: str
    name: str
    counties: tuple[str, ...]


def _user(row: RowMapping) -> User:
    return User(row["id"], row["login"], row["name"], row["role"], row["scope"], row["org_id"])


def user_by_id(conn: Connection, user_id: str) -> tuple[User, str | None] | None:
    """Return an active user and his password hash."""
    query = select(user_account).where(user_account.c.id == user_id, user_account.c.active)
    row = conn.execute(query).mappings().first()
    return None if row is None else (_user(row), row["password_hash"])


def user_by_login(conn: Connection, login: str) -> tuple[User, str | None] | None:
    """Return an active user and his password hash."""
    query = select(user_account).where(user_account.c.login == login, user_account.c.active)
    row = conn.execute(query).mappings().first()
    return None if row is None else (_user(row), row["password_hash"])


def login_is_taken(conn: Connection, login: str) -> bool:
    """Tell whether a login exists, active or not."""
    query = select(user_account.c.id).where(user_account.c.login == login)
    return conn.execute(query).first() is not None


def add_user(
    conn: Connection,
    user: User,
    *,
    password_hash: str | None,
    now_ms: int,
    phone: str | None = None,
) -> None:
    """Add a person. A taken login raises IntegrityError."""
    conn.execute(
        insert(user_account).values(
            id=user.id,
            login=user.login,
            name=user.name,
            phone=phone,
            role=user.role,
            scope=user.scope,
            org_id=user.org_id,
            password_hash=password_hash,
            active=True,
            created_at_ms=now_ms,
        )
    )


def set_password_hash(conn: Connection, user_id: str, password_hash: str) -> None:
    """Replace a person's password hash; sessions that began with the old one end."""
    conn.execute(
        update(user_account).where(user_account.c.id == user_id).values(password_hash=password_hash)
    )


def user_names(conn: Connection, user_ids: set[str]) -> dict[str, str]:
    """Return the names of people by id."""
    if not user_ids:
        return {}
    query = select(user_account.c.id, user_account.c.name).where(user_account.c.id.in_(user_ids))
    return {row.id: row.name for row in conn.execute(query)}


def firm_by_key_hash(conn: Connection, key_hash: str, now_ms: int) -> Firm | None:
    """Return the active firm that a valid key belongs to."""
    query = (
        select(organisation.c.id, organisation.c.name, organisation.c.counties)
        .join(api_key, api_key.c.org_id == organisation.c.id)
        .where(
            api_key.c.key_hash == key_hash,
            api_key.c.expires_at_ms > now_ms,
            api_key.c.revoked_at_ms.is_(None),
            organisation.c.active,
        )
    )
    row = conn.execute(query).first()
    return None if row is None else Firm(row.id, row.name, tuple(row.counties))


def firm_of(conn: Connection, org_id: str) -> Firm | None:
    """Return an active organisation as a firm."""
    query = select(organisation).where(organisation.c.id == org_id, organisation.c.active)
    row = conn.execute(query).first()
    return None if row is None else Firm(row.id, row.name, tuple(row.counties))


def add_organisation(conn: Connection, values: dict[str, Any]) -> None:
    """Add an organisation; `values` are its columns."""
    conn.execute(insert(organisation).values(**values))


def add_api_key(conn: Connection, values: dict[str, Any]) -> None:
    """Add a firm's key; only its SHA-256 is stored."""
    conn.execute(insert(api_key).values(**values))


def end_api_keys(conn: Connection, org_id: str, *, now_ms: int) -> int:
    """Revoke every valid key of a firm; return how many."""
    done = conn.execute(
        update(api_key)
        .where(api_key.c.org_id == org_id, api_key.c.revoked_at_ms.is_(None))
        .values(revoked_at_ms=now_ms)
    )
    return done.rowcount


def count_call(conn: Connection, bucket: str, window: int) -> int:
    """Count one call in a bucket and window; return how many there were, this one included."""
    statement = insert_or_add(conn, rate_count, ["bucket", "window"], "count")
    row = conn.execute(statement, {"bucket": bucket, "window": window, "count": 1}).one()
    return int(row[0])


def calls_counted(conn: Connection, bucket: str, window: int) -> int:
    """Return how many calls a bucket has in a window."""
    query = select(rate_count.c.count).where(
        rate_count.c.bucket == bucket, rate_count.c.window == window
    )
    return int(conn.execute(query).scalar() or 0)


def forget_calls_before(conn: Connection, window: int, *, bucket: str) -> None:
    """Delete a bucket's counts of past windows."""
    conn.execute(
        delete(rate_count).where(rate_count.c.bucket == bucket, rate_count.c.window < window)
    )
