"""The phone app with a village of 500 households and with 50,000 people, in CPU time, beside a bare Kivy window.

`python -m benchmarks.phone [ACTIONS]`. The app runs in its own window (offscreen, software GL) in a
process of its own for each size, driven like the screens' tests drive it. CPU milliseconds of the
whole process, so that a busy machine changes little; the last column multiplies them by four, for a
core throttled to a quarter, and says whether the goal is kept there. The starts are also measured
on the clock, pinned to one core and stopped three quarters of the time.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import Section, percentile

VILLAGE_HOUSEHOLDS = 500
PEOPLE = 50_000
ACTIONS = 1_000
STARTS = 5
QUARTER = 4
GOALS = {"start": 3_000.0, "form": 300.0, "save": 50.0, "search": 100.0}
"""Milliseconds on one core throttled to a quarter."""

WITHOUT = "import sys; sys.modules.update(dict.fromkeys(('pandas', 'numpy', 'IPython')))"
"""sqlite-utils imports these where they are installed, as here for other things; a phone has none."""

WINDOW = f"""{WITHOUT}
from kivy.config import Config
Config.set("graphics", "width", "540"); Config.set("graphics", "height", "1170")
Config.set("graphics", "multisamples", "0")
import os, time
def tell(what):
    rss = int(open("/proc/self/statm").read().split()[1]) * 4096
    os.write(1, f"{{what}} {{time.process_time() * 1000:.1f}} {{rss / 1e6:.1f}}\\n".encode())
"""

BARE = f"""{WINDOW}
from kivy.base import runTouchApp
from kivy.core.window import Window
from kivy.uix.label import Label
def shown(*_):
    tell("frame"); tell("usable"); tell("ready"); os._exit(0)
Window.bind(on_flip=shown)
runTouchApp(Label(text="Chushan"))
"""

CHUSHAN = f"""{WINDOW}
from mobile.main import search_garbage_seldom
search_garbage_seldom()
from kivy.clock import Clock
from kivy.core.window import Window
from mobile.app import SOON, ChushanApp
app = ChushanApp(makes_ready=True)
seen = {{"frames": 0}}
def flip(*_):
    seen["frames"] += 1
    if seen["frames"] == 1:
        tell("frame")
    if app.way and seen.setdefault("shown", seen["frames"]) < seen["frames"]:
        if "usable" not in seen:
            seen["usable"] = True
            tell("usable")
def look(_):
    if "usable" in seen and all(map(app.manager.has_screen, SOON)):
        tell("ready"); os._exit(0)
