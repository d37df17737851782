"""The whole loop opens the phone's window: Kivy's environment is set before pytest imports a test."""

from __future__ import annotations

from tests.screens import window  # noqa: F401 - sets Kivy's environment
