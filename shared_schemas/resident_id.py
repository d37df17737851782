"""Resident identity numbers (公民身份号码), GB 11643-1999: 6 area + 8 birth + 3 serial + 1 check."""

from __future__ import annotations

import datetime as dt
import re
from operator import mul

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_OF_ZEROS = sum(_WEIGHTS) * ord("0")
"""What the weighted bytes of 17 zeros come to."""
_SHAPE = re.compile(r"^\d{17}[\dX]$", re.ASCII)


def check_character(first17: str) -> str:
    """Return the check character (ISO 7064 MOD 11-2) of the first 17 digits."""
    return _CHECKS[(sum(map(mul, first17.encode(), _WEIGHTS)) - _OF_ZEROS) % 11]


def slip(value: str) -> str | None:
    """Return what kind of slip a number has, or None when it is good.

    One of "fifteen" (the old form), "length", "characters", "lower_x", "birth", "checksum",
    "transposed" (swapping two neighbours would make it good). Each is a message key under
    `rules.V01`.
    """
    if not _SHAPE.fullmatch(value):
        return _misshapen(value)
    checks = check_character(value[:17]) == value[17]
    if checks:
        return None if birth_date(value) else "birth"
    if any(_is_good(_swapped(value, i)) for i in range(17) if value[i] != value[i + 1]):
        return "transposed"
    return "checksum" if birth_date(value) else "birth"


def _misshapen(value: str) -> str:
    if re.fullmatch(r"\d{15}", value, re.ASCII):
        return "fifteen"
    if len(value) != 18:
        return "length"
    return "lower_x" if _SHAPE.fullmatch(value.upper()) else "characters"


def _is_good(value: str) -> bool:
    return bool(
        _SHAPE.match(value) and check_character(value[:17]) == value[17] and birth_date(value)
    )


def _swapped(value: str, i: int) -> str:
    return value[:i] + value[i + 1] + value[i] + value[i + 2 :]


def birth_date(value: str) -> str | None:
    """Return the ISO birth date inside the number, None when it is not a day of 1900–2099."""
    part = value[6:14]
    if not part.isdigit() or part[:2] not in ("19", "20"):
        return None
    try:
        return dt.date(int(part[:4]), int(part[4:6]), int(part[6:])).isoformat()
    except ValueError:
        return None


def sex(value: str) -> str:
    """Return the GB/T 2261.1 code inside the number: 1 male (17th digit odd), 2 female."""
    return "1" if int(value[16]) % 2 else "2"


def area(value: str) -> str:
    """Return the six-digit area where the number was first issued; it may be an abolished code."""
    return value[:6]