Window.bind(on_flip=flip)
Clock.schedule_interval(look, 0.05)
app.run()
"""


# A phone with so many households --------------------------------------------------------------------


def fill(folder: Path, people: int) -> int:
    """Store invented households as a pull does, 500 of them in the first village; return how many."""
    from mobile.storage.database import open_store, put
    from mobile.storage.inbox import apply_lines, keep_hello
    from server.demo.people import invent_households
    from shared_schemas import wire
    from shared_schemas.codes.divisions import demo_divisions
    from tests.screens import seed

    first, *others = seed.villages()
    county = [d.code12 for d in demo_divisions() if d.level == 5 and d.code12[:6] == first[:6]]
    others = [code for code in county if code != first]
    store = open_store(folder / "chushan.db")
    with store.writing() as connection:
        keep_hello(connection, seed._hello())
        put(connection, "server", "http://127.0.0.1:9")
        put(connection, "token", "not-a-token")
        put(connection, "device_id", "9dev1ce000000")
    made = members = 0
    groups: dict[str, list[wire.Row]] = {}

    def store_groups() -> None:
        lines = [wire.group_rows(kind, rows) for kind, rows in groups.items()]
        with store.writing() as connection:
            apply_lines(connection, [{"cursor": f"c{made}", "more": False, "groups": lines}])
        groups.clear()

    for here, count in ((first, VILLAGE_HOUSEHOLDS), ("", people)):
        for household in invent_households(
            7 + bool(here), count, [here] if here else others, doubtful=0
        ):
            if not here and members >= people:
                break
            for kind, record in household.records():
                values = {name: value for name, value in record.items() if name != "id"}
                groups.setdefault(kind, []).append((record["id"], 100 + made, values))
            made, members = made + 1, members + len(household.members)
            if made % 500 == 0:
                store_groups()
    store_groups()
    store.close()
    return made


# Starts -----------------------------------------------------------------------------------------------


def started(
    code: str, folder: str, *, throttled: bool = False
) -> dict[str, tuple[float, float, float]]:
    """Start a process; return CPU ms, MB and ms on the clock at its first frame, when it is usable,
    and when the screens of a visit are made, before anybody has asked for them."""
    env = {
        **os.environ, "SDL_VIDEODRIVER": "offscreen", "LIBGL_ALWAYS_SOFTWARE": "1",
        "LP_NUM_THREADS": "1", "KIVY_NO_ARGS": "1", "KIVY_NO_CONFIG": "1", "KIVY_NO_FILELOG": "1",
        "KIVY_NO_CONSOLELOG": "1", "KIVY_METRICS_DENSITY": "1.5", "CHUSHAN_PLAIN": "1",
        "CHUSHAN_PHONE_DIR": folder,
    }  # fmt: skip
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        throttle = _Throttle(process.pid) if throttled else None
        assert process.stdout is not None
        found = {}
        for line in process.stdout:
            what, cpu, rss = line.decode().split()
            found[what] = (float(cpu), float(rss), (time.perf_counter() - began) * 1000)
            if what == "ready":
                break
        if throttle:
            throttle.end()
        process.wait(timeout=60)
    return found


class _Throttle:
    """Lets a process run a quarter of the time, on one core: 10 ms of every 40."""

    def __init__(self, pid: int) -> None:
        os.sched_setaffinity(pid, {0})
        self.stopper = subprocess.Popen(
            [sys.executable, "-c",
             "import os,signal,sys,time\n"
             "pid=int(sys.argv[1])\n"
             "try:\n"
             "  while True:\n"
             "    os.kill(pid,signal.SIGSTOP); time.sleep(.03)\n"
             "    os.kill(pid,signal.SIGCONT); time.sleep(.01)\n"
             "except ProcessLookupError: pass\n", str(pid)]
        )  # fmt: skip
        self.pid = pid

    def end(self) -> None:
        self.stopper.kill()
        self.stopper.wait()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)


# In the window ----------------------------------------------------------------------------------------


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the CPU time of one run of this process, its drawing included.

    Software GL draws later, in a thread of its own: what was asked before is finished first.
    """
    from kivy.graphics.opengl import glFinish

    glFinish()
    began = time.process_time_ns()
    work()
    glFinish()
    return (time.process_time_ns() - began) / 1e6


