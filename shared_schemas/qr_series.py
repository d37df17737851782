"""A sealed file as a series of QR codes: shown on one screen, photographed from another.

The text of each code is `CSQ1/` + the first 16 characters of the file's SHA-256 / its place / how many
there are / a piece of the file in Base45 (RFC 9285). All of it stands in the alphanumeric alphabet of
QR codes (ISO/IEC 18004, 7.4.4), which packs 11 bits for two characters. docs/protocol.md has an example.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

PIECE_BYTES = 500
"""In one code: version 16 to 17, 81 to 85 modules. Denser ones are read less often from a photo."""

MOST_CODES = 24
"""A file of more pieces goes as a file: nobody photographs a hundred codes."""

_NAME, _VERSION = "CSQ", 1
_TEXT = re.compile(r"CSQ(\d{1,3})/([0-9A-F]{16})/(\d{1,3})/(\d{1,3})/(.*)", re.DOTALL)
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}


class NotACodeError(ValueError):
    """The text of another QR code, or one that was not read right."""


class TooNewError(NotACodeError):
    """A code of a later version than this program knows."""


class TooLargeError(ValueError):
    """A file of more pieces than anybody photographs."""


class DamagedError(ValueError):
    """The pieces are all there and do not make the file that their name says."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one code holds: the piece `at` (from 1) of `of`, of the file `series`."""

    series: str
    """The first 16 characters of the file's SHA-256, in capital hex digits."""
    at: int
    of: int
    data: bytes


def series_of(data: bytes) -> str:
    """Return the name of a file's series."""
    return hashlib.sha256(data).hexdigest()[:16].upper()


def split(data: bytes) -> list[str]:
    """Return the texts of the codes that hold a file; TooLargeError for more than `MOST_CODES`."""
    pieces = [data[i : i + PIECE_BYTES] for i in range(0, len(data), PIECE_BYTES)] or [b""]
    if len(pieces) > MOST_CODES:
        raise TooLargeError(len(data))
    head = f"{_NAME}{_VERSION}/{series_of(data)}"
    return [
        f"{head}/{at}/{len(pieces)}/{to_base45(piece)}" for at, piece in enumerate(pieces, start=1)
    ]


def parse(text: str) -> Piece:
    """Return what a code holds; NotACodeError, or TooNewError of a later version."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise NotACodeError("another code")
    version, series, at, of, rest = found.groups()
    if int(version) > _VERSION:
        raise TooNewError(version)
    piece = Piece(series, int(at), int(of), from_base45(rest))
    if not 1 <= piece.at <= piece.of <= MOST_CODES or len(piece.data) > PIECE_BYTES:
        raise NotACodeError("no place in a series")
    return piece


def join(series: str, pieces: Mapping[int, bytes]) -> bytes:
    """Return the file that a whole series makes; DamagedError where it is not the one of its name."""
    data = b"".join(pieces[at] for at in sorted(pieces))
    if series_of(data) != series:
        raise DamagedError(series)
    return data


def to_base45(data: bytes) -> str:
    """Return bytes in Base45: three characters for two bytes, two for a last one."""
    said = []
    for i in range(0, len(data), 2):
        two = data[i : i + 2]
        number = int.from_bytes(two)
        for _ in range(len(two) + 1):
            number, value = divmod(number, 45)
            said.append(_ALPHABET[value])
    return "".join(said)


def from_base45(text: str) -> bytes:
    """Return the bytes that Base45 stands for; NotACodeError for what nobody wrote."""
    data = bytearray()
    try:
        for i in range(0, len(text), 3):
            three = text[i : i + 3]
            number = sum(_VALUES[character] * 45**place for place, character in enumerate(three))
            data += number.to_bytes(len(three) - 1)
    except (KeyError, OverflowError) as error:
        raise NotACodeError("no Base45") from error
    if len(text) % 3 == 1:
        raise NotACodeError("no Base45")
    return bytes(data)
