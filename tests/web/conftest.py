"""Fixtures of the page tests."""

from __future__ import annotations

import pytest
from builders import PASSWORD, WANGMO, a_phone, a_user, sign_in
from flask import Flask
from sqlalchemy import Engine

from server.storage.engine import writing
from tests.web.office import Office


@pytest.fixture
def office(app: Flask, engine: Engine) -> Office:
    """Return a county office at work."""
    phone = a_phone(app, engine)
    with writing(engine) as conn:
        reviewer = a_user(conn, role="county", scope=WANGMO, password=PASSWORD)
    return Office(app, engine, reviewer, sign_in(app, reviewer.login), phone)
