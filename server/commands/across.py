"""`chushan across`: people who are registered in two counties."""

from __future__ import annotations

import click

from server.access import wall_clock
from server.commands import opened
from server.services.other_counties import follow_all
from server.settings import secret_key_of


@click.command("across")
def command() -> None:
    """Compare the registrations of all counties by keyed hashes, up to now.

    The pages do it themselves, half a second at a time; run this nightly where there are many
    counties, and after the secret key was changed: under another key all hashes are made anew.
    """
    with opened() as here:
        key = secret_key_of(here.settings)
        while not follow_all(here.engine, key, now_ms=wall_clock(), for_s=10):
            click.echo("...", err=True)
    click.echo("up to date")
