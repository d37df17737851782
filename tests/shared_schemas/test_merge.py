"""The merge: what is lost never, what is held, what a clock may decide (sync.md 3.2 and 3.3)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared_schemas.changes import Change, Outcome
from shared_schemas.fields import Merge
from shared_schemas.merge import (
    COUNTY,
    UNSEQUENCED,
    Stamp,
    Version,
    effective_ms,
    merge_change,
    sequenced,
    stamps_to_json,
    version_from_json,
)
from shared_schemas.records import record_kind

ANNE, BO = "0000000000ann", "00000000000b0"
MEMBER = record_kind("member").fields


def policy(name: str) -> Merge:
    return MEMBER[name].info.merge


def a_version(values, *, seq=5, incarnation=ANNE, eff_ms=1_000):
    return Version(values, Stamp(eff_ms, incarnation, seq))


def an_edit(values, *, base, n=1, at_ms=2_000):
    return Change(n, "member", "0" * 17, base, at_ms, values)


def merged(current, edit, *, incarnation=BO, eff_ms=2_000, lost=False):
    return merge_change(
        current, edit, incarnation=incarnation, eff_ms=eff_ms, policy=policy, lost=lost
    )


def test_a_new_record_is_applied_without_its_empty_fields():
    result = merged(None, an_edit({"name": "韦小梅", "phone": None}, base=0))
    assert result.outcome is Outcome.APPLIED
    assert result.version.values == {"name": "韦小梅"}


def test_an_edit_that_saw_the_present_value_replaces_it_whatever_the_clock_says():
    current = a_version({"phone": "13900000000"}, eff_ms=9_000)
    result = merged(current, an_edit({"phone": "13911111111"}, base=5), eff_ms=1)
    assert result.outcome is Outcome.APPLIED
    assert result.version.values["phone"] == "13911111111"
    assert result.version.stamp("phone").eff_ms == 9_000


def test_edits_of_different_fields_merge_silently():
    seen = a_version({"phone": "13900000000", "education": "70"}, seq=5)
    first = sequenced(
        merged(seen, an_edit({"phone": "13911111111"}, base=5), incarnation=ANNE).version, 6
    )
    second = merged(first, an_edit({"education": "80"}, base=5), incarnation=BO)
    assert second.outcome is Outcome.MERGED
    assert second.conflicts == ()
    assert second.version.values == {"phone": "13911111111", "education": "80"}


def test_the_same_value_from_two_devices_is_agreement():
    current = a_version({"phone": "13911111111"}, seq=9)
    result = merged(current, an_edit({"phone": "13911111111"}, base=5))
    assert result.outcome is Outcome.MERGED
    assert result.conflicts == ()


def test_of_a_low_stakes_field_the_later_edit_shows_and_both_are_kept():
    current = a_version({"work_wage": 3000}, seq=9, eff_ms=1_000)
    later = merged(current, an_edit({"work_wage": 4000}, base=5), eff_ms=2_000)
    earlier = merged(current, an_edit({"work_wage": 4000}, base=5), eff_ms=500)
    assert later.version.values["work_wage"] == 4000
    assert earlier.version.values["work_wage"] == 3000
    for result in (later, earlier):
        assert result.outcome is Outcome.CONFLICT
        assert [(c.ours, c.theirs) for c in result.conflicts] == [(3000, 4000)]


def test_of_an_identity_field_the_present_value_stays_until_a_person_decides():
    current = a_version({"name": "韦小梅"}, seq=9, eff_ms=1_000)
    result = merged(current, an_edit({"name": "韦晓梅"}, base=5), eff_ms=99_000)
    assert result.version.values["name"] == "韦小梅"
    assert [(c.theirs, c.shown) for c in result.conflicts] == [("韦晓梅", "ours")]


def test_a_reviewers_decision_stays_against_an_edit_that_had_not_seen_it():
    current = a_version({"phone": "13900000000"}, seq=9, incarnation=COUNTY)
    result = merged(current, an_edit({"phone": "13911111111"}, base=5), eff_ms=99_000)
    assert result.version.values["phone"] == "13900000000"
    assert result.conflicts[0].shown == "ours"


def test_lists_keep_the_entries_of_both_and_one_certificate_once():
    ours = [{"occupation": "01", "level": "1", "cert_no": "A1", "cert_date": "2020-01-01"}]
    theirs = [{"occupation": "01", "level": "2", "cert_no": "A1", "cert_date": "2020-01-01"},
              {"occupation": "02", "level": "0"}]  # fmt: skip
    result = merged(a_version({"skills": ours}, seq=9), an_edit({"skills": theirs}, base=5))
    assert result.version.values["skills"] == [ours[0], theirs[1]]
    assert result.conflicts == ()


def test_a_refused_or_withdrawn_consent_always_wins():
    consent = record_kind("consent").fields

    def decide(ours, theirs):
        return merge_change(
            Version(ours, Stamp(9_000, ANNE, 9)),
            Change(1, "consent", "0" * 17, 5, 1, theirs),
            incarnation=BO,
            eff_ms=1,
            policy=lambda name: consent[name].info.merge,
        ).version.values

    assert decide({"given": True}, {"given": False}) == {"given": False}
    assert decide({"given": False}, {"given": True}) == {"given": False}
    assert decide({"given": True}, {"withdrawn_on": "2026-11-01"})["withdrawn_on"] == "2026-11-01"
    assert decide({"withdrawn_on": "2026-11-01"}, {"withdrawn_on": None}) == {
        "withdrawn_on": "2026-11-01"
    }


def test_after_a_restore_nothing_that_others_wrote_counts_as_seen():
    current = a_version({"work_wage": 3000}, seq=3)
    result = merged(current, an_edit({"work_wage": 4000}, base=5), lost=True)
    assert result.outcome is Outcome.CONFLICT


def test_a_devices_own_edits_never_conflict_with_each_other():
    current = a_version({"name": "韦小梅"}, seq=9, incarnation=BO)
    result = merged(current, an_edit({"name": "韦晓梅"}, base=0), incarnation=BO)
    assert result.outcome is Outcome.APPLIED
    assert result.version.values["name"] == "韦晓梅"


@given(
    at_ms=st.integers(-(10**13), 10**14),
    skew=st.integers(-(10**12), 10**12),
    base=st.integers(0, 10**12),
)
def test_the_time_of_an_edit_lies_between_its_base_and_its_receipt(at_ms, skew, base):
    received = base + 10**6
    eff = effective_ms(at_ms, sent_ms=received - skew, received_ms=received, base_committed_ms=base)
    assert base <= eff <= received


def test_a_shift_of_the_clock_keeps_the_order_of_one_devices_edits():
    def eff(at_ms):
        return effective_ms(at_ms, sent_ms=10_000, received_ms=10**9, base_committed_ms=0)

    assert eff(5_000) < eff(6_000)


FIELDS = ("name", "phone", "education", "work_wage", "skills")
VALUES = {
    "name": st.sampled_from(["韦小梅", "韦晓梅", None]),
    "phone": st.sampled_from(["13900000000", "13911111111", None]),
    "education": st.sampled_from(["70", "80", None]),
    "work_wage": st.sampled_from([3000, 4000, None]),
    "skills": st.sampled_from([[{"occupation": "01"}], [{"occupation": "02"}], None]),
}
patches = st.lists(st.sampled_from(FIELDS), min_size=1, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: VALUES[name] for name in names})
)


@given(first=patches, mine=patches, theirs=patches)
def test_no_value_disappears_unseen(first, mine, theirs):
    """After two edits from one base each value stands, or a conflict holds it, or its author agreed."""
    start = sequenced(merged(None, an_edit(first, base=0), incarnation=COUNTY).version, 1)
    after_mine = sequenced(merged(start, an_edit(mine, base=1), incarnation=ANNE).version, 2)
    result = merged(after_mine, an_edit(theirs, base=1), incarnation=BO)
    kept = [c.ours for c in result.conflicts] + [c.theirs for c in result.conflicts]
    for patch in (mine, theirs):
        for name, value in patch.items():
            stands = result.version.values.get(name)
            if value is None or stands == value or value in kept:
                continue
            assert isinstance(value, list)
            assert all(entry in stands for entry in value)


@given(first=patches, mine=patches, theirs=patches)
def test_edits_of_disjoint_fields_commute(first, mine, theirs):
    theirs = {name: value for name, value in theirs.items() if name not in mine}
    start = sequenced(merged(None, an_edit(first, base=0), incarnation=COUNTY).version, 1)

    def both(one, two):
        middle = sequenced(merged(start, an_edit(one[1], base=1), incarnation=one[0]).version, 2)
        return merged(middle, an_edit(two[1], base=1), incarnation=two[0]).version.values

    assert both((ANNE, mine), (BO, theirs)) == both((BO, theirs), (ANNE, mine))


@given(first=patches, second=patches)
def test_stamps_survive_their_json_form_with_the_sequence_filled_in(first, second):
    start = sequenced(merged(None, an_edit(first, base=0)).version, 1)
    version = sequenced(merged(start, an_edit(second, base=1), incarnation=ANNE).version, 2)
    again = version_from_json(version.values, stamps_to_json(version))
    assert again == version
    assert UNSEQUENCED not in {again.row.seq, *(stamp.seq for stamp in again.stamps.values())}
