"""A visit to one household: its records with drafts over them, its problems, its submit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobile.forms.record_form import RecordForm
from shared_schemas.rules import Hit

if TYPE_CHECKING:
    from mobile.storage.database import Store


@dataclass(frozen=True, slots=True)
class Position:
    """Which question is open. A kill reopens there."""

    record_id: str
    group: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One group of one record on the way through a visit."""

    kind: str
    record_id: str
    group: str
    title: str
    record_title: str
    done: bool
    errors: int
    """How many errors it holds that the cadre should see now."""
    comments: int


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """Whether the visit went into the outbox; if not, the hits that stand in the way."""

    submitted: bool
    problems: tuple[Hit, ...]


class Visit:
    """A visit to a household. All of it is in the store; opening again gives the same."""

    household_id: str
    village_code: str
    today: str
    cadre: str
    show_missing: bool

    @staticmethod
    def open(
        store: Store, household_id: str | None, village_code: str, *, today: str, cadre: str
    ) -> Visit:
        """Open a household, or with None a new one in the village. `today` is an ISO date."""
        raise NotImplementedError

    @property
    def locked(self) -> bool:
        """Whether it was submitted and is still on the phone: `recall` before changing it."""
        raise NotImplementedError

    @property
    def state(self) -> str:
        """One of `mobile.storage.records.STATES`."""
        raise NotImplementedError

    @property
    def comments(self) -> list[str]:
        """The reviewer's words that belong to no field."""
        raise NotImplementedError

    def records(self) -> list[RecordForm]:
        """Return every record in the order of the bundle."""
        raise NotImplementedError

    def record(self, record_id: str) -> RecordForm:
        """Return one record; KeyError when it is not of this visit."""
        raise NotImplementedError

    @property
    def household(self) -> RecordForm:
        """The household itself."""
        raise NotImplementedError

    @property
    def members(self) -> list[RecordForm]:
        """The members, head first."""
        raise NotImplementedError

    def add_member(self) -> RecordForm:
        """Add a member; it is saved at once."""
        raise NotImplementedError

    def intention_of(self, member: RecordForm) -> RecordForm | None:
        """Return a member's work intention, None for the under-16 and those who left."""
        raise NotImplementedError

    def consents_of(self, member: RecordForm) -> dict[str, RecordForm]:
        """Return a member's consents by kind ("survey", "share_hr"); empty where none is asked."""
        raise NotImplementedError

    def record_consent(
        self,
        member: RecordForm,
        kind: str,
        given: bool,
        method: str | None = None,
        witness: str | None = None,
    ) -> None:
        """Save a member's answer to one of the two questions."""
        raise NotImplementedError

    def remove_member(self, form: RecordForm) -> None:
        """Take a member and what belongs to him out: a new one is dropped, a known one made void."""
        raise NotImplementedError

    def problems(self) -> list[Hit]:
        """Return every hit of the rules, errors first."""
        raise NotImplementedError

    def accept_warning(self, hit: Hit, reason: str) -> None:
        """Keep the cadre's reason for a warning."""
        raise NotImplementedError

    def confirm_unchanged(self) -> None:
        """“都没变”: renew the visit date and every intention's confirmation; then `submit`."""
        raise NotImplementedError

    def submit(self) -> SubmitResult:
        """Put the changes into the outbox, all or nothing; refused while a problem stands."""
        raise NotImplementedError

    def recall(self) -> bool:
        """Take a submit back that was not sent yet; False when it is too late."""
        raise NotImplementedError

    def discard(self) -> None:
        """Throw the drafts of this visit away."""
        raise NotImplementedError

    def leave(self) -> None:
        """Close the visit: the app no longer reopens in it. The drafts stay."""
        raise NotImplementedError

    @property
    def position(self) -> Position | None:
        """Which question is open; setting it saves it."""
        raise NotImplementedError

    @position.setter
    def position(self, position: Position) -> None:
        raise NotImplementedError

    def steps(self, lang: str = "zh") -> list[Step]:
        """Return the steps in the order in which a cadre walks them."""
        raise NotImplementedError

    def next_step(self, step: Step) -> Step | None:
        """Return the step after this one, None at the end."""
        raise NotImplementedError

    def previous_step(self, step: Step) -> Step | None:
        """Return the step before this one, None at the start."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class OpenVisit:
    """The visit that was open when the app ended."""

    household_id: str
    village_code: str


def open_visit(store: Store) -> OpenVisit | None:
    """Return the visit to reopen at start, None when the app was left in order."""
    raise NotImplementedError
