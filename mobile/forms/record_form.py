"""One record as a form: its groups, its questions, and what an answer does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared_schemas.fields import Value
from shared_schemas.rules import Hit

Option = tuple[str, str, str]
"""Code, label, group (the relation buttons; empty for most lists)."""


@dataclass(frozen=True, slots=True)
class Question:
    """One field as a screen draws it, at this moment. Ask again after every answer."""

    name: str
    label: str
    hint: str
    widget: str
    """`Declared.widget`: text, name, resident_id, phone, division, code, codes, divisions, flag, number, day, records, skills."""
    options: list[Option]
    value: Value
    shown: str
    """The value as a person reads it."""
    required: bool
    error: str | None
    """What is wrong, once it was answered or `show_missing` is set."""
    warning: str | None
    """What is doubtful and has no reason yet; give one with `Visit.accept_warning(warning_hit, …)`."""
    comment: str | None
    """The reviewer's words, when the household was returned."""
    changed: bool
    """Answered differently in this visit."""
    locked: bool
    """The visit was submitted and not recalled."""
    warning_hit: Hit | None = None
    most: int | None = None
    """How many options or places may be chosen, for codes and divisions."""


@dataclass(frozen=True, slots=True)
class Group:
    """A question group: one screen."""

    name: str
    title: str
    done: bool
    problems: tuple[Hit, ...]


class RecordForm:
    """One record of a visit. Made by `Visit`; every answer is saved when this returns."""

    kind: str
    record_id: str
    show_missing: bool
    """Whether fields without an answer show that one is needed: set it when “next” was refused."""

    def title(self, lang: str = "zh") -> str:
        """Return what the record is called: the person's name, or the kind."""
        raise NotImplementedError

    def groups(self, lang: str = "zh") -> list[Group]:
        """Return the groups in which something is asked now."""
        raise NotImplementedError

    def questions(self, group: str, lang: str = "zh") -> list[Question]:
        """Return the questions of a group that are asked now, skip logic applied."""
        raise NotImplementedError

    def answer(self, name: str, value: Value) -> None:
        """Save an answer at once. A good ID number fills birth date and sex."""
        raise NotImplementedError

    def typed(self, name: str, text: str) -> None:
        """Save what a person typed; text that means no value is kept as typed and shows an error."""
        raise NotImplementedError

    def clear(self, name: str) -> None:
        """Take an answer away."""
        raise NotImplementedError

    @property
    def values(self) -> dict[str, Any]:
        """The values as they stand in this visit."""
        raise NotImplementedError
