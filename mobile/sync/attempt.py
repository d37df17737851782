"""One attempt to sync: hello, push, pull, compare. What was done before a cut stays done.

Each stage stores what it got before it asks for more, so an attempt may end anywhere, and the next
one goes on from there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import ceil
from typing import Any

from mobile.storage import inbox, outbox
from mobile.storage.database import PhoneFull, Store, get, put
from mobile.storage.outbox import Answer, Batch
from mobile.sync import handover
from mobile.sync.client import (
    AlreadyRunning,
    Cancelled,
    Client,
    CutShort,
    NoRoomLeft,
    NoSignal,
    NotEnrolled,
    NotOurServer,
    Refused,
    Silent,
    SyncError,
    recalled,
    remembered,
)
from mobile.sync.packing import packed
from shared_schemas import SCHEMA_VERSION
from shared_schemas.locale import text

log = logging.getLogger(__name__)

FIRST_SIZE, LEAST_SIZE, MOST_SIZE = 100, 8, 1000
"""Changes in one request: halved after a cut, doubled after three answers in a row."""

LONG_S, WORTH_S = 1.0, 6.0
"""An answer that took longer than the first says that the line is slow. As long as it holds, requests
then become as large as fits into the second: each costs a round trip, and a cut costs half of one."""

SLOW_FIRST = 4
"""The first request is as many times `FIRST_SIZE` where already the hello says that the line is slow."""

PAGE_ROWS = 2000
FRUITLESS = 6
"""Cuts in a row with nothing gained before an attempt gives up. A long silence counts for three."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 3.0
RENUMBERINGS = 4
"""How often one attempt may find that server and phone count differently."""

Progress = Callable[[str, int, int], None]
"""Called with the stage ("hello", "push", "pull", "compare"), how much is done, how much in all (0: unknown)."""


DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a sync came to, also when it was cut: then `error` says why and the rest is what was done."""

    sent: int = 0
    """Changes that the county has stored."""
    received: int = 0
    """Records that came down and that someone else has written."""
    applied: int = 0
    merged: int = 0
    held: int = 0
    conflicts: int = 0
    returned: int = 0
    """Households that the county has returned and that wait for the cadre."""
    remaining: int = 0
    """Changes still on the phone."""
    unconfirmed: int = 0
    """Changes that the county stored but has not shown back, though everything was pulled."""
    settled: int = 0
    """Held changes that the county has applied meanwhile."""
    closed: int = 0
    """Held changes that the county has closed without applying them, with a word why."""
    carried: int = 0
    """Hand-over files of others that the county took from this phone."""
    is_repaired: bool = False
    """The final comparison found a difference, and everything was fetched anew."""
    is_unequal: bool = False
    """The final comparison still finds a difference: a fault that the county should hear of."""
    is_outdated: bool = False
    """The county's server knows more fields than this app: it should be updated."""
    clock_off_ms: int = 0
    """How far the phone's clock is ahead of the server's; visits of a wrong day count wrongly."""
    error: SyncError | None = None
    finished_at_ms: int = 0

    @property
    def is_clock_wrong(self) -> bool:
        """Whether the phone's date is off by a day or more."""
        return abs(self.clock_off_ms) >= DAY_MS

    @property
    def message(self) -> str:
        """The result in Chinese, for the cadre."""
        return self.words("zh")

    def words(self, lang: str = "zh") -> str:
        """Return the result in a few honest sentences: what arrived, what waits, what to do."""
        said = [self.error.words(lang)] if self.error else []
        if self.sent or not self.error:
            said.append(
                text("sync.sent" if self.sent else "sync.nothing_sent", lang, sent=self.sent)
            )
        for name in (
            "carried",
            "received",
            "settled",
            "closed",
            "held",
            "conflicts",
            "returned",
            "remaining",
        ):
            count = getattr(self, name)
            if count:
                said.append(text(f"sync.{name}", lang, **{name: count}))
        if self.unconfirmed:
            said.append(text("sync.unconfirmed", lang, count=self.unconfirmed))
        if self.is_repaired:
            said.append(text("sync.repaired", lang))
        if self.is_unequal:
            said.append(text("sync.unequal", lang))
        if self.is_outdated:
            said.append(text("sync.outdated", lang))
        if self.is_clock_wrong:
            days = abs(self.clock_off_ms) // DAY_MS
            way = "ahead" if self.clock_off_ms > 0 else "behind"
            said.append(text(f"sync.clock_{way}", lang, days=days))
        return "。".join(said) + "。" if lang == "zh" else ". ".join(said) + "."


