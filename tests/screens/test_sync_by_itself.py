"""The app sends what waits when the county can be reached, without a touch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import mobile.app
from mobile.device import desktop
from mobile.storage.outbox import count_unanswered
from mobile.sync import link
from tests.mobile.phones import TODAY, County, a_submitted_household, sync
from tests.screens.driver import Driver

pytestmark = pytest.mark.window


@pytest.fixture
def driver(
    tmp_path: Path, upgraded_sqlite: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Driver]:
    """The app of a phone on which a household waits, before a county that is there."""
    (tmp_path / "county").mkdir()
    county = County(tmp_path / "county", upgraded_sqlite)
    store = county.phone(tmp_path / "phone" / "chushan.db")
    sync(store)
    a_submitted_household(store)
    store.close()
    monkeypatch.setattr(link, "SHORTEST_WAIT_S", 0.0)
    monkeypatch.setattr(mobile.app, "LINK_LOOKED_AT_EVERY_S", 0.1)
    driver = Driver(tmp_path / "phone", today=TODAY, settings={"syncs_itself": True})
    yield driver
    driver.stop()
    county.stop()


def test_what_waits_is_sent_without_a_touch(driver: Driver) -> None:
    driver.start()
    driver.until(lambda: count_unanswered(driver.app.store.connection) == 0, timeout=30)
    driver.until(lambda: driver.sees("已自动送出"), timeout=10)


def test_where_the_system_knows_of_no_link_nothing_is_tried_until_one_comes_up(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desktop, "has_signal", lambda: False)
    driver.start()
    driver.settle(1.0)
    assert count_unanswered(driver.app.store.connection)
    monkeypatch.setattr(desktop, "has_signal", lambda: True)
    driver.until(lambda: count_unanswered(driver.app.store.connection) == 0, timeout=30)
    driver.until(lambda: not driver.app._at_work, timeout=10)
