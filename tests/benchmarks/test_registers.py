"""The invented registers have the noise that docs/design/matching.md describes, and no real place."""

from collections import Counter
from itertools import pairwise

import pyarrow.csv
import pyarrow.parquet
import pytest

from benchmarks import registers
from benchmarks.registers import COLUMNS, Register, invent_register, write
from shared_schemas import resident_id
from shared_schemas.codes import divisions

ROWS = 40_000
SEED = 20_261_123
"""Fixed: a register with the noise of the field in it is what is tested, not chance."""


@pytest.fixture(scope="module")
def register() -> Register:
    return invent_register(ROWS, SEED)


@pytest.fixture(scope="module")
def rows(register: Register) -> list[dict]:
    return [
        person | truth
        for person, truth in zip(
            register.persons.to_pylist(), register.truth.to_pylist(), strict=True
        )
    ]


def test_the_same_seed_gives_the_same_register_and_another_seed_another():
    assert invent_register(2_000, 5) == invent_register(2_000, 5)
    assert invent_register(2_000, 5).persons != invent_register(2_000, 6).persons


@pytest.mark.parametrize("size", [50, 1_000, 3_333])
def test_a_register_of_any_size_has_so_many_rows(size: int):
    register = invent_register(size, 1)
    assert register.persons.num_rows == register.truth.num_rows == size
    assert len(set(register.persons["record_id"].to_pylist())) == size


def test_shares_of_doubles_are_those_of_the_field(rows: list[dict]):
    scenarios = Counter(row["scenario"] for row in rows)
    persons = len({row["person_id"] for row in rows})
    assert 0.14 < (len(rows) - persons) / persons < 0.18
    doubles = {name: n for name, n in scenarios.items() if name != "first"}
    doubles["same_village"] += doubles.pop("same_list")
    for name, share in registers.DOUBLES.items():
        assert doubles[name] / sum(doubles.values()) == pytest.approx(share, abs=0.04), name


@pytest.mark.parametrize(
    ("column", "rates"),
    [
        ("id_slip", registers.ID_SLIPS),
        ("name_slip", registers.NAME_SLIPS),
        ("birth_slip", registers.BIRTH_SLIPS),
    ],
)
def test_shares_of_slips_are_those_of_the_field(column: str, rates: dict, rows: list[dict]):
    found = Counter(row[column] for row in rows)
    for slip, rate in rates.items():
        assert found[slip] / len(rows) == pytest.approx(rate, rel=0.25, abs=0.002), slip


def test_numbers_without_a_slip_are_valid_and_each_is_one_person_s(rows: list[dict]):
    holder = {}
    for row in rows:
        if not row["id_slip"]:
            assert resident_id.slip(row["id_no"]) is None
            assert holder.setdefault(row["id_no"], row["person_id"]) == row["person_id"]


def test_nobody_lives_in_a_real_county_or_has_a_number_that_can_ring(rows: list[dict]):
    real = {division.code12[:6] for division in divisions.national_divisions()}
    assert not {row["village_code"][:6] for row in rows} & real
    assert not {row["id_no"][:6] for row in rows if not row["id_slip"]} & real
    assert all(row["phone"].startswith("154") for row in rows)


def test_twins_have_one_birthday_neighbouring_numbers_and_names_one_character_apart(
    rows: list[dict],
):
    first = [r for r in rows if r["scenario"] == "first" and r["twin_id"] is not None]
    clean = [r for r in first if not (r["id_slip"] or r["name_slip"] or r["birth_slip"])]
    pairs = [
        (a, b)
        for a, b in pairwise(sorted(clean, key=lambda r: r["twin_id"]))
        if a["twin_id"] == b["twin_id"]
    ]
    assert len(pairs) > 50
    for a, b in pairs:
        assert a["birth_date"] == b["birth_date"]
        assert 1 <= abs(int(a["id_no"][14:17]) - int(b["id_no"][14:17])) <= 3
        if len(a["name"]) == len(b["name"]) == 3 and a["name"] != b["name"]:
            assert sum(x != y for x, y in zip(a["name"], b["name"], strict=True)) == 1


def test_nobody_stands_twice_on_one_list_but_where_the_truth_says_so(rows: list[dict]):
    twice = Counter((row["household_id"], row["person_id"]) for row in rows)
    said = {
        (row["household_id"], row["person_id"]) for row in rows if row["scenario"] == "same_list"
    }
    assert {key for key, times in twice.items() if times > 1} <= said


def test_a_register_can_be_written_as_parquet_and_as_csv(tmp_path):
    write(500, tmp_path / "persons.parquet", tmp_path / "truth.csv", seed=3)
    persons = pyarrow.parquet.read_table(tmp_path / "persons.parquet")
    assert persons == invent_register(500, 3).persons
    assert tuple(persons.column_names) == COLUMNS
    assert pyarrow.csv.read_csv(tmp_path / "truth.csv").num_rows == 500
