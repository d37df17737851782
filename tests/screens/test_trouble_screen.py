"""An answer that cannot be stored is said in words, and the app goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest
from kivy.base import ExceptionManager
from kivy.core.window import Window

from mobile.storage import database
from tests.screens.driver import Driver
from tests.screens.flows import open_village, start_household

pytestmark = pytest.mark.window


def toasts(driver: Driver) -> list[str]:
    return [w.words for w in Window.children if type(w).__name__ == "Toast"]


def test_an_answer_while_a_sync_holds_the_database_is_said_and_can_be_given_again(
    phone: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.2)
    driver = phone()
    open_village(driver, "大湾村")
    start_household(driver)
    store = driver.app.store
    sync = sqlite3.connect(store.path, isolation_level=None)
    sync.execute("BEGIN IMMEDIATE")
    with pytest.raises(database.PhoneBusy) as busy:
        driver.choose("relocated", "是")
    # What Kivy's own loop does with whatever a touch raises; the driver's loop lets it through.
    assert ExceptionManager.handle_exception(busy.value) == ExceptionManager.PASS
    driver.until(lambda: any("正在同步" in words for words in toasts(driver)))
    assert driver.screen == "questions"
    sync.execute("ROLLBACK")
    sync.close()
    driver.choose("relocated", "是")
    assert driver.app.visit.household.drafts["relocated"].value is True


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
