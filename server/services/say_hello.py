"""Tells a phone what it needs to know before it syncs, and nothing that it knows already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from server.services.build_pull import (
    RolledBack,
    cursor_from_text,
    has_news,
    seq_of_cursor,
    tally_of,
)
from server.storage.changes import count_settled, stored_outcomes
from server.storage.devices import Device, incarnation_of
from server.storage.divisions import places_within
from server.storage.feed import sums_within
from server.storage.meta import BACKED_UP, epoch_of, meta_value
from shared_schemas import SCHEMA_VERSION
from shared_schemas.errors import ChushanError
from shared_schemas.protocol import PROTOCOL


def say_hello(
    conn: Connection,
    device: Device,
    incarnation: str,
    *,
    now_ms: int,
    cursor: str | None = None,
    places: str | None = None,
    epoch: str | None = None,
    answered: Mapping[str, tuple[int, str]] | None = None,
) -> dict[str, Any]:
    """Return the answer as `messages.HelloAnswer` describes it.

    An incarnation that is another phone's counts as unheard of: pushing under it is refused as
    forked. `cursor` is where the phone's last pull ended; RolledBack as in `build_pull`. `places`
    names the list of divisions that it has (`places_mark`). `answered` has, of each
    incarnation of the phone, the highest n that this database, by its epoch, has answered, and the
    beginning of that change's hash: RolledBack where it does not know one of them. That epoch is
    the cursor's; a phone without one, which may be revoked and never get one, says it in `epoch`.
    """
    county = device.county
    known = incarnation_of(conn, county, incarnation)
    is_own = known is not None and known.device_id == device.id
    acked = known.acked_n if known and is_own else 0
    last = stored_outcomes(conn, county, incarnation, acked, acked).get(acked)
    divisions = [
        {"code": place.code, "name": place.name, "level": place.level}
        for place in places_within(conn, device.scope)
    ]
    mark = places_mark(divisions)
    backed_up = meta_value(conn, BACKED_UP)
    present = epoch_of(conn)
    if present in (epoch, _epoch_of_cursor(cursor)):
        for life, (n, named) in (answered or {}).items():
            then = incarnation_of(conn, county, life)
            if then is not None and then.device_id != device.id:
                continue
            kept = stored_outcomes(conn, county, life, n, n).get(n)
            # Another hash: it went back, and a copy of the phone has spoken since.
            if kept is None or not kept.hash.startswith(named):
                raise RolledBack(present)
    answer: dict[str, Any] = {
        "protocol": PROTOCOL,
        "schema": SCHEMA_VERSION,
        "epoch": present,
        "now_ms": now_ms,
        "county": county,
        "scope": device.scope,
        "cadre": device.cadre,
        "office_phone": device.cadre_phone,
        "acked": acked,
        "acked_hash": last.hash if last else None,
        "tally": tally_of(conn, device, incarnation),
        "settled": count_settled(conn, county, device.id),
        "backed_up_at_ms": int(backed_up) if backed_up else None,
        "places": mark,
        "news": True,
    }
    if mark != places:
        answer["divisions"] = divisions
    if cursor is not None and not _has_news(conn, device, cursor, present):
        answer["news"] = False
        answer["check"] = sums_within(conn, county, device.scope)
    return answer


HEARD_EVERY_MS = 10 * 60_000


def is_to_be_noted(device: Device, now_ms: int) -> bool:
    """Tell whether to note that a phone was heard of: not at every word, since it costs a write."""
    return now_ms - (device.last_sync_at_ms or 0) >= HEARD_EVERY_MS


def _has_news(conn: Connection, device: Device, cursor: str, epoch: str) -> bool:
    try:
        after = seq_of_cursor(conn, device, cursor, epoch)
    except ChushanError:
        return True  # the pull will say how to go on
    return has_news(conn, device, after)


def _epoch_of_cursor(cursor: str | None) -> str | None:
    try:
        return None if cursor is None else cursor_from_text(cursor).epoch
    except ChushanError:
        return None


def places_mark(divisions: list[dict[str, Any]]) -> str:
    """Return 8 hex digits that name a list of divisions."""
    return _mark(divisions)


def hello_mark(answer: Mapping[str, Any]) -> str:
    """Return 8 hex digits that name an answer but for the time at which it was given."""
    return _mark({name: value for name, value in answer.items() if name != "now_ms"})


def _mark(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
