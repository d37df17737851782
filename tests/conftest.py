"""Fixtures of every test that needs the server: both databases, the app, a clock that stands still."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser
from sqlalchemy import Engine, create_engine, make_url, text

from benchmarks.databases import postgresql_cluster
from server.app import create_app
from server.services.upgrade import upgrade_database
from server.settings import Settings
from server.storage.engine import open_engine

NOW_MS = 1_795_168_800_000
"""The tests' present: 2026-11-20 18:00 in China, UTC epoch milliseconds."""

TODAY = "2026-11-20"

_numbers = itertools.count()


@pytest.fixture(scope="session")
def upgraded_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an upgraded empty SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def upgraded_postgresql() -> Iterator[str]:
    """Yield the URL of an upgraded empty PostgreSQL database, to be a template, on its own server."""
    with postgresql_cluster("fsync=off", "full_page_writes=off", "max_connections=200") as url:
        _administer(url, "CREATE DATABASE template_chushan")
        template = make_url(url).set(database="template_chushan").render_as_string()
        _upgrade(template)
        yield template


def _upgrade(url: str) -> None:
    engine = open_engine(url)
    upgrade_database(engine)
    engine.dispose()


def _administer(url: str, statement: str) -> None:
    engine = create_engine(make_url(url).set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        conn.execute(text(statement))
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the URL of an upgraded empty database of this test's own, on each database in turn."""
    if request.param == "sqlite":
        path = tmp_path / "server.db"
        shutil.copy(request.getfixturevalue("upgraded_sqlite"), path)
        yield f"sqlite:///{path}"
        return
    template = request.getfixturevalue("upgraded_postgresql")
    name = f"test_{next(_numbers)}"
    _administer(template, f"CREATE DATABASE {name} TEMPLATE template_chushan")
    yield make_url(template).set(database=name).render_as_string()
    _administer(template, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Yield an engine on an upgraded empty database, on SQLite and on PostgreSQL."""
    opened = open_engine(database_url)
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Yield Chromium, one for all tests of a process: Playwright cannot be started twice in one."""
    # Playwright starts a process of its own: only for those who look at pages.
    from tests.browser.world import chromium

    with chromium() as started:
        yield started


@dataclass
class Clock:
    """A clock that tests set: UTC epoch milliseconds."""

    now_ms: int = NOW_MS

    def __call__(self) -> int:
        return self.now_ms

    def pass_days(self, days: float) -> None:
        """Let days go by."""
        self.now_ms += round(days * 86_400_000)


@pytest.fixture
def clock() -> Clock:
    """Return the tests' clock."""
    return Clock()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Return settings on the test's database."""
    return Settings(
        database_url=database_url, secret_key="for tests only", data_dir=str(tmp_path / "data")
    )


@pytest.fixture
def app(settings: Settings, clock: Clock) -> Iterator[Flask]:
    """Yield the whole server, on both databases."""
    made = create_app(settings, clock=clock)
    made.config["TESTING"] = True
    yield made
    made.extensions["chushan"].engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a caller of the server without a sign-in."""
    return app.test_client()
