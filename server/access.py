"""Who may call a route, and who is calling.

Every view names its audience with `@audience(...)`; a view that names none is closed to everybody
(and a test fails). The check runs before anything of the request's body is read. Inside a view,
`current_user()`, `current_device()` and `current_firm()` say who it is.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from flask import Flask, current_app, g, request
from flask_login import LoginManager, login_user, logout_user
from flask_login import current_user as _session_user
from sqlalchemy import Engine

from server.services.enrol import hash_token
from server.settings import Settings
from server.storage.accounts import (
    Firm,
    User,
    count_call,
    firm_by_key_hash,
    forget_calls_before,
    user_by_id,
)
from server.storage.devices import Device, device_by_token_hash
from server.storage.engine import counting, reading
from shared_schemas.errors import ChushanError
from shared_schemas.ids import household_id

__all__ = [
    "Device",
    "Firm",
    "Server",
    "User",
    "audience",
    "current_device",
    "current_firm",
    "current_user",
    "log_in",
    "log_out",
    "maybe_user",
    "server",
]

PEOPLE = frozenset({"cadre", "township", "county", "prefecture", "station", "hr_firm", "admin"})
AUDIENCES = PEOPLE | {"public", "loopback", "device", "lost_device", "firm_key", "signed_in"}
"""`lost_device`: a revoked phone may still ask how far its changes came and push the rest, so that
nothing captured is lost; all of it is held."""

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Server:
    """What views need besides the request: database, settings, key, clock and random ids."""

    engine: Engine
    settings: Settings
    secret_key: str
    clock: Callable[[], int]

    def now_ms(self) -> int:
        """Return the time, UTC epoch milliseconds."""
        return self.clock()

    def today(self) -> str:
        """Return the ISO date where the county is."""
        zone = ZoneInfo(self.settings.timezone)
        return dt.datetime.fromtimestamp(self.clock() / 1000, zone).date().isoformat()

    def new_id(self) -> str:
        """Return a random id of 13 base32 characters."""
        return household_id(secrets.randbits(64))


def wall_clock() -> int:
    """Return the time of this machine, UTC epoch milliseconds."""
    return time.time_ns() // 1_000_000


def server() -> Server:
    """Return the server that the present request is served by."""
    found: Server = current_app.extensions["chushan"]
    return found


def audience(*who: str) -> Callable[[View], View]:
    """Declare who may call a view: the outermost decorator below the route.

    `public`, `loopback`, `device`, `lost_device`, `firm_key`, `signed_in` (any person) or people's
    roles.
    """
    unknown = set(who) - AUDIENCES
    if unknown or not who:
        raise ValueError(f"no such audience: {sorted(unknown)}")

    def declare(view: View) -> View:
        view.audience = frozenset(who)  # type: ignore[attr-defined]
        return view

    return declare


def audience_of(view: Any) -> frozenset[str]:
    """Return the declared audience of a view, empty when it has none."""
    found: frozenset[str] = getattr(view, "audience", frozenset())
    return found


def current_user() -> User:
    """Return the person who is signed in; ChushanError sign_in_needed when nobody is."""
    user = maybe_user()
    if user is None:
        raise ChushanError("sign_in_needed")
    return user


def maybe_user() -> User | None:
    """Return the person who is signed in, or None."""
    return _session_user.user if _session_user.is_authenticated else None


def current_device() -> Device:
    """Return the phone that calls."""
    if "device" not in g:
        raise ChushanError("bad_token")
    device: Device = g.device
    return device


def current_firm() -> Firm:
    """Return the firm whose key calls."""
    if "firm" not in g:
        raise ChushanError("bad_token")
    firm: Firm = g.firm
    return firm


def log_in(user: User, password_hash: str | None) -> None:
    """Begin a session of a person whose password was right."""
    login_user(_SignedIn(user, password_hash))


def log_out() -> None:
    """End the session."""
    logout_user()


class _SignedIn:
    """A person's session, as Flask-Login wants it. It ends when the password changes."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, user: User, password_hash: str | None) -> None:
        self.user = user
        self.password_hash = password_hash

    def get_id(self) -> str:
        """Return the session's name: whom it belongs to and under which password it began."""
        mark = hashlib.blake2b((self.password_hash or "").encode(), digest_size=8).hexdigest()
        return f"{self.user.id}.{mark}"


def prepare_access(app: Flask) -> None:
    """Make the app check each request's audience before its view runs."""
    sessions = LoginManager()
    sessions.session_protection = None  # offices share addresses behind a proxy that changes them
    sessions.user_loader(_load_session)
    sessions.init_app(app)
    app.before_request(_check_audience)


def _load_session(name: str) -> _SignedIn | None:
    with reading(server().engine) as conn:
        found = user_by_id(conn, name.partition(".")[0])
    if found is None:
        return None
    session = _SignedIn(*found)
    return session if secrets.compare_digest(session.get_id(), name) else None


def _check_audience() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None:
        return  # no such route or method: the error of its own
    wanted = audience_of(view)
    if "public" in wanted:
        return
    if "loopback" in wanted and _is_loopback():
        return
    if wanted & {"device", "lost_device"}:
        _admit_device(wanted)
        return
    if "firm_key" in wanted and request.headers.get("Authorization"):
        _admit_firm()
        return
    if wanted & (PEOPLE | {"signed_in"}):
        user = current_user()
        if "signed_in" in wanted or user.role in wanted:
            return
        raise ChushanError("forbidden")
    raise ChushanError("bad_token" if "firm_key" in wanted else "forbidden")


def _is_loopback() -> bool:
    # A reverse proxy on this machine calls from loopback for somebody else, and says for whom.
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def _bearer() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise ChushanError("bad_token")
    return token.strip()


def _admit_device(wanted: frozenset[str]) -> None:
    token_hash = hash_token(_bearer())
    with reading(server().engine) as conn:
        device = device_by_token_hash(conn, token_hash)
    if device is None:
        raise ChushanError("bad_token")
    if device.state != "active" and "lost_device" not in wanted:
        raise ChushanError("device_revoked")
    limit_calls(f"device {device.id}")
    g.device = device


def _admit_firm() -> None:
    key_hash = hash_token(_bearer())
    with reading(server().engine) as conn:
        firm = firm_by_key_hash(conn, key_hash, server().now_ms())
    if firm is None:
        raise ChushanError("bad_token")
    limit_calls(f"firm {firm.org_id}")
    g.firm = firm


def limit_calls(bucket: str, *, most: int | None = None, window_s: int = 60) -> None:
    """Count a call; ChushanError limit_reached with `retry_after_s` when there were too many."""
    here = server()
    now_s = here.now_ms() // 1000
    window, spent_s = divmod(now_s, window_s)
    with counting(here.engine) as conn:
        count = count_call(conn, bucket, window)
        if count == 1:
            forget_calls_before(conn, window - 1, bucket=bucket)
    if count > (here.settings.requests_per_minute if most is None else most):
        raise ChushanError("limit_reached", retry_after_s=window_s - spent_s)
