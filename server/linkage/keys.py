"""Blocking keys: two records are compared where they share one, and never otherwise.

The same rules as `levels.BLOCKING`, for records of one county. A key is a hash only to be short: it
stands in the database beside the values that it is made of, and would protect nothing there. What
leaves a county is keyed (`server.services.other_counties`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from server.linkage.levels import Side


@lru_cache(maxsize=2048)  # a push asks twice: to store them, and to look up by them
def blocking_keys(side: Side) -> Sequence[str]:
    """Return the keys of a record, 16 hex digits each; one with something unknown is left out."""
    born = side.birth_day, side.birth_year, side.birth_month_day
    day, year, month_day = (str(part) if part is not None else None for part in born)
    parts = (
        (side.id18,),
        (side.id_area_birth, side.surname),
        (day,),
        (side.name_folded, year),
        (side.phone, side.surname),
        (side.given_folded, month_day, side.sex),
        (side.name, side.township),
        (side.head, year, side.given_folded),
    )
    return tuple(
        hashlib.blake2b(f"{kind}|{'|'.join(map(str, texts))}".encode(), digest_size=8).hexdigest()
        for kind, texts in enumerate(parts)
        if None not in texts
    )
