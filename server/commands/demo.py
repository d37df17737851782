"""`chushan demo`: a server with two counties of invented people, and the phone app beside it."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from server.services.upgrade import upgrade_database
from server.settings import Settings
from server.storage.engine import open_engine

PREPARED = "prepared"
"""File that is there once a demo's data are whole."""

STARTING_S = 60


@click.command("demo")
@click.option("--port", default=8020, show_default=True, help="Port on this machine.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("var/demo"),
    show_default=True,
    help="Where the demo keeps its database, rosters and the phone's data.",
)
@click.option("--fresh", is_flag=True, help="Begin anew: delete the demo's data first.")
@click.option("--no-phone", is_flag=True, help="Do not open the phone app.")
def command(port: int, folder: Path, fresh: bool, no_phone: bool) -> None:
    """Try Chushan with invented people: server, pages, firm's API and the phone app.

    Two real counties to the village (望谟 522326, 贞丰 522325) with invented households: some on
    the roster, some visited, some returned, some approved. The first start takes a few seconds to
    prepare them; later ones go on where you were. The server answers on this machine only. End it
    with Ctrl-C.
    """
    _check_port(port)
    folder = folder.resolve()
    settings = Settings(
        database_url=f"sqlite:///{folder / 'demo.db'}",
        data_dir=str(folder),
        public_url=f"http://127.0.0.1:{port}",
    )
    if fresh:
        _delete(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _prepare_once(settings, folder)
    with _ending_on_signals(), _server(settings, folder, port) as server:
        _tell(settings, folder)
        phone = None if no_phone else _open_phone(folder)
        click.echo("按 Ctrl-C 结束 · Ctrl-C to end")
        try:
            server.wait()
        except KeyboardInterrupt:
            click.echo("\n已结束;数据保留 · Ended; the data are kept. Again: make demo")
            return
        finally:
            if phone is not None and phone.poll() is None:
                phone.terminate()
        raise click.ClickException(f"the server ended; see {folder / 'server.log'}")


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise click.ClickException(
                f"端口 {port} 已被占用 · Port {port} is taken. Another one: "
                f"make demo ARGS='--port {port + 1}'   (chushan demo --port {port + 1})"
            ) from error


def _delete(folder: Path) -> None:
    """Delete a demo's folder, and no other."""
    if not folder.exists():
        return
    if any(folder.iterdir()) and not (folder / "demo.db").exists():
        raise click.ClickException(f"{folder} is not a demo's folder; nothing was deleted")
    shutil.rmtree(folder)


def _prepare_once(settings: Settings, folder: Path) -> None:
    engine = open_engine(settings.database_url)
    try:
        if (folder / PREPARED).exists():
            upgrade_database(engine)
            return
        engine.dispose()
        for left in folder.glob("demo.db*"):  # of a first start that was broken off
            left.unlink()
        from server.demo.prepare import Clock, prepare

        click.echo("正在准备虚构的演示数据 … · Preparing invented people …")
        now = dt.datetime.now(ZoneInfo(settings.timezone))
        clock = Clock(int(now.timestamp() * 1000), now.date())
        prepare(engine, folder, clock, say=lambda line: click.echo(f"  {line}"))
        (folder / PREPARED).write_text(now.isoformat(), encoding="utf-8")
    finally:
        engine.dispose()


@contextlib.contextmanager
def _ending_on_signals() -> Iterator[None]:
    def end(_signal: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    # Both by name: a shell starts what runs in its background deaf to Ctrl-C.
    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _server(settings: Settings, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    environ = os.environ | {
        "CHUSHAN_DATABASE_URL": settings.database_url,
        "CHUSHAN_DATA_DIR": settings.data_dir,
        "CHUSHAN_PUBLIC_URL": settings.public_url,
    }
    chushan = "from server.cli import main; main()"
    command = [sys.executable, "-c", chushan, "serve", "--host", "127.0.0.1"]
    with (folder / "server.log").open("wb") as log:
        # A session of its own: Ctrl-C reaches this process only, which then ends the server in peace.
        server = subprocess.Popen(
            [*command, "--port", str(port)],
            env=environ,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_for(server, port, folder)
            yield server
        finally:
            if server.poll() is None:
                server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(15)
            if server.poll() is None:
                server.kill()


def _wait_for(server: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + STARTING_S
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise click.ClickException(f"the server did not start; see {folder / 'server.log'}")


def _tell(settings: Settings, folder: Path) -> None:
    from server.demo.prepare import COUNTIES, PASSWORD, PHONE_SCOPE, enrolment_code, firm_key
    from server.services.enrol import enrolment_text
    from shared_schemas.codes.divisions import division

    engine = open_engine(settings.database_url)
    code = enrolment_code(engine, int(time.time() * 1000))
    engine.dispose()
    township = division(PHONE_SCOPE)
    reviewers = "\n".join(
        f"    {county.reviewer:<10}{place.name if (place := division(county.code)) else ''}"
        "审核员 · county reviewer"
        for county in COUNTIES
    )
    url = settings.public_url
    click.echo(f"""
出山 Chushan
  网页 Pages              {url}/
  接口文档 API            {url}/api-docs   {url}/openapi.json

  登录 Sign in, password {PASSWORD}
{reviewers}
    {"firm":<10}人力资源机构 · HR firm
    {"admin":<10}管理员 · administrator

  手机登记 Enrol a phone for {township.name if township else PHONE_SCOPE} (once, within 72 hours)
    登记码 code   {code}    服务器 server   {url}
    粘贴 paste    {enrolment_text(url, code)}

  机构密钥 HR firm's key
    curl -H "Authorization: Bearer {firm_key(folder)}" "{url}/v1/labour?purpose=demo"

  名册 Rosters            {folder}/*.xlsx
  日志 Log                {folder / "server.log"}
""")


def _has_screen() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open_phone(folder: Path) -> subprocess.Popen[bytes] | None:
    how = f".venv/bin/chushan-phone --folder {folder / 'phone'}"
    if not _has_screen():
        click.echo(
            "这里没有屏幕,手机应用没有打开 · No screen here, so the phone app was not opened.\n"
            f"  On a machine with one: {how}"
        )
        return None
    with (folder / "phone.log").open("wb") as log:
        phone = subprocess.Popen(
            [sys.executable, "-m", "mobile.main", "--folder", str(folder / "phone")],
            stdout=log,
            stderr=log,
        )
    click.echo(f"手机应用已在窗口中打开 · The phone app is open in a window. Again: {how}")
    return phone
