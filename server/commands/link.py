"""`chushan link`: find who is registered twice, in a file or in the counties of this server."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import click

from server.access import wall_clock
from server.commands import opened

_STEPS = {
    "read": "读取 · reading",
    "features": "准备比对 · preparing",
    "u": "学习这份名册 · learning this register",
    "predict": "比对 · comparing",
    "cluster": "归并 · grouping",
    "write": "写出 · writing",
}


@click.command("link")
@click.option(
    "--input",
    "source",
    type=click.Path(path_type=Path),
    help="Persons as .parquet or .csv; without it, the members that this server holds.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="Write the pairs here (.parquet or .csv)."
)
@click.option(
    "--clusters", type=click.Path(path_type=Path), help="Write every record with its person here."
)
@click.option(
    "--households",
    type=click.Path(path_type=Path),
    help="Write the household lists that may be one household here.",
)
@click.option(
    "--engine",
    type=click.Choice(["duckdb", "spark"]),
    default="duckdb",
    show_default=True,
    help="What compares: DuckDB on this machine, or Spark (needs pyspark and Java 17).",
)
@click.option("--county", help="Without --input: this county only, as 6 digits.")
def command(
    source: Path | None,
    output: Path | None,
    clusters: Path | None,
    households: Path | None,
    engine: str,
    county: str | None,
) -> None:
    """Find the same person registered twice.

    With --input, a file with any of the columns record_id, name, sex, birth_date, id_no, phone,
    village_code, household_id, relation, head_name (only record_id is needed; others are ignored)
    gives pairs with record_id_l, record_id_r, match_weight, probability and verdict: `same` where a
    machine may link, `candidate` where a person should look. Beside OUTPUT stands a .json with the
    model, the thresholds and the counts. --households gives household_id_l, household_id_r, shared
    (how many people stand on both lists), reason and verdict of the lists that are (`same`) or may
    be (`candidate`) one household; the input then needs household_id.

    Without --input, the pairs found among a county's members go to its page 疑似重复, households that
    may be listed twice to 一户两登.
    """
    from server.linkage.files import BadFile

    try:
        if source is not None:
            if output is None:
                raise click.UsageError("--input 需要 --output · --input needs --output")
            _link_file(source, output, clusters, households, engine)
        else:
            _link_counties(engine, county)
    except BadFile as error:
        raise click.ClickException(str(error)) from error


def _link_file(
    source: Path, output: Path, clusters: Path | None, households: Path | None, engine: str
) -> None:
    from server.linkage import batch, files

    for path in filter(None, (output, clusters, households)):
        files.check_output(path)
    began = time.monotonic()
    said = _Progress(began)
    bad_rows: list[str] = []
    said("read")
    features = batch.feature_table(files.read_persons(source, bad_rows))
    for line in bad_rows[:20]:
        click.echo(line, err=True)
    if len(bad_rows) > 20:
        click.echo(f"……共 {len(bad_rows)} 行 · {len(bad_rows)} rows in all", err=True)
    linked = _linked(features, engine, said)
    said("write")
    files.write_pairs(output, linked)
    if clusters is not None:
        files.write_clusters(clusters, linked)
    homes = batch.households(linked, features) if households is not None else []
    if households is not None:
        files.write_households(households, homes)
    verdicts = Counter(pair.verdict for pair in linked.pairs)
    counts = {
        "records": features.num_rows,
        "bad_rows": len(bad_rows),
        "same": verdicts["same"],
        "candidate": verdicts["candidate"],
        "persons": len(set(linked.person_of.values())),
    }
    if households is not None:
        counts |= Counter(f"households_{pair.verdict}" for pair in homes)
    beside = {
        "counts": counts,
        "thresholds": {"same": batch.AUTOMATIC, "candidate": batch.CANDIDATE},
        "engine": engine,
        "seconds": round(time.monotonic() - began, 1),
        "bad_rows": bad_rows,
        "model": linked.settings,
    }
    about = output.with_suffix(".json")
    about.write_text(json.dumps(beside, ensure_ascii=False, indent=1, default=str), "utf-8")
    click.echo(
        f"{counts['records']} 条:同一人 {counts['same']} 对,待人工看 {counts['candidate']} 对,"
        f"{counts['persons']} 人 · {counts['records']} records: {counts['same']} pairs the same,"
        f" {counts['candidate']} candidates, {counts['persons']} persons"
    )


def _link_counties(engine: str, county: str | None) -> None:
    from server.linkage import batch
    from server.services.candidates import compute_anew
    from server.services.households_twice import find_all
    from server.services.link_register import (
        counties_with_members,
        keep_model,
        persons_of,
        propose_found,
    )

    with opened() as here:
        for one in [county] if county else counties_with_members(here.engine):
            said = _Progress(time.monotonic())
            said("read")
            compute_anew(here.engine, one)
            features = batch.feature_table(persons_of(here.engine, one))
            linked = _linked(features, engine, said)
            if linked.model is not None:
                keep_model(here.engine, one, linked.model, now_ms=wall_clock())
            count = propose_found(here.engine, one, linked.pairs, now_ms=wall_clock())
            homes = find_all(here.engine, one, now_ms=wall_clock())
            click.echo(
                f"{one}:{features.num_rows} 人,新的疑似重复 {count} 对,新的一户两登 {homes} 对"
                f" · {features.num_rows} members, {count} new pairs to look at,"
                f" {homes} new pairs of households"
            )


def _linked(features, engine: str, said):  # type: ignore[no-untyped-def]
    from server.linkage import batch

    try:
        return batch.link(features, engine=engine, report=said)  # type: ignore[arg-type]
    except RuntimeError as error:
        if str(error) != "spark":
            raise
        raise click.ClickException(
            "没有 Spark:请安装 pyspark 和 Java 17,或去掉 --engine spark"
            " · there is no Spark: install pyspark and Java 17, or leave --engine spark out"
        ) from error


class _Progress:
    """Says each step with the seconds so far."""

    def __init__(self, began: float) -> None:
        self.began = began

    def __call__(self, step: str) -> None:
        click.echo(f"[{time.monotonic() - self.began:5.1f} s] {_STEPS[step]}", err=True)
