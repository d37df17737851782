"""Syncing: one green button, where it stands, and an honest result."""

from __future__ import annotations

import threading
from typing import Any

from kivy.clock import Clock
from kivy.properties import BooleanProperty, NumericProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from mobile.screens import handover  # noqa: F401 - its part stands in the kv
from mobile.screens.screen import PhoneScreen
from mobile.theme import theme, ui
from mobile.widgets import load_kv

STAGES = ("hello", "push", "pull", "compare")


class StageRow(BoxLayout):
    """One stage of the sync: still to come, under way, done."""

    words = StringProperty("")
    detail = StringProperty("")
    state = StringProperty("to_come")


class ResultRow(BoxLayout):
    """One figure of the result."""

    words = StringProperty("")
    figure = StringProperty("")
    tone = StringProperty("soft")
    icon = StringProperty("")


class SyncScreen(PhoneScreen):
    """Runs a sync off the UI thread and says what came of it."""

    is_running = BooleanProperty(False)
    share = NumericProperty(0.0)
    headline = StringProperty("")
    words = StringProperty("")
    tone = StringProperty("soft")
    icon = StringProperty("sync")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cancel = threading.Event()
        self.rows: dict[str, StageRow] = {}

    def enter(self, start: bool = False, first: bool = False, **_: Any) -> None:
        """Show the last result, or start at once."""
        from mobile.sync.attempt import last_result

        self.ids.handover.show()
        if self.is_running:
            return
        if start or first:
            self.start()
            return
        result = last_result(self.phone.store)
        if result is None:
            self.headline = ui("sync_never")
            self.words = ""
        else:
            self._show(result)

    def start(self) -> None:
        """Sync now."""
        from mobile.sync.attempt import sync_once

        if self.is_running:
            return
        self.is_running = True
        self.cancel = threading.Event()
        self.share = 0.0
        self.tone, self.icon = "soft", "sync"
        self.headline, self.words = ui("sync_running"), ui("sync_may_leave")
        self.ids.results.clear_widgets()
        self._list_stages()
        store, cancel, timeout_s = self.phone.store, self.cancel, self.phone.settings.timeout_s
        self.phone.in_background(
            lambda: sync_once(store, on_progress=self._heard, cancel=cancel, timeout_s=timeout_s),
            self._finished,
            self._broken,
        )

    def _list_stages(self) -> None:
        place = self.ids.stages
        place.clear_widgets()
        self.rows = {}
        for stage in STAGES:
            self.rows[stage] = StageRow(words=ui(f"stage_{stage}"))
            place.add_widget(self.rows[stage])

    def _heard(self, stage: str, done: int, of: int) -> None:
        """Progress arrives on the other thread."""
        Clock.schedule_once(lambda _: self._progress(stage, done, of), 0)

    def _progress(self, stage: str, done: int, of: int) -> None:
        if not self.is_running or stage not in self.rows:
            return
        at = STAGES.index(stage)
        for i, name in enumerate(STAGES):
            self.rows[name].state = "done" if i < at else "now" if i == at else "to_come"
        counted = ui("of", done=done, of=of) if of > 1 else str(done or "")
        self.rows[stage].detail = counted if stage != "hello" else ""
        within = done / of if of else 0.5
        self.share = (at + min(1.0, within)) / len(STAGES)

    def _finished(self, result: Any) -> None:
        self.is_running = False
        if self.phone.heed(result):
            return
        self.share = 1.0 if result.error is None else self.share
        for row in self.rows.values():
            if result.error is None:
                row.state = "done"
            elif row.state == "now":
                row.state = "failed"
        self._show(result)
        self.ids.handover.show()
        self.phone.show_again()
        if result.error is None:
            self._fetch_index()

    def _fetch_index(self) -> None:
        """Bring the index of who is registered up to date; the cadre need not know, nor wait."""
        from mobile.sync.phone_index import fetch_index

        store, timeout_s = self.phone.store, self.phone.settings.timeout_s
        self.phone.in_background(
            lambda: fetch_index(store, timeout_s=timeout_s), lambda _: None, lambda _: None
        )

    def _broken(self, _: Exception) -> None:
        self.is_running = False
        self.tone, self.icon = "red", "error"
        self.headline, self.words = ui("sync_cut"), ui("sync_broken")

    def _show(self, result: Any) -> None:
        failed = result.error is not None
        waits = bool(result.held or result.conflicts or result.returned or result.is_clock_wrong)
        self.tone = "red" if failed else "amber" if waits else "green"
        self.icon = "error" if failed else "warning" if waits else "check"
        self.headline = ui("sync_cut") if failed else ui("sync_done")
        self.words = result.error.words(theme.lang) if failed else result.words(theme.lang)
        rows = self.ids.results
        rows.clear_widgets()
        if not failed or not (result.sent or result.received):
            self.ids.stages.clear_widgets()  # of use while it runs, or to see how far it came
        stored = result.applied + result.merged + result.held + result.conflicts
        if failed and not (result.sent or result.received or result.remaining):
            return
        for key, figure, tone, icon in (
            ("sent", result.sent, "soft", "up"),
            ("stored", stored, "green", "check"),
            ("received", result.received, "soft", "down"),
            ("held", result.held, "red", "pause"),
            ("conflicts", result.conflicts, "red", "split"),
            ("returned", result.returned, "warm", "returned"),
            ("remaining", result.remaining, "slate", "clock"),
        ):
            if figure or (key in ("sent", "stored", "received") and not failed):
                lit = tone if figure else "soft"
                rows.add_widget(
                    ResultRow(words=ui(f"result_{key}"), figure=f"{figure:,}", tone=lit, icon=icon)
                )

    def finish(self) -> None:
        """Go on to the day."""
        self.phone.start_over("today")

    def back(self) -> bool:
        """Leave; a running sync goes on."""
        self.finish()
        return True


load_kv(__file__)
