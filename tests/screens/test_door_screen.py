"""What happens at a door besides the questions: the notice read aloud, what a family could get."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mobile.device import desktop
from mobile.settings import load_settings
from mobile.storage.records import households
from mobile.theme import theme
from tests.screens.driver import Driver
from tests.screens.flows import open_village
from tests.screens.layout import layout_faults
from tests.screens.seed import villages

pytestmark = pytest.mark.window


def look_at_consent(driver: Driver) -> None:
    app = driver.app
    app.open_visit(households(app.store, villages()[0])[0].id, villages()[0])
    steps = app.visit.steps(theme.lang)
    app.go("questions", step=next(step for step in steps if step.kind == "consent"))
    driver.settle()


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
def test_the_notice_is_read_aloud_until_it_is_left(
    phone: Callable[..., Driver], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # A sound card that takes nothing: the voice goes on until it is stopped.
    os.mkfifo(tmp_path / "card")
    card = f'pcm.!default {{ type file slave.pcm null file "{tmp_path}/card" format raw }}\n'
    (tmp_path / ".asoundrc").write_text(card)
    monkeypatch.setenv("HOME", str(tmp_path))
    driver = phone()
    look_at_consent(driver)
    driver.tap_text("读给他听")
    assert desktop.speech() == "speaking"
    driver.tap_text("停下")
    assert desktop.speech() == "silent"
    driver.tap_text("读给他听")
    assert desktop.speech() == "speaking"
    driver.back()
    assert desktop.speech() == "silent"


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_where_there_is_no_voice_the_cadre_is_asked_to_read(
    phone: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch, scale: float
):
    monkeypatch.setenv("PATH", "")
    driver = phone(font_scale=scale)
    look_at_consent(driver)
    driver.tap_text("读给他听")
    assert driver.sees("请您自己读给他听")
    assert layout_faults(driver) == []
    look_at_consent(driver)
    assert not driver.sees("请您自己读给他听")


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_what_a_family_could_get_is_offered_when_it_was_handed_in(
    phone: Callable[..., Driver], scale: float
):
    driver = phone(font_scale=scale)
    open_village(driver, "大湾村")
    app = driver.app
    done = next(r for r in households(app.store, villages()[0]) if r.state == "approved")
    app.open_visit(done.id, done.village_code)
    driver.settle()
    driver.tap_text("都没变,直接提交")
    driver.until(lambda: driver.screen == "households")
    assert driver.sees(f"{done.head_name}家已提交")
    driver.settle(2.5)  # the word that it is handed in has faded
    assert layout_faults(driver) == []
    driver.tap_text("看看这家能享受什么", exact=False)
    assert driver.screen == "benefits"
    assert app.visit.household_id == done.id
    for _ in range(2):
        driver.back()
    assert driver.screen == "households"
    assert not driver.sees("家已提交")


def test_what_was_just_handed_in_is_said_where_the_day_is_looked_at(phone: Callable[..., Driver]):
    driver = phone()
    page = driver.app.manager.current_screen.ids.page
    page.scroll_y = 0
    done = next(r for r in households(driver.app.store, villages()[0]) if r.state == "approved")
    driver.app.open_visit(done.id, done.village_code)
    driver.settle()
    driver.tap_text("都没变,直接提交")
    driver.until(lambda: driver.screen == "today")
    driver.settle()
    card = driver.find(kind="HandedInCard")
    assert page.y <= card.to_window(*card.pos)[1]
    assert card.to_window(card.x, card.top)[1] <= page.top + 1


def test_the_day_says_that_nothing_was_ever_sent_rather_than_that_all_is(
    phone: Callable[..., Driver],
):
    driver = phone()
    assert driver.sees("还没有同步过")
    assert not driver.sees("都已送到县里")


def test_the_switch_of_syncing_by_itself_is_kept_and_heeded_at_once(phone: Callable[..., Driver]):
    driver = phone(syncs_itself=True)
    assert driver.app._look is not None
    driver.tap_icon("设置")
    driver.tap(driver.find("否", within=driver.app.manager.current_screen.ids.syncs_itself))
    assert driver.app._look is None
    assert not load_settings({"CHUSHAN_PHONE_DIR": str(driver.folder)}).syncs_itself
