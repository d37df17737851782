"""Passwords: kept as argon2 hashes, and not to be guessed."""

from __future__ import annotations

import pytest
from builders import NOW_MS, PASSWORD, a_user

from server.services.sign_in import WINDOW_S, check_sign_in, hash_password
from server.storage.engine import writing
from shared_schemas.errors import ChushanError


def attempt(engine, password, *, login="li", now_ms=NOW_MS):
    with writing(engine) as conn:
        return check_sign_in(conn, login, password, now_ms=now_ms, attempts=3)


@pytest.fixture
def li(engine):
    with writing(engine) as conn:
        return a_user(conn, "li", role="county", password=PASSWORD)


def test_the_right_password_opens(engine, li):
    found = attempt(engine, PASSWORD)
    assert found is not None
    assert found[0] == li
    assert found[1].startswith("$argon2id$")


@pytest.mark.parametrize(("login", "password"), [("li", "wrong"), ("nobody", PASSWORD), ("li", "")])
def test_anything_else_does_not(engine, li, login, password):
    assert attempt(engine, password, login=login) is None


def test_after_three_wrong_ones_even_the_right_one_has_to_wait(engine, li):
    for _ in range(3):
        assert attempt(engine, "wrong") is None
    with pytest.raises(ChushanError) as refused:
        attempt(engine, PASSWORD)
    assert refused.value.error.code == "limit_reached"
    assert 0 < refused.value.extra["retry_after_s"] <= WINDOW_S
    assert attempt(engine, PASSWORD, now_ms=NOW_MS + WINDOW_S * 1000) is not None


def test_a_cadre_without_a_password_cannot_sign_in(engine):
    with writing(engine) as conn:
        a_user(conn, "zhang")
    assert attempt(engine, "", login="zhang") is None


def test_a_short_password_is_refused():
    with pytest.raises(ChushanError, match="invalid_values"):
        hash_password("short")