def sync_once(
    store: Store,
    *,
    on_progress: Progress | None = None,
    cancel: threading.Event | None = None,
    timeout_s: float = 20.0,
) -> SyncResult:
    """Send what waits, fetch what is new. Never raises for a bad link; call it off the UI thread.

    `on_progress` is called on the thread that called this.
    """
    if not store.sync_lock.acquire(blocking=False):
        return replace(last_result(store) or SyncResult(), error=AlreadyRunning())
    try:
        attempt = _Attempt(store, on_progress or _silent, cancel or threading.Event(), timeout_s)
        error: SyncError | None = None
        try:
            attempt.run()
        except SyncError as met:
            error = met
        except PhoneFull:
            error = NoRoomLeft()
        except Exception:
            # The outermost line of the sync: whatever it was, the cadre goes on working.
            log.exception("sync_failed")
            error = SyncError()
        with store.reading() as connection:
            result = replace(
                attempt.result,
                error=error,
                returned=inbox.count_returned(connection),
                remaining=outbox.count_unanswered(connection),
                finished_at_ms=store.clock(),
            )
        counts = asdict(replace(result, error=None))
        with suppress(PhoneFull), store.writing() as connection:
            put(connection, "last_result", {**counts, "error": remembered(error)})
        return result
    finally:
        store.sync_lock.release()


def last_result(store: Store) -> SyncResult | None:
    """Return the result of the last sync, failed ones too; None before the first."""
    kept = get(store.connection, "last_result")
    return SyncResult(**{**kept, "error": recalled(kept["error"])}) if kept else None


