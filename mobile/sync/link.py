"""When the app syncs by itself: where work waits and the county can be reached.

A cadre walks in and out of signal all day. A probe costs one handshake and no byte of anybody's
data; it is tried again after longer and longer waits, and at once when the system says that a link
came up. What the system says is a hint: where it cannot tell, only trying does.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

SHORTEST_WAIT_S = 20.0
"""Also the rest after something was handed in: a cadre often corrects it at once."""
LONGEST_WAIT_S = 15 * 60.0
PROBE_S = 3.0


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known of the link. Times are seconds of a clock that nobody can set."""

    next_at_s: float
    wait_s: float = SHORTEST_WAIT_S
    had_signal: bool | None = None


def look(watch: Watch, now_s: float, *, waiting: int, has_signal: bool | None) -> Watch:
    """Return the watch after the system's hint: a link that came up ends the wait."""
    if not waiting:
        return Watch(now_s + SHORTEST_WAIT_S, had_signal=has_signal)
    if has_signal and watch.had_signal is False:
        return Watch(now_s, had_signal=True)
    return replace(watch, had_signal=has_signal)


def is_due(watch: Watch, now_s: float) -> bool:
    """Tell whether to probe now: not before its time, and not where the system knows of no link."""
    return now_s >= watch.next_at_s and watch.had_signal is not False


def after(watch: Watch, now_s: float, *, went_well: bool) -> Watch:
    """Return the watch after a probe, or after the sync that followed it."""
    wait_s = SHORTEST_WAIT_S if went_well else min(LONGEST_WAIT_S, watch.wait_s * 2)
    return replace(watch, next_at_s=now_s + wait_s, wait_s=wait_s)


def reaches(server: str, timeout_s: float = PROBE_S) -> bool:
    """Tell whether the county's server takes a connection."""
    address = urlsplit(server)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        with socket.create_connection((address.hostname or "", port), timeout_s):
            return True
    except OSError:
        return False
