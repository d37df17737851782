"""The phone's own small kit of widgets: how things look and feel, nothing of what they mean.

Each .py stands beside the .kv that says how it looks. Widgets know `mobile.theme` and each other;
they open no database and no socket.
"""

from __future__ import annotations

from pathlib import Path

from kivy.lang import Builder


def load_kv(python_file: str) -> None:
    """Load the .kv beside a .py, once: loaded twice, every rule would apply twice."""
    kv = str(Path(python_file).with_suffix(".kv"))
    if kv not in Builder.files:
        Builder.load_file(kv)
