"""The window of the tests: offscreen, the size and density of a common phone.

Import this before anything of Kivy: Kivy reads its environment when it is first imported.
"""

from __future__ import annotations

import os

WIDTH, HEIGHT, DENSITY = 540, 1170, 1.5

os.environ.update(
    {
        "KIVY_NO_ARGS": "1",  # else Kivy reads pytest's arguments
        "KIVY_NO_CONFIG": "1",
        "KIVY_NO_FILELOG": "1",
        "KIVY_METRICS_DENSITY": str(DENSITY),
        "KIVY_METRICS_FONTSCALE": "1.0",
        "LIBGL_ALWAYS_SOFTWARE": "1",
    }
)
os.environ.setdefault("KIVY_LOG_MODE", "PYTHON")
os.environ.setdefault("SDL_VIDEODRIVER", "offscreen")  # a real GL window without an X server

from kivy.config import Config  # noqa: E402 - after the environment

Config.set("graphics", "width", str(WIDTH))
Config.set("graphics", "height", str(HEIGHT))
Config.set("graphics", "resizable", "0")
Config.set("graphics", "multisamples", "0")  # software GL draws four times faster without
