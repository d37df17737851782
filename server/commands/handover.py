"""`chushan handover`: take in hand-over files that came on a stick."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from server.access import wall_clock
from server.commands import opened
from server.services.take_handover import Carrier, make_receipt, take_handover
from server.storage.engine import reading
from shared_schemas.errors import ERRORS, ChushanError
from shared_schemas.handover import SALT_BYTES, SUFFIX


@click.command("handover")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--receipts",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the receipt for each FILE here; the phone that wrote the file reads it.",
)
def command(files: tuple[Path, ...], receipts: Path | None) -> None:
    """Take in hand-over FILES that phones wrote without internet.

    A file may be taken in any number of times, also after the phone has synced itself: the effect
    is one. A file that is refused changes nothing. Ends with status 1 where one was not taken whole.
    """
    left = 0
    with opened() as here:
        for file in files:
            try:
                taken = take_handover(
                    here.engine, file.read_bytes(), carrier=Carrier(), now_ms=wall_clock()
                )
            except ChushanError as error:
                left += 1
                said = error.error
                click.echo(
                    f"{file.name}: {said.title()},{said.action()} · {said.title('en')}", err=True
                )
                continue
            click.echo(
                f"{file.name}: 收下 {taken.changes} 条,其中新的 {taken.new} 条"
                f" · {taken.changes} changes, {taken.new} of them new"
            )
            if taken.fault:
                left += 1
                fault = ERRORS[taken.fault]
                click.echo(
                    f"{file.name}: 后面的没有收下:{fault.title()} · {fault.title('en')}", err=True
                )
            if receipts is not None:
                receipts.mkdir(parents=True, exist_ok=True)
                with reading(here.engine) as conn:
                    made = make_receipt(
                        conn, taken, salt=secrets.token_bytes(SALT_BYTES), now_ms=wall_clock()
                    )
                path = receipts / f"{file.stem}-receipt{SUFFIX}"
                path.write_bytes(made)
                click.echo(f"{file.name}: 回执 · receipt {path}")
    if left:
        raise SystemExit(1)
