"""Phones: enrolment codes, tokens, and how far each incarnation has been received."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Integer, RowMapping, bindparam, func, insert, select, update

from server.storage.engine import insert_ignoring
from server.storage.tables import device, enrolment, incarnation, user_account


@dataclass(frozen=True, slots=True)
class Device:
    """A phone of a cadre. `scope` is the division prefix whose records it holds."""

    id: str
    county: str
    user_id: str
    scope: str
    label: str
    state: str
    cadre: str = ""
    cadre_phone: str | None = None
    last_sync_at_ms: int | None = None
    clock_skew_s: int | None = None
    app_version: str | None = None


def _device(row: RowMapping) -> Device:
    return Device(
        id=row["id"],
        county=row["county"],
        user_id=row["user_id"],
        scope=row["scope"],
        label=row["label"],
        state=row["state"],
        cadre=row["cadre"],
        cadre_phone=row["cadre_phone"],
        last_sync_at_ms=row["last_sync_at_ms"],
        clock_skew_s=row["clock_skew_s"],
        app_version=row["app_version"],
    )


_devices = select(
    device, user_account.c.name.label("cadre"), user_account.c.phone.label("cadre_phone")
).join(user_account, user_account.c.id == device.c.user_id)


def device_by_token_hash(conn: Connection, token_hash: str) -> Device | None:
    """Return the device that a token belongs to, whatever its state."""
    row = conn.execute(_BY_TOKEN, {"token_hash": token_hash}).mappings().first()
    return None if row is None else _device(row)


_BY_TOKEN = _devices.where(device.c.token_hash == bindparam("token_hash"))


def device_with_token_hash(conn: Connection, device_id: str) -> tuple[Device, str] | None:
    """Return a device of any county, whatever its state, and the hash of its token."""
    row = conn.execute(_devices.where(device.c.id == device_id)).mappings().first()
    return None if row is None else (_device(row), str(row["token_hash"]))


def devices_within(conn: Connection, county: str, scope: str) -> list[Device]:
    """Return a county's devices whose scope lies within a division prefix, last heard first."""
    query = _devices.where(
        device.c.county == county, device.c.scope.startswith(scope, autoescape=True)
    ).order_by(device.c.last_sync_at_ms.desc(), device.c.id)
    return [_device(row) for row in conn.execute(query).mappings()]


def add_device(conn: Connection, new: Device, *, token_hash: str, now_ms: int) -> None:
    """Add a device with the hash of its token."""
    conn.execute(
        insert(device).values(
            county=new.county,
            id=new.id,
            user_id=new.user_id,
            label=new.label,
            scope=new.scope,
            token_hash=token_hash,
            state=new.state,
            enrolled_at_ms=now_ms,
            app_version=new.app_version,
        )
    )


def lock_device(conn: Connection, county: str, device_id: str) -> None:
    """Make other pushes of this phone, or of a copy of it, wait until the commit (PostgreSQL).

    Two copies may send the same edits at the same moment, each under its own incarnation.
    """
    query = select(device.c.id).where(device.c.county == county, device.c.id == device_id)
    conn.execute(query.with_for_update())


def set_device_state(conn: Connection, county: str, device_id: str, state: str) -> bool:
    """Set a device's state (a code of device_state); return whether it exists."""
    done = conn.execute(
        update(device)
        .where(device.c.county == county, device.c.id == device_id)
        .values(state=state)
    )
    return done.rowcount == 1


def set_device_scope(conn: Connection, county: str, device_id: str, scope: str) -> None:
    """Set the division prefix whose records a device holds."""
    conn.execute(
        update(device)
        .where(device.c.county == county, device.c.id == device_id)
        .values(scope=scope)
    )


def note_sync(
    conn: Connection, county: str, device_id: str, *, now_ms: int, clock_skew_s: int | None = None
) -> None:
    """Note when a device was heard of, and how far its clock was off (ahead is positive)."""
    conn.execute(
        _NOTE_SYNC,
        {"in_county": county, "device": device_id, "now_ms": now_ms, "skew_s": clock_skew_s},
    )


