"""What a push computes on a shorter way is what the plain way gives."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from server.demo.people import invent_households
from shared_schemas.bundle import Bundle
from shared_schemas.changes import Change, content_hash
from shared_schemas.codes import divisions
from shared_schemas.rules import Surroundings, check_bundle

plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20)
values = st.dictionaries(
    st.text(max_size=12), plain | st.lists(plain, max_size=3) | st.dictionaries(st.text(), plain)
)


@given(n=st.integers(1), kind=st.text(max_size=20), values=values)
def test_the_hash_of_a_change_is_that_of_its_json(
    n: int, kind: str, values: dict[str, Any]
) -> None:
    change = Change(n, kind, "k7m2q9x4t0b1c", 3, -5, values)
    text = json.dumps(
        [n, kind, "k7m2q9x4t0b1c", 3, -5, values],
        ensure_ascii=False, separators=(",", ":"), sort_keys=True,
    )  # fmt: skip
    expected = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

    assert content_hash(change) == expected


@given(seed=st.integers(0, 500), today=st.dates().map(str))
@settings(max_examples=25, deadline=None)
def test_rules_give_the_same_hits_where_the_values_were_judged_before(
    seed: int, today: str
) -> None:
    villages = [place.code12 for place in divisions.divisions_within("522326", divisions.VILLAGE)]
    around = Surroundings(today=today)
    for whole in invent_households(seed, 8, villages):
        for scrambled in (0, 1):
            members = [dict(m) for m in whole.members]
            if scrambled and members:
                members[0]["birth_date"], members[-1]["sex"] = "1971-02-03", "1"
            bundle = Bundle(whole.household, tuple(members))
            hits = check_bundle(bundle, around)
            if any(hit.rule in ("FORMAT", "V01") for hit in hits):
                continue
            assert check_bundle(bundle, dataclasses.replace(around, values_judged=True)) == hits
