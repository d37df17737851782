"""One record that arrives is weighed as the whole register is: the same levels, the same weights."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from functools import partial

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.registers import invent_register
from server.linkage import batch
from server.linkage.gate import may_ask, may_link, may_matter
from server.linkage.keys import blocking_keys
from server.linkage.levels import BLOCKING_SQL, COLUMNS, COMPARISONS, Side, outcomes, side_of
from server.linkage.score import LEAST_U, prior_of, scored, shipped_model

PEOPLE = invent_register(6000, 11).persons.to_pylist()


def sides_from(table: pa.Table) -> dict[str, Side]:
    return {row["record_id"]: Side(**row) for row in table.to_pylist()}


def by_duckdb(pairs: list[tuple[Side, Side]]) -> list[dict[str, str | None]]:
    """Return the levels that the SQL of the declarations gives."""
    schema = [pa.field(name, pa.type_for_alias(kind)) for name, kind in COLUMNS.items()]
    arrays = [
        pa.array([getattr(pair[which], f.name) for pair in pairs], f.type)
        for which in (0, 1)
        for f in schema
    ]
    names = [f.name + end for end in ("_l", "_r") for f in schema]
    sides = pa.table(arrays, names).append_column("place_in_list", pa.array(range(len(pairs))))  # noqa: F841
    asked = []
    for comparison in COMPARISONS:
        cases = " ".join(f"WHEN {level.sql} THEN '{level.name}'" for level in comparison.levels)
        asked.append(
            f"CASE WHEN {comparison.unknown} THEN NULL {cases} ELSE 'different' END {comparison.name}"
        )
    found = duckdb.sql(f"SELECT {', '.join(asked)} FROM sides ORDER BY place_in_list")
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def agree(pairs: list[tuple[Side, Side]]) -> None:
    for (left, right), levels in zip(pairs, by_duckdb(pairs), strict=True):
        assert outcomes(left, right) == levels, (left, right)


def test_levels_in_sql_and_in_python_are_the_same_for_an_invented_register() -> None:
    sides = [*sides_from(batch.feature_table(PEOPLE, processes=1)).values()]
    chosen = random.Random(3)
    pairs = [(chosen.choice(sides), chosen.choice(sides)) for _ in range(3000)]
    by_birthday: dict[int | None, list[Side]] = {}
    for side in sides:
        by_birthday.setdefault(side.birth_day, []).append(side)
    for alike in by_birthday.values():
        pairs += [(alike[0], other) for other in alike[1:4]]
    agree(pairs)


_names = st.one_of(
    st.none(),
    st.text("王小山川娥欧阳", min_size=0, max_size=4),
    st.sampled_from(
        ["TashiDorje", "Tashi Dorji", "taxi", "扎西次仁央宗卓玛", "买买提·艾力", "𠮷田", "ab"]
    ),
)
_people = st.fixed_dictionaries(
    {
        "name": _names,
        "sex": st.sampled_from([None, "1", "2"]),
        "birth_date": st.sampled_from(
            [None, "1990", "1990-05-04", "1990-04-05", "1990-06-02", "1991-05-04", "1990-13-01"]
        ),
        "id_no": st.sampled_from(
            [None, "522399199005040011", "522399199005040019", "522399199005140011", "无", "1"]
        ),
        "phone": st.sampled_from([None, "13900000001", "13900000002", "8613900000001", ""]),
        "village_code": st.sampled_from(
            [None, "522326111201", "522326111", "522326", "330281", "5"]
        ),
        "household_id": st.sampled_from([None, "a", "b"]),
        "relation": st.sampled_from([None, "02", "20"]),
        "work_employer": st.sampled_from([None, "余姚电子厂", "余姚 电子厂"]),
    }
)


@given(st.lists(st.tuples(_people, _people, _names, _names), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_levels_in_sql_and_in_python_are_the_same_for_anything(given_pairs: list) -> None:
    agree([(side_of("l", a, ha), side_of("r", b, hb)) for a, b, ha, hb in given_pairs])


@pytest.mark.parametrize("count", [6000, 1500], ids=["own", "shipped"])
def test_a_pair_weighs_what_splink_says(count: int) -> None:
    table = batch.feature_table(PEOPLE[:count], processes=1)
    linked = batch.link(table)
    assert len(linked.pairs) > count / 30
    cleaned = batch.without_placeholders(table)
    if linked.model is None:
        model = replace(shipped_model(), prior=batch.prior(cleaned))
    else:
        model = batch.model_of(linked.settings, cleaned, common_from=1)
    sides = sides_from(cleaned)
    for pair in linked.pairs:
        found = scored(model, sides[pair.left], sides[pair.right])
        assert found.levels == pair.levels
        assert found.weight == pytest.approx(pair.weight, abs=0.001)
        assert sum(weight for _, _, weight in found.lines) == pytest.approx(found.weight)


def test_who_shares_a_blocking_rule_shares_a_key() -> None:
    county = [{**one, "village_code": "522326" + one["village_code"][6:]} for one in PEOPLE[:1500]]
    table = batch.feature_table(county, processes=1)
    sides = sides_from(table)
    base = duckdb.connect()
    base.register("person", table)
    keys = {one: set(blocking_keys(side)) for one, side in sides.items()}
    compared = 0
    for rule in BLOCKING_SQL:
        found = base.sql(
            "SELECT l.record_id, r.record_id FROM person l JOIN person r"
            f" ON l.record_id < r.record_id AND {rule}"
        ).fetchall()
        compared += len(found)
        assert all(keys[left] & keys[right] for left, right in found), rule
    assert compared > 500


def test_what_is_common_weighs_less() -> None:
    person = partial(dict, sex="2", birth_date="1970-01-01", village_code="522326111201")
    model = replace(shipped_model(), rare=1e-5, tf={"name": {"王秀英": 0.002}, "phone": {}})
    weigh = {
        name: scored(
            model,
            side_of("1", person(name=name, household_id="a"), None),
            side_of("2", person(name=name, household_id="b"), None),
        ).weight
        for name in ("王秀英", "缪怀瑾")
    }
    assert weigh["缪怀瑾"] - weigh["王秀英"] == pytest.approx(7.64, abs=0.01)


def test_a_prior_is_never_certain() -> None:
    assert prior_of(2) <= 0.01
    assert prior_of(1_000_000) == pytest.approx(4e-8, rel=0.01)
    assert LEAST_U > 0


def test_what_is_left_out_unweighed_gets_through_no_gate() -> None:
    sides = [*sides_from(batch.feature_table(PEOPLE[:600], processes=1)).values()]
    left_out = 0
    for left, right in itertools.combinations(sides, 2):
        if not may_matter(left, right):
            left_out += 1
            levels = outcomes(left, right)
            assert not may_link(levels), (left, right)
            assert not may_ask(levels), (left, right)
    assert left_out > 1000


def test_two_strangers_with_one_number_are_asked_about_only_where_birth_or_name_agree() -> None:
    left = side_of(
        "l", {"id_no": "522399199005040011", "name": "王小山", "birth_date": "1990-05-04"}, None
    )
    for name, birth, asked in (
        ("王小川", "1960-01-02", True),
        ("李大娥", "1990-05-04", True),
        ("王大娥", "1960-01-02", False),
        ("李大娥", "1960-01-02", False),
    ):
        other = {"id_no": "522399199005040011", "name": name, "birth_date": birth}
        assert may_ask(outcomes(left, side_of("r", other, None))) is asked
