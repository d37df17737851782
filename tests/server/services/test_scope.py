"""Scopes are division prefixes, with or without padding."""

from __future__ import annotations

import pytest

from server.services.scope import county_of_scope, in_scope, scope_prefix


@pytest.mark.parametrize(
    ("code", "prefix"),
    [
        ("522326", "522326"),
        ("522326000000", "522326"),
        ("522326111", "522326111"),
        ("522326111000", "522326111"),
        ("522326111201", "522326111201"),
        ("522300", "5223"),
        ("52", "52"),
        ("520000000000", "52"),
        ("", ""),
    ],
)
def test_a_scope_is_the_digits_that_its_places_share(code, prefix):
    assert scope_prefix(code) == prefix


@pytest.mark.parametrize(
    ("village", "scope", "inside"),
    [
        ("522326111201", "522326", True),
        ("522326111201", "522326111", True),
        ("522326112201", "522326111", False),
        ("522325102203", "522326", False),
        ("522325102203", "5223", True),
        ("522325102203", "", True),
        (None, "522326", False),
    ],
)
def test_a_village_lies_inside_or_not(village, scope, inside):
    assert in_scope(village, scope) is inside


def test_the_county_of_a_scope():
    assert county_of_scope("522326111") == "522326"
    assert county_of_scope("5223") is None
