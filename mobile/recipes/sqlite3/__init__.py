"""SQLite that encrypts: SQLite3 Multiple Ciphers in the place of python-for-android's own SQLite.

Python's sqlite3 module on the phone is linked against it and gets `PRAGMA key`; nothing else changes.
Not compiled for Android in this project's tests. These compile the same file with the same options
for the PC and let either side read what the other has written (tests/mobile/test_encryption.py).
Only SQLCipher's cipher is built: it is the one format that the app reads and writes.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any, ClassVar

import sh  # type: ignore[import-not-found]
from pythonforandroid.logger import shprint  # type: ignore[import-not-found]
from pythonforandroid.recipe import Recipe  # type: ignore[import-not-found]

SHA256 = "670d8d053176b53a68073b168f8e68fb72db67bdf964a0eb130338e9391198b9"
"""Of sqlite3.c: SQLite 3.53.2 with SQLite3 Multiple Ciphers 2.3.5."""


class Sqlite3Recipe(Recipe):  # type: ignore[misc]
    """One C file, no further dependency. FTS5 is on, which python-for-android's recipe leaves out."""

    version = "12.11.1"
    # The amalgamation with its ciphers as this Node package ships it: the file that the tests compile.
    url = "https://github.com/m4heshd/better-sqlite3-multiple-ciphers/archive/refs/tags/v{version}.tar.gz"
    built_libraries: ClassVar[dict[str, str]] = {"libsqlite3.so": "."}

    def build_arch(self, arch: Any) -> None:
        """Compile the library where the python3 recipe looks for it and for its headers."""
        folder = Path(self.get_build_dir(arch.arch))
        source = folder / "deps" / "sqlite3"
        found = hashlib.sha256((source / "sqlite3.c").read_bytes()).hexdigest()
        if found != SHA256:
            raise RuntimeError(f"sqlite3.c is not the one that was tested: {found}")
        for header in ("sqlite3.h", "sqlite3ext.h"):
            shutil.copyfile(source / header, folder / header)
        env = self.get_recipe_env(arch)
        options = Path(__file__).with_name("options.txt").read_text().split()
        compiler, *flags = env["CC"].split()
        shprint(
            sh.Command(compiler),
            *flags, *env.get("CFLAGS", "").split(), *env.get("LDFLAGS", "").split(),
            "-O2", "-fPIC", "-shared", "-Wl,-soname,libsqlite3.so", *options,
            "-o", str(folder / "libsqlite3.so"), str(source / "sqlite3.c"), "-lm",
            _env=env,
        )  # fmt: skip


recipe = Sqlite3Recipe()
