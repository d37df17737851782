"""Fixtures of the window tests. Kivy's environment is set here, before pytest imports a test."""

from __future__ import annotations

from tests.screens import window  # noqa: F401 - sets Kivy's environment
