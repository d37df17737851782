"""The demo's county behind a real HTTP server on loopback, and a real Chromium to look at it."""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import Engine
from werkzeug.serving import WSGIRequestHandler, make_server

from server.app import create_app
from server.demo.prepare import PASSWORD, Clock, prepare
from server.settings import Settings

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=zh-CN",
]


@dataclass(frozen=True, slots=True)
class World:
    """A server that answers, and its database."""

    address: str
    app: Flask
    folder: Path

    @property
    def engine(self) -> Engine:
        """The server's database."""
        found: Engine = self.app.extensions["chushan"].engine
        return found


class _Quiet(WSGIRequestHandler):
    """Answers without a line in the log for each request."""

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def demo_world(
    folder: Path, *, clock: Callable[[], int] | None = None, fill: bool = True
) -> Iterator[World]:
    """Serve a county of invented people from `folder` on loopback until the end of the block."""
    now = clock or (lambda: time.time_ns() // 1_000_000)
    settings = Settings(
        database_url=f"sqlite:///{folder}/chushan.db",
        data_dir=str(folder),
        secret_key="for the pictures and browser tests",
        public_url="http://chushan.example.cn",
        log_level="ERROR",
    )
    app = create_app(settings, clock=now)
    if fill:
        today = dt.date.fromisoformat(app.extensions["chushan"].today())
        prepare(app.extensions["chushan"].engine, folder, Clock(now(), today))
    httpd = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    try:
        yield World(f"http://127.0.0.1:{httpd.server_port}", app, folder)
    finally:
        httpd.shutdown()
        thread.join(10)
        app.extensions["chushan"].engine.dispose()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, env={**os.environ, "LANGUAGE": "zh_CN"}
        )
        try:
            yield browser
        finally:
            browser.close()


def sign_in(page: Page, world: World, login: str) -> None:
    """Sign a demo user in through the form."""
    page.goto(f"{world.address}/sign-in")
    page.get_by_label("账号").fill(login)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录", exact=True).click()
    page.wait_for_url(lambda url: "/sign-in" not in url)


def press(page: Page, key: str) -> None:
    """Press a key once the page's own script listens; a page can be seen before it does."""
    page.wait_for_load_state()
    page.keyboard.press(key)


def overflow(page: Page) -> int:
    """Return by how many pixels a page is wider than its window."""
    return int(
        page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    )
