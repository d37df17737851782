"""Enrolment and sync where they fail: in words, and nothing is lost. The way through is in tests/end_to_end."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.screens.driver import Driver

pytestmark = pytest.mark.window


def closed_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def enter(driver: Driver, hint: str, text: str) -> None:
    """Type into the field with this hint."""
    driver.tap(driver.find(kind="Typed", where=lambda w: w.hint_text == hint))
    driver.type(text)
    driver.blur()


def test_a_text_that_is_no_enrolment_is_answered_in_words(phone: Callable[..., Driver]):
    driver = phone(seeded=False)
    assert driver.screen == "enrol"
    driver.tap_text("登记")
    assert driver.sees("请先粘贴二维码里的文字")
    enter(driver, "chushan:enrol?…", "chushan:wrong")
    driver.tap_text("登记")
    assert driver.sees("不是登记码")


def test_a_server_that_does_not_answer_is_told_and_the_code_stays(phone: Callable[..., Driver]):
    driver = phone(seeded=False)
    driver.tap_text("没有二维码,手工录登记码")
    enter(driver, "https://…", f"127.0.0.1:{closed_port()}")
    enter(driver, "XXXX-XXXX", "abcd-1234")
    driver.tap_text("登记")
    driver.until(lambda: driver.sees("没有信号"), timeout=40)
    assert driver.find(kind="Typed", where=lambda w: w.text == "abcd-1234")


def test_a_sync_without_a_signal_says_so_and_can_be_tried_again(phone: Callable[..., Driver]):
    driver = phone()
    driver.tap_text("同步")
    driver.until(lambda: driver.sees("没有同步完"), timeout=60)
    assert driver.sees("有信号时再同步")
    again = driver.find(kind="BigButton", where=lambda w: w.words == "再同步")
    assert not again.disabled
    driver.tap_text("回首页")
    assert driver.screen == "today"
