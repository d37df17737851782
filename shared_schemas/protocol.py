"""The sync protocol's versions, media types and limits. `docs/protocol.md` explains them."""

from __future__ import annotations

PROTOCOL = "2026-11"
"""Dated version of the messages. A phone sends it with every request; the server may know several."""

SUPPORTED_PROTOCOLS = frozenset({PROTOCOL})

OLDEST_PULLED_SCHEMA = 1
"""Phones of an older schema are refused a pull until they are updated; never a push."""

PACKED = "application/vnd.chushan.sync"
"""Media type of the packed form: JSON, deflated with the preset dictionary (`wire.pack`)."""

MAX_PACKED_BYTES = 2 * 1024 * 1024
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
MAX_CHANGES = 1000
MAX_PAGE = 5000
ROWS_PER_LINE = 50
"""Rows per line of a pull: a cut link loses at most one line."""
