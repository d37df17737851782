"""What lies in whose scope. A scope is a division prefix, written with or without padding zeros."""

from __future__ import annotations

from shared_schemas.codes.divisions import is_within, level_of

_WIDTHS = {1: 2, 2: 4, 3: 6, 4: 9, 5: 12}


def scope_prefix(code: str) -> str:
    """Return the digits that every place inside a division begins with; empty means everywhere."""
    digits = code.strip()
    return digits.ljust(12, "0")[: _WIDTHS[level_of(digits)]] if digits.strip("0") else ""


def in_scope(village_code: str | None, scope: str) -> bool:
    """Tell whether a village lies inside a scope."""
    return village_code is not None and (not scope or is_within(village_code, scope))


def county_of_scope(scope: str) -> str | None:
    """Return the six digits of the county that a scope lies in, None for a wider one."""
    return scope[:6] if len(scope) >= 6 else None
