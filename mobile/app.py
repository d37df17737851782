"""The phone app: opens the store, shows the screens, brings slow work back to the UI thread.

What is true is decided in `mobile.forms` and `mobile.sync`; how it looks stands in the screens.
`Window` is set up before anything else of Kivy is imported: see `mobile.main`.
"""

from __future__ import annotations

import datetime as dt
import gc
import platform
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from kivy.app import App
from kivy.base import ExceptionHandler, ExceptionManager
from kivy.clock import Clock
from kivy.core.window import Window
from kivy.logger import Logger
from kivy.uix.modalview import ModalView
from kivy.uix.screenmanager import NoTransition, Screen, ScreenManager

from mobile import VERSION
from mobile.device import desktop as desktop_port
from mobile.device import device
from mobile.settings import Settings, load_settings, save_settings
from mobile.theme import register_fonts, theme, ui
from mobile.widgets.choice import Place
from mobile.widgets.kit import EmptyState, Toast
from shared_schemas.codes import divisions
from shared_schemas.records.member import HEAD

SCREENS = {
    "lock": ("mobile.screens.lock", "LockScreen"),
    "enrol": ("mobile.screens.enrol", "EnrolScreen"),
    "today": ("mobile.screens.today", "TodayScreen"),
    "search": ("mobile.screens.search", "SearchScreen"),
    "benefits": ("mobile.screens.benefits", "BenefitsScreen"),
    "help": ("mobile.screens.help", "HelpScreen"),
    "villages": ("mobile.screens.villages", "VillagesScreen"),
    "households": ("mobile.screens.households", "HouseholdsScreen"),
    "visit": ("mobile.screens.visit", "VisitScreen"),
    "questions": ("mobile.screens.questions", "QuestionsScreen"),
    "problems": ("mobile.screens.problems", "ProblemsScreen"),
    "sync": ("mobile.screens.sync", "SyncScreen"),
    "codes": ("mobile.screens.codes", "CodesScreen"),
    "settings": ("mobile.screens.settings", "SettingsScreen"),
}
"""Imported when first visited: the first frame waits for none of them."""

SOON = ("today", "households", "visit", "questions")
"""Made while nobody waits, once another screen stands, the lock too: what a cadre opens next."""

BETWEEN_S = 0.1
NEXT_TOUCH_S = 0.5
"""Who has just touched the phone touches it again within this time: nothing is made ahead then, nor
before a new screen was seen."""

LISTS = ("today", "search", "villages", "households")
"""Screens from which a household is opened, and which count what there is."""

MAY_BE_PICTURED = ("enrol", "sync", "codes", "settings", "help")
"""Without personal data: a cadre may take a picture of these for whoever helps him."""

IDLE_CHECKED_EVERY_S = 5
RESTS_AFTER_S = 3
LINK_LOOKED_AT_EVERY_S = 5
ANSWERS_KEPT_EVERY_S = 0.5

SCREEN_WAITS_S = 0.3
"""How long the screens wait for a sync that is writing: longer, and the window seems dead."""

LAST_WAIT_S = 5.0
"""How long they wait where the app is left or locked, the last chance to store an answer."""

BACK_KEY = 27
"""Android's back key, and Escape on a PC."""


def local_day() -> str:
    """Return today's ISO date where the phone is."""
    return dt.date.today().isoformat()  # noqa: DTZ011 - the cadre's calendar, not UTC


class FullPhone(ExceptionHandler):
    """Says that an answer could not be stored where the phone is full or busy; the app goes on."""

    def handle_exception(self, exception: BaseException) -> int:
        """Pass over a full or busy phone; raise everything else."""
        # Late: the database is opened after the first frame.
        from mobile.storage.database import PhoneBusy, PhoneFull

        if not isinstance(exception, PhoneFull | PhoneBusy):
            return ExceptionManager.RAISE
        Toast.say(ui("phone_full" if isinstance(exception, PhoneFull) else "phone_busy"))
        App.get_running_app().show_again()
        return ExceptionManager.PASS


