"""From the start of the process to the phone app's first frame, beside an empty Kivy app and bare Python.

`python -m benchmarks.app_start [RUNS]`. Offscreen with software GL; each start is a process of its
own, the kinds take turns, and the clock runs from before the fork until after the first frame was
drawn. "Villages" is the first screen that can be touched: the database is open and counted.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.measure import Section

RUNS = 7

WINDOW = """
from kivy.config import Config
Config.set("graphics", "width", "540"); Config.set("graphics", "height", "1170")
Config.set("graphics", "multisamples", "0")
import os
"""

EMPTY = f"""{WINDOW}
from kivy.base import runTouchApp
from kivy.core.window import Window
from kivy.uix.label import Label
Window.bind(on_flip=lambda *_: os._exit(0) if os.write(1, b"frame\\nready\\n") else None)
runTouchApp(Label(text="Chushan"))
"""

CHUSHAN = f"""{WINDOW}
from kivy.clock import Clock
from kivy.core.window import Window
from mobile.app import ChushanApp
from mobile.settings import load_settings
app = ChushanApp(load_settings())
state = {{"frames": 0}}
def flip(*_):
    state["frames"] += 1
    if state["frames"] == 1:
        os.write(1, b"frame\\n")
    if app.way and state.setdefault("shown", state["frames"]) < state["frames"]:
        os.write(1, b"ready\\n")
        os._exit(0)
Window.bind(on_flip=flip)
app.run()
"""

KINDS = (("Bare Python (`-c pass`)", "pass"), ("Empty Kivy app", EMPTY), ("Chushan", CHUSHAN))


def start(code: str, folder: str) -> tuple[float, float]:
    """Start a process; return the milliseconds to its first frame and until it was ready."""
    env = {
        **os.environ,
        "SDL_VIDEODRIVER": "offscreen",
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "KIVY_NO_ARGS": "1",
        "KIVY_NO_CONFIG": "1",
        "KIVY_NO_FILELOG": "1",
        "KIVY_NO_CONSOLELOG": "1",
        "KIVY_METRICS_DENSITY": "1.5",
        "CHUSHAN_PHONE_DIR": folder,
        "XDG_DATA_HOME": folder,  # where a PC keeps its part of the key
    }
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        first = time.perf_counter() - began
        process.stdout.readline()
        ready = time.perf_counter() - began
        process.wait(timeout=60)
    return first * 1000, ready * 1000


def measure(runs: int = RUNS) -> Section:
    """Start each kind in turns and return the medians."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name, _ in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        start(CHUSHAN, folder)  # makes the database and the byte code, which a phone has ready
        for _ in range(runs):
            for name, code in KINDS:
                times[name].append(start(code, folder))
    rows = []
    for name, taken in times.items():
        first, ready = (statistics.median(column) for column in zip(*taken, strict=True))
        rows.append([name, f"{first:.0f}", f"{min(f for f, _ in taken):.0f}", f"{ready:.0f}"])
    return Section(
        title="Start of the phone app",
        command="python -m benchmarks.app_start",
        told="Milliseconds from the start of the process to the first frame, and until the first"
        " screen can be touched (database open). For bare Python: to the end of the process."
        f" Median of {runs}, offscreen with software GL.",
        head=["", "first frame", "fastest", "can be touched"],
        rows=rows,
        notes=["A cheap phone's core was not measured; expect five to eight times as long."],
    )


def main() -> None:
    """Print the section."""
    print(measure(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS).markdown())


if __name__ == "__main__":
    main()
