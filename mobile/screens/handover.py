"""The part of the sync screen for where there is no internet: hand over a file or codes, carry, take a receipt."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kivy.clock import Clock
from kivy.properties import BooleanProperty, ObjectProperty, StringProperty

from mobile.theme import theme, ui
from mobile.widgets import load_kv
from mobile.widgets.files import PICTURES, FileSheet
from mobile.widgets.kit import Card, Stack
from shared_schemas.handover import SUFFIX


class HandoverPart(Card):
    """What waits, what was written when, what is carried, and what can be done."""

    phone = ObjectProperty(None, allownone=True)
    is_working = BooleanProperty(False)
    is_reading = BooleanProperty(False)
    """Whether some codes of a series are read and others are not."""
    waits = StringProperty("")
    written = StringProperty("")
    newer = StringProperty("")
    tone = StringProperty("soft")
    icon = StringProperty("info")
    said = StringProperty("")
    """What came of the last touch."""

    def show(self) -> None:
        """Show how things stand now."""
        from mobile.storage import outbox
        from mobile.sync import handover

        store = self.phone.store
        unanswered = outbox.count_unanswered(store.connection)
        bundle = handover.last_bundle(store)
        self.waits = ui("handover_waits", count=unanswered) if unanswered else ""
        self.written = self.newer = ""
        if bundle is not None and unanswered:
            self.written = ui("handover_written", count=bundle.changes, **_moment(bundle.at_ms))
            newer = outbox.count_waiting(store.connection) + bundle.left
            self.newer = ui("handover_newer", count=newer) if newer else ""
        rows = self.ids.carried
        rows.clear_widgets()
        for one in handover.carried(store)[:8]:
            rows.add_widget(CarriedRow(one, self.give_back, self._show_receipt))

    def write(self) -> None:
        """Write what has no answer into a file, and offer to pass it on."""
        from mobile.sync import handover

        store = self.phone.store
        self._work(lambda: handover.write_bundle(store), self._written)

    def _written(self, bundle: Any) -> None:
        if bundle is None:
            self._say("soft", "info", ui("handover_nothing"))
            return
        self._say("green", "check", ui("handover_give", name=Path(bundle.path).name))
        self._pass_on(bundle.path, ui("handover_share"))

    def show_codes(self) -> None:
        """Show what has no answer as codes, to a phone beside this one."""
        from mobile.sync import codes

        store = self.phone.store

        def made() -> Any:
            bundle = codes.bundle_to_show(store)
            return (bundle, codes.texts_of(bundle.path)) if bundle else (None, [])

        self._work(made, self._show_codes)

    def _show_codes(self, made: tuple[Any, list[str]]) -> None:
        bundle, texts = made
        if bundle is None:
            self._say("soft", "info", ui("handover_nothing"))
            return
        self.phone.go("codes", texts=texts, title=ui("codes_up"))

    def _show_receipt(self, path: str) -> None:
        from mobile.sync import codes

        self._work(
            lambda: codes.texts_of(path),
            lambda texts: self.phone.go("codes", texts=texts, title=ui("codes_down")),
        )

    def scan(self) -> None:
        """Photograph a code that another phone shows; on a PC choose the picture of one."""
        from mobile.device import device

        if device().HAS_CAMERA:
            device().take_picture(self._read_soon)
        else:
            FileSheet(self._read, title=ui("choose_qr"), patterns=PICTURES).open()

    def _read_soon(self, path: str | Path) -> None:
        """The camera answers on any thread."""
        Clock.schedule_once(lambda _: self._read(path), 0)

    def _read(self, path: str | Path) -> None:
        from mobile.sync import codes

        store = self.phone.store
        self._work(lambda: codes.read_picture(store, path), self._code_read)

    def _code_read(self, reading: Any) -> None:
        self.is_reading = reading.came is None
        if reading.came is None:
            self._say("soft", "info", reading.words(theme.lang))
        else:
            self._taken(reading.came)

    def take(self) -> None:
        """Choose a file: somebody's, to bring it in with the next sync, or a receipt."""
        from mobile.sync import handover

        store = self.phone.store
        self._choose(lambda path: self._work(lambda: handover.take(store, path), self._taken))

    def _taken(self, came: Any) -> None:
        from mobile.sync.handover import Carried

        if isinstance(came, Carried):
            self._carried(came)
        else:
            self._receipt_read(came)

    def _carried(self, one: Any) -> None:
        key = "handover_carried_before" if one.state == "taken" else "handover_carried"
        self._say("green", "check", ui(key))

    def _receipt_read(self, receipt: Any) -> None:
        waits = bool(receipt.fault or receipt.held or receipt.conflicts)
        self._say(
            "amber" if waits else "green", "warning" if waits else "check",
            receipt.words(theme.lang),
        )  # fmt: skip

    def give_back(self, path: str) -> None:
        """Pass a receipt on to the phone whose file was brought in."""
        self._say("green", "check", ui("handover_receipt_is", name=Path(path).name))
        self._pass_on(path, ui("handover_receipt_share"))

    def _pass_on(self, path: str, title: str) -> None:
        from mobile.device import device

        if not device().share(Path(path), title):
            self.said += ui("handover_where", folder=str(Path(path).parent))

    def _choose(self, take: Callable[[str], None]) -> None:
        from mobile.device import device

        def on_ui_thread(path: str) -> None:
            Clock.schedule_once(lambda _: take(path), 0)

        if not device().pick_file(on_ui_thread):
            FileSheet(take, title=ui("handover_choose"), patterns=[f"*{SUFFIX}"]).open()

    def _work(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        def finished(result: Any) -> None:
            self.is_working = False
            done(result)
            self.show()

        def failed(error: Exception) -> None:
            from mobile.sync.client import SyncError

            self.is_working = False
            known = isinstance(error, SyncError)
            said = error.words(theme.lang) if known else ui("sync_broken")  # type: ignore[attr-defined]
            self._say("red", "error", said)
            self.show()

        self.is_working = True
        self.said = ""
        self.phone.in_background(work, finished, failed)

    def _say(self, tone: str, icon: str, words: str) -> None:
        self.tone, self.icon, self.said = tone, icon, words


class CarriedRow(Stack):
    """Somebody's file: where it stands, and its receipt."""

    name = StringProperty("")
    state = StringProperty("")
    tone = StringProperty("slate")
    icon = StringProperty("clock")
    receipt = StringProperty("")

    def __init__(
        self,
        one: Any,
        give_back: Callable[[str], None],
        show_codes: Callable[[str], None],
        **kwargs: Any,
    ) -> None:
        from shared_schemas.errors import ERRORS

        self._give_back, self._show_codes = give_back, show_codes
        super().__init__(**kwargs)
        self.name = one.name
        error = ERRORS.get(one.code or "")
        if one.state == "waiting":
            self.state = ui("carried_waits")
        elif one.state == "refused":
            self.tone, self.icon = "red", "error"
            between = "。" if theme.lang == "zh" else ". "
            self.state = (
                f"{error.title(theme.lang)}{between}{error.action(theme.lang)}" if error else ""
            )
        else:
            self.tone, self.icon = ("amber", "warning") if one.code else ("green", "check")
            self.state = ui("carried_in_part" if one.code else "carried_taken", count=one.changes)
            self.receipt = one.receipt or ""

    def give_back(self) -> None:
        """Pass the receipt on."""
        self._give_back(self.receipt)

    def show_codes(self) -> None:
        """Show the receipt to the phone that it is for."""
        self._show_codes(self.receipt)


def _moment(ms: int) -> dict[str, Any]:
    at = dt.datetime.fromtimestamp(ms / 1000).astimezone()
    return {"month": at.month, "day": at.day, "time": at.strftime("%H:%M")}


load_kv(__file__)
