"""Tells a phone what it needs to know before it syncs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from server.storage.changes import stored_outcomes
from server.storage.devices import Device, incarnation_of
from server.storage.divisions import places_within
from server.storage.meta import epoch_of
from shared_schemas import SCHEMA_VERSION
from shared_schemas.protocol import PROTOCOL


def say_hello(conn: Connection, device: Device, incarnation: str, *, now_ms: int) -> dict[str, Any]:
    """Return the answer as `messages.HelloAnswer` describes it.

    An incarnation that is another phone's counts as unheard of: pushing under it is refused as
    forked.
    """
    known = incarnation_of(conn, device.county, incarnation)
    acked = known.acked_n if known and known.device_id == device.id else 0
    last = stored_outcomes(conn, device.county, incarnation, acked, acked).get(acked)
    return {
        "protocol": PROTOCOL,
        "schema": SCHEMA_VERSION,
        "epoch": epoch_of(conn),
        "now_ms": now_ms,
        "county": device.county,
        "scope": device.scope,
        "cadre": device.cadre,
        "office_phone": device.cadre_phone,
        "acked": acked,
        "acked_hash": last.hash if last else None,
        "divisions": [
            {"code": place.code, "name": place.name, "level": place.level}
            for place in places_within(conn, device.scope)
        ],
    }
