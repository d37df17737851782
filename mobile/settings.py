"""Settings of the phone app: where its database lies, the language, the size of the letters.

They stand in a small file of their own and not in the database, because the first frame needs them
and the database is opened after it. Nothing heavy is imported here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from mobile.device import device

FONT_SCALES = (1.0, 1.25, 1.5, 1.75, 2.0)
"""The sizes of the letters that a user may choose."""

LOOKS = ("day", "sun", "dark")
"""The county's colours, black on white for a hillside at noon, light ink on night green for the evening."""


LOCK_AFTER_MIN = (1, 5, 15)
"""The times that a user may choose until the app locks."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user or the environment chose. `CHUSHAN_PHONE_DIR` moves the folder."""

    folder: str
    """Folder of the database and of this file."""
    language: str = "zh"
    font_scale: float = 1.0
    look: str = "day"
    """One of LOOKS."""
    timeout_s: float = 20.0
    """Longest silence of the server before a sync gives up, in seconds."""
    lock_after_min: int = 5
    """Minutes without a touch until the app locks: one of LOCK_AFTER_MIN."""
    syncs_itself: bool = True
    """Whether the app syncs by itself when work waits and a link is there."""
    is_plain: bool = False
    """For developers (`--plain`): no PIN, and a database that anybody can read."""

    @property
    def store_path(self) -> Path:
        """Return where the database lies."""
        return Path(self.folder) / "chushan.db"

    @property
    def key_path(self) -> Path:
        """Return where the database's sealed key lies."""
        return Path(self.folder) / "key.json"

    @property
    def no_backup_path(self) -> Path | None:
        """Return where the incarnation stands beside the database, None where there is no such place."""
        folder = device().no_backup_dir()
        return folder / "incarnation" if folder else None


_KEPT = ("language", "font_scale", "look", "timeout_s", "lock_after_min", "syncs_itself")


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings; a damaged or missing file gives the defaults."""
    folder = environ.get("CHUSHAN_PHONE_DIR") or str(device().storage_dir())
    settings = Settings(folder, is_plain=bool(environ.get("CHUSHAN_PLAIN")))
    try:
        kept = json.loads((Path(folder) / "settings.json").read_text("utf-8"))
    except (OSError, ValueError):
        return settings
    if not isinstance(kept, dict):
        return settings
    types = {entry.name: type(getattr(settings, entry.name)) for entry in fields(Settings)}
    good = {k: v for k, v in kept.items() if k in _KEPT and isinstance(v, types[k])}
    if good.get("look") not in LOOKS:
        good.pop("look", None)
    if good.get("lock_after_min") not in LOCK_AFTER_MIN:
        good.pop("lock_after_min", None)
    return replace(settings, **good)


def save_settings(settings: Settings) -> None:
    """Write the settings; a kill meanwhile leaves the old file."""
    folder = Path(settings.folder)
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in asdict(settings).items() if name in _KEPT}
    fresh = folder / "settings.json.new"
    fresh.write_text(json.dumps(kept), "utf-8")
    fresh.replace(folder / "settings.json")
