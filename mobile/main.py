"""Starts the phone app. python-for-android wants a main.py; on a PC it is `chushan-phone`.

Kivy reads its environment when it is first imported, so it is set here, before that.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence

DESKTOP_WIDTH, DESKTOP_HEIGHT = 420, 860
"""Size of the window on a PC, about that of a phone held in the hand."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the app until it is closed."""
    search_garbage_seldom()
    on_phone = "ANDROID_ARGUMENT" in os.environ
    if not on_phone:
        _read_arguments(argv)
    os.environ.setdefault("KIVY_NO_ARGS", "1")
    os.environ.setdefault("KIVY_NO_CONFIG", "1")  # the app has its own settings
    os.environ.setdefault("KIVY_NO_FILELOG", "1")  # no personal data beside the database
    if not on_phone:
        # Kivy reports each missing clipboard program with a traceback; failures still end the app.
        os.environ.setdefault("KIVY_NO_CONSOLELOG", "1")
        from kivy.config import Config

        Config.set("graphics", "width", os.environ.get("CHUSHAN_WIDTH", str(DESKTOP_WIDTH)))
        Config.set("graphics", "height", os.environ.get("CHUSHAN_HEIGHT", str(DESKTOP_HEIGHT)))
        Config.set("input", "mouse", "mouse,disable_multitouch")  # no red dots on right click
    from mobile.app import ChushanApp

    ChushanApp(makes_ready=True).run()
    return 0


def search_garbage_seldom() -> None:
    """Let Python search the newest 20,000 objects for garbage, not 700; the others while the app rests.

    It looked through all modules and rules of kv while a form opened, 60 ms on a PC each time.
    """
    gc.set_threshold(20_000, 50)


def _read_arguments(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(
        prog="chushan-phone",
        description="Open the Chushan phone app in a window.",
        epilog="The phone's database stands in --folder, by default in your data folder.",
    )
    parser.add_argument("--folder", help="folder of this phone's database and settings")
    parser.add_argument(
        "--plain",
        action="store_true",
        help="for developers, with invented people only: no PIN, and a database without encryption",
    )
    arguments = parser.parse_args(argv)
    if arguments.plain:
        os.environ["CHUSHAN_PLAIN"] = "1"
    if arguments.folder:
        os.environ["CHUSHAN_PHONE_DIR"] = arguments.folder


if __name__ == "__main__":
    sys.exit(main())
