"""How a household's state, and what the county has to settle, look: a tone and an icon."""

from __future__ import annotations

STATE_LOOKS: dict[str, tuple[str, str]] = {
    "returned": ("warm", "returned"),
    "conflict": ("red", "split"),
    "held": ("red", "pause"),
    "draft": ("slate", "pen"),
    "to_visit": ("amber", "person"),
    "waiting": ("slate", "up"),
    "synced": ("green", "clock"),
    "approved": ("green", "check"),
}

MATTER_LOOKS: dict[str, tuple[str, str]] = {
    "conflict": ("red", "split"),
    "held": ("red", "pause"),
    "closed": ("amber", "info"),
    "listed_twice": ("amber", "info"),
}
"""How what the county has to settle looks, by `Matter.kind`."""
