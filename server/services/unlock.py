"""Lets a cadre back into his locked phone: the county's answer to the digits that it shows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from server.storage.audit import add_audit
from server.storage.devices import Device, device_with_token_hash
from shared_schemas import unlock

UNLOCKS_PER_DAY = 5
"""Answers that a county page gives for one phone in a day."""


def unlock_answer(
    conn: Connection,
    devices: Sequence[Device],
    challenge: str,
    *,
    actor: str,
    audit_id: str,
    now_ms: int,
) -> tuple[Device, str] | None:
    """Return the phone that shows a challenge, and the 30 digits that open it once; None for none of them.

    Audited before anybody reads it. Who asks has made sure that it is the cadre himself: the digits
    open all that is on the phone. A revoked phone is opened too, for the sake of what was not sent.
    """
    for device in devices:
        serial = unlock.serial_of(challenge, device.id)
        found = device_with_token_hash(conn, device.id)
        if serial is None or found is None:
            continue
        add_audit(
            conn, device.county, id=audit_id, at_ms=now_ms, actor=actor,
            action="device_unlock_told", target_kind="device", target_id=device.id,
            detail={"serial": serial},
        )  # fmt: skip
        return device, unlock.answer(found[1], device.id, serial)
    return None
