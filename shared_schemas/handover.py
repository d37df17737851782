"""Hand-over files: a phone's changes on their way without internet, and the receipt on its way back.

A file is sealed with a key that the author's phone and the server both have, so whoever carries it
learns nothing and can change nothing. It is sealed chunk by chunk: of a file that was cut or
damaged, the whole chunks before the damage are good. docs/protocol.md describes the bytes.

AES-256-GCM itself comes in as an argument: a PC and the server take `cryptography`, a phone takes
javax.crypto.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

UP, DOWN = "u", "d"
"""The direction of a file: changes to the server, a receipt to the author's phone."""

MEDIA_TYPE = "application/vnd.chushan.handover"
SUFFIX = ".hand"
MAX_BYTES = 8 * 1024 * 1024
CHUNK_CHANGES = 100
"""Changes in one chunk: what is lost when one byte of it is."""

MAGIC, VERSION = b"chushan\n", 1
_HEADER = struct.Struct(">8sB1s13si16sH")
_LENGTH = struct.Struct(">I")
SALT_BYTES = 16
TAG_BYTES = 16

Seal = Callable[[bytes, bytes, bytes, bytes], bytes]
"""AES-256-GCM of (key, nonce, plain, additional data): the sealed bytes with the tag of 16 at the end."""

Unseal = Callable[[bytes, bytes, bytes, bytes], bytes | None]
"""The way back from (key, nonce, sealed, additional data); None where the tag does not fit."""


class NotAHandoverError(ValueError):
    """Bytes that are no hand-over file of this direction, or whose header is cut."""


class TooNewError(NotAHandoverError):
    """A hand-over file of a later version than this program knows."""


@dataclass(frozen=True, slots=True)
class Header:
    """What anybody can read of a file. `made_on` counts days since 1970-01-01 by the writer's clock."""

    direction: str
    device_id: str
    """The phone that wrote the changes, or that the receipt is for."""
    made_on: int
    salt: bytes
    chunks: int

    def to_bytes(self) -> bytes:
        """Return the header as it begins the file."""
        return _HEADER.pack(
            MAGIC, VERSION, self.direction.encode(), self.device_id.encode(),
            max(-(2**31), min(self.made_on, 2**31 - 1)), self.salt, self.chunks,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Opened:
    """The chunks that came whole, from the first on without a gap."""

    chunks: Sequence[bytes]
    is_whole: bool


def read_header(data: bytes) -> Header:
    """Return the header of a file, of either direction; NotAHandoverError for any other file."""
    if data[: len(MAGIC)] != MAGIC or len(data) < _HEADER.size:
        raise NotAHandoverError("not a hand-over file")
    if data[len(MAGIC)] > VERSION:
        raise TooNewError("a later version")
    _, version, way, device_id, made_on, salt, chunks = _HEADER.unpack_from(data)
    is_ours = version == VERSION and way in (UP.encode(), DOWN.encode())
    if not is_ours or not device_id.isalnum() or chunks == 0:
        raise NotAHandoverError("another kind of file")
    return Header(way.decode("ascii"), device_id.decode("ascii"), made_on, salt, chunks)


def seal_file(header: Header, token_hash: str, chunks: Sequence[bytes], seal: Seal) -> bytes:
    """Return a file. `token_hash` is the SHA-256 of the device's token, in hex; the salt must be new."""
    if header.chunks != len(chunks):
        raise ValueError("the header counts other chunks")
    head, key = header.to_bytes(), file_key(header, token_hash)
    sealed = (seal(key, _nonce(i), chunk, _bound(head, i)) for i, chunk in enumerate(chunks))
    return head + b"".join(_LENGTH.pack(len(one)) + one for one in sealed)


def open_file(data: bytes, header: Header, token_hash: str, unseal: Unseal) -> Opened:
    """Return the chunks up to the first that is cut, damaged, or sealed with another key."""
    key, head, at = file_key(header, token_hash), data[: _HEADER.size], _HEADER.size
    chunks: list[bytes] = []
    while len(chunks) < header.chunks and at + _LENGTH.size <= len(data):
        [length] = _LENGTH.unpack_from(data, at)
        sealed = data[at + _LENGTH.size : at + _LENGTH.size + length]
        if len(sealed) < max(length, TAG_BYTES):
            break
        plain = unseal(key, _nonce(len(chunks)), sealed, _bound(head, len(chunks)))
        if plain is None:
            break
        chunks.append(plain)
        at += _LENGTH.size + length
    return Opened(chunks, is_whole=len(chunks) == header.chunks)


def is_complete(data: bytes) -> bool:
    """Tell whether these are a file of the length that its parts claim; that takes no key."""
    try:
        header = read_header(data)
    except NotAHandoverError:
        return False
    at = _HEADER.size
    for _ in range(header.chunks):
        if at + _LENGTH.size > len(data):
            return False
        at += _LENGTH.size + _LENGTH.unpack_from(data, at)[0]
    return at <= len(data)


def file_key(header: Header, token_hash: str) -> bytes:
    """Return the key of a file (HKDF-SHA256, RFC 5869): another one for each salt and direction."""
    way = "up" if header.direction == UP else "down"
    prk = hmac.digest(header.salt, bytes.fromhex(token_hash), hashlib.sha256)
    return hmac.digest(prk, f"chushan hand-over 1 {way}".encode() + b"\x01", hashlib.sha256)


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


def _bound(head: bytes, number: int) -> bytes:
    # With the header comes the count of chunks, so that none can be dropped from the end unnoticed.
    return head + number.to_bytes(4, "big")
