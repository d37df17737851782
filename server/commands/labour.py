"""`chushan labour`: give a firm the list of available people as a spreadsheet."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from server.access import wall_clock
from server.commands import opened
from server.services import labour as service
from server.services.labour_export import write_list
from server.storage.accounts import firm_of
from server.storage.engine import writing
from server.storage.labour import firms_named
from shared_schemas.codes import code_list
from shared_schemas.ids import household_id


@click.group("labour")
def command() -> None:
    """Lists of people who are available for work (可输出劳动力)."""


def _codes(name: str) -> click.Choice[str]:
    return click.Choice([code.code for code in code_list(name).offered()])


def _told(name: str) -> str:
    return ", ".join(f"{code.code} {code.zh}" for code in code_list(name).offered())


@command.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--firm", "name", required=True, help="Name or id of the HR firm that gets the list.")
@click.option("--purpose", required=True, help="What the list is for; logged, shown to the county.")
@click.option("--section", type=click.Choice([service.AVAILABLE, service.MAY_CHANGE]),
              default=service.AVAILABLE, show_default=True,
              help="Without a post, or with one and wanting another.")  # fmt: skip
@click.option("--occupation", "occupations", type=_codes("occupation"), multiple=True,
              help=f"Wished occupation; several may be given. {_told('occupation')}")  # fmt: skip
@click.option("--sex", type=_codes("sex"), help=_told("sex"))
@click.option("--age-min", type=click.IntRange(16, 99), help="At least this old.")
@click.option("--age-max", type=click.IntRange(16, 120), help="At most this old.")
@click.option("--reach", type=_codes("reach"), help=f"At least this far. {_told('reach')}")
@click.option("--wage-max", type=click.IntRange(0, 50_000), help="Asks for no more, yuan a month.")
@click.option("--available-by", type=click.DateTime(["%Y-%m-%d"]), help="Can start by this day.")
@click.option("--mandarin", type=_codes("mandarin"),
              help=f"At least this well. {_told('mandarin')}")  # fmt: skip
@click.option("--together", type=_codes("together_with"), help=_told("together_with"))
@click.option("--township", help="Division code of 9 or 12 digits.")
@click.option("--confirmed-within-days", type=click.IntRange(1, 180),
              help="Asked again within so many days.")  # fmt: skip
@click.option("--minors", is_flag=True, help="Also people of 16 and 17, for lawful posts only.")
@click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True,
              help="Language of the headings.")  # fmt: skip
def export(file: Path, name: str, purpose: str, lang: str, **filters: Any) -> None:
    """Pull a list for a firm and write it to FILE (.xlsx).

    The same rows as the page and the API, masked, under a pull number that the county sees.
    """
    if filters["available_by"] is not None:
        filters["available_by"] = filters["available_by"].date().isoformat()
    if not re.fullmatch(r"([1-9][0-9]{8}([0-9]{3})?)?", filters["township"] or ""):
        raise click.BadParameter("9 or 12 digits", param_hint="--township")
    now_ms = wall_clock()
    with opened() as here, writing(here.engine) as conn:
        zone = ZoneInfo(here.settings.timezone)
        named = firms_named(conn, name)
        firm = firm_of(conn, named[0].id) if len(named) == 1 else None
        if firm is None:
            raise click.ClickException(f"{len(named)} active firms are called {name}")
        pulled = service.pull_list(
            conn,
            firm,
            service.filters_from({k: v for k, v in filters.items() if v is not None}),
            purpose=purpose,
            channel="xlsx",
            user_id=None,
            limit=service.MOST_ROWS_OF_FILE,
            today=dt.datetime.fromtimestamp(now_ms / 1000, zone).date().isoformat(),
            now_ms=now_ms,
            new_id=lambda: household_id(secrets.randbits(64)),
        )
        write_list(
            pulled,
            firm_name=firm.name,
            timezone=here.settings.timezone,
            file=str(file),
            lang=lang,
        )
    click.echo(f"{file}:名单号 {pulled.pull_id},{len(pulled.rows)} 人(符合条件 {pulled.total} 人)")
