"""The code lists: which codes a field may hold and what each is called.

lists.toml names every list and its standard, data/ holds the codes, SOURCES.md says where they come from.
Nothing is read before it is asked for, and then once: a phone starts fast. The places are in
`divisions`, beside this. May import the standard library only.
"""

import csv
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["Code", "CodeList", "code_list", "code_list_names"]


@dataclass(frozen=True, slots=True)
class Code:
    """One code of a list. Codes are strings: "02" is not "2"."""

    code: str
    zh: str
    en: str
    valid_from: str = ""
    valid_to: str = ""
    successor: str = ""
    offered: bool = True
    group: str = ""


@dataclass(frozen=True)
class CodeList:
    """One list of codes, in the order in which a form shows them.

    A code that is not offered (sex 9, relation 22) is still valid: imports bring it.
    """

    name: str
    standard: str
    zh: str
    en: str
    codes: tuple[Code, ...]
    note: str = ""
    _by_code: dict[str, Code] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_code", {code.code: code for code in self.codes})

    def __contains__(self, code: object) -> bool:
        return code in self._by_code

    def get(self, code: str) -> Code | None:
        """Return the code, or None when the list does not have it."""
        return self._by_code.get(code)

    def label(self, code: str, lang: str = "zh") -> str:
        """Return what people call the code; an unknown code is shown as it is, never hidden."""
        known = self._by_code.get(code)
        if known is None:
            return code
        return known.en if lang == "en" else known.zh

    def offered(self) -> tuple[Code, ...]:
        """Return the codes that a form offers."""
        return tuple(code for code in self.codes if code.offered)

    def groups(self) -> tuple[str, ...]:
        """Return the names of the groups, in order: the 16 buttons of the list "relation"."""
        return tuple(dict.fromkeys(code.group for code in self.codes if code.group))


@cache
def code_list(name: str) -> CodeList:
    """Return the list of this name, read once. An unknown name is a programming error: KeyError."""
    declared = _declared()[name]
    return CodeList(
        name=name,
        standard=declared["standard"],
        zh=declared["zh"],
        en=declared["en"],
        codes=_codes(declared["file"]),
        note=declared.get("note", ""),
    )


def code_list_names() -> tuple[str, ...]:
    """Return the names of all lists, in the order of lists.toml."""
    return tuple(_declared())


@cache
def _declared() -> dict[str, dict[str, Any]]:
    return tomllib.loads(files(__name__).joinpath("lists.toml").read_text(encoding="utf-8"))


def _codes(file_name: str) -> tuple[Code, ...]:
    text = files(__name__).joinpath("data", file_name).read_text(encoding="utf-8")
    return tuple(
        Code(
            code=row["code"],
            zh=row["zh"],
            en=row["en"],
            valid_from=row["valid_from"],
            valid_to=row["valid_to"],
            successor=row["successor"],
            offered=row["offered"] == "1",
            group=row.get("group") or "",
        )
        for row in csv.DictReader(text.splitlines())
    )
