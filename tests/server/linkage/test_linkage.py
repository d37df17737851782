"""Who is registered twice: levels, gate, clusters, files, and the whole on an invented register."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from benchmarks.registers import COLUMNS, write
from server.cli import main
from server.linkage import batch, files, rows, score
from server.linkage.clusters import Link, constrained_clusters
from server.linkage.gate import may_ask, may_link
from server.linkage.levels import COMPARISONS

LINKED = {"id_no": "equal", "name": "equal", "birth_date": "equal", "sex": "equal",
          "phone": None, "place": "county", "household": "different", "head": None,
          "employer": None}  # fmt: skip


# Gate ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "linked"),
    [
        ({}, True),
        ({"household": "one_list"}, False),
        ({"id_no": "two_valid", "phone": "equal", "place": "village"}, False),
        ({"id_no": "different"}, False),
        ({"name": "different"}, False),
        ({"name": "surname"}, True),
        ({"name": "surname", "birth_date": "lunar"}, False),
        ({"id_no": "one_digit"}, True),
        ({"id_no": "one_digit", "name": "one_character"}, True),
        ({"id_no": "one_digit", "name": "one_character", "birth_date": "lunar"}, False),
        ({"name": "one_character", "birth_date": "different"}, False),
        ({"name": "dialect", "birth_date": "different", "sex": "different"}, False),
        ({"id_no": None}, False),
        ({"id_no": None, "phone": "equal"}, True),
        ({"id_no": None, "place": "township", "name": "dialect"}, True),
        ({"id_no": None, "place": "township", "birth_date": "lunar"}, False),
    ],
    ids=str,
)
def test_a_machine_links_only_by_two_kinds_of_evidence(
    changed: dict[str, str | None], linked: bool
) -> None:
    assert may_link(LINKED | changed) is linked


def test_brothers_on_one_list_are_not_even_asked_about() -> None:
    assert not may_ask(LINKED | {"id_no": None, "household": "one_list", "name": "surname"})
    assert may_ask(LINKED | {"id_no": None, "household": "one_list"})
    assert not may_ask(LINKED | {"id_no": "two_valid", "name": "one_character"})


# Clusters -----------------------------------------------------------------------------------------

_records = st.sampled_from([f"r{i}" for i in range(8)])
_links = st.lists(
    st.tuples(_records, _records, st.floats(0, 40)).filter(lambda one: one[0] < one[1]), max_size=20
)


@given(
    _links,
    st.dictionaries(_records, st.sampled_from("AB")),
    st.dictionaries(_records, st.sampled_from("hg")),
    st.randoms(),
)
def test_no_cluster_holds_two_numbers_or_two_of_one_list(
    links: list[tuple[str, str, float]],
    numbers: dict[str, str],
    homes: dict[str, str],
    shuffled: random.Random,
) -> None:
    given_links = [Link(*one) for one in {(a, b): (a, b, w) for a, b, w in links}.values()]
    clusters = constrained_clusters(given_links, numbers, homes)
    for person in set(clusters.person_of.values()):
        records = [one for one, of in clusters.person_of.items() if of == person]
        assert person == min(records)
        assert len({numbers[one] for one in records if one in numbers}) <= 1
        own = [homes[one] for one in records if one in homes]
        assert len(own) == len(set(own))
    for link in given_links:
        together = clusters.person_of.get(link.left) == clusters.person_of.get(link.right, "")
        assert together or link in clusters.refused
    other_order = list(given_links)
    shuffled.shuffle(other_order)
    assert constrained_clusters(other_order, numbers, homes).person_of == clusters.person_of


# The whole ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("register")
    write(6000, folder / "persons.parquet", folder / "truth.parquet", seed=7)
    return folder


def true_pairs(folder: Path) -> set[tuple[str, str]]:
    by_person: dict[str, list[str]] = {}
    for row in parquet.read_table(folder / "truth.parquet").to_pylist():
        by_person.setdefault(row["person_id"], []).append(row["record_id"])
    return {(a, b) for own in by_person.values() for a in sorted(own) for b in sorted(own) if a < b}


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(main, ["link", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_register_is_linked_without_a_wrong_link(register: Path) -> None:
    said = run("--input", register / "persons.parquet", "--output", register / "pairs.parquet",
               "--clusters", register / "clusters.parquet")  # fmt: skip
    pairs = parquet.read_table(register / "pairs.parquet")
    assert tuple(pairs.column_names) == files.PAIRS
    found = {(r["record_id_l"], r["record_id_r"]): r["verdict"] for r in pairs.to_pylist()}
    same = {pair for pair, verdict in found.items() if verdict == "same"}
    true = true_pairs(register)
    assert not same - true
    assert len(same) > 0.9 * len(true)
    assert len(found.keys() & true) > 0.97 * len(true)
    clusters = parquet.read_table(register / "clusters.parquet").to_pylist()
    assert len(clusters) == 6000
    person_of = {row["record_id"]: row["person_id"] for row in clusters}
    assert all(person_of[a] == person_of[b] for a, b in same)
    assert len(set(person_of.values())) == 6000 - len(same) + _closed(same)
    beside = json.loads((register / "pairs.json").read_text("utf-8"))
    assert beside["counts"] | {"records": 6000, "same": len(same)} == beside["counts"]
    assert beside["thresholds"] == {"same": score.AUTOMATIC, "candidate": score.CANDIDATE}
    assert beside["model"]["comparisons"]
    assert "6000 条" in said


def _closed(same: set[tuple[str, str]]) -> int:
    """Return how many links join what other links have joined already."""
    joined = constrained_clusters([Link(a, b, 1) for a, b in same], {}, {}).person_of
    return len(same) - (len(joined) - len(set(joined.values())))


def test_csv_and_parquet_give_the_same(register: Path, tmp_path: Path) -> None:
    table = parquet.read_table(register / "persons.parquet").slice(0, 3000)
    parquet.write_table(table, tmp_path / "p.parquet")
    with open(tmp_path / "p.csv", "w", encoding="gb18030", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*reversed(COLUMNS), "备注"])
        writer.writerows([[*reversed(list(row.values())), "x"] for row in table.to_pylist()])
    run("--input", tmp_path / "p.parquet", "--output", tmp_path / "one.csv")
    run("--input", tmp_path / "p.csv", "--output", tmp_path / "other.csv")
    assert (tmp_path / "one.csv").read_text() == (tmp_path / "other.csv").read_text()


def test_bad_rows_are_told_by_number_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "record_id,name,sex,birth_date,id_no\n"
        "a,韦秀兰,女,1985年3月12日,522399198503120022\n"
        "b,韦秀兰,F,1985/3/12,522399198503120022\n"
        ",无名,,,\n"
        "a,重复,,,\n"
        "c,少一格\n"
        "d,,,,\n",
        encoding="utf-8-sig",
    )
    said = run("--input", tmp_path / "p.csv", "--output", tmp_path / "o.csv",
               "--clusters", tmp_path / "c.csv")  # fmt: skip
    assert all(f"第 {row} 行" in said for row in (4, 5, 6))
    pairs = list(csv.DictReader((tmp_path / "o.csv").open()))
    assert [(p["record_id_l"], p["record_id_r"], p["verdict"]) for p in pairs] == [
        ("a", "b", "same")
    ]
    clusters = list(csv.DictReader((tmp_path / "c.csv").open()))
    assert [(c["record_id"], c["person_id"]) for c in clusters] == [
        ("a", "a"),
        ("b", "a"),
        ("d", "d"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.csv", None, "打不开"),
        ("p.csv", "id,name\n1,x\n", "没有 record_id"),
        ("p.parquet", "not parquet", "不是 parquet"),
        ("p.xlsx", "x", "只认"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_words(
    tmp_path: Path, name: str, content: str | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    result = CliRunner().invoke(
        main, ["link", "--input", str(tmp_path / name), "--output", str(tmp_path / "o.csv")]
    )
    assert result.exit_code == 1
    assert words in result.output
    assert not (tmp_path / "o.csv").exists()


@pytest.mark.parametrize(
    ("written", "meant"),
    [("1985-03-12", "1985-03-12"), ("1985/3/2", "1985-03-02"), ("19850312", "1985-03-12"),
     ("1985年3月12日", "1985-03-12"), ("1985-03-12 00:00:00", "1985-03-12"), ("12.3.1985", "1985-03-12"),
     ("1985", "1985"), ("unknown", None), (None, None)],
)  # fmt: skip
def test_dates_are_read_in_common_forms(written: str | None, meant: str | None) -> None:
    assert rows.birth_date(written) == meant


def test_each_level_of_the_model_is_declared_and_has_a_weight() -> None:
    learnt = json.loads(score.SHIPPED.read_text("utf-8"))["m"]
    for comparison in COMPARISONS:
        names = [level.name for level in comparison.levels] + ["different"]
        if all(level.m and level.u for level in comparison.levels):
            continue  # not learnt
        assert list(learnt[comparison.name]) == names
        weighed = [n for n in names if n not in {one.name for one in comparison.levels if one.m}]
        assert sum(learnt[comparison.name][n] for n in weighed) == pytest.approx(1, abs=0.01)


@pytest.mark.slow
def test_spark_gives_the_same_pairs(register: Path, tmp_path: Path) -> None:
    table = parquet.read_table(register / "persons.parquet").slice(0, 600)
    parquet.write_table(table, tmp_path / "p.parquet")
    run("--input", tmp_path / "p.parquet", "--output", tmp_path / "duckdb.parquet")
    # In a process of its own: the JVM goes with it.
    subprocess.run(
        [Path(sys.executable).with_name("chushan"), "link", "--engine", "spark", "--input",
         str(tmp_path / "p.parquet"), "--output", str(tmp_path / "spark.parquet")],
        check=True, capture_output=True, timeout=400,
    )  # fmt: skip
    one, other = (
        {
            (r["record_id_l"], r["record_id_r"]): (r["verdict"], r["match_weight"])
            for r in t.to_pylist()
        }
        for t in (parquet.read_table(tmp_path / f"{e}.parquet") for e in ("duckdb", "spark"))
    )
    assert one.keys() == other.keys()
    assert {k: v[0] for k, v in one.items()} == {k: v[0] for k, v in other.items()}
    for pair, (_, weight) in one.items():
        # The u of each engine comes from its own sample of pairs.
        assert other[pair][1] == pytest.approx(weight, abs=3)


def test_an_empty_table_is_no_fault() -> None:
    features = batch.feature_table([])
    assert isinstance(features, pa.Table)
    assert batch.link(features).pairs == ()
