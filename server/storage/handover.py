"""Hand-over files: which were taken, and the pieces of those on their way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select

from server.storage.engine import upsert
from server.storage.tables import change, device, handover, handover_piece


@dataclass(frozen=True, slots=True)
class Handover:
    """A file that was taken: changes `first_n` to `last_n` of an incarnation of its author's phone."""

    county: str
    sha256: str
    device_id: str
    incarnation: str
    first_n: int
    last_n: int
    new: int
    """How many changes had not come before."""
    fault: str | None
    """The error code at which the rest of the file was left; None where all of it was taken."""
    taken_at_ms: int
    carried_by_user: str | None = None
    carried_by_device: str | None = None

    @property
    def changes(self) -> int:
        """How many changes were read from the file."""
        return self.last_n - self.first_n + 1


_columns = [handover.c[name] for name in Handover.__slots__]


def add_handover(conn: Connection, taken: Handover) -> None:
    """Add a file that was taken, or note that it was taken again: what was new adds up."""
    before = handover_by_hash(conn, taken.county, taken.sha256)
    values = asdict(taken) | {"new": taken.new + (before.new if before else 0)}
    conn.execute(upsert(conn, handover, ["county", "sha256"]).values(**values))


def handover_by_hash(conn: Connection, county: str, sha256: str) -> Handover | None:
    """Return a file of a county that was taken; who names its hash has had the file in hands."""
    row = conn.execute(
        select(*_columns).where(handover.c.county == county, handover.c.sha256 == sha256)
    ).first()
    return None if row is None else Handover(*row)


def handovers_within(
    conn: Connection, county: str, scope: str, *, limit: int = 1, sha256: str | None = None
) -> list[Handover]:
    """Return the files of a county's phones whose scope lies within a division prefix, newest first.

    With `sha256` only that one.
    """
    query = (
        select(*_columns)
        .join(
            device,
            (device.c.county == handover.c.county) & (device.c.id == handover.c.device_id),
        )
        .where(handover.c.county == county, device.c.scope.startswith(scope, autoescape=True))
        .order_by(handover.c.taken_at_ms.desc(), handover.c.sha256)
        .limit(limit)
    )
    if sha256 is not None:
        query = query.where(handover.c.sha256 == sha256)
    return [Handover(*row) for row in conn.execute(query)]


def outcomes_of(conn: Connection, taken: Handover) -> dict[str, int]:
    """Return what has become of a file's changes by now: how many of each outcome.

    A held change that the county closed counts as `dismissed`.
    """
    is_closed = change.c.resolution == "dismissed"
    query = (
        select(change.c.outcome, is_closed, func.count())
        .where(
            change.c.county == taken.county,
            change.c.incarnation == taken.incarnation,
            change.c.n.between(taken.first_n, taken.last_n),
        )
        .group_by(change.c.outcome, is_closed)
    )
    counts: dict[str, int] = {}
    for outcome, closed, count in conn.execute(query):
        name = "dismissed" if closed else outcome
        counts[name] = counts.get(name, 0) + count
    return counts


@dataclass(frozen=True, slots=True)
class PieceKey:
    """A file on its way, and who brings it."""

    county: str
    carrier_id: str
    sha256: str


def bytes_come(conn: Connection, key: PieceKey) -> int:
    """Return how many bytes of a file have come."""
    query = select(func.coalesce(func.sum(func.length(handover_piece.c.data)), 0))
    return int(conn.execute(query.where(*_of(key))).scalar_one())


def add_piece(conn: Connection, key: PieceKey, start: int, data: bytes, now_ms: int) -> None:
    """Add a piece. One that is there already raises IntegrityError."""
    conn.execute(
        insert(handover_piece).values(
            county=key.county,
            carrier_id=key.carrier_id,
            sha256=key.sha256,
            start=start,
            data=data,
            at_ms=now_ms,
        )
    )


def pieces_joined(conn: Connection, key: PieceKey) -> bytes:
    """Return what has come of a file."""
    query = select(handover_piece.c.data).where(*_of(key)).order_by(handover_piece.c.start)
    pieces: Sequence[bytes] = conn.execute(query).scalars().all()
    return b"".join(bytes(piece) for piece in pieces)


def delete_pieces(conn: Connection, key: PieceKey) -> None:
    """Delete what has come of a file."""
    conn.execute(delete(handover_piece).where(*_of(key)))


def delete_other_pieces(conn: Connection, key: PieceKey, *, before_ms: int) -> None:
    """Delete what the carrier brought of other files, and what anybody of the county left lying."""
    table = handover_piece.c
    conn.execute(
        delete(handover_piece).where(
            table.county == key.county,
            ((table.carrier_id == key.carrier_id) & (table.sha256 != key.sha256))
            | (table.at_ms < before_ms),
        )
    )


def _of(key: PieceKey) -> tuple[ColumnElement[bool], ...]:
    table = handover_piece.c
    return (
        table.county == key.county,
        table.carrier_id == key.carrier_id,
        table.sha256 == key.sha256,
    )
