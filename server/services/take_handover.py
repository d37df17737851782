"""Takes in hand-over files: what a phone wrote without internet and somebody else brings.

Each chunk of a file is a push of its author's phone, with that phone's person, scope and state; who
carries it has no part in it. So a file that comes twice, or after the phone's own sync, has one
effect. `shared_schemas.handover` has the form of the files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Engine

from server.observe import note_push
from server.services.receive_push import (
    Push,
    PushResult,
    push_from_message,
    read_outcomes,
    receive_push,
)
from server.storage.devices import Device, device_with_token_hash, incarnation_of
from server.storage.engine import reading, write_once, writing
from server.storage.handover import (
    Handover,
    PieceKey,
    add_handover,
    add_piece,
    bytes_come,
    delete_other_pieces,
    delete_pieces,
    handover_by_hash,
    pieces_joined,
)
from server.storage.meta import epoch_of
from shared_schemas import handover, wire
from shared_schemas.errors import ChushanError
from shared_schemas.protocol import MAX_CHANGES

PIECES_KEPT_MS = 7 * 86_400_000
"""How long the pieces of a file wait for the rest of it."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """Who brings a file in: a person, a phone, or, with neither, somebody at the server itself."""

    user_id: str | None = None
    device_id: str | None = None
    scope: str = ""
    """Division prefix within which the author's phone must be: a phone carries for its county."""


def take_handover(engine: Engine, data: bytes, *, carrier: Carrier, now_ms: int) -> Handover:
    """Store the changes of a file, each once however often it comes; return what came of it.

    Of a file that was cut or damaged the whole chunks before the damage are taken. ChushanError,
    and nothing is kept, where there is none: handover_not_one, handover_damaged,
    handover_unknown_phone, handover_out_of_scope, unknown_protocol, too_large.
    """
    if len(data) > handover.MAX_BYTES:
        raise ChushanError("too_large")
    author, opened = _open(engine, data, carrier)
    fault = None if opened.is_whole else "handover_damaged"
    incarnation, first_n, last_n, new = "", 1, 0, 0
    for chunk in opened.chunks:
        try:
            push = _push_of(chunk, author, now_ms)
            if incarnation not in ("", push.incarnation):
                raise ChushanError("invalid_message", detail="two incarnations in one file")
            if not incarnation:
                incarnation, first_n = push.incarnation, push.changes[0].n
                last_n = first_n - 1
            result = _receive(engine, push, author, now_ms)
            outcomes = [entry.outcome.value for entry in result.outcomes]
            note_push(outcomes, new=result.new, county=author.county, device=author.id)
        except ChushanError as met:
            if not incarnation:
                raise
            fault = met.error.code
            break
        last_n, new = push.changes[-1].n, new + result.new
    taken = Handover(
        author.county,
        hashlib.sha256(data).hexdigest(),
        author.id,
        incarnation,
        first_n,
        last_n,
        new,
        fault,
        now_ms,
        carrier.user_id,
        carrier.device_id,
    )
    write_once(engine, lambda conn: add_handover(conn, taken))
    return taken


def _open(engine: Engine, data: bytes, carrier: Carrier) -> tuple[Device, handover.Opened]:
    try:
        header = handover.read_header(data)
    except handover.TooNewError as error:
        raise ChushanError("unknown_protocol") from error
    except handover.NotAHandoverError as error:
        raise ChushanError("handover_not_one") from error
    if header.direction != handover.UP:
        raise ChushanError("handover_not_one")
    with reading(engine) as conn:
        known = device_with_token_hash(conn, header.device_id)
    if known is None:
        raise ChushanError("handover_unknown_phone")
    author, token_hash = known
    if not author.scope.startswith(carrier.scope):
        raise ChushanError("handover_out_of_scope")
    opened = handover.open_file(data, header, token_hash, _unseal)
    if not opened.chunks:
        raise ChushanError("handover_damaged")
    return author, opened


def _push_of(chunk: bytes, author: Device, now_ms: int) -> Push:
    """Return the push in a chunk, as if it had been sent now by a clock as wrong as when last heard.

    The time that the file was on its way says nothing of the clock.
    """
    try:
        push = push_from_message(wire.unpack(chunk))
    except wire.NotAMessageError as error:
        raise ChushanError("malformed") from error
    if not push.changes:
        raise ChushanError("invalid_message", detail="a chunk without changes")
    return replace(push, sent_ms=now_ms + 1000 * (author.clock_skew_s or 0))


def _receive(engine: Engine, push: Push, author: Device, now_ms: int) -> PushResult:
    return write_once(
        engine,
        lambda conn: receive_push(
            conn, push, device=_speaking(conn, author, push.incarnation)[0], now_ms=now_ms
        ),
    )


