"""Enrols phones: a one-time code from the county becomes a device with its token."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from urllib.parse import quote

from sqlalchemy import Connection

from server.services.scope import county_of_scope, scope_prefix
from server.storage.devices import (
    Device,
    Enrolment,
    add_device,
    add_enrolment,
    begin_incarnation,
    give_incarnation,
    set_device_scope,
    use_enrolment,
)
from server.storage.divisions import place_names
from shared_schemas.errors import ChushanError

VALID_HOURS = 72
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford base32: no I, L, O, U
_MISREAD = str.maketrans("ILOU", "110V")


def make_enrolment(
    conn: Connection, *, user_id: str, scope: str, made_by: str | None, now_ms: int
) -> str:
    """Return a new code, `XXXX-XXXX`, valid once within 72 hours, for a cadre and his scope.

    ChushanError bad_query where the scope is wider than a county.
    """
    scope = scope_prefix(scope)
    county = county_of_scope(scope)
    if county is None:
        raise ChushanError("bad_query", detail="a phone's scope lies within one county")
    code = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    add_enrolment(
        conn,
        Enrolment(county, user_id, scope),
        code_hash=_hash(code),
        made_by=made_by,
        expires_at_ms=now_ms + VALID_HOURS * 3_600_000,
    )
    return f"{code[:4]}-{code[4:]}"


def enrolment_text(public_url: str, code: str) -> str:
    """Return what the QR code says; the phone takes it typed or pasted as well."""
    return f"chushan:enrol?server={quote(public_url, safe='')}&code={code}"


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A new device and its token, which is told once and stored only as a hash."""

    device: Device
    token: str


def enrol_device(
    conn: Connection,
    *,
    code: str,
    incarnation: str,
    label: str,
    app_version: str,
    device_id: str,
    now_ms: int,
) -> Enrolled:
    """Use up a code; ChushanError enrolment_expired where it is unknown, used or too old."""
    granted = use_enrolment(conn, _hash(code), now_ms)
    if granted is None:
        raise ChushanError("enrolment_expired")
    token = secrets.token_urlsafe(32)
    device = Device(
        id=device_id,
        county=granted.county,
        user_id=granted.user_id,
        scope=granted.scope,
        label=label,
        state="active",
        app_version=app_version,
    )
    add_device(conn, device, token_hash=hash_token(token), now_ms=now_ms)
    begin_incarnation(conn, granted.county, incarnation, device_id, now_ms)
    give_incarnation(conn, granted.county, incarnation, device_id, user_id=granted.user_id)
    return Enrolled(device, token)


def reassign_device(conn: Connection, device: Device, scope: str) -> str:
    """Give a phone another scope within its county; return its prefix.

    The phone learns of it at its next sync: it fetches the new villages and lets go of the old ones,
    but for households with work in them that the county has not taken in. ChushanError bad_query
    where the place is unknown or not of this county.
    """
    prefix = scope_prefix(scope)
    is_known = prefix.ljust(12, "0") in place_names(conn, [prefix.ljust(12, "0")])
    if county_of_scope(prefix) != device.county or not is_known:
        raise ChushanError("bad_query", detail="a place of this county")
    set_device_scope(conn, device.county, device.id, prefix)
    return prefix


def hash_token(token: str) -> str:
    """Return what is stored of a token or key. It is random, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def _hash(code: str) -> str:
    plain = "".join(c for c in code.upper().translate(_MISREAD) if c.isalnum())
    return hash_token(plain)
