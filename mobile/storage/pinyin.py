"""Finding 韦秀兰 by typing wxl or weixiulan: how the characters of a name may be read.

Three tables, none of which needs pypinyin (56 MiB) in memory: shared_schemas/pinyin.txt has the usual
readings and those of surnames, mobile/assets/pinyin_more.txt what else a character is read as, and
mobile/assets/pinyin_initials.txt the first letters. The tools in mobile/tools tell their formats.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from shared_schemas.names import normal_name, syllables

ASSETS = Path(__file__).resolve().parent.parent / "assets"


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


def readings(name: str) -> list[tuple[str, ...]]:
    """Return for each character of a name the syllables that it may be read as, the likeliest first.

    As a surname, as usual, and otherwise; what is no known character is its own reading.
    """
    name = normal_name(name)
    found = [dict.fromkeys((syllables("", c)[0], *_more().get(c, ()))) for c in name]
    for length in (2, 1):
        own = syllables(name[:length], "")
        if own != syllables("", name[:length]):
            for i, reading in enumerate(own):
                found[i] = {reading: None, **found[i]}
            break
    return [tuple(of_character) for of_character in found]


def _letters(name: str) -> list[str]:
    """Return for each character the letters that it may be found by."""
    characters, surnames = _initials()
    letters = [characters.get(c, c.lower()) for c in name if c not in " ·•"]
    for length in (2, 1):
        own = surnames.get(name[:length])
        if own is not None:
            for i, letter in enumerate(own):
                letters[i] += letter
            break
    return letters


@cache
def beginnings() -> frozenset[str]:
    """Return what a syllable may begin with, from one letter to the whole."""
    syllables_known = {reading for of in _more().values() for reading in of}
    syllables_known |= {syllables("", character)[0] for character in _initials()[0]}
    return frozenset(s[:n] for s in syllables_known for n in range(1, len(s) + 1) if s.isascii())


def letters_of_characters() -> dict[str, str]:
    """Return for each character the first letters of its readings, the usual one first."""
    return _initials()[0]


@cache
def _more() -> dict[str, tuple[str, ...]]:
    more: dict[str, tuple[str, ...]] = {}
    for line in _asset("pinyin_more.txt").splitlines():
        if not line.startswith("#"):
            reading, _, members = line.partition("\t")
            for character in members:
                more[character] = (*more.get(character, ()), reading)
    return more


@cache
def _initials() -> tuple[dict[str, str], dict[str, str]]:
    first, _, second = _asset("pinyin_initials.txt").partition("\n\n")
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


def _asset(name: str) -> str:
    try:
        return (ASSETS / name).read_text("utf-8")
    except OSError:
        return ""
