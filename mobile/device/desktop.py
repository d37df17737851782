"""The port of a PC: for trying the app, for the tests, and for offices that type at a desk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def storage_dir() -> Path:
    """Return the folder of the app's database; it is made."""
    root = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    if sys.platform == "win32":
        root = os.environ.get("LOCALAPPDATA") or Path.home()
    folder = Path(root) / "chushan"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def no_backup_dir() -> Path | None:
    """Return a folder that backups leave out; a PC has none."""
    return None


def has_signal() -> bool | None:
    """Return whether there may be a network; None: only trying tells."""
    return None


def seal(key: bytes, nonce: bytes, plain: bytes, bound: bytes) -> bytes:
    """Return AES-256-GCM of `plain`, bound to further bytes, with its tag at the end."""
    # Late: only who writes or reads a hand-over file needs it.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key).encrypt(nonce, plain, bound)


def unseal(key: bytes, nonce: bytes, sealed: bytes, bound: bytes) -> bytes | None:
    """Return what `seal` sealed, None where it is another key's or not as it was."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(nonce, sealed, bound)
    except InvalidTag:
        return None


def pick_file(take: Callable[[str], None]) -> bool:
    """Let the user choose a file in the system's way; False: the app shows the folders itself."""
    return False


def share(path: Path, title: str) -> bool:
    """Show a file to the user in the system's way; False when there is none. `title` is unused."""
    opener = shutil.which("xdg-open") or shutil.which("open")
    if sys.platform == "win32" or opener is None:
        return False
    # Not waited for: a file manager stays open, and the window would stand still.
    subprocess.Popen([opener, str(path.parent)], start_new_session=True)
    return True
