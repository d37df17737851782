"""What every screen has in common: its phone, and what happens when it is entered and left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kivy.properties import ObjectProperty
from kivy.uix.screenmanager import Screen

from mobile.widgets import load_kv

if TYPE_CHECKING:
    from mobile.app import ChushanApp


class PhoneScreen(Screen):
    """A screen of the app. It is made once, when it is first visited."""

    phone: ChushanApp = ObjectProperty(None)

    def enter(self, **facts: Any) -> None:
        """Show what it is about; called each time that the screen comes to the front."""

    def flush(self) -> None:
        """Hand on typed text that waits: called on pause, on stop and before leaving."""

    def back(self) -> bool:
        """Go back one step. Return False to let the app decide (and end at the first screen)."""
        self.phone.go_back()
        return True


load_kv(__file__)
