"""One served county for all browser tests; a fresh profile of the browser for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.world import World, demo_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Yield the demo's county behind HTTP."""
    with demo_world(tmp_path_factory.mktemp("world")) as served:
        yield served


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Yield a fresh profile with a desktop's window."""
    made = browser.new_context(
        viewport={"width": 1280, "height": 800}, locale="zh-CN", accept_downloads=True
    )
    made.set_default_timeout(20_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """Return a tab. An error of a page's script fails the test."""
    tab = context.new_page()
    tab.on("pageerror", _fail)
    return tab


def _fail(error: Exception) -> None:
    raise AssertionError(f"script error: {error}")
