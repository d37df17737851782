"""What the phone knows of households, as lists and bundles show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mobile.storage.database import Store
    from shared_schemas.bundle import Bundle

TO_VISIT, DRAFT, WAITING, SYNCED = "to_visit", "draft", "waiting", "synced"
RETURNED, APPROVED, HELD, CONFLICT = "returned", "approved", "held", "conflict"
STATES = (RETURNED, CONFLICT, HELD, DRAFT, TO_VISIT, WAITING, SYNCED, APPROVED)
"""States of a household on the phone, those that ask something of the cadre first."""


@dataclass(frozen=True, slots=True)
class HouseholdRow:
    """A household in a list. `state` is one of STATES; its words are `text(f"visit.state.{state}")`."""

    id: str
    village_code: str
    head_name: str
    address: str
    """Group and address, as far as known."""
    phone: str
    member_count: int
    state: str
    returned_count: int
    """How many comments of the reviewer wait for an answer; 0 unless returned."""
    conflict_count: int
    survey_date: str | None


@dataclass(frozen=True, slots=True)
class VillageRow:
    """A village of the cadre with its counts of households."""

    code: str
    name: str
    total: int
    done: int
    returned: int
    to_confirm: int
    drafts: int


def households(
    store: Store, village_code: str | None = None, query: str = ""
) -> list[HouseholdRow]:
    """Return households, those that ask something of the cadre first.

    `query` matches names of head and members, pinyin initials of them, address and phone.
    """
    raise NotImplementedError


def villages(store: Store) -> list[VillageRow]:
    """Return the villages in the cadre's scope, also those without a household yet."""
    raise NotImplementedError


def bundle(store: Store, household_id: str) -> Bundle:
    """Return a household with all that belongs to it, as displayed: the county's values, own submits over them."""
    raise NotImplementedError
