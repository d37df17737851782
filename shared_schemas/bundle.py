"""A household bundle: a household with its members, intentions, consents and placements.

It is what a cadre submits and what the county reviews as one. Records are plain dicts of field
values with their `id`; void records are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared_schemas.fields import Facts
from shared_schemas.records.consent import refuses

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bundle:
    """One household and all that belongs to it."""

    household: Record
    members: tuple[Record, ...] = ()
    intentions: tuple[Record, ...] = ()
    consents: tuple[Record, ...] = ()
    placements: tuple[Record, ...] = ()

    def records(self) -> list[tuple[str, Record]]:
        """Return every record with its kind, the household first."""
        return [
            ("household", self.household),
            *(("member", record) for record in self.members),
            *(("intention", record) for record in self.intentions),
            *(("consent", record) for record in self.consents),
            *(("placement", record) for record in self.placements),
        ]

    def member(self, member_id: str | None) -> Record:
        """Return the member with that id, an empty record when there is none."""
        return next((m for m in self.members if m["id"] == member_id), {})

    def facts(self, kind: str, record: Record, today: str | None) -> Facts:
        """Return what a condition may look at for one record of the bundle."""
        if kind == "household":
            return Facts(record, {}, record, today)
        member = record if kind == "member" else self.member(record.get("member_id"))
        refused = kind == "member" and any(refuses(c, record.get("id")) for c in self.consents)
        return Facts(record, member, self.household, today, refused)


def bundle_of(records: list[tuple[str, Record]]) -> Bundle:
    """Return the bundle of (kind, record) pairs; void records are left out."""

    def present(kind: str) -> tuple[Record, ...]:
        return tuple(r for k, r in records if k == kind and not r.get("deleted"))

    households = [r for k, r in records if k == "household"]
    return Bundle(
        households[0] if households else {},
        present("member"),
        present("intention"),
        present("consent"),
        present("placement"),
    )
