"""Labels and messages in Chinese (first) and English (second), as data in `*.toml` beside this file.

`text(key)` is the one way to words. Keys are dotted: the table, then the entry. A county's words
for a field stand with the field's declaration, not here.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any

LANGUAGES = ("zh", "en")


@cache
def _catalogue() -> dict[str, dict[str, str]]:
    words: dict[str, dict[str, str]] = {}
    for file in resources.files(__name__).iterdir():
        if file.name.endswith(".toml"):
            _flatten(tomllib.loads(file.read_text("utf-8")), "", words)
    return words


def _flatten(table: dict[str, Any], prefix: str, words: dict[str, dict[str, str]]) -> None:
    for name, entry in table.items():
        key = f"{prefix}{name}"
        if isinstance(entry, dict) and ("zh" in entry or "ko" in entry):
            words.setdefault(key, {}).update(entry)
        else:
            _flatten(entry, f"{key}.", words)


def text(key: str, lang: str = "zh", **args: Any) -> str:
    """Return the words for `key` with `args` filled in; KeyError for a key that has no words."""
    entry = _catalogue()[key]
    return entry.get(lang, entry["zh"]).format(**args)


def korean(key: str) -> str:
    """Return the Korean words for `key`, "" where there are none: few have them, see korean.toml."""
    return _catalogue().get(key, {}).get("ko", "")
