"""The doubles of the demo: households that a phone would send, and people who are one or two."""

from __future__ import annotations

import datetime as dt

from server.demo.doubles import Person, doubles
from server.demo.people import invent_households
from shared_schemas import rules
from shared_schemas.codes import divisions
from shared_schemas.resident_id import slip

TODAY = dt.date(2026, 11, 20)
AROUND = rules.Surroundings(
    TODAY.isoformat(),
    village_known=lambda code: divisions.division(code) is not None,
    on_server=True,
)
VILLAGES = ["522326110201", "522326111201"]


def test_each_double_is_a_household_without_faults() -> None:
    people = [
        Person({**m, "village_code": VILLAGES[0]}, approved=bool(n % 2))
        for n, whole in enumerate(invent_households(5, 120, VILLAGES[:1], today=TODAY))
        for m in whole.members[:1]
    ]
    known = {(p.name, p.values["birth_date"]) for p in people}
    found = [double.whole for double in doubles(people, VILLAGES, TODAY, seed=7)]
    assert len(found) == 10
    for whole in found:
        hits = rules.check_bundle(whole.bundle(), AROUND)
        assert [hit.message() for hit in hits if hit.level is rules.Level.ERROR] == []
        assert all(slip(m["id_no"]) is None for m in whole.members if m.get("id_no"))
    again = [m for whole in found for m in whole.members if (m["name"], m["birth_date"]) in known]
    assert len(again) == 3  # the others are written otherwise
    twins = [m for whole in found for m in whole.members if m["name"] in ("岑建平", "岑建安")]
    assert len({m.get("id_no") for m in twins}) == 3
