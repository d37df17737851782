"""The lenses between schemas: what an older phone knows survives every way up and down."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_schemas import SCHEMA_VERSION, codes
from shared_schemas.fields import Code, Codes, Declared, Flag, WholeNumber
from shared_schemas.records import faults, record_kind, record_kinds
from shared_schemas.upgrade import LENSES, down, field_down, field_up, finer, row_down, row_up, up
from tests.sync.old_phone import SCHEMAS, Frozen

KINDS = [kind.name for kind in record_kinds()]


def old_value(field: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a frozen field's form let a cadre choose; free ones stand for all typed text."""
    if field["widget"] == "flag":
        return st.booleans()
    if field["widget"] == "number":
        return st.integers(0, 50_000)
    if "codes" in field:
        one = st.sampled_from(field["codes"])
        return one if field["widget"] == "code" else st.lists(one, max_size=3, unique=True)
    return st.text(max_size=8)


def patches(schema: int, kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Patches that a phone of a frozen schema may have sent."""
    fields = {
        name: st.none() | old_value(field) for name, field in Frozen(schema).fields[kind].items()
    }
    return st.fixed_dictionaries({}, optional=fields)


def todays_value(field: Declared) -> st.SearchStrategy[Any]:
    if isinstance(field, Flag):
        return st.booleans()
    if isinstance(field, WholeNumber):
        return st.integers(field.least, field.most)
    if isinstance(field, Code | Codes):
        one = st.sampled_from([code.code for code in codes.code_list(field.codes).codes])
        return one if isinstance(field, Code) else st.lists(one, max_size=3, unique=True)
    return st.text(max_size=8)


def records(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: st.none() | todays_value(f) for name, f in record_kind(kind).fields.items()}
    return st.fixed_dictionaries({}, optional=fields)


old = st.sampled_from(SCHEMAS).flatmap(
    lambda schema: st.sampled_from(KINDS).flatmap(
        lambda kind: st.tuples(st.just(schema), st.just(kind), patches(schema, kind))
    )
)
present = st.sampled_from(SCHEMAS).flatmap(
    lambda schema: st.sampled_from(KINDS).flatmap(
        lambda kind: st.tuples(st.just(schema), st.just(kind), records(kind))
    )
)


def test_every_schema_before_this_one_is_frozen() -> None:
    assert tuple(range(1, SCHEMA_VERSION)) == SCHEMAS


@settings(deadline=None)
@given(old)
def test_down_undoes_up_on_all_that_the_old_schema_knows(case: Any) -> None:
    schema, kind, values = case
    assert down(kind, up(kind, values, schema), schema) == values


@settings(deadline=None)
@given(old)
def test_step_by_step_is_the_same_as_at_once(case: Any) -> None:
    schema, kind, values = case
    by_steps = values
    for step in range(schema, SCHEMA_VERSION):
        by_steps = up(kind, by_steps, step, step + 1)
    assert by_steps == up(kind, values, schema)


@settings(deadline=None)
@given(old)
def test_what_was_good_stays_good_and_nothing_is_called_by_its_old_name(case: Any) -> None:
    schema, kind, values = case
    lifted = up(kind, values, schema)
    assert set(lifted) <= set(record_kind(kind).fields)
    replaced = {lens.new for lens in LENSES if lens.kind == kind}
    assert not set(faults(kind, lifted)) & replaced
    assert len(lifted) == len(values)


@settings(deadline=None)
@given(present)
def test_an_old_phone_is_told_only_fields_and_codes_that_it_knows(case: Any) -> None:
    schema, kind, values = case
    known = Frozen(schema).fields[kind]
    for name, value in down(kind, values, schema).items():
        assert name in known
        if "codes" in known[name] and value is not None:
            told = value if isinstance(value, list) else [value]
            assert set(told) <= set(known[name]["codes"]), name
        if known[name]["widget"] == "flag":
            assert value is None or isinstance(value, bool)


@settings(deadline=None)
@given(present, st.data())
def test_a_finer_answer_gives_way_only_to_what_the_old_phone_can_tell_apart(
    case: Any, data: st.DataObject
) -> None:
    schema, kind, values = case
    sent = data.draw(patches(schema, kind))
    lifted = up(kind, sent, schema)
    told = finer(kind, values, lifted, schema)
    assert down(kind, told, schema) == sent, "the old phone sees what it said"
    for name in told:
        unseen = down(kind, {name: values.get(name)}, schema) == down(
            kind, {name: lifted[name]}, schema
        )
        if unseen and None not in (values.get(name), lifted[name]):
            assert told[name] == values[name], "what it cannot say is not overwritten"


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_field_ever_went_away_without_a_lens(schema: int, kind: str) -> None:
    for name in Frozen(schema).fields[kind]:
        assert field_up(kind, name, schema) in record_kind(kind).fields, name


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_code_ever_went_away_and_no_field_changed_its_kind(schema: int, kind: str) -> None:
    for name, was in Frozen(schema).fields[kind].items():
        now = record_kind(kind).fields.get(name)
        if now is None:
            continue  # replaced: the lens answers for it
        assert now.widget == was["widget"], name
        if isinstance(now, Code | Codes):
            assert set(was["codes"]) <= {c.code for c in codes.code_list(now.codes).codes}, name


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_declaration_says_since_when_its_field_exists(schema: int, kind: str) -> None:
    known = set(Frozen(schema).fields[kind])
    replaced = {lens.old for lens in LENSES if lens.kind == kind and lens.since > schema}
    declared = {n for n, f in record_kind(kind).fields.items() if f.info.since <= schema}
    assert declared == known - replaced


def test_a_field_unknown_to_a_phone_has_no_name_there() -> None:
    assert field_down("intention", "lodging", 2) == "needs_lodging"
    assert field_down("household", "split_on", 1) == ""
    assert field_down("household", "phone", 1) == "phone"


@pytest.mark.parametrize(("lodging", "needed"), [("0", False), ("1", True), (None, None)])
def test_a_conflict_and_a_reviewers_word_travel_under_the_name_that_the_phone_knows(
    lodging: str | None, needed: bool | None
) -> None:
    conflict = {"record_kind": "intention", "field": "lodging", "ours": lodging, "theirs": "0",
                "state": "open"}  # fmt: skip
    told = row_down("conflict", conflict, 1)
    assert (told["field"], told["ours"], told["theirs"]) == ("needs_lodging", needed, False)
    assert row_up("conflict", told, 1) == conflict
    unknown = {"record_kind": "household", "field": "split_on", "ours": "2026-01-10"}
    assert row_down("conflict", unknown, 1) == unknown
    word = {"comments": [{"kind": "intention", "field": "lodging", "text": "?"}]}
    told = row_down("review", word, 1)
    assert told["comments"][0]["field"] == "needs_lodging"
    assert row_up("review", told, 1) == word
    assert row_down("review", {"state": "approved"}, 1) == {"state": "approved"}


def test_a_value_that_was_never_good_is_refused_and_not_made_good() -> None:
    assert up("intention", {"needs_lodging": "maybe"}, 1) == {"lodging": "maybe"}
    assert "lodging" in faults("intention", {"lodging": "maybe"})