def rss_mb() -> float:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def in_the_window(folder: Path, actions: int) -> dict[str, Any]:
    """Open the app and measure what a cadre does; every figure a list of CPU ms."""
    exec(WITHOUT)
    from mobile.main import search_garbage_seldom

    search_garbage_seldom()

    from benchmarks.search import queries
    from tests.screens import seed
    from tests.screens.driver import Driver

    driver = Driver(folder, today=seed.TODAY)
    driver.start()
    driver.settle(0.5)
    app, found = driver.app, {"memory at the start": rss_mb()}
    app.make_ready()  # as the app does by itself once its first screen stands
    driver.settle(4)
    village = seed.villages()[0]
    connection = app.store.connection
    homes = [row["id"] for row in connection.execute(
        "SELECT id FROM household WHERE village_code = ? ORDER BY id", (village,))]  # fmt: skip

    def household_opened(household_id: str | None) -> None:
        app.touched_at_s = app.since_boot_s()
        app.open_visit(household_id, village)
        driver.pump(1)

    def form_opened(step: Any = None) -> None:
        app.go("questions", step=step or app.visit.steps("zh")[0])
        driver.pump(1)

    def opened(household_id: str) -> None:
        household_opened(household_id)
        form_opened()

    def left() -> None:
        app.end_visit()
        driver.pump(2)

    def list_opened() -> None:
        app.touched_at_s = app.since_boot_s()
        app.start_over("today")
        app.go("households", village_code=village)
        driver.pump(2)

    def somebody_added() -> None:
        app.touched_at_s = app.since_boot_s()
        member = app.visit.add_member()
        steps = app.visit.steps("zh")
        app.go("questions", step=next(step for step in steps if step.about == member.record_id))
        driver.pump(1)  # with the keys for his ID number
        assert app.manager.current_screen.keypad("resident_id").parent

    # The first household since the start: its questions are on the screen for the first time.
    found["new household opened, first"] = [cpu_ms(lambda: household_opened(None))]
    found["somebody added"] = []
    for _ in range(6):
        found["somebody added"].append(cpu_ms(somebody_added))
        app.manager.current_screen.keypad("resident_id").finish()
        driver.pump(1)
    left()
    found["household opened, first"] = [cpu_ms(lambda: household_opened(homes[0]))]
    found["form opened, first"] = [
        cpu_ms(lambda step=step: form_opened(step)) for step in app.visit.steps("zh")
    ]
    found["drawing"] = [
        cpu_ms(lambda: (app.root_window.canvas.ask_update(), driver.pump(1))) for _ in range(5)
    ]
    left()
    found["village list opened"] = [cpu_ms(list_opened) for _ in range(7)]
    source = random.Random(11)
    for name in ("household opened", "form opened", "answer saved", "answer saved and drawn"):
        found[name] = []
    for household_id in source.sample(homes, 15):
        found["household opened"].append(cpu_ms(lambda h=household_id: household_opened(h)))
        found["form opened"].append(cpu_ms(form_opened))
        form = app.visit.household
        for group in ("一组", "二组", "三组"):
            found["answer saved"].append(
                cpu_ms(lambda g=group, form=form: form.answer("group_no", g))
            )
            found["answer saved and drawn"].append(
                cpu_ms(lambda form=form: (form.answer("group_no", "九组"), driver.pump(1)))
            )
        left()
    found["fling"] = _fling(driver, list_opened)
    found["search"] = _search(app, driver, queries, source)
    found["household submitted"], bare = _submits(app.store, folder, village)
    found["bare insert"] = bare
    keys = [row["id"] for row in connection.execute("SELECT id FROM member LIMIT 2000")]
    found["bare look-up"] = [
        cpu_ms(
            lambda k=key: connection.execute("SELECT * FROM member WHERE id = ?", (k,)).fetchone()
        )
        for key in source.choices(keys, k=200)
    ]
    found["memory"] = _hour(driver, homes, village, actions, opened, left, list_opened)
    driver.stop()
    path = folder / "chushan.db"
    with sqlite3.connect(path) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        households = plain.execute("SELECT count(*) FROM household").fetchone()[0]
    found["bytes per household"] = path.stat().st_size / households
    found["households"] = households
    return found


def _fling(driver: Any, list_opened: Callable[[], None]) -> list[float]:
    """Roll through the village's list as a quick finger does: six rows a frame."""
    list_opened()
    rows = driver.app.manager.get_screen("households").ids.rows
    step = 6 / max(1, len(rows.data))
    frames = []
    for _ in range(120):
        rows.scroll_y = rows.scroll_y - step if rows.scroll_y > step else 1.0
        frames.append(cpu_ms(lambda: driver.pump(1)))
    return frames


def _search(app: Any, driver: Any, queries: Any, source: random.Random) -> dict[str, list[float]]:
    from mobile.storage.search import find_people

    connection = app.store.connection
    people = connection.execute(
        "SELECT name, id_no, phone FROM member WHERE id_no != '' AND phone != '' LIMIT 3000"
    ).fetchall()
    took: dict[str, list[float]] = {}
    find_people(connection, "wxl")  # the tables are read once
    chosen = source.sample(people, min(12, len(people)))
    for row in chosen:
        for kind, query in queries(row["name"], row["id_no"], row["phone"]).items():
            took.setdefault(kind, []).append(cpu_ms(lambda q=query: find_people(connection, q)))
    app.start_over("today")
    app.go("search")
    driver.pump(2)
    screen = app.manager.current_screen

    def look(query: str) -> None:
        screen.ids.search.ids.text_input.text = query
        screen.look()
        driver.pump(2)

    for row in chosen:
        took.setdefault("typed and drawn", []).append(cpu_ms(lambda r=row: look(r["name"][:2])))
    look("")
    return took


