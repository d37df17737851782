"""One attempt to sync, from hello to the final count."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mobile.storage.database import Store
    from mobile.sync.client import SyncError

Progress = Callable[[str, int, int], None]
"""Called with the stage ("hello", "push", "pull", "compare"), how much is done, how much in all (0: unknown)."""


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a sync came to, also when it was cut: then `error` says why and the rest is what was done."""

    sent: int = 0
    """Changes that the county has stored."""
    received: int = 0
    """Records that came down."""
    applied: int = 0
    merged: int = 0
    held: int = 0
    conflicts: int = 0
    returned: int = 0
    """Households that the county has returned and that wait for the cadre."""
    remaining: int = 0
    """Changes still on the phone."""
    error: SyncError | None = None
    finished_at_ms: int = 0

    @property
    def message(self) -> str:
        """The result in Chinese, for the cadre."""
        return self.words("zh")

    def words(self, lang: str = "zh") -> str:
        """Return the result in one or two honest sentences."""
        raise NotImplementedError


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
    raise NotImplementedError


def last_result(store: Store) -> SyncResult | None:
    """Return the result of the last sync, None before the first (its error is not kept)."""
    raise NotImplementedError
