"""Every screen of the app on three phones, at the least and the greatest size of the letters.

The walk goes by `SCREENS` of the app: a screen that has no way here fails the test.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kivy.core.window import Window
from kivy.metrics import Metrics
from kivy.uix.modalview import ModalView

from mobile.app import SCREENS
from mobile.forms.visit import LOOK
from mobile.theme import theme, ui
from shared_schemas import qr_series
from tests.screens.driver import Driver, window
from tests.screens.layout import layout_faults
from tests.screens.seed import LONG_NAME, TIBETAN_NAME, TODAY, make_hard, seed, villages

pytestmark = pytest.mark.window


@dataclass(frozen=True, slots=True)
class Phone:
    """A size of the window, and how the app is set."""

    width: int
    height: int
    density: float
    scale: float
    look: str = "day"
    language: str = "zh"

    def __str__(self) -> str:
        return f"{self.width}x{self.height}-{self.scale:g}-{self.language}"


PHONES = [
    Phone(540, 1170, 1.5, 1.0),
    Phone(540, 1170, 1.5, 2.0, "sun", language="ko"),
    Phone(720, 1280, 2.0, 1.0, "dark"),
    Phone(720, 1280, 2.0, 2.0),
    Phone(720, 1280, 2.0, 2.0, language="en"),
    Phone(1080, 2340, 3.0, 1.0, "sun"),
    Phone(1080, 2340, 3.0, 2.0, "dark"),
]


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeded")
    make_hard(folder, seed(folder))
    return folder


@pytest.fixture
def held(request: pytest.FixtureRequest) -> Iterator[Phone]:
    """Give the window the size of a phone, and its own again."""
    phone: Phone = request.param
    _resize(phone.width, phone.height, phone.density)
    yield phone
    _resize(window.WIDTH, window.HEIGHT, window.DENSITY)


def _resize(width: int, height: int, density: float) -> None:
    Metrics.density = density
    Window.size = (width, height)
    theme.resize(theme.scale)


@pytest.mark.parametrize("held", PHONES, indirect=True, ids=str)
def test_every_screen_can_be_touched_and_read(
    held: Phone, seeded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))  # the PC's keystore
    shutil.copytree(seeded, tmp_path / "phone")
    driver = Driver(
        tmp_path / "phone",
        today=TODAY,
        settings={
            "is_plain": False,
            "font_scale": held.scale,
            "look": held.look,
            "language": held.language,
        },
    )
    driver.start()
    try:
        faults: list[str] = []
        seen: set[str] = set()
        places_of_next: set[tuple[int, int, int]] = set()
        for place in walk(driver):
            driver.lay_out()
            seen.add(driver.screen)
            if driver.screen == "questions" and not isinstance(driver.layers()[0], ModalView):
                button = driver.find(kind="BigButton", where=lambda w: w.look in ("main", "warm"))
                places_of_next.add((round(button.x), round(button.y), round(button.width)))
            faults += [f"{driver.screen}, {place}: {fault}" for fault in layout_faults(driver)]
    finally:
        driver.stop()
    assert (Window.width, Window.height) == (held.width, held.height)
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)
    assert seen == set(SCREENS)
    assert len(places_of_next) == 1


def walk(driver: Driver) -> Iterator[str]:
    """Go through the screens and their states, without a finger: how they look is the question here."""
    app = driver.app
    yield from _lock(driver)
    app.start_over("today")
    yield "the day"
    yield from _alone(driver)
    app.open_visit(app.store.connection.execute(RETURNED).fetchone()[0], villages()[0])
    yield "a returned household"
    for name in ("problems", "benefits"):
        app.go(name)
        yield name
        app.go_back()
    yield from _questions(driver)
    app.way = [("today", {})]
    app.open_visit(None, villages()[0])
    yield "the first question"
    driver.app.manager.current_screen.next()
    yield "what is missing"
    yield from _looks(driver)
    app.go("problems")
    yield "a household that lacks much"


def _looks(driver: Driver) -> Iterator[str]:
    """What is only likely: of the household, and of somebody who has said the rest."""
    visit = driver.app.visit
    member = visit.add_member()
    for name, value in {"id_no": "522399199303121129", "name": "罗秀英", "health": ["1"]}.items():
        member.answer(name, value)
    visit.record_consent(member, "survey", given=True, method="1")
    visit.record_consent(member, "share_hr", given=True)
    visit.intention_of(member).answer("wants_job", "1")
    for look in [step for step in visit.steps(theme.lang) if step.group == LOOK]:
        driver.app.go("questions", step=look)
        yield f"a look at the {look.kind}"


RETURNED = "SELECT household_id FROM review WHERE state = 'returned'"


def _lock(driver: Driver) -> Iterator[str]:
    assert driver.screen == "lock"
    yield "a PIN to choose"
    screen = driver.app.manager.current_screen
    for step in ("choose", "repeat", "enter", "county", "no_way"):
        screen._ask(step, problem="")
        yield f"lock, {step}"


def _alone(driver: Driver) -> Iterator[str]:
    """The screens that need no household."""
    app = driver.app
    app.go("enrol")
    yield "enrolment"
    screen = app.manager.current_screen
    screen.by_hand, screen.problem = True, "还没有同步过" * 3
    yield "a code that does not work, by hand"
    for name in ("villages", "search", "help", "settings", "sync"):
        app.go(name)
        yield name
    texts = qr_series.split(bytes(1200))
    app.go("codes", texts=texts, title=ui("codes_up"))
    yield "codes"
    for case in ("refuses",):
        app.go("help", case=case)
        yield "help on a case"
    for code in (None, villages()[0]):
        app.go("households", village_code=code)
        yield f"households of {code}"
    app.manager.current_screen.ids.search.text = "没有这样的人"
    app.manager.current_screen.look()
    yield "nobody found"
    app.go("search")
    app.manager.current_screen.ids.search.ids.text_input.text = "w"
    app.manager.current_screen.look()
    yield "people found"
    for name in (LONG_NAME, TIBETAN_NAME):
        app.manager.current_screen.ids.search.ids.text_input.text = name[:4]
        app.manager.current_screen.look()
        yield f"{name} found"


def _questions(driver: Driver) -> Iterator[str]:
    """Each group of questions once, and the sheet of each kind of control."""
    app, groups, sheets = driver.app, set(), set()
    for step in app.visit.steps(theme.lang):
        kind = app.visit.record(step.record_id).kind
        if (kind, step.group) in groups:
            continue
        groups.add((kind, step.group))
        app.go("questions", step=step)
        yield f"{kind} {step.group}"
        for card in list(app.manager.current_screen.cards.values()):
            control = card.control
            if not hasattr(control, "open") or control.disabled or card.question.widget in sheets:
                continue
            sheets.add(card.question.widget)
            control.open()
            yield f"the sheet of {card.name}"
            for sheet in [w for w in Window.children if isinstance(w, ModalView)]:
                sheet.dismiss(animation=False)
            driver.pump(1)
