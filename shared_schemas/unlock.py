"""How the county lets a cadre back into his phone: digits read out over the telephone.

The locked phone shows a challenge of 8 digits: which phone it is, and the how-manieth unlocking.
The county's server answers with 30 digits, and these open the phone's key once. Both sides derive
them from the hash of the phone's token, so the phone needs no signal. Digits, not letters: they are
what two people can read to each other in any dialect.
"""

from __future__ import annotations

import hashlib
import hmac

SERIALS = 1000
GROUPS, GROUP = 6, 5
"""The answer: six groups of five digits. The last of each is a check digit."""

ANSWER_DIGITS = GROUPS * GROUP
CHALLENGE_DIGITS = 8

_DAMM = (
    "0317598642", "7092154863", "4206871359", "1750983426", "6123045978",
    "3674209581", "5869720134", "8945362017", "9438617205", "2581436790",
)  # fmt: skip
"""Damm's quasigroup: it finds every wrong digit and every two neighbours that were swapped."""


def challenge(device_id: str, serial: int) -> str:
    """Return what the locked phone shows, 8 digits."""
    body = f"{serial % SERIALS:03d}{_mark(device_id)}"
    return body + _check(body, 0)


def serial_of(typed: str, device_id: str) -> int | None:
    """Return the serial of a challenge that somebody read out; None where it is not this phone's."""
    digits = _digits(typed)
    if len(digits) != CHALLENGE_DIGITS or not hmac.compare_digest(digits[3:7], _mark(device_id)):
        return None
    return int(digits[:3]) if _check(digits[:7], 0) == digits[7] else None


def answer(token_hash: str, device_id: str, serial: int) -> str:
    """Return the 30 digits that open a phone once."""
    message = f"chushan unlock {device_id} {serial % SERIALS}".encode()
    number = int.from_bytes(hmac.digest(bytes.fromhex(token_hash), message, "sha256"))
    body = f"{number % 10 ** (GROUPS * (GROUP - 1)):0{GROUPS * (GROUP - 1)}d}"
    parts = [body[i * (GROUP - 1) : (i + 1) * (GROUP - 1)] for i in range(GROUPS)]
    return "".join(part + _check(part, i + 1) for i, part in enumerate(parts))


def wrong_group(typed: str) -> int | None:
    """Return the first group (from 1) of typed digits in which there is a slip; None where none shows.

    Only whole groups are looked at, so that it can be asked while digits are being typed.
    """
    for number in range(1, len(typed) // GROUP + 1):
        part = typed[(number - 1) * GROUP : number * GROUP]
        if not part.isdecimal() or _check(part[:-1], number) != part[-1]:
            return number
    return None


def in_groups(digits: str, size: int) -> str:
    """Return digits with a space after every `size`."""
    return " ".join(digits[i : i + size] for i in range(0, len(digits), size))


def _digits(typed: str) -> str:
    return "".join(c for c in typed if c in "0123456789")


def _mark(device_id: str) -> str:
    digest = hashlib.sha256(f"chushan phone {device_id}".encode()).digest()
    return f"{int.from_bytes(digest[:8]) % 10_000:04d}"


def _check(body: str, start: int) -> str:
    """Return the check digit; another `start` for each place, so that swapped groups show."""
    state = start % 10
    for digit in body:
        state = int(_DAMM[state][int(digit)])
    # Damm's digit closes to 0: in this quasigroup x with x is 0, so it is the state itself.
    return str(state)
