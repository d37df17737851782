"""Scores a whole register with Splink, on DuckDB or on Spark, and says who is one person.

The weights of the levels for one person (m) are the shipped model's, learnt on invented registers
with known truth (`benchmarks.linkage --train`); those for two people (u), how common names and
phones are, and how many doubles to expect are the register's own.
"""

from __future__ import annotations

import json
import logging
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from server.linkage.clusters import Link, constrained_clusters
from server.linkage.gate import SOUNDS, may_ask, may_link
from server.linkage.households import HEAD_CODE, HouseholdPair, Match, household_pairs
from server.linkage.levels import BLOCKING_SQL, COLUMNS, COMPARISONS, DIFFERENT, side_of
from server.linkage.rows import plain_person
from server.linkage.score import AUTOMATIC, CANDIDATE, LEAST_U, SHIPPED, Model, prior_of

OWN_FROM = 3_000
"""From so many records on, a register's own u and term frequencies count."""

_CHUNK = 20_000
_MOST_SHARED = {"id18": 12, "phone": 40}
"""A number that more records have than this is a placeholder, not a number."""

Engine = Literal["duckdb", "spark"]
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two records compared. `levels` has what each comparison came to, None for unknown."""

    left: str
    right: str
    weight: float
    levels: Mapping[str, str | None]
    verdict: Literal["same", "candidate"] = "candidate"

    @property
    def probability(self) -> float:
        """Return the match probability, 0 to 1."""
        return 1 / (1 + math.exp2(-max(-500.0, min(500.0, self.weight))))


@dataclass(frozen=True, slots=True)
class Linked:
    """What a run came to. `person_of` has every record; a person is called by its lowest record id."""

    pairs: Sequence[Pair]
    person_of: Mapping[str, str]
    settings: Mapping[str, Any]
    """The trained model as Splink describes it."""
    model: Model | None = None
    """The same for `score`, where the register was large enough to learn from it."""


def feature_table(rows: Iterable[Mapping[str, Any]], *, processes: int = 2) -> pa.Table:
    """Return the features of persons as an Arrow table with `levels.COLUMNS`.

    `rows` have the columns of `rows.INPUT`, in any common form; what is missing or empty is unknown.
    """
    chunks = _chunks(iter(rows))
    first, second = next(chunks, []), next(chunks, None)
    if second is None or processes == 1:
        parts = [_features(part) for part in (first, second or [], *chunks)]
    else:
        with ProcessPoolExecutor(processes) as pool:
            parts = list(pool.map(_features, chain((first, second), chunks)))
    return pa.concat_tables(parts)


def _chunks(rows: Iterator[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    while chunk := list(islice(rows, _CHUNK)):
        yield chunk


_SCHEMA = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in COLUMNS.items()])


def _features(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    sides = []
    for row in rows:
        person = plain_person(row)
        employed = {**person, "work_employer": row.get("work_employer")}
        sides.append(side_of(str(row["record_id"]), employed, person["head_name"]))
    columns = zip(*sides, strict=True) if sides else [[]] * len(COLUMNS)
    return pa.table(dict(zip(COLUMNS, map(list, columns), strict=True)), schema=_SCHEMA)


def link(
    features: pa.Table,
    *,
    engine: Engine = "duckdb",
    model: Path = SHIPPED,
    report: Report = lambda _: None,
    truth: str | None = None,
) -> Linked:
    """Compare, judge and cluster the records of a table of features.

    `truth` names a further column that says who is one person: then m is learnt from it.
    """
    logging.getLogger("splink").setLevel(logging.ERROR)
    features = without_placeholders(features)
    ids = features.column("record_id").to_pylist()
    if len(ids) < 2:
        return Linked((), {one: one for one in ids}, {})
    known = json.loads(model.read_text("utf-8")) if model.exists() else {}
    # Of a few records nothing can be learnt: then the shipped model speaks for them all.
    own = len(ids) >= OWN_FROM or "u" not in known
    settings = _settings(known, prior(features), own=own)
    with tempfile.TemporaryDirectory(prefix="chushan-link-") as scratch:
        api, table = _engine(engine, features, Path(scratch))
        from splink import Linker

        linker = Linker(api.register(table, table_name="person"), settings, log_level=logging.ERROR)
        if own:
            report("u")
            linker.training.estimate_u_using_random_sampling(
                max_pairs=2e6 if len(ids) < 200_000 else 1e7, seed=1
            )
        if truth is not None:
            linker.training.estimate_m_from_label_column(truth)
        report("predict")
        found = linker.inference.predict(threshold_match_weight=CANDIDATE, warning_mode="never")
        pairs = _read(found, engine)
        model_found = linker.misc.save_model_to_json()
    report("cluster")
    pairs, person_of = judged(pairs, features)
    learnt_here = model_of(model_found, features) if own else None
    return Linked(pairs, {one: person_of.get(one, one) for one in ids}, model_found, learnt_here)


COMMON_FROM = 3
"""A value that fewer records have than this is as rare as any."""


def model_of(
    settings: Mapping[str, Any], features: pa.Table, common_from: int = COMMON_FROM
) -> Model:
    """Return a trained model without Splink."""
    levels = {
        (comparison["output_column_name"], one["label_for_charts"]): (
            float(one["m_probability"]),
            float(one["u_probability"]),
        )
        for comparison in settings["comparisons"]
        for one in comparison["comparison_levels"]
        if one.get("m_probability") and one.get("u_probability")
    }
    frequent = {one.frequent for c in COMPARISONS for one in c.levels if one.frequent}
    tf = {}
    for name in sorted(frequent):
        column = features.column(name).drop_null()
        tf[name] = {
            c["values"].as_py(): c["counts"].as_py() / len(column)
            for c in pc.value_counts(column)
            if c["counts"].as_py() >= common_from
        }
    prior = float(settings["probability_two_random_records_match"])
    return Model(prior, levels, tf, rare=1 / features.num_rows)


def judged(pairs: Sequence[Pair], features: pa.Table) -> tuple[list[Pair], Mapping[str, str]]:
    """Return the pairs with their verdicts, strongest first, and the person of each linked record."""
    table = {
        name: features.column(name).to_pylist()
        for name in ("record_id", "id18", "is_id_valid", "household_id", "birth_day", "sex")
    }
    ids = table["record_id"]
    home_of = {one: home for one, home in zip(ids, table["household_id"], strict=True) if home}
    valid = zip(ids, table["id18"], table["is_id_valid"], strict=True)
    twins = _twins(table)
    passed = [
        Link(pair.left, pair.right, pair.weight)
        for pair in pairs
        if pair.weight >= AUTOMATIC
        and may_link(pair.levels)
        # A twin's number with the twin's birthday is a twin's number: only the name tells.
        and not (pair.levels["name"] not in SOUNDS and twins & {pair.left, pair.right})
    ]
    clusters = constrained_clusters(
        passed, {one: number for one, number, is_valid in valid if is_valid}, home_of
    )
    refused = {(one.left, one.right) for one in clusters.refused}
    automatic = {(one.left, one.right) for one in passed} - refused
    kept = automatic | refused
    said = [
        replace(pair, verdict="same") if (pair.left, pair.right) in automatic else pair
        for pair in pairs
        if may_ask(pair.levels) or (pair.left, pair.right) in kept
    ]
    said.sort(key=lambda pair: (-pair.weight, pair.left, pair.right))
    return said, clusters.person_of


def households(linked: Linked, features: pa.Table) -> list[HouseholdPair]:
    """Return which lists are, or may be, one household, by who was found on both of them."""
    wanted = ("record_id", "household_id", "relation", "name", "head", "village")
    columns = [features.column(name).to_pylist() for name in wanted]
    homes, relations, villages = {}, {}, {}
    for one, home, relation, name, head, village in zip(*columns, strict=True):
        homes[one], villages[one] = home, village
        # Where a file does not tell the relation, the head is known by his name.
        relations[one] = relation or (HEAD_CODE if name and name == head else None)
    matches = (
        Match(pair.left, pair.right, pair.verdict == "same", pair.weight)
        for pair in linked.pairs
        if pair.verdict == "same" or pair.weight >= AUTOMATIC
    )
    return household_pairs(matches, homes, relations, villages)


def _twins(table: Mapping[str, Sequence[Any]]) -> set[str]:
    """Return the records that share household, birthday and sex with another of their list."""
    together: dict[tuple[Any, ...], list[str]] = {}
    for one, home, birth, sex in zip(
        *(table[name] for name in ("record_id", "household_id", "birth_day", "sex")), strict=True
    ):
        if home and birth:
            together.setdefault((home, birth, sex), []).append(one)
    return {one for records in together.values() if len(records) > 1 for one in records}


def without_placeholders(features: pa.Table) -> pa.Table:
    """Return the features without numbers that too many records share."""
    for name, most in _MOST_SHARED.items():
        column = features.column(name)
        counts = pc.value_counts(column.drop_null())
        many = [c["values"].as_py() for c in counts if c["counts"].as_py() > most]
        if many:
            is_many = pc.is_in(column, value_set=pa.array(many, pa.string()))
            kept = pc.if_else(is_many, pa.scalar(None, pa.string()), column)
            features = features.set_column(features.schema.get_field_index(name), name, kept)
    return features


def _engine(engine: Engine, features: pa.Table, scratch: Path) -> tuple[Any, Any]:
    """Return Splink's door to an engine and the features as it takes them."""
    if engine == "duckdb":
        import duckdb
        from splink.internals.duckdb.database_api import DuckDBAPI

        connection = duckdb.connect(config={"temp_directory": str(scratch)})
        return DuckDBAPI(connection), features
    try:
        from pyspark.sql import SparkSession
        from splink.internals.spark.database_api import SparkAPI
    except ImportError as error:
        raise RuntimeError("spark") from error
    session = (
        SparkSession.builder.master("local[*]")
        .appName("chushan link")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.default.parallelism", "4")
        .config("spark.driver.memory", "4g")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.local.dir", str(scratch))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    given, steps = scratch / "features.parquet", scratch / "steps"
    parquet.write_table(features, given)
    session.sparkContext.setCheckpointDir(str(steps))
    api = SparkAPI(
        spark_session=session, break_lineage_method="persist", num_partitions_on_repartition=4
    )
    return api, session.read.parquet(str(given))


def prior(features: pa.Table) -> float:
    """Return how likely two records are one person: from equal numbers, and what these leave out."""
    number = pc.if_else(
        pc.is_valid(features.column("id18")), features.column("id18"), pa.scalar("")
    )
    counts = pc.value_counts(number)
    by_number = sum(
        c["counts"].as_py() * (c["counts"].as_py() - 1) // 2 for c in counts if c["values"].as_py()
    )
    return prior_of(features.num_rows, by_number)


def _settings(
    known: Mapping[str, Mapping[str, Mapping[str, float]]], prior: float, *, own: bool
) -> Any:
    """Return Splink's settings: `known` are m and u by comparison and level, `own`: u is to be learnt."""
    from splink import SettingsCreator
    from splink.comparison_library import CustomComparison

    comparisons = []
    for comparison in COMPARISONS:
        m, u = (known.get(which, {}).get(comparison.name, {}) for which in "mu")
        levels: list[dict[str, Any]] = [
            {
                "sql_condition": comparison.unknown,
                "label_for_charts": "unknown",
                "is_null_level": True,
            }
        ]
        for level in comparison.levels:
            said: dict[str, Any] = {"sql_condition": level.sql, "label_for_charts": level.name}
            if level.m is not None or level.name in m:
                said["m_probability"] = level.m or m[level.name]
            given_u = level.u
            if given_u is None and not own and level.name in u:
                given_u = max(LEAST_U, u[level.name])
            if given_u is not None:
                said |= {"u_probability": given_u, "fix_u_probability": True}
            if own and level.frequent is not None:
                said |= {"tf_adjustment_column": level.frequent, "tf_minimum_u_value": LEAST_U}
            levels.append(said)
        said = {"sql_condition": "ELSE", "label_for_charts": DIFFERENT}
        if DIFFERENT in m:
            said["m_probability"] = m[DIFFERENT]
        if not own and DIFFERENT in u:
            said |= {"u_probability": max(LEAST_U, u[DIFFERENT]), "fix_u_probability": True}
        levels.append(said)
        comparisons.append(CustomComparison(levels, output_column_name=comparison.name))
    return SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="record_id",
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=[{"blocking_rule": rule} for rule in BLOCKING_SQL],
        probability_two_random_records_match=prior,
        retain_matching_columns=True,
    )


