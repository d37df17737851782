"""How a household's state looks: a tone and an icon; its words are `visit.state.*`."""

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
