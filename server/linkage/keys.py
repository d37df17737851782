"""Blocking keys: two records are compared where they share one, and never otherwise.

They say `levels.BLOCKING` of one record. A key is a hash only to be short: it stands in the database
beside the values that it is made of, and would protect nothing there. What leaves a county is keyed
(`server.services.other_counties`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from server.linkage.levels import BLOCKING, Side

_PARTS = tuple(
    (f"{kind}|", tuple(Side._fields.index(feature) for feature in line))
    for kind, line in enumerate(BLOCKING)
)


@lru_cache(maxsize=2048)  # a push asks twice: to store them, and to look up by them
def blocking_keys(side: Side) -> Sequence[str]:
    """Return the keys of a record, 16 hex digits each; one with something unknown is left out."""
    keys = []
    for kind, places in _PARTS:
        parts = [side[at] for at in places]
        if None not in parts:
            text = kind + "|".join(map(str, parts))
            keys.append(hashlib.blake2b(text.encode(), digest_size=8).hexdigest())
    return tuple(keys)
