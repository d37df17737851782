"""The command `chushan`."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click
import segno

from server.access import wall_clock
from server.app import create_app
from server.commands import (
    across,
    demo,
    firm,
    handover,
    labour,
    link,
    opened,
    phone_index,
    roster,
    settings_or_exit,
)
from server.observe import configure_logs, log, log_to_stderr
from server.services.backup import BackupError, make_backup, restore_backup
from server.services.divisions import read_places, store_places
from server.services.enrol import VALID_HOURS, enrolment_text, make_enrolment
from server.services.scope import county_of_scope, scope_prefix
from server.services.sign_in import SHORTEST_PASSWORD, hash_password
from server.services.unlock import unlock_answer
from server.services.upgrade import upgrade_database
from server.settings import Settings
from server.storage.accounts import User, add_user, firm_of, login_is_taken, user_by_login
from server.storage.audit import add_audit
from server.storage.devices import devices_within
from server.storage.divisions import count_divisions
from server.storage.engine import open_engine, writing
from shared_schemas.codes import code_list
from shared_schemas.ids import household_id
from shared_schemas.unlock import GROUP, in_groups

THREADS = 64
"""With 100 phones uploading slowly, 16 threads fell to 1 request a second; 64 kept 295."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="chushan", message="%(package)s %(version)s")
def main() -> None:
    """出山 Chushan: the counties' server of the offline labour survey.

    Settings come from environment variables that begin with CHUSHAN_, above all
    CHUSHAN_DATABASE_URL (sqlite:///var/chushan.db unless set, or postgresql+psycopg://…),
    CHUSHAN_DATA_DIR and CHUSHAN_PUBLIC_URL. Begin with `chushan demo`, or with
    `chushan serve` and `chushan user add`.
    """


for _module in (demo, roster, labour, firm, handover, link, phone_index, across):
    main.add_command(_module.command)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8020, show_default=True, help="Port to listen on.")
@click.option(
    "--workers", type=click.IntRange(1, 64), help="Processes; SQLite has one, PostgreSQL two."
)
@click.option("--threads", default=THREADS, show_default=True, help="Threads of each process.")
@click.option("--waitress", is_flag=True, help="Serve by waitress: one process, any system.")
def serve(host: str, port: int, workers: int | None, threads: int, waitress: bool) -> None:
    """Upgrade the database, then serve phones, offices and firms.

    Listens on this machine only unless --host says otherwise; put a web server with TLS in front
    of it and set CHUSHAN_SECURE_COOKIES=1. Stops on Ctrl-C or SIGTERM after the requests at hand.
    """
    settings = settings_or_exit()
    with opened() as here:
        is_sqlite = here.engine.dialect.name == "sqlite"
    if is_sqlite and workers not in (None, 1):
        raise click.ClickException("SQLite has one writer: leave --workers away, or use PostgreSQL")
    if waitress or sys.platform == "win32":
        _serve_by_waitress(settings, host, port, threads)
    else:
        _serve_by_gunicorn(settings, host, port, threads, workers or (1 if is_sqlite else 2))


def _keep_garbage_collection_rare() -> None:
    # What a server loads at start never becomes garbage, and a push makes many objects that live
    # to its end; the ordinary thresholds made it look through all of them again and again. To look
    # through the pages that workers share would also make copies of them.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _serve_by_waitress(settings: Settings, host: str, port: int, threads: int) -> None:
    from waitress import serve as serve_forever  # only where it is used: saves start-up

    app = create_app(settings)
    _keep_garbage_collection_rare()
    # waitress finishes its requests on a KeyboardInterrupt alone, and a process started in the
    # background is born deaf to Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    log.info("server_started", host=host, port=port, by="waitress", threads=threads)
    serve_forever(
        app, host=host, port=port, threads=threads, connection_limit=1000, ident=None,
        max_request_body_size=settings.max_upload_bytes + 65_536,
    )  # fmt: skip