class ChushanApp(App):
    """The app. `store` and `visit` are what the screens work on; `go` and `go_back` lead around."""

    title = "出山"

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        today: Callable[[], str] = local_day,
        makes_ready: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = settings or load_settings()
        self.today = today
        self.store: Any = None
        self.visit: Any = None
        self.way: list[tuple[str, dict[str, Any]]] = []
        """Names and facts of the screens behind the present one, the present one last."""
        self.key_file: Any = None
        """The sealed key of the database; None while it is opened plain, for a developer."""
        self.key: bytes | None = None
        """The key itself, while the app is not locked."""
        self.is_locked = False
        self.touched_at_s = self._shown_at_s = 0.0
        self._locks = 0
        self._at_work = 0
        self._makes_ready = makes_ready
        """Whether screens are made ahead of their first use."""
        self._making_ready = Clock.create_trigger(lambda _: self.make_ready(), BETWEEN_S)
        self._is_kept = False
        self._link: Any = None
        self._look: Any = None
        self._keeping: Any = None
        self._resting: Any = None
        self.handed_in: Any = None
        """The household that was handed in last (`mobile.screens.handed_in`), until the cadre goes on."""
        self._is_busy_said = False

    # Life

    def build(self) -> ScreenManager:
        """Show the first frame; the database is opened after it."""
        register_fonts()
        self._dress()
        Window.softinput_mode = "below_target"
        Window.bind(on_keyboard=self._key, on_flip=self._first_frame)
        Window.bind(on_touch_down=self._touched, on_key_down=self._touched)
        Window.bind(on_textinput=self._touched)
        self.full_phone = FullPhone()
        ExceptionManager.add_handler(self.full_phone)
        self.manager = ScreenManager(transition=NoTransition())
        # Kivy cuts off what sticks out while screens slide past each other; ours do not slide.
        self.manager.canvas.before.clear()
        self.manager.canvas.after.clear()
        self.manager.add_widget(_opening_screen())
        return self.manager

    def _first_frame(self, *_: Any) -> None:
        Window.unbind(on_flip=self._first_frame)
        Clock.schedule_once(lambda _: self._open(), 0)
        self._keeping = Clock.schedule_interval(lambda _: self.keep_answers(), ANSWERS_KEPT_EVERY_S)
        self._resting = Clock.schedule_interval(lambda _: self.rest(), RESTS_AFTER_S)
        self.watch_link()

    def _open(self) -> None:
        # With the store come the ciphers and the forms: after the first frame.
        from mobile.storage.cipher import is_plain
        from mobile.storage.key import DeviceForgot, KeyFile

        if self.settings.is_plain:
            self.open_with(None)
            return
        self.key_file = KeyFile(self.settings.key_path)
        self.touched_at_s = self.since_boot_s()
        self._idle = Clock.schedule_interval(lambda _: self.lock_if_idle(), IDLE_CHECKED_EVERY_S)
        path = self.settings.store_path
        if not self.key_file.exists():
            if path.exists() and not is_plain(path):
                self.show_lock(without_key=True)
            else:
                self.open_with(self.key_file.make())
        elif self.key_file.state.bare is None:
            self.show_lock()
        else:
            try:
                self.open_with(self.key_file.open_bare())
            except DeviceForgot:
                self.show_lock()

    def open_with(self, key: bytes | None, *, by_county: bool = False) -> None:
        """Open the database, and go on where the app ended. The county's answer opens it only once."""
        from mobile.storage.database import open_store

        self.key, self.is_locked = key, False
        self.touched_at_s = self.since_boot_s()
        if self.store is None:
            self.store = open_store(
                self.settings.store_path, key=key, no_backup_path=self.settings.no_backup_path
            )
        self.store.wait_at_most(SCREEN_WAITS_S)
        if self.key_file is not None and self.key_file.state.is_to_wipe:
            from mobile.storage.wipe import wipe_settled

            wipe_settled(self.store)
            self.key_file.wiped()
        if by_county:
            self._offer_county(anew=True)
        self._begin()

    def _begin(self) -> None:
        from mobile.forms.visit import open_visit
        from mobile.sync.attempt import last_result
        from mobile.sync.enrol import is_enrolled

        if not is_enrolled(self.store):
            self.start_over("enrol")
            return
        self._offer_county()
        if self.key_file is not None and self.key_file.state.pin is None:
            self.choose_pin(self._begin)
            return
        if self.heed(last_result(self.store)):
            return
        self.start_over("today")
        left_open = open_visit(self.store)
        if left_open is not None:
            self._reopen(left_open)

    def _reopen(self, left_open: Any) -> None:
        """Stand where the app ended: the same household, the same question."""
        self.way.append(("households", {"village_code": left_open.village_code}))
        self.open_visit(left_open.household_id, left_open.village_code, at_first_question=False)
        position = self.visit.position
        if position is None:
            return
        self.visit.is_guessing = True  # as it was when the app ended
        for step in self.visit.steps(theme.lang):
            if (step.record_id, step.group) == (position.record_id, position.group):
                self.go("questions", step=step, field=position.field)
                return
        self.visit.is_guessing = False

    def enrolled(self) -> None:
        """Choose a PIN for the phone that was just enrolled, then fetch its villages."""

        def sync() -> None:
            self.start_over("sync", first=True)

        self._offer_county()
        if self.key_file is None or self.key_file.state.pin is not None:
            sync()
        else:
            self.choose_pin(sync)

    # The lock

    def since_boot_s(self) -> float:
        """Return a clock that nobody can set."""
        from mobile.storage.key import since_boot_s

        return since_boot_s()

    def choose_pin(self, then: Callable[[], None]) -> None:
        """Ask for a new PIN; there is no way around it."""
        self.way = []
        self.go("lock", choose_then=then)

    def _offer_county(self, *, anew: bool = False) -> None:
        from mobile.storage.database import get

        connection = self.store.connection
        device_id, token = get(connection, "device_id"), get(connection, "token")
        if self.key_file is not None and token and device_id:
            self.key_file.offer_county(self.key, device_id, token, anew=anew)

    def heed(self, result: Any) -> bool:
        """Lock and seal a phone to which a sync said that the county has revoked it."""
        from mobile.storage.wipe import wipe_settled

        is_revoked = getattr(getattr(result, "error", None), "code", "") == "device_revoked"
        if not is_revoked or self.key_file is None or self.is_locked:
            return False
        self.flush()
        wipe_settled(self.store)
        if self.key_file.seal("revoked"):
            self.lock()
        return self.is_locked

    def _touched(self, *_: Any) -> None:
        self.touched_at_s = self.since_boot_s()

    def lock_if_idle(self) -> None:
        """Lock when nobody has touched the phone for as long as the settings say, asleep or not."""
        idle_s = self.since_boot_s() - self.touched_at_s
        if idle_s >= self.settings.lock_after_min * 60 and not self.is_locked:
            self.lock()

    def lock(self) -> None:
        """Show nothing any more but the lock. What was being typed is kept."""
        if self.key_file is None or self.store is None or self.key_file.state.bare is not None:
            return  # nothing to lock with: no PIN was chosen yet
        for sheet in [child for child in Window.children if isinstance(child, ModalView)]:
            sheet.dismiss(animation=False)
        self.flush()
        if not self._keep_at_last():
            return  # the lock shuts a few seconds later: `lock_if_idle` looks again
        self.is_locked, self.key, self.visit, self.handed_in = True, None, None, None
        self._locks += 1
        for screen in list(self.manager.screens):
            self.manager.remove_widget(screen)
        self._close_when_done()
        self.show_lock()

    def show_lock(self, **facts: Any) -> None:
        """Show the lock's screen."""
        self.is_locked = True
        self.way = [("lock", facts)]
        self._show("lock", facts)

    def _close_when_done(self) -> None:
        """Close the database once no sync works with it; with it goes the last copy of the key."""
        if not self.is_locked or self.store is None:
            return
        if self._at_work:
            Clock.schedule_once(lambda _: self._close_when_done(), 1)
            return
        self.store.close()
        self.store = None

    def on_resume(self) -> None:
        """Back from another app: perhaps too long ago."""
        if self._is_kept:
            self._let_sleep()
        self.lock_if_idle()

    def on_pause(self) -> bool:
        """Android may end the app from here on without another word, unless it is at work."""
        self.flush()
        self._keep_at_last()
        if self._at_work:
            self._is_kept = True
            device().begin_upload(ui("upload_runs"))
        return True

    def on_stop(self) -> None:
        """Keep what is still being typed, close the database."""
        self.flush()
        self._keep_at_last()
        Window.unbind(on_keyboard=self._key, on_flip=self._first_frame)
        Window.unbind(on_touch_down=self._touched, on_key_down=self._touched)
        Window.unbind(on_textinput=self._touched)
        if self.key_file is not None:
            self._idle.cancel()
        for clock in (self._look, self._keeping, self._resting, self._making_ready):
            if clock is not None:
                clock.cancel()
        ExceptionManager.remove_handler(self.full_phone)
        if self.store is not None:
            self.store.close()

    def flush(self) -> None:
        """Hand typed text that waits to the form."""
        screen = self.manager.current_screen
        if hasattr(screen, "flush"):
            screen.flush()

    def keep_answers(self) -> None:
        """Store the answers that a sync kept out of the database, where it lets go now."""
        if self.visit is None or not self.visit.has_unkept:
            return
        from mobile.storage.database import PhoneBusy

        try:
            self.visit.keep()
        except PhoneBusy:
            if not self._is_busy_said:
                Toast.say(ui("phone_busy"))
            self._is_busy_said = True
        else:
            self._is_busy_said = False

    def _keep_at_last(self) -> bool:
        if self.visit is None or not self.visit.has_unkept:
            return True
        self.store.wait_at_most(LAST_WAIT_S)
        self.keep_answers()
        self.store.wait_at_most(SCREEN_WAITS_S)
        return not self.visit.has_unkept

    # Ways

    def go(self, name: str, **facts: Any) -> None:
        """Show a screen and remember the way back."""
        if self.is_locked:
            return  # what work in the background brings finds the door shut
        self.flush()
        self.handed_in = None
        if self.way and self.way[-1][0] == name:
            self.way.pop()
        self.way.append((name, facts))
        self._show(name, facts)

    def go_back(self) -> None:
        """Show the screen before this one."""
        self.flush()
        if len(self.way) > 1:
            self.way.pop()
        name, facts = self.way[-1]
        self._show(name, {k: v for k, v in facts.items() if k not in ("start", "first")})

    def start_over(self, name: str, **facts: Any) -> None:
        """Show a screen that has nothing behind it but the day."""
        if self.is_locked:
            return
        self.way = [("today", {})] if name not in ("today", "enrol") else []
        self.go(name, **facts)

    def show_again(self) -> None:
        """Count anew what a sync may have changed, when the cadre has gone on to a list meanwhile."""
        name, facts = self.way[-1]
        if name in LISTS:
            self._show(name, facts)

    def _show(self, name: str, facts: dict[str, Any]) -> None:
        self._make(name)
        screen = self.manager.get_screen(name)
        screen.enter(**facts)
        self.manager.current = name
        device().hide_from_pictures(name not in MAY_BE_PICTURED)
        self._shown_at_s = self.since_boot_s()
        if self._makes_ready:
            self._making_ready()

    def _make(self, name: str) -> None:
        if not self.manager.has_screen(name):
            module, screen_class = SCREENS[name]
            screen = getattr(import_module(module), screen_class)(name=name, phone=self)
            self.manager.add_widget(screen)

    def make_ready(self) -> None:
        """Make what a visit needs while nobody waits for it, one thing a moment."""
        missing = next((name for name in SOON if not self.manager.has_screen(name)), None)
        busy_at_s = max(self.touched_at_s, self._shown_at_s)
        if self.since_boot_s() - busy_at_s < NEXT_TOUCH_S:
            self._making_ready()
        elif missing is not None:
            self._make(missing)
            self._making_ready()
        elif self.manager.get_screen("questions").make_ready():
            self._making_ready()

    def rest(self) -> None:
        """Do while nobody touches the phone what else Python and SQLite do while a form opens."""
        if self.since_boot_s() - self.touched_at_s < RESTS_AFTER_S:
            return
        if gc.get_count()[1] > 1:
            gc.collect()
        if self.store is not None and not self._at_work:
            self.store.tidy()

    def _key(self, _window: Any, key: int, *_: Any) -> bool:
        if key != BACK_KEY:
            return False
        screen = self.manager.current_screen
        return bool(screen.back()) if hasattr(screen, "back") else False

    # Visits

    def open_visit(
        self, household_id: str | None, village_code: str | None, *, at_first_question: bool = True
    ) -> None:
        """Open a household; a new one starts at its first question."""
        from mobile.forms.visit import Visit
        from mobile.storage.records import household_row

        if village_code is None and household_id is not None:
            row = household_row(self.store, household_id)
            village_code = row.village_code if row else ""
        self.visit = Visit.open(
            self.store,
            household_id,
            village_code or "",
            today=self.today(),
            cadre=self.store.cadre(),
        )
        self.go("visit")
        if household_id is None and at_first_question:
            self.go("questions", step=self.visit.steps(theme.lang)[0])

    def end_visit(self) -> None:
        """Close the visit and show the list again."""
        self.flush()
        self.visit.leave()
        while self.way and self.way[-1][0] not in LISTS:
            self.way.pop()
        name, facts = self.way[-1] if self.way else ("today", {})
        self.visit = None
        self._show(name, facts)

    def visit_title(self) -> str:
        """Return what the household of the visit at hand is called: its head's name, when known."""
        if self.visit is None:
            return ""
        head = next((m for m in self.visit.members if m.values.get("relation") == HEAD), None)
        return str((head or self.visit.household).title(theme.lang))

    def step_of(self, hit: Any) -> Any:
        """Return the step of the visit at hand where a hit of the rules can be mended, or None."""
        place = self.visit.place_of(hit)
        if place is None:
            return None
        steps = self.visit.steps(theme.lang)
        at = (place.record_id, place.group)
        return next((s for s in steps if (s.record_id, s.group) == at), None)

    def jump(self, hit: Any) -> None:
        """Go to the field that a hit is about; where it is about no field, to the overview."""
        step = self.step_of(hit)
        while self.way and self.way[-1][0] != "visit":
            self.way.pop()
        if step is None:
            name, facts = self.way[-1]
            self._show(name, facts)
        else:
            field = self.visit.place_of(hit).field
            self.go("questions", step=step, field=field, show_missing=True)

    def explain(self, hit: Any, then: Callable[[], None]) -> None:
        """Ask why a warning is right all the same."""
        from mobile.screens.problems import ReasonSheet

        def keep(reason: str) -> None:
            self.visit.accept_warning(hit, reason)
            then()

        ReasonSheet(hit, keep).open()

    # Places

    def village_name(self, code: str) -> str:
        """Return a village's name."""
        from mobile.storage.records import village_name

        return village_name(self.store, code)

    def place_name(self, code: str) -> str:
        """Return a place's name with what it lies in, 浙江省宁波市余姚市; at home from the township on."""
        padded = divisions.pad12(code)
        names: list[str] = []
        at_home = padded[:6] == self.store.scope()[:6] and divisions.level_of(padded) > 3
        for width in (9, 12) if at_home else (2, 4, 6, 9, 12):
            part = padded[:width].ljust(12, "0")
            known = divisions.division(part)
            name = known.name if known else ""
            if not name and width > 6:
                name = self.village_name(part)
                name = "" if name == part else name
            if name and name not in names:
                names.append(name)
            if part == padded:
                break
        return "".join(names) or code

    def places(
        self, within: str | None, *, villages_only: bool = False, near: str = ""
    ) -> Sequence[Place]:
        """Return the places within one for a picker; first those of the cadre."""
        from mobile.storage.records import villages

        if villages_only:
            return [Place(row.code, row.name, False) for row in villages(self.store)]
        if within is None:
            home = [divisions.pad12(near[:6]), divisions.pad12(near[:4])] if near else []
            first = [Place(near, self.village_name(near), False)] if near else []
            known = [place for code in home if (place := divisions.division(code))]
            first += [Place(place.code12, place.name, True) for place in known]
            return first + [Place(p.code12, p.name, True) for p in _provinces()]
        return self._inner(within)

    def _inner(self, within: str) -> list[Place]:
        from mobile.storage.records import division_names

        level = divisions.level_of(within)
        if level >= divisions.COUNTY:
            named = division_names(self.store, within[: 6 if level == 3 else 9], level + 1)
            return [Place(code, name, level + 1 < divisions.VILLAGE) for code, name in named]
        direct = [
            place
            for next_level in range(level + 1, divisions.COUNTY + 1)
            for place in divisions.divisions_within(within, next_level)
            if place.parent == within
        ]
        return [
            Place(
                place.code12,
                place.name,
                place.level < divisions.COUNTY
                or place.code12.startswith(self.store.scope()[:6] or "-"),
            )
            for place in direct
        ]

    # Words

    def day_in_words(self) -> str:
        """Return today's date as the bar shows it."""
        day = dt.date.fromisoformat(self.today())
        weekday = ui("weekdays").split()[day.weekday()]
        return ui("day", month=day.month, day=day.day, weekday=weekday)

    def last_sync_in_words(self) -> str:
        """Return when the last sync was, and whether it broke off; empty before the first."""
        from mobile.sync.attempt import last_result

        result = last_result(self.store)
        if result is None or not result.finished_at_ms:
            return ""
        at = dt.datetime.fromtimestamp(result.finished_at_ms / 1000).astimezone()
        key = "last_sync" if result.error is None else "last_sync_failed"
        return ui(key, month=at.month, day=at.day, time=at.strftime("%H:%M"))

    @property
    def is_desktop(self) -> bool:
        """Whether this is a PC."""
        return device() is desktop_port

    def device_label(self) -> str:
        """Return what the county calls this device."""
        return (platform.node() or platform.system())[:80]

    def version(self) -> str:
        """Return the version of the app."""
        return VERSION

    # Work

    def in_background(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Run `work` off the UI thread; `done` or `failed` gets what came of it on the UI thread."""

        locks = self._locks
        self._at_work += 1

        def back(what: Callable[[Any], None], came: Any) -> None:
            self._at_work -= 1
            if locks == self._locks:  # else the screen that waited for it is gone
                what(came)

        def run() -> None:
            try:
                try:
                    result = work()
                finally:
                    if self._is_kept and self._at_work == 1:
                        self._let_sleep()
            except Exception as error:  # the outermost line of the thread: the screen says it
                if self.store is not None and self.store.is_closed:
                    return  # the app ended meanwhile
                Logger.exception("Chushan: work in the background failed")
                Clock.schedule_once(lambda _, error=error: back(failed, error), 0)
                return
            Clock.schedule_once(lambda _: back(done, result), 0)

        threading.Thread(target=run, daemon=True).start()

    def _let_sleep(self) -> None:
        self._is_kept = False
        device().end_upload()

    def watch_link(self) -> None:
        """Look for a link from time to time, where the settings want it."""
        if self._look is not None:
            self._look.cancel()
            self._look = None
        if self.settings.syncs_itself:
            self._look = Clock.schedule_interval(
                lambda _: self.look_for_link(), LINK_LOOKED_AT_EVERY_S
            )

    def look_for_link(self) -> None:
        """Sync by itself where work waits and the county can be reached."""
        if self.is_locked or self.store is None or not self.way or self._at_work:
            return
        # Late: the database is opened after the first frame.
        from mobile.storage.database import get
        from mobile.storage.outbox import count_unanswered
        from mobile.sync import link

        server = get(self.store.connection, "server")
        waiting = count_unanswered(self.store.connection) if server else 0
        now_s = self.since_boot_s()
        seen = self._link or link.Watch(now_s + link.SHORTEST_WAIT_S)
        self._link = link.look(seen, now_s, waiting=waiting, has_signal=device().has_signal())
        if not waiting or not link.is_due(self._link, now_s):
            return
        store, timeout_s = self.store, self.settings.timeout_s

        def sync() -> Any:
            from mobile.sync.attempt import sync_once

            if not link.reaches(str(server)):
                return None
            return sync_once(store, timeout_s=timeout_s)

        self.in_background(sync, self._synced_itself, lambda _: self._synced_itself(None))

    def _synced_itself(self, result: Any) -> None:
        from mobile.sync import link

        went_well = result is not None and result.error is None
        # What the county did not answer will not be answered sooner by asking at once again.
        is_done = went_well and not result.remaining
        self._link = link.after(self._link, self.since_boot_s(), went_well=is_done)
        if result is None or self.heed(result):
            return
        if went_well:
            Toast.say(ui("synced_itself", count=result.sent))
        self.show_again()

    # Settings

    def _dress(self) -> None:
        theme.lang = "en" if self.settings.language == "en" else "zh"
        theme.has_korean = self.settings.language == "ko"
        theme.dress(self.settings.look)
        theme.resize(self.settings.font_scale)
        Window.clearcolor = theme.paper

    def change_settings(self, settings: Settings) -> None:
        """Keep the settings and show everything anew in them."""
        self.settings = settings
        save_settings(settings)
        self._dress()
        self.watch_link()
        name, facts = self.way[-1]
        for screen in list(self.manager.screens):
            self.manager.remove_widget(screen)
        self._show(name, facts)


def _provinces() -> list[Any]:
    return [
        place
        for code in range(11, 83)
        if (place := divisions.division(f"{code}0000")) and not place.valid_to
    ]


def _opening_screen() -> Screen:
    screen = Screen(name="opening")
    screen.add_widget(EmptyState(title=ui("app"), words=ui("loading"), pos_hint={"center_y": 0.5}))
    return screen
