"""The server's sync endpoints as functions, and what can go wrong on the way."""

from __future__ import annotations

from shared_schemas.locale import text


class SyncError(Exception):
    """A sync did not get through. `words` says what happened and what to do now."""

    key = "sync.error.unknown"

    def words(self, lang: str = "zh") -> str:
        """Return what happened and what to do now."""
        return text(self.key, lang)
