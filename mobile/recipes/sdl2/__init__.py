"""SDL 2 with a backspace that works on Android 11 and later; else python-for-android's own recipe.

Found through `p4a.local_recipes` of buildozer.spec. Not compiled in this project's tests: these run
the edit on SDL's own text, and see that python-for-android chooses this recipe.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pythonforandroid.recipes.sdl2 import LibSDL2Recipe  # type: ignore[import-not-found]
from pythonforandroid.util import load_source  # type: ignore[import-not-found]

# By its path: a recipe is loaded under python-for-android's name, so it has no neighbours.
backspace = load_source("chushan_backspace", str(Path(__file__).with_name("backspace.py")))


class ChushanSDL2Recipe(LibSDL2Recipe):  # type: ignore[misc]
    """SDL of python-for-android, its input connection mended before the package takes it."""

    def prebuild_arch(self, arch: Any) -> None:
        """Mend the Java source."""
        super().prebuild_arch(arch)
        backspace.mend(Path(self.get_build_dir(arch.arch)) / backspace.JAVA)


recipe = ChushanSDL2Recipe()
