"""Fixtures of the window tests. Kivy's environment is set here, before pytest imports a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.screens import window  # noqa: F401 - sets Kivy's environment
from tests.screens.driver import Driver
from tests.screens.seed import TODAY, seed


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Callable[..., Driver]]:
    """Give a function that opens the app on a phone of its own, seeded unless told otherwise."""
    opened: list[Driver] = []

    def open_phone(*, seeded: bool = True, **settings: object) -> Driver:
        folder = tmp_path / f"phone{len(opened)}"
        folder.mkdir()
        if seeded:
            seed(folder)
        driver = Driver(folder, today=TODAY, settings=settings)
        driver.start()
        opened.append(driver)
        return driver

    yield open_phone
    for driver in opened:
        driver.stop()
