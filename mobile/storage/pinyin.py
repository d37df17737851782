"""Finding 韦秀兰 by typing wxl: the first letters of the readings of a name's characters.

The table is `mobile/assets/pinyin_initials.txt`; `mobile/tools/build_pinyin.py` tells its format.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

ASSET = Path(__file__).resolve().parent.parent / "assets" / "pinyin_initials.txt"


def matches(name: str, query: str) -> bool:
    """Tell whether `query` is a run of initials in `name`; any reading of a character counts."""
    query = query.lower()
    if not (query.isascii() and query.isalpha()):
        return False
    letters = _letters(name)
    return any(
        all(query[i] in letters[start + i] for i in range(len(query)))
        for start in range(len(letters) - len(query) + 1)
    )


def _letters(name: str) -> list[str]:
    """Return for each character the letters that it may be found by."""
    characters, surnames = _table()
    letters = [characters.get(c, c.lower()) for c in name if c not in " ·•"]
    for length in (2, 1):
        own = surnames.get(name[:length])
        if own is not None:
            for i, letter in enumerate(own):
                letters[i] += letter
            break
    return letters


@cache
def _table() -> tuple[dict[str, str], dict[str, str]]:
    try:
        text = ASSET.read_text("utf-8")
    except OSError:
        return {}, {}
    first, _, second = text.partition("\n\n")
    characters = {}
    for line in first.splitlines():
        if not line.startswith("#"):
            letters, _, members = line.partition("\t")
            characters.update(dict.fromkeys(members, letters))
    surnames = {}
    for line in second.splitlines():
        letters, _, surname = line.partition("\t")
        surnames[surname] = letters
    return characters, surnames
