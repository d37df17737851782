"""Record ids: 64 random bits for a household, 20 more for each record below it (sync.md 3.1).

Short enough to say over the telephone, a quarter fewer bytes on the wire than a UUID, and made
where the record is born without asking anyone. The random bits are passed in.
"""

from __future__ import annotations

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base32: no i, l, o, u


def _base32(number: int, length: int) -> str:
    return "".join(_ALPHABET[(number >> (5 * i)) & 31] for i in reversed(range(length)))


def household_id(random64: int) -> str:
    """Return a household's id of 13 characters from 64 random bits."""
    return _base32(random64 & (1 << 64) - 1, 13)


def child_id(household: str, random20: int) -> str:
    """Return the id, 17 characters, of a record born in a household from 20 random bits."""
    return household[:13] + _base32(random20 & (1 << 20) - 1, 4)


def incarnation_id(random64: int) -> str:
    """Return the id of one life of an installation from 64 random bits."""
    return _base32(random64 & (1 << 64) - 1, 13)
