"""The port of a PC: for trying the app, for the tests, and for offices that type at a desk."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


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


def keystore_seal(name: str, plain: bytes) -> bytes:
    """Seal bytes under a new key of this computer.

    It is a file that only this user may read: who has the user's account or the bare disk has it
    too. Against these a PC's database is as safe as its PIN, and the disk's own encryption.
    """
    path = _keystore() / name
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(32))
        file.flush()
        os.fsync(file.fileno())
    nonce = secrets.token_bytes(12)
    return nonce + seal(path.read_bytes(), nonce, plain, name.encode())


def keystore_open(name: str, sealed: bytes) -> bytes | None:
    """Return what `keystore_seal` sealed, None where its key is gone."""
    try:
        key = (_keystore() / name).read_bytes()
    except FileNotFoundError:
        return None
    return unseal(key, sealed[:12], sealed[12:], name.encode())


def keystore_forget(name: str) -> None:
    """Destroy a key for good."""
    (_keystore() / name).unlink(missing_ok=True)


def _keystore() -> Path:
    folder = storage_dir() / "keystore"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def hide_from_pictures(hide: bool) -> None:
    """Nothing: a PC has no such switch."""


HAS_TEXT_DIALOG = False
"""Whether `ask_text` works: keyboards of a PC are at home in our own fields."""


def ask_text(title: str, text: str, take: Callable[[str], None]) -> None:
    """Nothing: a PC has no such dialog."""


def pick_file(take: Callable[[str], None]) -> bool:
    """Let the user choose a file in the system's way; False: the app shows the folders itself."""
    return False


HAS_CAMERA = False
"""Whether `take_picture` works."""


def take_picture(take: Callable[[Path], None]) -> None:
    """Nothing: on a PC a picture file is chosen."""


def qr_texts(path: Path) -> list[str]:
    """Return the texts of the QR codes in a picture file; OSError where it is none."""
    from mobile.device.qr import texts_by_cpp

    return texts_by_cpp(path)


def begin_upload(words: str) -> None:
    """Nothing: a PC lets programs run that are not seen."""


def end_upload() -> None:
    """Nothing, as above."""


def _voice_command(lang: str) -> list[str] | None:
    """Return the program that reads its input aloud, None where there is none: espeak-ng."""
    program = shutil.which("espeak-ng")
    voice = "cmn" if lang == "zh" else lang
    return [program, "-b", "1", "-v", voice, "-s", "140", "--stdin"] if program else None


_voice: dict[str, Any] = {"state": "silent"}


def speak(words: str, lang: str) -> None:
    """Begin to read words aloud; `speech` tells what became of it."""
    hush()
    command = _voice_command(lang)
    if command is None:
        _voice["state"] = "no_voice"
        return
    reader = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    _voice.update(state="speaking", reader=reader)
    with contextlib.suppress(BrokenPipeError), reader.stdin:
        reader.stdin.write(words.encode())


def speech() -> str:
    """Return "speaking", "silent", or "no_voice" where the words could not be read aloud."""
    reader = _voice.get("reader")
    if reader is not None and reader.poll() is not None:
        # Without a sound card it says so and ends as if all were well.
        failed = reader.returncode or b"error:" in reader.stderr.read()
        hush()
        _voice["state"] = "no_voice" if failed else "silent"
    return str(_voice["state"])


def hush() -> None:
    """Stop reading aloud."""
    reader = _voice.pop("reader", None)
    if reader is not None:
        reader.kill()
        reader.wait()
        reader.stderr.close()
    _voice["state"] = "silent"


def share(path: Path, title: str) -> bool:
    """Show a file to the user in the system's way; False when there is none. `title` is unused."""
    opener = shutil.which("xdg-open") or shutil.which("open")
    if sys.platform == "win32" or opener is None:
        return False
    # Not waited for: a file manager stays open, and the window would stand still.
    subprocess.Popen([opener, str(path.parent)], start_new_session=True)
    return True