def _read(found: Any, engine: Engine) -> list[Pair]:
    gammas = [f"gamma_{comparison.name}" for comparison in COMPARISONS]
    wanted = ["record_id_l", "record_id_r", "match_weight", *gammas]
    if engine == "duckdb":
        table = found.as_duckdbpyrelation().select(", ".join(wanted)).to_arrow_table()
        rows: Iterable[tuple[Any, ...]] = zip(
            *(table.column(name).to_pylist() for name in wanted), strict=True
        )
    else:
        rows = (tuple(row) for row in found.as_spark_dataframe().select(*wanted).toLocalIterator())
    pairs = []
    for one, other, weight, *values in rows:
        left, right = sorted((one, other))
        levels = {
            comparison.name: comparison.level_of(int(value))
            for comparison, value in zip(COMPARISONS, values, strict=True)
        }
        pairs.append(Pair(left, right, round(float(weight), 4), levels))
    return pairs


def learnt(
    settings: Mapping[str, Any], which: Literal["m", "u"] = "m"
) -> dict[str, dict[str, float]]:
    """Return m or u by comparison and level from a trained model, for `model.json`."""
    found: dict[str, dict[str, float]] = {}
    for comparison in settings["comparisons"]:
        levels = [one for one in comparison["comparison_levels"] if not one.get("is_null_level")]
        least = 1e-5 if which == "m" else 1e-8
        found[comparison["output_column_name"]] = {
            one["label_for_charts"]: float(
                f"{max(float(one.get(f'{which}_probability') or 0), least):.6g}"
            )
            for one in levels
        }
    return found
