"""Runs every benchmark and writes docs/benchmarks.md: `python -m benchmarks.run [NAME …]`.

With names, only those are measured anew; the page keeps the sections of the others.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.measure import Section

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
NAMES = (
    "push_pull",
    "sync_bytes",
    "push_time",
    "fleet",
    "cut_link",
    "slow_link",
    "handover_codes",
    "cursor",
    "kill",
    "simulation",
    "save_form",
    "encryption",
    "phone",
    "search",
    "labour_query",
    "roster_import",
    "linkage",
    "households",
    "field_rules",
    "febrl",
    "arrival",
    "review_queue",
    "phone_index",
)
"""Modules of this folder; each has `measure() -> Section`."""

HEAD = """# Benchmarks

Measured by `make bench`, which installs the peers, runs every benchmark and writes this page. Each stands beside a peer or a limit that was measured in the same run on the same machine, since rates on a shared machine vary by a third from hour to hour: read the ratios, and the bytes, which are exact. One benchmark alone: `python -m benchmarks.push_pull`.
"""


def main(names: list[str]) -> None:
    """Measure and write the page."""
    sections = _present_sections()
    for name in names or list(NAMES):
        print(f"measuring {name} …", flush=True)
        section: Section = import_module(f"benchmarks.{name}").measure()
        sections[name] = section.markdown()
        print(sections[name], flush=True)
        _write(sections)


def _present_sections() -> dict[str, str]:
    if not PAGE.exists():
        return {}
    found = re.split(r"<!-- benchmark: (\w+) -->\n", PAGE.read_text(encoding="utf-8"))[1:]
    return {name: text.strip() + "\n" for name, text in zip(found[::2], found[1::2], strict=True)}


def _write(sections: dict[str, str]) -> None:
    parts = [f"<!-- benchmark: {name} -->\n{sections[name]}" for name in NAMES if name in sections]
    PAGE.write_text(HEAD + "\n" + "\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
