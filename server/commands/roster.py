"""`chushan roster`: import a county's spreadsheet of the poverty register."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from server.access import wall_clock
from server.commands import opened
from server.services.read_roster import (
    Preview,
    Target,
    mappable,
    mapping_from_json,
    mapping_to_json,
    preview,
)
from server.services.roster_import import RosterFile, fault_sheet, import_roster
from server.storage.accounts import user_by_login
from server.storage.engine import reading
from shared_schemas.ids import household_id


@click.group("roster")
def command() -> None:
    """Import a county's roster (花名册)."""


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--user", "login", required=True, help="Login of the person who imports.")
@click.option("--county", help="Six-digit code; default: the county of the user.")
@click.option(
    "--mapping",
    "mapped",
    multiple=True,
    metavar="HEADING=FIELD",
    help="What a column means where its heading does not say: 本人电话=member.phone. "
    "An empty FIELD leaves the column out. May be given several times; --preview lists the fields.",
)
@click.option(
    "--faults",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the rows and cells that were not imported, with reasons, to this .xlsx.",
)
@click.option("--preview", "only_preview", is_flag=True, help="Show what was understood, and stop.")
def import_(
    file: Path,
    login: str,
    county: str | None,
    mapped: tuple[str, ...],
    faults: Path | None,
    only_preview: bool,
) -> None:
    """Import FILE (.xlsx, .xls or .csv): its rows become households to be confirmed.

    Columns are found by their headings. A row that cannot be read is reported with its row number,
    column and reason; the good rows are imported. The same file again changes nothing; a newer one
    merges with what cadres changed meanwhile, and where both changed a value the county decides.
    A run that was stopped is completed by running it again.
    """
    data = file.read_bytes()
    with opened() as here:
        with reading(here.engine) as conn:
            found = user_by_login(conn, login)
        if found is None:
            raise click.ClickException(f"no active user {login}")
        user = found[0]
        county = county or user.county
        if county is None:
            raise click.ClickException("the user works for several counties: give --county")
        seen = _mapped(data, file.name, mapped, scope=user.scope)
        if only_preview:
            _show(seen)
            return
        with click.progressbar(length=seen.rows_total, label="导入") as bar:
            done = import_roster(
                here.engine,
                RosterFile(data, file.name, county, user.scope, user.id, seen.mapping),
                clock=wall_clock,
                new_id=lambda: household_id(secrets.randbits(64)),
                progress=lambda read, _total: bar.update(read - bar.pos),
            )
        counts = done.counts
        click.echo(
            f"读入 {counts.rows_read} 行:新增 {counts.households_new} 户、{counts.members_new} 人,"
            f"更新 {counts.records_changed} 条"
        )
        if counts.message:
            click.echo(counts.message)
        if faults is not None:
            listed = fault_sheet(here.engine, county, done.import_id, str(faults))
            click.echo(f"{faults}:{listed} 处问题")
        elif counts.rows_bad or counts.values_left_out:
            click.echo("加 --faults 文件.xlsx 可得到逐行原因(重复导入不会重复写入)")


def _mapped(data: bytes, name: str, mapped: tuple[str, ...], *, scope: str) -> Preview:
    seen = preview(data, name, scope=scope)
    if not mapped:
        return seen
    by_heading = {heading: n for n, heading in seen.headings.items()}
    mapping: dict[int, Target] = dict(seen.mapping)
    for pair in mapped:
        heading, _, field = pair.rpartition("=")
        if heading not in by_heading:
            raise click.ClickException(f"没有“{heading}”这一列")
        column = by_heading[heading]
        mapping.pop(column, None)
        if field:
            [target] = mapping_from_json({str(column): field}).values()
            mapping = {n: kept for n, kept in mapping.items() if kept != target}
            mapping[column] = target
    return preview(data, name, mapping_from_json(mapping_to_json(mapping)), scope=scope)


def _show(seen: Preview) -> None:
    labels = dict(mappable())
    click.echo(
        f"{seen.form} {seen.sheet_name} 标题在第 {seen.heading_row_no} 行,约 {seen.rows_total} 行"
    )
    for column, heading in seen.headings.items():
        target = seen.mapping.get(column)
        meant = f"{labels[target]} ({'.'.join(target)})" if target else "不导入"
        click.echo(f"  {heading} → {meant}")
    for missing in seen.missing:
        click.echo(f"缺少必需的列:{missing}")
    for problem in seen.problems:
        click.echo(problem)
    click.echo(
        "可用的字段:" + "、".join(f"{'.'.join(target)} {label}" for target, label in labels.items())
    )
