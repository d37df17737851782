"""A county's real server on both databases, and two cadres' real phones, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mobile.storage.database import Store
from mobile.sync import attempt
from tests.mobile.phones import County

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