def weight(error: SyncError) -> int:
    """Return how much a failure takes off the cadre's patience."""
    return 3 if isinstance(error, Silent) else 1


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Report progress to nobody."""


class _Attempt:
    def __init__(
        self, store: Store, report: Progress, cancel: threading.Event, timeout_s: float
    ) -> None:
        self.store = store
        self.report = report
        self.cancel = cancel
        self.timeout_s = timeout_s
        self.result = SyncResult()
        self.pulled = 0
        self.hello_s = 0.0
        self.renumberings = 0
        self.told: dict[str, Any] = {}
        """The server's last hello. Its clock judges ages, the phone's own may be years off."""
        self.check: dict[str, list[int]] | None = None
        """What the phone should hold, as the server said last; None before it did."""
        self.tally: dict[str, int] = {}
        """How many changes of this incarnation the server has, by outcome, as it said last."""

    def run(self) -> None:
        server = get(self.store.connection, "server")
        token = get(self.store.connection, "token")
        if not server or not token:
            raise NotEnrolled
        client = Client(server, token, self.timeout_s)
        try:
            # A revoked phone comes as far as this: what was captured still goes in, and the county
            # keeps it for a person to look at.
            self.hello(client)
            self.push(client)
            # What others captured is worth more than what can be fetched at any time.
            self.result = replace(
                self.result, carried=handover.bring_in(self.store, client, self.insist)
            )
            is_settled = self.result.settled or self.result.closed
            if self.told["news"] or self.result.sent or is_settled or self.is_full_pull():
                self.pull_all(client)
            self.compare(client)
            handover.drop_settled(self.store)
        finally:
            client.close()

    def is_full_pull(self) -> bool:
        return bool(get(self.store.connection, "full_pull", False))

    def hello(self, client: Client) -> None:
        self.report("hello", 0, 1)
        connection = self.store.connection
        incarnation, cursor = get(connection, "incarnation"), get(connection, "cursor")
        known, answered = get(connection, "hello"), outbox.last_answered(connection)
        began = time.monotonic()
        epoch = get(connection, "epoch")
        answer = self.insist(partial(client.hello, incarnation, cursor, known, answered, epoch))
        self.hello_s = time.monotonic() - began
        stored: dict[str, tuple[int, str | None]] = {}
        if epoch is not None and epoch != answer["epoch"]:
            # Restored from a backup: it may have forgotten changes of any life of this phone.
            for life in outbox.lives(connection):
                told = self.insist(partial(client.hello, life))
                stored[life] = (told["acked"], told.get("acked_hash"))
        with self.store.writing() as connection:
            inbox.keep_hello(connection, answer)
            if stored:
                outbox.offer_lost(connection, stored)
            elif answer["acked"] >= get(connection, "next_n", 1):
                # The server knows more of this phone than the phone does: it is a copy.
                outbox.new_incarnation(connection)
            else:
                outbox.offer_again(connection, answer["acked"])
            is_same_life = get(connection, "incarnation") == incarnation
        self.told, self.check = answer, answer.get("check")
        is_outdated = answer.get("schema", SCHEMA_VERSION) > SCHEMA_VERSION
        clock_off_ms = self.store.clock() - answer["now_ms"]
        self.result = replace(self.result, is_outdated=is_outdated, clock_off_ms=clock_off_ms)
        self.tally = answer["tally"] if is_same_life else {}
        if stored:
            # What it has kept may have ended otherwise in the life that it lost.
            self.ask_outcomes(client, outbox.answered_ranges(connection, MOST_SIZE))
        elif answer["settled"] != get(connection, "settled", 0):
            self.ask_outcomes(client, outbox.held_ranges(connection, MOST_SIZE))
        with self.store.writing() as connection:
            put(connection, "settled", answer["settled"])
        self.report("hello", 1, 1)

    def ask_outcomes(self, client: Client, ranges: list[tuple[str, int, int]]) -> None:
        """Learn what has become of answered changes since."""
        for incarnation, first, last in ranges:
            told = self.insist(partial(client.outcomes, incarnation, first, last))
            with self.store.writing() as connection:
                settled = outbox.keep_settled(connection, incarnation, told)
            self.result = replace(
                self.result,
                settled=self.result.settled + settled.applied,
                closed=self.result.closed + settled.closed,
            )

    def push(self, client: Client) -> None:
        size, successes, cuts, is_broken = FIRST_SIZE, 0, 0, False
        if self.hello_s > LONG_S:
            size = min(MOST_SIZE, SLOW_FIRST * FIRST_SIZE)
        total = outbox.count_unanswered(self.store.connection)
        done = 0
        self.report("push", 0, total)
        while True:
            self.stop_if_cancelled()
            with self.store.writing() as connection:
                batch = outbox.next_batch(connection, size)
            if batch is None:
                return
            began = time.monotonic()
            try:
                answer = client.push(packed(batch, self.store.clock(), brief=True))
            except Refused as refusal:
                if refusal.code == "too_large" and size > 1:
                    size //= 2
                elif refusal.code == "malformed" and cuts < FRUITLESS:
                    cuts += 1  # damaged on the way
                elif refusal.code == "busy":
                    cuts += 1
                    self.pause(cuts, refusal)
                else:
                    self.renumber(refusal)
                continue
            except (CutShort, NoSignal) as error:
                cuts += weight(error)
                size, successes, is_broken = max(LEAST_SIZE, size // 2), 0, True
                self.pause(cuts, error)
                continue
            self.keep_answer(batch, answer)
            cuts, successes = 0, successes + 1
            took_s = time.monotonic() - began
            done += len(batch.changes)
            if took_s > LONG_S and not is_broken:
                size = min(MOST_SIZE, round(size * max(1.0, min(4.0, WORTH_S / took_s))))
                left = max(1, total - done)
                size = max(LEAST_SIZE, ceil(left / ceil(left / size)))
            elif successes % 3 == 0:
                size = min(MOST_SIZE, size * 2)
            self.report("push", done, max(total, done))

    def keep_answer(self, batch: Batch, answer: dict[str, Any]) -> None:
        try:
            answers = [
                Answer(row["n"] + i, row["outcome"], row["seq"] + i, row.get("reason"))
                for row in answer["outcomes"]
                for i in range(min(row.get("count", 1), MOST_SIZE))
            ]
        except (KeyError, TypeError) as error:
            raise NotOurServer from error
        asked = {change.n for change in batch.changes}
        answers = [one for one in answers if one.n in asked]
        if len(answers) < len(asked):
            raise NotOurServer
        with self.store.writing() as connection:
            outbox.keep_answers(connection, batch, answers, answer["received_at_ms"])
            if answer["epoch"] == get(connection, "epoch"):
                inbox.take_for_pulled(connection, batch, answers, answer.get("shown"))
        outcomes = [one.outcome for one in answers]
        self.result = replace(
            self.result,
            sent=self.result.sent + len(outcomes),
            applied=self.result.applied + outcomes.count("applied"),
            merged=self.result.merged + outcomes.count("merged"),
            held=self.result.held + outcomes.count("held"),
            conflicts=self.result.conflicts + outcomes.count("conflict"),
        )

    def renumber(self, refusal: Refused) -> None:
        """Agree with the server on the count again; raises the refusal when it is about something else."""
        self.renumberings += 1
        if refusal.code not in ("sequence_gap", "forked") or self.renumberings > RENUMBERINGS:
            raise refusal
        with self.store.writing() as connection:
            if refusal.code == "forked":
                outbox.new_incarnation(connection)
            else:
                outbox.offer_again(connection, int(refusal.extra["acked"]))

    def pull_all(self, client: Client) -> None:
        while not self.pull(client):
            self.hello(client)
            self.push(client)

    def pull(self, client: Client) -> bool:
        """Fetch what is new; False when the server wants to begin anew with this phone."""
        cuts = 0
        self.report("pull", 0, 0)
        while True:
            self.stop_if_cancelled()
            cursor = get(self.store.connection, "cursor")
            incarnation = get(self.store.connection, "incarnation")
            held = inbox.held_spans(self.store.connection)
            more: bool | None = None
            try:
                for lines in client.pull(cursor, PAGE_ROWS, incarnation, held):
                    more = self.keep_lines(lines)
                    cuts = 0
                    self.stop_if_cancelled()
            except Refused as refusal:
                if refusal.code == "busy":
                    cuts += 1
                    self.pause(cuts, refusal)
                    continue
                self.renumberings += 1
                if refusal.code != "epoch_changed" or self.renumberings > RENUMBERINGS:
                    raise
                with self.store.writing() as connection:
                    inbox.begin_full_pull(connection)
                return False
            except (CutShort, NoSignal) as error:
                cuts += weight(error)
                self.pause(cuts, error)
                continue
            if more is None:
                raise NotOurServer
            if not more:
                with self.store.writing() as connection:
                    inbox.finish_pull(connection)
                return True

    def keep_lines(self, lines: list[dict[str, Any]]) -> bool:
        try:
            with self.store.writing() as connection:
                rows, news = inbox.apply_lines(connection, lines)
        except (KeyError, TypeError, ValueError) as error:
            raise NotOurServer from error
        self.pulled += rows
        self.check, self.tally = lines[-1].get("check"), lines[-1].get("tally", {})
        self.result = replace(self.result, received=self.result.received + news)
        self.report("pull", self.pulled, 0)
        return bool(lines[-1]["more"])

    def compare(self, client: Client) -> None:
        """Compare counts and sums with the server's; where they differ, fetch everything anew, once."""
        self.report("compare", 0, 1)
        if not self.is_equal():
            # What was just sent may have freed a held change: cheaper asked than all fetched anew.
            with self.store.reading() as connection:
                held = outbox.held_ranges(connection, MOST_SIZE)
            self.ask_outcomes(client, held)
        if not self.is_equal():
            log.warning("sync_unequal")
            with self.store.writing() as connection:
                inbox.begin_full_pull(connection)
                mine = outbox.answered_ranges(connection, MOST_SIZE)
            self.ask_outcomes(client, mine)
            self.hello(client)
            self.push(client)
            self.pull_all(client)
            is_equal = self.is_equal()
            self.result = replace(self.result, is_repaired=is_equal, is_unequal=not is_equal)
        now_ms = self.told.get("now_ms", 0)
        with self.store.writing() as connection:
            inbox.let_go(connection)
            unconfirmed = outbox.count_unconfirmed(connection, now_ms)
            outbox.prune(connection, now_ms, self.told.get("backed_up_at_ms"))
        self.result = replace(self.result, unconfirmed=unconfirmed)
        self.report("compare", 1, 1)

    def is_equal(self) -> bool:
        """Tell whether server and phone hold the same rows and count the same outcomes."""
        with self.store.reading() as connection:
            held, answered = inbox.sums(connection), outbox.tally(connection)
            kinds = inbox.kept_kinds(connection)
        check = self.check or {}
        # A kind that this version of the app does not know is none of its business.
        return answered == self.tally and held == {k: v for k, v in check.items() if k in kinds}

    def insist(self, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Ask until there is an answer; a link that breaks is tried again, one that is not there is not."""
        cuts = 0
        while True:
            self.stop_if_cancelled()
            try:
                return ask()
            except Refused as refusal:
                if refusal.code != "busy":
                    raise
                cuts += 1
                self.pause(cuts, refusal)
            except CutShort as error:
                cuts += weight(error)
                self.pause(cuts, error)

    def pause(self, cuts: int, error: SyncError) -> None:
        """Wait before the next try, longer each time; after too many in a row raise the error."""
        if cuts >= FRUITLESS:
            raise error
        self.cancel.wait(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**cuts))

    def stop_if_cancelled(self) -> None:
        if self.cancel.is_set():
            raise Cancelled
