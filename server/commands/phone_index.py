"""`chushan index`: the index of who is registered that a county's phones carry."""

from __future__ import annotations

import re

import click

from server.access import wall_clock
from server.commands import opened
from server.services.phone_index import follow, rotate
from server.storage.engine import writing


@click.command("index")
@click.argument("county")
@click.option(
    "--new-key",
    is_flag=True,
    help="Make it anew under another key, as after the loss of a phone; phones then fetch it whole.",
)
def command(county: str, new_key: bool) -> None:
    """Bring the index of who is registered in COUNTY (six digits) up to date now.

    Phones warn offline by it. They bring it up to date themselves when they ask, a second at a time;
    the first time, and after --new-key, that is slow: about 20 minutes for 300,000 people.
    """
    if not re.fullmatch(r"[1-9]\d{5}", county):
        raise click.ClickException(f"{county} is not a county's six-digit code")
    with opened() as here:
        if new_key:
            with writing(here.engine) as conn:
                rotate(conn, county)
        while not follow(here.engine, county, now_ms=wall_clock(), for_s=10):
            click.echo("...", err=True)
    click.echo(f"{county}: up to date")
