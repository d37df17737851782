"""A county's real server on both databases, and two cadres' real phones, over real HTTP."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import a_user, villages
from flask import Flask
from sqlalchemy import Engine
from werkzeug.serving import make_server

from mobile.storage.database import Store
from mobile.sync import attempt
from server.storage.engine import writing
from tests.mobile.phones import TOWNSHIP, County

from .office import AUTHOR, CARRIER, Office
from .world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Yield a simulated county and its phones, for one schedule after another."""
    made = World()
    yield made
    made.close()


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have phones try again at once."""
    monkeypatch.setattr(attempt, "FIRST_PAUSE_S", 0.001)


@pytest.fixture
def county(tmp_path: Path, database_url: str, short_pauses: None) -> Iterator[County]:
    """Yield a served county, on SQLite and on PostgreSQL."""
    (tmp_path / "county").mkdir()
    serving = County(tmp_path / "county", database_url)
    yield serving
    serving.stop()


@pytest.fixture
def one(county: County, tmp_path: Path) -> Iterator[Store]:
    """Yield the phone of 测试村干."""
    store = county.phone(tmp_path / "one" / "p.db")
    yield store
    store.close()


@pytest.fixture
def two(county: County, tmp_path: Path) -> Iterator[Store]:
    """Yield the phone of 另一村干, of the same township."""
    store = county.phone(tmp_path / "two" / "p.db", "cadre2")
    yield store
    store.close()


@pytest.fixture
def office(app: Flask, engine: Engine, tmp_path: Path) -> Iterator[Office]:
    """Yield a county's office with two cadres, served over HTTP."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with writing(engine) as conn:
        villages(conn)
        people = {name: a_user(conn, name, scope=TOWNSHIP) for name in (AUTHOR, CARRIER)}
    http = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    port = http.server_port
    made = Office(app, engine, tmp_path, f"http://127.0.0.1:{port}", port, people)
    yield made
    for store in made.phones:
        store.close()
    http.shutdown()
    thread.join()
    http.server_close()
