"""`chushan firm`: HR firms with which counties have agreements, and their keys."""

from __future__ import annotations

import re
import secrets
from typing import Any

import click
from sqlalchemy import Connection

from server.access import wall_clock
from server.commands import opened
from server.services.enrol import hash_token
from server.storage.accounts import add_api_key, add_organisation, end_api_keys
from server.storage.engine import writing
from server.storage.labour import firms_named
from shared_schemas.ids import household_id

DAY_MS = 86_400_000


@click.group("firm")
def command() -> None:
    """HR firms (人力资源公司): whose lists they may pull, and their keys."""


@command.command()
@click.argument("name")
@click.option(
    "--county",
    "counties",
    multiple=True,
    required=True,
    help="Six-digit code of a county that has an agreement with the firm; may be given several times.",
)
@click.option("--licence", required=True, help="Number of its 人力资源服务许可证.")
@click.option("--uscc", help="Its 统一社会信用代码, 18 characters.")
@click.option("--contact", help="Whom to call.")
@click.option("--phone", help="The contact's phone.")
def add(name: str, counties: tuple[str, ...], **told: Any) -> None:
    """Add the firm NAME and print its id. Its people sign in with `user add --role hr_firm --org ID`."""
    wrong = [code for code in counties if not re.fullmatch(r"[1-9]\d{5}", code)]
    if wrong:
        raise click.ClickException(f"{wrong[0]} is not a county's six-digit code")
    firm_id = _new_id()
    with opened() as here, writing(here.engine) as conn:
        if firms_named(conn, name):
            raise click.ClickException(f"{name} exists")
        add_organisation(
            conn,
            {
                "id": firm_id,
                "name": name,
                "type": "agency",
                "licence_no": told["licence"],
                "uscc": told["uscc"],
                "contact": told["contact"],
                "phone": told["phone"],
                "counties": sorted(set(counties)),
                "active": True,
            },
        )
    click.echo(f"{firm_id}  {name}")


@command.command()
@click.argument("name")
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True,
              help="How long the key is valid.")  # fmt: skip
@click.option("--label", default="api", show_default=True, help="What the key is used for.")
def key(name: str, days: int, label: str) -> None:
    """Make an API key for the firm NAME (or its id). It is shown once and stored only as a hash."""
    made = f"chushan_{secrets.token_urlsafe(32)}"
    with opened() as here, writing(here.engine) as conn:
        add_api_key(
            conn,
            {
                "id": _new_id(),
                "org_id": _firm_id(conn, name),
                "label": label,
                "key_hash": hash_token(made),
                "created_at_ms": wall_clock(),
                "expires_at_ms": wall_clock() + days * DAY_MS,
            },
        )
    click.echo(made)


@command.command("end-keys")
@click.argument("name")
def end_keys(name: str) -> None:
    """End all keys of the firm NAME (or its id) at once, as when one was lost."""
    with opened() as here, writing(here.engine) as conn:
        ended = end_api_keys(conn, _firm_id(conn, name), now_ms=wall_clock())
    click.echo(f"{ended} keys ended")


def _firm_id(conn: Connection, name: str) -> str:
    found = firms_named(conn, name)
    if len(found) != 1:
        raise click.ClickException(f"{len(found)} firms are called {name}; name one, or use its id")
    return str(found[0].id)


def _new_id() -> str:
    return household_id(secrets.randbits(64))
