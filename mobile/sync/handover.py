"""Hand-over files on a phone: writing its own, carrying those of others, taking receipts in.

Beside the database lies a folder with four: `own` has the phone's last bundle, `carried` what waits
to be brought in, `receipts` what came back for those it was brought in for, `codes` what was read
so far of files that are shown as QR codes (`mobile.sync.codes`). A bundle changes
nothing of the phone's own way: what is in it stays in the outbox until an answer comes, by a receipt
or by its own sync.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mobile.device import device
from mobile.storage import inbox, outbox
from mobile.storage.cipher import database_errors
from mobile.storage.database import PhoneFull, Store, get, put
from mobile.sync.client import Client, CutShort, NotEnrolled, NotOurServer, Refused, SyncError
from mobile.sync.packing import packed
from shared_schemas import handover, ids, wire
from shared_schemas.locale import text

DAY_MS = 86_400_000
FIRST_PIECE, LEAST_PIECE, MOST_PIECE = 32 * 1024, 1024, 256 * 1024
"""Bytes in one request: halved after a cut, doubled after an answer."""

_HEADER_AT_MOST = 64

REMEMBERED = 20
"""Of how many carried files the phone remembers what became of them."""

_STALLS = 3

Insist = Callable[[Callable[[], dict[str, Any]]], dict[str, Any]]
"""Asks until there is an answer, as a sync does; raises a SyncError when there is none."""


class NoRoom(SyncError):  # noqa: N818 - these are named after what the cadre meets
    """The file could not be written: no room, or a folder that cannot be written to."""

    key = "handover.error.no_room"


class Unreadable(SyncError):  # noqa: N818
    """The file is not there or cannot be read."""

    key = "handover.error.unreadable"


class NotAHandover(SyncError):  # noqa: N818
    """Another file than a bundle or a receipt."""

    key = "handover.error.not_a_handover"


class OwnBundle(SyncError):  # noqa: N818
    """A phone was asked to carry what it wrote itself."""

    key = "handover.error.own_bundle"


class TooLarge(SyncError):  # noqa: N818
    """Larger than any hand-over file."""

    key = "handover.error.too_large"


class FromNewerApp(SyncError):  # noqa: N818
    """A hand-over file of a later version."""

    key = "handover.error.newer"


class ForAnotherPhone(SyncError):  # noqa: N818
    """A receipt for another phone, or for this one under an earlier enrolment."""

    key = "handover.error.another_phone"


class DamagedReceipt(SyncError):  # noqa: N818
    """Not a part of the receipt could be read."""

    key = "handover.error.damaged_receipt"


# --- the author's phone ---


@dataclass(frozen=True, slots=True)
class Bundle:
    """The bundle that this phone wrote last."""

    path: str
    changes: int
    left: int
    """Changes that did not fit into it; they go into the next, or with a sync."""
    at_ms: int


def write_bundle(
    store: Store, *, most_bytes: int = handover.MAX_BYTES, in_chunk: int = handover.CHUNK_CHANGES
) -> Bundle | None:
    """Write what has no answer yet, as much as fits, into a new file; None when nothing does.

    The changes get their numbers as at a first sending and can no longer be recalled. The bundle
    before is removed: what is unanswered of it is in the new one, or left for the next.
    """
    at_ms, chunks, changes, size, after = store.clock(), [], 0, 0, 0
    token, device_id = get(store.connection, "token"), get(store.connection, "device_id")
    if not token or not device_id:
        raise NotEnrolled
    try:
        with store.writing() as connection:
            while batch := outbox.next_batch(connection, in_chunk, after=after):
                chunk = packed(batch, at_ms)
                size += len(chunk) + 32
                if size > most_bytes - _HEADER_AT_MOST:
                    break
                chunks.append(chunk)
                changes += len(batch.changes)
                after = batch.changes[-1].n
            left = outbox.count_unanswered(connection) - changes
        if not chunks:
            return None
        salt = secrets.token_bytes(handover.SALT_BYTES)
        header = handover.Header(handover.UP, device_id, at_ms // DAY_MS, salt, len(chunks))
        data = handover.seal_file(header, _token_hash(token), chunks, device().seal)
        path = folder_of(store, "own") / f"chushan-{_six()}{handover.SUFFIX}"
        _write(path, data)
        for earlier in path.parent.iterdir():
            if earlier != path:
                earlier.unlink()
        bundle = Bundle(str(path), changes, left, at_ms)
        with store.writing() as connection:
            put(connection, "bundle", asdict(bundle))
    except (OSError, PhoneFull, *database_errors()) as error:
        raise NoRoom from error
    return bundle


def last_bundle(store: Store) -> Bundle | None:
    """Return the bundle that was written last, None when there is none."""
    kept = get(store.connection, "bundle")
    return Bundle(**kept) if kept and Path(kept["path"]).exists() else None


def drop_settled(store: Store) -> None:
    """Delete the own bundle once all that was in it has its answer."""
    connection = store.connection
    is_out = outbox.count_unanswered(connection) > outbox.count_waiting(connection)
    if is_out or get(connection, "bundle") is None:
        return
    with store.writing() as connection:
        put(connection, "bundle", None)
    with suppress(OSError):
        for path in folder_of(store, "own").iterdir():
            path.unlink()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt said: of how many changes it brought the answer, and how these are."""

    answered: int = 0
    held: int = 0
    conflicts: int = 0
    fault: str | None = None
    """The error code at which the county left the rest of the bundle."""

    def words(self, lang: str = "zh") -> str:
        """Return what the cadre should know now."""
        said = [text("handover.answered" if self.answered else "handover.nothing_new", lang,
                     count=self.answered)]  # fmt: skip
        if self.held:
            said.append(text("sync.held", lang, held=self.held))
        if self.conflicts:
            said.append(text("sync.conflicts", lang, conflicts=self.conflicts))
        if self.fault:
            said.append(text("handover.write_again", lang))
        return "。".join(said) + "。" if lang == "zh" else ". ".join(said) + "."