def _submits(store: Any, folder: Path, village: str) -> tuple[list[float], list[float]]:
    from benchmarks import save_form

    # Its own clock is the wall's, its village is of no scope; here everything is CPU time.
    save_form.ms, save_form.VILLAGE = cpu_ms, village
    touches, submits = save_form.Times(), save_form.Times()
    peer = save_form.Peer(folder / "plain.db")
    for serial in range(10):
        save_form.one_household(store, peer, serial, touches, submits)
        store.tidy()  # as the app does in a quiet moment
    peer.connection.close()
    return submits.ours, touches.plain


def _hour(
    driver: Any, homes: list[str], village: str, actions: int,
    opened: Callable[[str], None], left: Callable[[], None], list_opened: Callable[[], None],
) -> list[float]:  # fmt: skip
    """Do what a cadre does in an hour, by chance; return the memory after every tenth of it."""
    import gc

    source, app, memory = random.Random(12), driver.app, []

    def searched() -> None:
        app.start_over("today")
        app.go("search")
        screen = app.manager.current_screen
        screen.ids.search.ids.text_input.text = source.choice(("韦", "wx", "luo", "1234", "石"))
        screen.look()
        driver.pump(1)

    def rolled() -> None:
        list_opened()

    def visited() -> None:
        opened(source.choice(homes))
        steps = app.visit.steps("zh")
        app.go("questions", step=source.choice(steps))
        driver.pump(1)
        app.visit.household.answer("group_no", source.choice(("一组", "二组", "三组")))
        driver.pump(1)
        left()

    def day() -> None:
        app.start_over("today")
        driver.pump(1)

    for number in range(1, actions + 1):
        source.choices((visited, searched, rolled, day), weights=(6, 2, 1, 1))[0]()
        if number % max(1, actions // 10) == 0:
            gc.collect()
            memory.append(rss_mb())
    return memory


# The report -------------------------------------------------------------------------------------------


def _child(folder: Path, actions: int) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.phone", "--in", str(folder), str(actions)],
        env={**os.environ, "LP_NUM_THREADS": "1", "KIVY_NO_CONSOLELOG": "1"},
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return json.loads(ran.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def _taps() -> list[str]:
    """Return what the test that plays a family of four counted."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "tests/screens/test_taps.py"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return [line.lstrip(".") for line in ran.stdout.splitlines() if " by hand " in line]


def measure(actions: int = ACTIONS) -> Section:
    """Measure both sizes and return the section of the report."""
    sizes: dict[str, dict[str, Any]] = {}
    bare: list[dict[str, tuple[float, float, float]]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, people in (("500 households", 0), ("50,000 people", PEOPLE)):
            folder = Path(scratch) / str(people)
            folder.mkdir()
            fill(folder, people)
            started(CHUSHAN, str(folder))  # makes the byte code, which a phone has ready
            starts = []
            for _ in range(STARTS):
                bare.append(started(BARE, str(folder)))
                starts.append(started(CHUSHAN, str(folder)))
            slow = [started(CHUSHAN, str(folder), throttled=True) for _ in range(3)]
            sizes[name] = {"starts": starts, "slow": slow, **_child(folder, actions)}
    return _section(sizes, bare, actions)


def _section(sizes: dict[str, dict[str, Any]], bare: list[Any], actions: int) -> Section:
    small, large = sizes.values()
    bare_ms = statistics.median(one["frame"][0] for one in bare)
    bare_mb = statistics.median(one["frame"][1] for one in bare)

    def start(size: dict[str, Any], what: str, at: int = 0, of: str = "starts") -> float:
        return statistics.median(one[what][at] for one in size[of])

    def row(what: str, mine: Callable[[dict[str, Any]], float], peer: float, peers: str,
            goal: float | None = None) -> list[str]:  # fmt: skip
        values = [mine(small), mine(large)]
        end = f"{values[1] * QUARTER:,.0f}"
        if goal is not None:
            end += f", goal {goal:,.0f}: {'kept' if values[1] * QUARTER <= goal else 'MISSED'}"
        ratio = f"{values[1] / peer:.1f} × {peers}" if peer else ""
        return [what, *(f"{value:,.1f}" for value in values), ratio, end]

    median = statistics.median
    look_up = median(large["bare look-up"])
    insert = median(large["bare insert"])
    window = "bare window"
    search = [k for k in large["search"] if k != "typed and drawn"]
    rows = [
        row("first frame", lambda s: start(s, "frame"), bare_ms, window),
        row("usable", lambda s: start(s, "usable"), bare_ms, window, GOALS["start"]),
        row("village list of 500 opened", lambda s: median(s["village list opened"]), bare_ms, window),
        row("new household, its first question, first since the start",
            lambda s: median(s["new household opened, first"]), bare_ms, window, GOALS["form"]),
        row("somebody added, the keys for his number open, first since the start",
            lambda s: s["somebody added"][0], bare_ms, window, GOALS["form"]),
        row("somebody added, the keys for his number open",
            lambda s: median(s["somebody added"][1:]), bare_ms, window, GOALS["form"]),
        row("form opened first since the start, the slowest of all steps",
            lambda s: max(s["form opened, first"]), bare_ms, window, GOALS["form"]),
        row("household opened and drawn, first since the start",
            lambda s: median(s["household opened, first"]), bare_ms, window),
        row("household opened and drawn", lambda s: median(s["household opened"]), bare_ms, window),
        row("form opened and drawn", lambda s: median(s["form opened"]), bare_ms, window, GOALS["form"]),
        row("answer saved", lambda s: median(s["answer saved"]), insert, "bare insert", GOALS["save"]),
        row("answer saved and drawn", lambda s: median(s["answer saved and drawn"]), insert, "bare insert"),
        row("household of four submitted", lambda s: median(s["household submitted"]), insert, "bare insert"),
        row("search, slowest kind of query", lambda s: max(median(s["search"][k]) for k in search),
            look_up, "bare look-up", GOALS["search"]),
        row("search typed and drawn", lambda s: median(s["search"]["typed and drawn"]), look_up, "bare look-up"),
        row("fling, p95 of a frame", lambda s: percentile(s["fling"], 0.95), bare_ms, window),
    ]  # fmt: skip
    notes = [
        f"Bare Kivy window: {bare_ms:.0f} CPU-ms to its first frame, {bare_mb:.0f} MB; bare sqlite3:"
        f" {insert:.3f} ms for an insert with its commit, {look_up:.3f} ms for a look-up by key.",
        f"Of what is drawn, {median(large['drawing']):.0f} ms are one drawing of the window by the CPU;"
        " on a phone the graphics chip draws.",
        "On the clock, pinned to one core and stopped three quarters of the time, the app was usable after "
        + " and ".join(f"{start(s, 'usable', 2, 'slow') / 1000:.1f} s ({n})" for n, s in sizes.items())
        + ", and had the screens of a visit ready "
        + " and ".join(
            f"{(start(s, 'ready', 2, 'slow') - start(s, 'usable', 2, 'slow')) / 1000:.1f} s" for s in sizes.values()
        )
        + " later; this machine's core, not a phone's.",
        *(
            f"Memory with {name}: {start(size, 'usable', 1):.0f} MB when usable; over {actions:,} random"
            f" actions {', '.join(f'{mb:.0f}' for mb in size['memory'])} MB after each tenth."
            for name, size in sizes.items()
        ),
        "Database: " + " and ".join(
            f"{size['bytes per household']:,.0f} bytes a household ({size['households']:,} households)"
            for size in sizes.values()
        ) + ", search index included, unencrypted.",
        *_taps(),
    ]  # fmt: skip
    return Section(
        title="The phone app in the hand",
        command="python -m benchmarks.phone",
        told=__doc__.split("\n\n")[1].replace("`python -m benchmarks.phone [ACTIONS]`. ", "")
        .replace("\n", " ") + "Medians, where nothing else is said. The window's memory holds the driver and the inventor of"
        " people as well.",
        head=["CPU milliseconds", *sizes, "50,000 people beside", "times four"],
        rows=rows,
        notes=notes,
    )  # fmt: skip


def main(argv: list[str]) -> None:
    """Print the section; with `--in`, measure in the window and print JSON."""
    if argv[:1] == ["--in"]:
        print(json.dumps(in_the_window(Path(argv[1]), int(argv[2]))))
    else:
        print(measure(*(int(one) for one in argv)).markdown())


if __name__ == "__main__":
    main(sys.argv[1:])
