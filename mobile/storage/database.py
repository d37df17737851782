"""The phone's database file: opening it, its tables, its transactions."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def now_ms() -> int:
    """Return the phone's clock, UTC epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Store:
    """The open database. May be used from several threads; each gets a connection of its own."""

    path: Path
    clock: Callable[[], int]

    def cadre(self) -> str:
        """Return the name of the cadre whom the phone belongs to, empty before the first sync."""
        raise NotImplementedError

    def scope(self) -> str:
        """Return the division prefix that the phone may see, empty before the first sync."""
        raise NotImplementedError

    def close(self) -> None:
        """Close every connection."""
        raise NotImplementedError


def open_store(
    path: str | Path, *, clock: Callable[[], int] = now_ms, no_backup_path: Path | None = None
) -> Store:
    """Open the database, make or migrate it. Costs the import of sqlite-utils: after the first frame."""
    raise NotImplementedError