def _speaking(conn: Connection, author: Device, incarnation: str) -> tuple[Device, str | None]:
    """Return the device under which the author's installation is known now, and its token's hash.

    A phone that was enrolled again since it wrote the file goes on under a new device of the same
    person. What it wrote as a phone that the county revoked is held all the same.
    """
    known = incarnation_of(conn, author.county, incarnation)
    found = device_with_token_hash(conn, known.device_id if known else author.id)
    if found is None or (found[0].county, found[0].user_id) != (author.county, author.user_id):
        found = device_with_token_hash(conn, author.id)
    return (author, None) if found is None else (replace(found[0], state=author.state), found[1])


def make_receipt(conn: Connection, taken: Handover, *, salt: bytes, now_ms: int) -> bytes:
    """Return the receipt file for the author's phone: what has become of the changes by now.

    `salt` are 16 new random bytes.
    """
    known = device_with_token_hash(conn, taken.device_id)
    if known is None:
        raise ChushanError("not_found")
    device, token_hash = _speaking(conn, known[0], taken.incarnation)
    incarnation = incarnation_of(conn, taken.county, taken.incarnation)
    about = {
        "incarnation": taken.incarnation,
        "epoch": epoch_of(conn),
        "at_ms": now_ms,
        "acked": incarnation.acked_n if incarnation else 0,
        "fault": taken.fault,
    }
    parts = [
        wire.pack(about | {"outcomes": read_outcomes(conn, device, taken.incarnation, *range_)})
        for range_ in _ranges(taken)
    ]
    header = handover.Header(handover.DOWN, device.id, now_ms // 86_400_000, salt, len(parts))
    return handover.seal_file(header, token_hash or known[1], parts, _seal)


def _ranges(taken: Handover) -> Iterator[tuple[int, int]]:
    """Yield the first and last n of each part; one part at least, though it be empty."""
    yield taken.first_n, min(taken.last_n, taken.first_n + MAX_CHANGES - 1)
    for first in range(taken.first_n + MAX_CHANGES, taken.last_n + 1, MAX_CHANGES):
        yield first, min(taken.last_n, first + MAX_CHANGES - 1)


def _seal(key: bytes, nonce: bytes, plain: bytes, bound: bytes) -> bytes:
    return AESGCM(key).encrypt(nonce, plain, bound)


def _unseal(key: bytes, nonce: bytes, sealed: bytes, bound: bytes) -> bytes | None:
    try:
        return AESGCM(key).decrypt(nonce, sealed, bound)
    except InvalidTag:
        return None


# --- a file that a phone brings in pieces ---


def file_on_its_way(conn: Connection, key: PieceKey) -> tuple[int, Handover | None]:
    """Return how many bytes of a file have come, and the file once it was taken."""
    return bytes_come(conn, key), handover_by_hash(conn, key.county, key.sha256)


def take_piece(
    engine: Engine, key: PieceKey, start: int, size: int, data: bytes, *, now_ms: int
) -> tuple[int, Handover | None]:
    """Keep a piece of a file of `size` bytes; with the last one, take the file.

    A piece that does not begin where the last one ended is not kept: the answer says how much has
    come. ChushanError malformed where the file is not what its hash says; then it begins anew.
    """
    if size > handover.MAX_BYTES:
        raise ChushanError("too_large")

    def keep(conn: Connection) -> tuple[int, Handover | None]:
        taken = handover_by_hash(conn, key.county, key.sha256)
        if taken is not None:
            return size, taken
        have = bytes_come(conn, key)
        if data and start == have and have + len(data) <= size:
            delete_other_pieces(conn, key, before_ms=now_ms - PIECES_KEPT_MS)
            add_piece(conn, key, start, data, now_ms)
            have += len(data)
        return have, None

    have, taken = write_once(engine, keep)
    if taken is None and have == size:
        taken = _take_whole(engine, key, now_ms)
    return have, taken


def _take_whole(engine: Engine, key: PieceKey, now_ms: int) -> Handover:
    with reading(engine) as conn:
        taken = handover_by_hash(conn, key.county, key.sha256)
        data = pieces_joined(conn, key)
    if taken is not None:
        return taken  # by another request with the last piece, which may have let go of them all
    try:
        if hashlib.sha256(data).hexdigest() != key.sha256:
            raise ChushanError("malformed")
        carrier = Carrier(device_id=key.carrier_id, scope=key.county)
        taken = take_handover(engine, data, carrier=carrier, now_ms=now_ms)
    except ChushanError:
        _let_go(engine, key)
        raise
    _let_go(engine, key)
    return taken


def _let_go(engine: Engine, key: PieceKey) -> None:
    with writing(engine) as conn:
        delete_pieces(conn, key)