def _take_receipt(store: Store, data: bytes, header: handover.Header) -> Receipt:
    """Keep the answers in a receipt: the same as if they had come to a push of this phone."""
    token = get(store.connection, "token")
    if not token or header.device_id != get(store.connection, "device_id"):
        raise ForAnotherPhone
    opened = handover.open_file(data, header, _token_hash(token), device().unseal)
    if not opened.chunks:
        raise DamagedReceipt
    receipt = Receipt()
    try:
        with store.writing() as connection:
            for chunk in opened.chunks:
                receipt = _take_part(connection, wire.unpack(chunk), receipt)
        drop_settled(store)
    except (PhoneFull, *database_errors()) as error:
        raise NoRoom from error
    return receipt


def _take_part(connection: sqlite3.Connection, part: dict[str, Any], receipt: Receipt) -> Receipt:
    known = get(connection, "epoch")
    is_restored = known is not None and part["epoch"] != known
    if is_restored and not get(connection, "full_pull", False):
        # The numbers of its rows are of another life of the server than those of the rows here.
        inbox.begin_full_pull(connection)
    answers = outbox.keep_receipt(connection, part["incarnation"], part["outcomes"], part["at_ms"])
    if part["incarnation"] == get(connection, "incarnation"):
        if part["fault"] == "forked":
            outbox.new_incarnation(connection)
        elif part["fault"] == "sequence_gap" and is_restored:
            outbox.offer_again(connection, part["acked"])
    outcomes = [answer.outcome for answer in answers]
    return replace(
        receipt,
        answered=receipt.answered + len(outcomes),
        held=receipt.held + outcomes.count("held"),
        conflicts=receipt.conflicts + outcomes.count("conflict"),
        fault=part["fault"],
    )


# --- the phone that carries ---


@dataclass(frozen=True, slots=True)
class Carried:
    """A file of somebody else, and how far it has come."""

    sha256: str
    name: str
    size: int
    at_ms: int
    state: str = "waiting"
    """waiting, taken, or refused."""
    changes: int = 0
    code: str | None = None
    """The error code with which the county refused the file, or left the rest of it."""
    receipt: str | None = None
    """Path of the receipt that is to go back to the author."""


def _carry_in(store: Store, data: bytes, header: handover.Header, name: str) -> Carried:
    """Keep a copy of somebody's bundle; the next sync brings it in."""
    if header.device_id == get(store.connection, "device_id"):
        raise OwnBundle
    digest = hashlib.sha256(data).hexdigest()
    before = next((one for one in carried(store) if one.sha256 == digest), None)
    if before is not None and before.state == "taken":
        return before
    given = Carried(digest, name[-60:], len(data), store.clock())
    try:
        _write(_waiting_path(store, digest), data)
        _remember(store, given)
    except (OSError, PhoneFull, *database_errors()) as error:
        raise NoRoom from error
    return given


def carried(store: Store) -> list[Carried]:
    """Return the files of others that this phone carries or carried, the latest first."""
    return [Carried(**kept) for kept in get(store.connection, "carried", [])]


