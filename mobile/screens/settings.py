"""Language, size of the letters, look; whose phone this is; what this app is."""

from __future__ import annotations

import dataclasses
from typing import Any

from kivy.properties import BooleanProperty, StringProperty

from mobile.screens.screen import PhoneScreen
from mobile.settings import FONT_SCALES, LOCK_AFTER_MIN, LOOKS
from mobile.theme import ui
from mobile.widgets import load_kv
from mobile.widgets.choice import Choice


class SettingsScreen(PhoneScreen):
    """Every choice shows at once and is kept."""

    cadre = StringProperty("")
    scope = StringProperty("")
    device = StringProperty("")
    version = StringProperty("")
    has_lock = BooleanProperty(False)

    def enter(self, **_: Any) -> None:
        """Show what is chosen."""
        settings = self.phone.settings
        for name, choices, chosen in (
            ("language", [("zh", "中文"), ("en", "English"), ("ko", "조선말")], settings.language),
            (
                "size",
                [(str(s), f"{round(s * 100)} %") for s in FONT_SCALES],
                str(settings.font_scale),
            ),
            ("look", [(look, ui(f"look_{look}")) for look in LOOKS], settings.look),
            (
                "lock_after",
                [(str(m), ui("lock_minutes", minutes=m)) for m in LOCK_AFTER_MIN],
                str(settings.lock_after_min),
            ),
            (
                "syncs_itself",
                [("yes", ui("yes")), ("no", ui("no"))],
                "yes" if settings.syncs_itself else "no",
            ),
        ):
            chips = self.ids[name]
            chips.offer([Choice(value, label) for value, label in choices])
            chips.chosen = [chosen]
            chips.on_choose = lambda value, name=name: self.choose(name, value)
        self.has_lock = self.phone.key_file is not None
        store = self.phone.store
        self.cadre = store.cadre() or ui("unknown")
        self.scope = self.phone.place_name(store.scope()) if store.scope() else ui("unknown")
        self.device = self.phone.device_label()
        self.version = self.phone.version()

    def choose(self, name: str, value: str) -> None:
        """Take a choice."""
        settings = self.phone.settings
        if name == "language":
            settings = dataclasses.replace(settings, language=value)
        elif name == "size":
            settings = dataclasses.replace(settings, font_scale=float(value))
        elif name == "syncs_itself":
            settings = dataclasses.replace(settings, syncs_itself=value == "yes")
        elif name == "lock_after":
            settings = dataclasses.replace(settings, lock_after_min=int(value))
        else:
            settings = dataclasses.replace(settings, look=value)
        self.phone.change_settings(settings)

    def change_pin(self) -> None:
        """Ask for the present PIN, then for a new one."""
        self.phone.go("lock", change=True)


load_kv(__file__)
