"""Hand-over files from screen to screen: shown as QR codes, read from photos of them.

Two cadres stand side by side without internet and without trust in each other's Bluetooth. What is
shown is the very file that could be passed on, so file and codes of one bundle have one effect.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from mobile.device import device
from mobile.storage import outbox
from mobile.storage.database import Store
from mobile.sync import handover
from mobile.sync.client import SyncError
from mobile.sync.handover import Bundle, Carried, FromNewerApp, NoRoom, Receipt, Unreadable
from shared_schemas import handover as files
from shared_schemas import qr_series
from shared_schemas.locale import text
from shared_schemas.qr_series import MOST_CODES, PIECE_BYTES, Piece

KEPT_DAYS, MOST_SERIES = 7, 4
"""How long, and of how many files, half-read series are kept."""

CHANGES_IN_CHUNK = 25
"""Smaller than in a file, so that what does not fit into the codes is left out by the handful."""


class NoCodes(SyncError):  # noqa: N818 - these are named after what the cadre meets
    """A picture without a code of a hand-over file."""

    key = "codes.error.none"


class TooManyCodes(SyncError):  # noqa: N818
    """More than anybody photographs: it goes as a file."""

    key = "codes.error.too_many"


class DamagedCodes(SyncError):  # noqa: N818
    """The codes are all read and do not make the file that they name."""

    key = "codes.error.damaged"


# --- the phone that shows ---


def bundle_to_show(store: Store) -> Bundle | None:
    """Return the bundle to show: the last one while nothing is newer, else one that fits into the codes.

    None when nothing waits. Who has read half of a series goes on with it when it is shown again.
    """
    last = handover.last_bundle(store)
    waiting, unanswered = (
        count(store.connection) for count in (outbox.count_waiting, outbox.count_unanswered)
    )
    is_all = last is not None and not waiting and last.changes == unanswered
    if last is not None and is_all and Path(last.path).stat().st_size <= MOST_CODES * PIECE_BYTES:
        return last
    made = handover.write_bundle(
        store, most_bytes=MOST_CODES * PIECE_BYTES, in_chunk=CHANGES_IN_CHUNK
    )
    if made is None and unanswered:
        raise TooManyCodes
    return made


def texts_of(path: str | Path) -> list[str]:
    """Return the texts of the codes that hold a file; TooManyCodes, or Unreadable."""
    try:
        return qr_series.split(Path(path).read_bytes())
    except qr_series.TooLargeError as error:
        raise TooManyCodes from error
    except OSError as error:
        raise Unreadable from error


# --- the phone that reads ---


@dataclass(frozen=True, slots=True)
class Reading:
    """What a picture brought: how far its series is, and what became of it once it was whole."""

    have: tuple[int, ...]
    of: int
    came: Carried | Receipt | None = None

    def words(self, lang: str = "zh") -> str:
        """Return what to photograph next."""
        missing = [at for at in range(1, self.of + 1) if at not in self.have]
        between = "、" if lang == "zh" else ", "
        return text(
            "codes.progress", lang, have=len(self.have), missing=between.join(map(str, missing))
        )


def read_picture(store: Store, picture: str | Path) -> Reading:
    """Keep the pieces that a picture shows, in any order; a whole series is carried in or, a receipt, taken.

    What was read stays for the next picture, also when the app is killed.
    """
    pieces = _pieces_in(picture)
    try:
        _forget(store, keep={_name(piece) for piece in pieces})
        for piece in pieces:
            _keep(store, piece)
        folder = handover.folder_of(store, "codes") / _name(pieces[-1])
        have = {int(path.name): path.read_bytes() for path in folder.iterdir()}
    except OSError as error:
        raise NoRoom from error
    reading = Reading(tuple(sorted(have)), pieces[-1].of)
    if len(have) < reading.of:
        return reading
    try:
        data = qr_series.join(pieces[-1].series, have)
        came = _take(store, folder.with_suffix(files.SUFFIX), data)
    except NoRoom:
        raise  # the pieces stay: he makes room and photographs any code again
    except qr_series.DamagedError as error:
        _remove(folder)
        raise DamagedCodes from error
    except SyncError:
        _remove(folder)
        raise
    _remove(folder)
    return Reading(reading.have, reading.of, came)


def _pieces_in(picture: str | Path) -> list[Piece]:
    try:
        texts = device().qr_texts(Path(picture))
    except OSError as error:
        raise NoCodes from error
    pieces, is_newer = [], False
    for said in texts:
        try:
            pieces.append(qr_series.parse(said))
        except qr_series.TooNewError:
            is_newer = True
        except qr_series.NotACodeError:
            continue
    if not pieces:
        raise FromNewerApp if is_newer else NoCodes
    return pieces


def _name(piece: Piece) -> str:
    return f"chushan-{piece.series}-{piece.of}"


def _keep(store: Store, piece: Piece) -> None:
    folder = handover.folder_of(store, f"codes/{_name(piece)}")
    fresh = folder.with_name("piece.new")
    fresh.write_bytes(piece.data)
    fresh.replace(folder / str(piece.at))


def _take(store: Store, path: Path, data: bytes) -> Carried | Receipt:
    path.write_bytes(data)
    try:
        return handover.take(store, path)
    finally:
        path.unlink(missing_ok=True)


def _forget(store: Store, *, keep: set[str]) -> None:
    """Remove what was left half read: too old, or more than anybody reads at once."""
    folder = handover.folder_of(store, "codes")
    begun = [path for path in folder.iterdir() if path.is_dir() and path.name not in keep]
    begun.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    oldest_s = time.time() - KEPT_DAYS * 86_400  # the clock of the files themselves
    for rank, path in enumerate(begun, start=len(keep)):
        if rank >= MOST_SERIES or path.stat().st_mtime < oldest_s:
            _remove(path)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