def _remember(store: Store, one: Carried) -> None:
    with store.writing() as connection:
        kept = [Carried(**known) for known in get(connection, "carried", [])]
        kept = [one, *(known for known in kept if known.sha256 != one.sha256)]
        waiting = [known for known in kept if known.state == "waiting"]
        settled = [known for known in kept if known.state != "waiting"]
        for forgotten in settled[REMEMBERED:]:
            if forgotten.receipt:
                Path(forgotten.receipt).unlink(missing_ok=True)
        shown = sorted([*waiting, *settled[:REMEMBERED]], key=lambda known: -known.at_ms)
        put(connection, "carried", [asdict(known) for known in shown])


def bring_in(store: Store, client: Client, insist: Insist) -> int:
    """Upload what waits to be brought in; return how many files the county took.

    What was uploaded before a cut is not uploaded again. A file that the county refuses for good is
    let go, with the reason; any other refusal leaves it for the next sync.
    """
    taken = 0
    for one in carried(store):
        if one.state != "waiting":
            continue
        try:
            data = _waiting_path(store, one.sha256).read_bytes()
        except OSError:
            _settle(store, replace(one, state="refused", code="handover_damaged"))
            continue
        try:
            told = _upload(client, one.sha256, data, insist)
            receipt = _fetch_receipt(store, client, one, insist)
        except Refused as refusal:
            if refusal.code.startswith("handover_"):
                _settle(store, replace(one, state="refused", code=refusal.code))
            continue
        taken += 1
        done = replace(one, state="taken", changes=told["changes"], code=told.get("fault"))
        _settle(store, replace(done, receipt=str(receipt)))
    return taken


def _upload(client: Client, digest: str, data: bytes, insist: Insist) -> dict[str, Any]:
    told = insist(partial(client.handover, digest))
    piece, stalls = FIRST_PIECE, 0
    while not told["taken"]:
        have = int(told["have"])

        def send(have: int = have) -> dict[str, Any]:
            nonlocal piece
            try:
                return client.put_piece(digest, have, len(data), data[have : have + piece])
            except CutShort:
                piece = max(LEAST_PIECE, piece // 2)
                raise

        told = insist(send)
        piece = min(MOST_PIECE, piece * 2)
        stalls = 0 if told["have"] > have else stalls + 1
        if stalls > _STALLS:
            raise NotOurServer
    return told


def _fetch_receipt(store: Store, client: Client, one: Carried, insist: Insist) -> Path:
    path = folder_of(store, "receipts") / f"chushan-receipt-{one.sha256[:6]}{handover.SUFFIX}"

    def fetch() -> dict[str, Any]:
        data = client.receipt(one.sha256)
        # A cut within the headers can take the length away, and then half an answer looks whole.
        if not handover.is_complete(data):
            raise CutShort
        return {"data": data}

    got = insist(fetch)
    try:
        _write(path, got["data"])
    except OSError as error:
        raise NoRoom from error
    return path


def _settle(store: Store, one: Carried) -> None:
    _remember(store, one)
    with suppress(OSError):
        _waiting_path(store, one.sha256).unlink(missing_ok=True)


# --- either ---


def take(store: Store, path: str | Path) -> Carried | Receipt:
    """Take a file in: somebody's bundle to carry, or the receipt for what this phone wrote."""
    data = _read(path)
    header = _header(data)
    if header.direction == handover.DOWN:
        return _take_receipt(store, data, header)
    return _carry_in(store, data, header, Path(path).name)


# --- files ---


def folder_of(store: Store, name: str) -> Path:
    """Return one of the folders beside the database; it is made."""
    folder = store.path.parent / "handover" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _waiting_path(store: Store, digest: str) -> Path:
    return folder_of(store, "carried") / f"{digest}{handover.SUFFIX}"


def _six() -> str:
    return ids.incarnation_id(secrets.randbits(64))[-6:]


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _read(path: str | Path) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(handover.MAX_BYTES + 1)
    except OSError as error:
        raise Unreadable from error
    if len(data) > handover.MAX_BYTES:
        raise TooLarge
    return data


def _header(data: bytes) -> handover.Header:
    try:
        return handover.read_header(data)
    except handover.TooNewError as error:
        raise FromNewerApp from error
    except handover.NotAHandoverError as error:
        raise NotAHandover from error


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, and see it on the disk."""
    fresh = path.with_suffix(".new")
    try:
        with open(fresh, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
