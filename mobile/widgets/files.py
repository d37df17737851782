"""The folders of a PC, where the system has no picker of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from kivy.properties import ListProperty, StringProperty
from kivy.uix.filechooser import FileChooserListView  # noqa: F401 - for the kv

from mobile.widgets import load_kv
from mobile.widgets.kit import Sheet

PICTURES = ("*.png", "*.jpg", "*.jpeg", "*.webp")


class FileSheet(Sheet):
    """Lets a file be chosen, of the named patterns only; a touch takes it."""

    title = StringProperty("")
    folder = StringProperty("")
    patterns = ListProperty()

    def __init__(
        self, on_choose: Callable[[str], None], *, title: str, patterns: Sequence[str]
    ) -> None:
        self.on_choose = on_choose
        super().__init__(folder=str(Path.home()), title=title, patterns=list(patterns))

    def take(self, chosen: list[str]) -> None:
        """Take the touched file."""
        if chosen:
            self.dismiss(animation=False)
            self.on_choose(chosen[0])


load_kv(__file__)