_NOTE_SYNC = (
    update(device)
    .where(device.c.county == bindparam("in_county"), device.c.id == bindparam("device"))
    .values(
        last_sync_at_ms=bindparam("now_ms"),
        clock_skew_s=func.coalesce(bindparam("skew_s", type_=Integer), device.c.clock_skew_s),
    )
)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an enrolment code stands for."""

    county: str
    user_id: str
    scope: str


def add_enrolment(
    conn: Connection,
    granted: Enrolment,
    *,
    code_hash: str,
    made_by: str | None,
    expires_at_ms: int,
) -> None:
    """Add a one-time code by its hash."""
    conn.execute(
        insert(enrolment).values(
            code_hash=code_hash,
            county=granted.county,
            user_id=granted.user_id,
            scope=granted.scope,
            made_by=made_by,
            expires_at_ms=expires_at_ms,
        )
    )


def use_enrolment(conn: Connection, code_hash: str, now_ms: int) -> Enrolment | None:
    """Use up a code; None when it is unknown, used or expired. Two at once: one gets it."""
    used = conn.execute(
        update(enrolment)
        .where(
            enrolment.c.code_hash == code_hash,
            enrolment.c.used_at_ms.is_(None),
            enrolment.c.expires_at_ms > now_ms,
        )
        .values(used_at_ms=now_ms)
        .returning(enrolment.c.county, enrolment.c.user_id, enrolment.c.scope)
    ).first()
    return None if used is None else Enrolment(used.county, used.user_id, used.scope)


@dataclass(frozen=True, slots=True)
class Incarnation:
    """How far one life of an installation has been received."""

    id: str
    device_id: str
    acked_n: int


def incarnation_of(
    conn: Connection, county: str, incarnation_id: str, *, lock: bool = False
) -> Incarnation | None:
    """Return an incarnation; `lock` makes a second writer of the same one wait (PostgreSQL)."""
    query = _INCARNATION_LOCKED if lock else _INCARNATION
    row = conn.execute(query, {"county": county, "id": incarnation_id}).first()
    return None if row is None else Incarnation(row.id, row.device_id, row.acked_n)


_INCARNATION = select(incarnation).where(
    incarnation.c.county == bindparam("county"), incarnation.c.id == bindparam("id")
)
_INCARNATION_LOCKED = _INCARNATION.with_for_update()


def begin_incarnation(
    conn: Connection, county: str, incarnation_id: str, device_id: str, now_ms: int
) -> None:
    """Add an incarnation that was heard of for the first time; an existing one stays as it is."""
    conn.execute(
        insert_ignoring(conn, incarnation).values(
            county=county,
            id=incarnation_id,
            device_id=device_id,
            acked_n=0,
            first_seen_ms=now_ms,
        )
    )


def set_acked(conn: Connection, county: str, incarnation_id: str, acked_n: int) -> None:
    """Set the highest n that is stored of an incarnation."""
    conn.execute(_SET_ACKED, {"in_county": county, "own": incarnation_id, "acked_n": acked_n})


_SET_ACKED = (
    update(incarnation)
    .where(incarnation.c.county == bindparam("in_county"), incarnation.c.id == bindparam("own"))
    .values(acked_n=bindparam("acked_n"))
)


def count_up(conn: Connection, county: str, incarnation_id: str, count: int) -> int:
    """Add to the counter of the county's or the import's own changes; return the new value."""
    grow = (
        update(incarnation)
        .where(incarnation.c.county == county, incarnation.c.id == incarnation_id)
        .values(acked_n=incarnation.c.acked_n + count)
        .returning(incarnation.c.acked_n)
    )
    last = conn.execute(grow).scalar()
    if last is None:
        begin_incarnation(conn, county, incarnation_id, "server", 0)
        last = conn.execute(grow).scalar_one()
    return int(last)


def give_incarnation(
    conn: Connection, county: str, incarnation_id: str, device_id: str, *, user_id: str
) -> None:
    """Let an installation go on under a new device of the same person: it was enrolled again."""
    own = select(device.c.id).where(device.c.county == county, device.c.user_id == user_id)
    conn.execute(
        update(incarnation)
        .where(
            incarnation.c.county == county,
            incarnation.c.id == incarnation_id,
            incarnation.c.device_id.in_(own),
        )
        .values(device_id=device_id)
    )
