"""Enrolment: a phone gets its token with the one-time code of the county."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mobile.storage.database import Store


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Where the server is, and the code that it takes once."""

    server: str
    code: str


def parse_enrolment(text: str) -> Enrolment:
    """Return the enrolment of a QR code's text; BadEnrolment (a SyncError) when it is none."""
    raise NotImplementedError


def typed_enrolment(server: str, code: str) -> Enrolment:
    """Return the enrolment that a person typed: small slips (o for 0, no hyphen) are mended."""
    raise NotImplementedError


def enrol(store: Store, enrolment: Enrolment, *, label: str = "", timeout_s: float = 20.0) -> None:
    """Ask the server for a token and keep it; then run `sync_once`. SyncError says why not."""
    raise NotImplementedError


def is_enrolled(store: Store) -> bool:
    """Tell whether the phone has a token."""
    raise NotImplementedError


def read_qr(image_path: str | Path) -> str:
    """Return the text of the QR code in a picture; BadEnrolment when there is none."""
    raise NotImplementedError
