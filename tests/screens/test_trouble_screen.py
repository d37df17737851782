"""An answer that cannot be stored is said in words, and the app goes on."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator

import pytest
from kivy.base import ExceptionManager
from kivy.core.window import Window

import mobile.app
from mobile.storage.database import PhoneBusy
from tests.screens.driver import Driver
from tests.screens.flows import open_village, start_household

pytestmark = pytest.mark.window


def toasts(driver: Driver) -> list[str]:
    return [w.words for w in Window.children if type(w).__name__ == "Toast"]


@pytest.fixture
def sync() -> Iterator[Callable[[Driver], sqlite3.Connection]]:
    """Something that writes into the phone's database until it is told to end."""
    opened: list[sqlite3.Connection] = []

    def begin(driver: Driver) -> sqlite3.Connection:
        connection = sqlite3.connect(driver.app.store.path, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        opened.append(connection)
        return connection

    yield begin
    for connection in opened:
        connection.close()


def kept(driver: Driver) -> dict[str, str]:
    rows = driver.app.store.connection.execute("SELECT field, value FROM draft")
    return {row["field"]: row["value"] for row in rows}


def test_answers_while_a_sync_writes_show_at_once_and_are_stored_when_it_lets_go(
    phone: Callable[..., Driver], sync: Callable[[Driver], sqlite3.Connection]
):
    driver = phone()
    open_village(driver, "大湾村")
    start_household(driver)
    writer = sync(driver)
    began = time.monotonic()
    driver.choose("relocated", "是")
    assert time.monotonic() - began < 5, "the window stood still"
    assert driver.app.visit.household.values["relocated"] is True
    assert "relocated" not in kept(driver)
    driver.until(lambda: any("填好的先记着" in words for words in toasts(driver)))
    writer.execute("ROLLBACK")
    driver.until(lambda: kept(driver).get("relocated") == "true")
    position = driver.app.store.connection.execute("SELECT field FROM position").fetchone()
    assert position["field"] == "relocated"


def test_a_visit_is_not_left_while_an_answer_in_it_is_not_stored(
    phone: Callable[..., Driver],
    sync: Callable[[Driver], sqlite3.Connection],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(mobile.app, "LAST_WAIT_S", 0.1)
    driver = phone()
    open_village(driver, "大湾村")
    start_household(driver)
    writer = sync(driver)
    driver.choose("relocated", "是")
    driver.back()
    assert driver.screen == "visit"
    with pytest.raises(PhoneBusy) as busy:
        driver.back()
    # What Kivy's own loop does with whatever a touch raises; the driver's loop lets it through.
    assert ExceptionManager.handle_exception(busy.value) == ExceptionManager.PASS
    assert driver.screen == "visit"
    assert driver.app.on_pause()
    assert driver.app.visit.has_unkept
    writer.execute("ROLLBACK")
    driver.app.on_stop()
    with sqlite3.connect(driver.app.store.path) as closed:
        stored = closed.execute("SELECT value FROM draft WHERE field = 'relocated'").fetchone()
    closed.close()
    assert stored == ("true",)


def test_a_date_that_was_set_back_is_said_on_the_first_screen(phone: Callable[..., Driver]):
    driver = phone()
    open_village(driver, "大湾村")
    start_household(driver)
    driver.choose("relocated", "是")
    driver.app.today = lambda: "2010-01-01"
    for _ in range(4):
        driver.back()
    assert driver.screen == "today"
    assert driver.sees("请把手机的日期调对")
