"""The words that are read to a worker before he answers: by the cadre, or by the device's voice."""

from __future__ import annotations

from typing import Any

from kivy.clock import Clock
from kivy.properties import OptionProperty, StringProperty

from mobile.device import device
from mobile.theme import theme, ui
from mobile.widgets import load_kv
from mobile.widgets.kit import Card
from shared_schemas.locale import text

LISTENED_EVERY_S = 0.25


class NoticeCard(Card):
    """The notice of one kind of consent."""

    title = StringProperty("")
    words = StringProperty("")
    version = StringProperty("")
    speech = OptionProperty("silent", options=["silent", "speaking", "no_voice"])

    def __init__(self, kind: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.title = text(f"consent.{kind}.title", theme.lang)
        self.words = text(f"consent.{kind}.text", theme.lang)
        self.version = ui("notice_version", version=text("consent.version", theme.lang))
        self._question = text(f"consent.{kind}.question", theme.lang)
        self._listening: Any = None

    def read_or_stop(self) -> None:
        """Have the device read the notice and its question, or stop it."""
        if self.speech == "speaking":
            self.hush()
            return
        device().speak("\n".join((self.title, self.words, self._question)), theme.lang)
        self._listening = Clock.schedule_interval(self._listen, LISTENED_EVERY_S)
        self._listen()

    def _listen(self, *_: Any) -> None:
        self.speech = device().speech()
        if self.speech != "speaking":
            self._listening.cancel()

    def hush(self) -> None:
        """Stop reading: nobody hears a notice that is no longer on the screen."""
        if self._listening is not None:
            self._listening.cancel()
            device().hush()
            self.speech = "silent"


load_kv(__file__)