def _serve_by_gunicorn(
    settings: Settings, host: str, port: int, threads: int, workers: int
) -> None:
    from gunicorn.app.base import BaseApplication  # not installed on Windows

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            options: dict[str, Any] = {
                "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
                "workers": workers,
                "threads": threads,
                "worker_class": "gthread",
                "timeout": 120,
                "graceful_timeout": 30,
                "keepalive": 15,
                "loglevel": "warning",
                "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108
                # What is loaded before the workers are forked is in memory once.
                "preload_app": True,
                # A second way in, in the home folder, that all servers of an account would share.
                "control_socket_disable": True,
            }
            for name, value in options.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            app = create_app(settings)
            _keep_garbage_collection_rare()
            return app

    configure_logs(settings.log_level)
    log.info("server_started", host=host, port=port, by="gunicorn", workers=workers)
    Server().run()


@main.group()
def db() -> None:
    """The database's own affairs."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to this version: tables, columns of newly declared fields, divisions.

    What newer phones sent and the old version did not understand is applied. It can run while the
    old version still serves; run it again when that has stopped, for what it wrote into a field
    that another has replaced. `chushan serve` does it at start.
    """
    settings = settings_or_exit()
    engine = open_engine(settings.database_url)
    added = upgrade_database(engine)
    engine.dispose()
    click.echo(f"upgraded; {len(added)} columns added")


@main.group()
def user() -> None:
    """People who sign in."""


@user.command("add")
@click.argument("login")
@click.option("--name", required=True, help="The person's name, as it stands beside decisions.")
@click.option(
    "--role",
    required=True,
    type=click.Choice([code.code for code in code_list("user_role").codes]),
    help="What the person does.",
)
@click.option("--scope", default="", help="Division code: 522326 is a county. Not for a firm.")
@click.option("--org", "org_id", help="Id of the HR firm, for hr_firm.")
@click.option("--phone", help="Office phone; a cadre's goes to firms with the list.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def user_add(
    login: str,
    name: str,
    role: str,
    scope: str,
    org_id: str | None,
    phone: str | None,
    password_stdin: bool,
) -> None:
    """Add a person. A cadre needs no password: his phone is enrolled with `device enrol`."""
    if role == "hr_firm" and not org_id:
        raise click.UsageError("an HR firm's user needs --org")
    if role not in ("hr_firm", "admin") and not scope.strip("0"):
        raise click.UsageError("an office's user needs --scope")
    password = None
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    elif role != "cadre":
        password = click.prompt(
            f"Password (at least {SHORTEST_PASSWORD} characters)",
            hide_input=True,
            confirmation_prompt=True,
        )
    with opened() as here, writing(here.engine) as conn:
        if login_is_taken(conn, login):
            raise click.ClickException(f"{login} exists")
        if org_id and firm_of(conn, org_id) is None:
            raise click.ClickException("there is no such organisation")
        account = User(_new_id(), login, name, role, scope_prefix(scope), org_id)
        add_user(
            conn,
            account,
            password_hash=hash_password(password) if password is not None else None,
            now_ms=wall_clock(),
            phone=phone,
        )
    click.echo(f"added {login} ({role})")


@main.group()
def device() -> None:
    """Phones of cadres."""


@device.command("enrol")
@click.argument("login")
@click.option("--scope", help="Township or village code; the cadre's own scope unless given.")
@click.option(
    "--image",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the QR code into this file too (.png or .svg), to print it or to send it.",
)
def device_enrol(login: str, scope: str | None, image: Path | None) -> None:
    """Make a code that enrols one phone of the cadre LOGIN, and show it as a QR code.

    The phone photographs the QR code, or the text below it is typed or pasted. Valid once, for 72
    hours. Each code is written into the audit.
    """
    if image is not None and image.suffix not in (".png", ".svg"):
        raise click.ClickException(f"{image.name}: a QR code is written as .png or .svg")
    with opened() as here, writing(here.engine) as conn:
        found = user_by_login(conn, login)
        if found is None:
            raise click.ClickException(f"there is no {login}; add it with `chushan user add`")
        code = make_enrolment(
            conn,
            user_id=found[0].id,
            scope=scope or found[0].scope,
            made_by=None,
            now_ms=wall_clock(),
        )
        county = scope_prefix(scope or found[0].scope)[:6]  # wider scopes were refused
        add_audit(conn, county, id=_new_id(), at_ms=wall_clock(), actor="cli",
                  action="enrolment_made", target_kind="user", target_id=found[0].id)  # fmt: skip
        text = enrolment_text(here.settings.public_url, code)
    drawn = segno.make(text, error="m")
    drawn.terminal(out=sys.stdout, compact=True)
    if image is not None:
        drawn.save(str(image), scale=8, border=4)
    click.echo(f"\n{text}\n\n登记码 {code} · {VALID_HOURS}小时内有效,只能用一次")
    click.echo(f"Code {code}, valid once within {VALID_HOURS} hours")


