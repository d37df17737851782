"""Build the preset dictionary of a protocol version from messages about invented people.

    python scripts/build_dictionary.py shared_schemas/dictionaries/NEW-VERSION.txt

A dictionary is frozen once its protocol version is in use: an old phone cannot read what was packed
with another. So a new one goes with a new dated protocol version only, never over an existing file.
"""

import random
import sys
from pathlib import Path

from server.demo.people import invent_households
from shared_schemas import wire
from shared_schemas.changes import Change

LONGEST = 28_000
BATCH = 60


def main(path: Path) -> None:
    """Write the dictionary: typical batches, so that headers, rows and their joints recur."""
    if path.exists():
        sys.exit(f"{path} is in use; a dictionary goes with a new protocol version")
    dice = random.Random(7)
    villages = [f"5223261{town:02}2{village:02}" for town in range(12) for village in range(1, 12)]
    at_ms, changes = 1_790_000_000_000, []
    for household in invent_households(7, 60, villages):
        for kind, record in household.records():
            at_ms += dice.randrange(1_000, 60_000)
            values = {k: v for k, v in record.items() if k != "id" and v is not None}
            changes.append(Change(len(changes) + 1, kind, record["id"], 0, at_ms, values))
    batches = [
        wire.to_json({"changes": wire.group_changes(changes[i : i + BATCH])})
        for i in range(0, len(changes), BATCH)
    ]
    # Deflate reaches the end of a dictionary most cheaply, so the newest batch comes last.
    path.write_bytes(b"".join(batches)[-LONGEST:])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
