"""How dense the codes of a hand-over may be to be read off a hand-held photo, and what they hold.

`python -m benchmarks.handover_codes [PHOTOS]`. No camera is here: a photo is simulated. The code
stands on a screen of 540 × 1170 points as `mobile.screens.codes` draws it; the screen fills 60 to 85 %
of the photo's height, is turned by up to 6° and seen aslant, and the photo is unsharp, grey, noisy and
a JPEG. The phone's reader is ZXing in Java through pyjnius, with CLASSPATH as in the tests; the PC's
is zxing-cpp.
"""

from __future__ import annotations

import io
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import segno
from PIL import Image, ImageFilter

from benchmarks.measure import Section
from mobile.device import qr
from mobile.storage import outbox
from mobile.storage.database import open_store, put
from mobile.storage.outbox import NewChange
from mobile.sync import codes, handover
from server.demo.people import invent_households
from shared_schemas.qr_series import MOST_CODES, PIECE_BYTES, to_base45

PHOTOS = 40
PIECES = (200, 300, 400, 500, 600, 800)
SIZES = ((900, 1200), (1500, 2000))
SCREEN = (540, 1170)
QUIET_ZONE = 4
VILLAGE = "522326111201"
HOUSEHOLDS = (1, 5, 20, 60)


def shown(text: str) -> tuple[Image.Image, int]:
    """Return the screen that shows a code, and how many modules the code has."""
    rows = [list(row) for row in segno.make_qr(text, error="l").matrix_iter(border=QUIET_ZONE)]
    points = np.array([[0 if dark else 255 for dark in row] for row in rows], dtype="uint8")
    side = SCREEN[0] // len(rows) * len(rows)
    screen = Image.new("L", SCREEN, 255)
    code = Image.fromarray(points).resize((side, side), Image.Resampling.NEAREST)
    screen.paste(code, ((SCREEN[0] - side) // 2, 250))
    return screen, len(rows) - 2 * QUIET_ZONE


def photo_of(screen: Image.Image, size: tuple[int, int], seed: int) -> Image.Image:
    """Return the screen as a hand-held camera sees it."""
    source = random.Random(seed)
    width, height = size
    high = height * source.uniform(0.6, 0.85)
    wide = high * screen.width / screen.height
    middle = (width / 2 + source.uniform(-30, 30), height / 2 + source.uniform(-20, 20))
    turned = np.radians(source.uniform(-6, 6))
    corners = []
    for right, down in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        x = right * wide / 2 * (1 + down * source.uniform(-0.04, 0.04))
        y = down * high / 2 * (1 + right * source.uniform(-0.04, 0.04))
        corners.append((middle[0] + x * np.cos(turned) - y * np.sin(turned),
                        middle[1] + x * np.sin(turned) + y * np.cos(turned)))  # fmt: skip
    seen = screen.transform(
        size, Image.Transform.PERSPECTIVE, _perspective(screen, corners),
        Image.Resampling.BICUBIC, fillcolor=60,
    ).filter(ImageFilter.GaussianBlur(source.uniform(0.5, 1.1)))  # fmt: skip
    light = np.array(seen, float) * source.uniform(0.7, 0.95) + source.uniform(0, 30)
    light += np.random.default_rng(seed).normal(0, 6, light.shape)
    kept = io.BytesIO()
    Image.fromarray(light.clip(0, 255).astype("uint8")).save(kept, "JPEG", quality=80)
    return Image.open(kept).convert("L")


def _perspective(screen: Image.Image, corners: Sequence[tuple[float, float]]) -> list[float]:
    """Return the eight coefficients by which Pillow finds a point of the photo on the screen."""
    of_screen = ((0, 0), (screen.width, 0), (screen.width, screen.height), (0, screen.height))
    lines = []
    for (x, y), (u, v) in zip(corners, of_screen, strict=True):
        lines.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        lines.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    wanted = [float(coordinate) for corner in of_screen for coordinate in corner]
    return [float(c) for c in np.linalg.solve(np.array(lines, float), np.array(wanted))]


def read(piece: int, size: tuple[int, int], photos: int) -> tuple[int, int, int]:
    """Return the modules of a code, and how many photos the phone's and the PC's reader read."""
    source = random.Random(piece)
    by_java = by_cpp = modules = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.png"
        for seed in range(photos):
            data = to_base45(source.randbytes(piece))
            text = f"CSQ1/{source.getrandbits(64):016X}/{seed % 24 + 1}/24/{data}"
            screen, modules = shown(text)
            photo = photo_of(screen, size, seed)
            photo.save(path)
            by_cpp += qr.texts_by_cpp(path) == [text]
            by_java += qr.texts_by_java(photo.tobytes(), *photo.size) == [text]
    return modules, by_java, by_cpp


def held(households: int) -> tuple[int, int, int]:
    """Return how many changes invented households are, the bytes of their file, and its codes."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "chushan.db")
        count = 0
        with store.writing() as connection:
            put(connection, "token", "not-a-token")
            put(connection, "device_id", "9dev1ce000000")
            for household in invent_households(5, households, [VILLAGE], doubtful=0):
                records = list(household.records())
                home = records[0][1]["id"]
                edits = [
                    NewChange(kind, record["id"], {k: v for k, v in record.items() if k != "id"},
                              "", 0, count)
                    for kind, record in records
                ]  # fmt: skip
                outbox.add(connection, home, edits)
                count += len(edits)
        bundle = handover.write_bundle(store, in_chunk=codes.CHANGES_IN_CHUNK)
        assert bundle is not None
        size = Path(bundle.path).stat().st_size
        store.close()
    return count, size, -(-size // PIECE_BYTES)


def measure(photos: int = PHOTOS) -> Section:
    """Read photos of codes of each density and size; return the section of the report."""
    if "CLASSPATH" not in os.environ:
        raise SystemExit("ZXing is needed: CLASSPATH=/usr/share/java/core.jar")
    rows = []
    for piece in PIECES:
        cells: list[object] = [f"{piece}{' (ours)' if piece == PIECE_BYTES else ''}"]
        for size in SIZES:
            modules, by_java, by_cpp = read(piece, size, photos)
            cells += [f"{by_java} of {photos}", f"{by_cpp} of {photos}"]
        cells.insert(1, modules)
        rows.append(cells)
    hold = []
    for households in HOUSEHOLDS:
        changes, size, count = held(households)
        fits = "" if count <= MOST_CODES else f", of which the first {MOST_CODES} go at once"
        hold.append(f"{households} ({changes} changes): {size:,} bytes, {count} codes{fits}")
    (near, far) = (f"{width:,} × {height:,}" for width, height in SIZES)
    return Section(
        "Hand-over by codes",
        "python -m benchmarks.handover_codes",
        "How many simulated photos of one code off a phone's screen are read, by the bytes in it;"
        " the code is as wide as the screen, so more bytes are smaller modules. A photo is slanted,"
        " unsharp, grey, noisy and a JPEG. A phone reduces its camera's picture to a long side of"
        " 1,500 to 3,000 points before it reads. No real camera was here.",
        ["bytes in a code", "modules", f"{near}: phone's reader", "PC's", f"{far}: phone's reader",
         "PC's"],
        rows,
        [f"New households with all their members, wishes and consents: {'; '.join(hold)}."],
    )  # fmt: skip


if __name__ == "__main__":
    print(measure(*(int(argument) for argument in sys.argv[1:])).markdown())