@device.command("unlock")
@click.argument("login")
@click.argument("challenge")
def device_unlock(login: str, challenge: str) -> None:
    """Tell what opens the locked phone of the cadre LOGIN, who reads CHALLENGE (8 digits) from it.

    Make sure first that it is he: call him back at the number that you know. The 30 digits open his
    phone once, and what he has not sent is still on it. Each time is written into the audit.
    """
    with opened() as here, writing(here.engine) as conn:
        found = user_by_login(conn, login)
        if found is None:
            raise click.ClickException(f"there is no {login}")
        user = found[0]
        county = county_of_scope(user.scope)
        own = [d for d in devices_within(conn, county or "", "") if d.user_id == user.id]
        told = unlock_answer(
            conn, own, challenge, actor="cli", audit_id=_new_id(), now_ms=wall_clock()
        )
    if told is None:
        raise click.ClickException(
            f"{challenge} is not what a phone of {login} shows: let him read it out again"
        )
    click.echo(in_groups(told[1], GROUP))
    click.echo("六组数字,只能用一次 · Six groups of digits, good once")


@main.group()
def divisions() -> None:
    """The list of places."""


@divisions.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def divisions_import(file: Path) -> None:
    """Import a county's townships and villages from the CSV FILE (UTF-8 or GB18030).

    Columns: code (9 digits for a township, 12 for a village) and name; where known also
    valid_from, valid_to, successor, urban_rural. A place that is there already is replaced. With a
    bad line nothing is imported.
    """
    try:
        places, bad = read_places(file.read_bytes())
    except (ValueError, OSError) as error:
        raise click.ClickException(f"{file.name}: {error}") from error
    if bad:
        for line in bad[:20]:
            click.echo(f"line {line.line}: {line.reason}", err=True)
        raise click.ClickException(f"{len(bad)} bad lines, nothing imported")
    with opened() as here, writing(here.engine) as conn:
        count = store_places(conn, places)
        known = count_divisions(conn)
    click.echo(f"imported {count} places; the list has {known}")


@main.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Write a consistent copy of the whole database to FILE (a .zip) while the server serves.

    The same file restores into SQLite and into PostgreSQL. It holds personal data: keep it safe.
    The secret key beside the database is not in it; without the key people sign in again.
    """
    with opened() as here:
        try:
            counts = make_backup(here.engine, file, now_ms=wall_clock())
        except (BackupError, OSError) as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"{file}: {sum(counts.values())} rows of {len(counts)} tables")


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Delete what the database holds first.")
def restore(file: Path, replace: bool) -> None:
    """Restore FILE, made by `chushan backup`, into an empty database. Stop the server first.

    The database begins a new epoch: phones notice it at their next sync, compare, and send again
    what was captured after the backup.
    """
    with opened() as here:
        try:
            counts = restore_backup(here.engine, file, replace=replace)
        except BackupError as error:
            raise click.ClickException(str(error)) from error
        upgrade_database(here.engine)
    click.echo(f"restored {sum(counts.values())} rows of {len(counts)} tables; a new epoch began")


@main.command()
def openapi() -> None:
    """Print the OpenAPI document of the server's interfaces."""
    from server.api.docs import openapi_document  # with the app: heavy

    log_to_stderr()
    app = create_app(Settings(database_url="sqlite://", secret_key="only to print"))  # noqa: S106
    with app.app_context():
        click.echo(json.dumps(openapi_document(app), ensure_ascii=False, indent=2))


def _new_id() -> str:
    return household_id(int.from_bytes(os.urandom(8)))
