"""Enrolment: a phone gets its token with the one-time code of the county."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from mobile import VERSION
from mobile.device import device
from mobile.storage.database import Store, get, put
from mobile.sync.client import BadEnrolment, Client, NoQrFound

_ALPHABET = frozenset("0123456789ABCDEFGHJKMNPQRSTVWXYZ")  # Crockford base32: no I, L, O, U
_MISREAD = str.maketrans("ILO", "110")


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Where the server is, and the code that it takes once."""

    server: str
    code: str


def parse_enrolment(text: str) -> Enrolment:
    """Return the enrolment of a QR code's text; BadEnrolment (a SyncError) when it is none."""
    parts = urlsplit(text.strip())
    given = parse_qs(parts.query)
    if parts.scheme != "chushan" or parts.path != "enrol":
        raise BadEnrolment
    return typed_enrolment(given.get("server", [""])[0], given.get("code", [""])[0])


def typed_enrolment(server: str, code: str) -> Enrolment:
    """Return the enrolment that a person typed: small slips (o for 0, no hyphen) are mended.

    An address without a scheme is taken as https, on loopback as http. BadEnrolment when the
    address or the code cannot be one.
    """
    plain = "".join(code.upper().replace("-", "").split()).translate(_MISREAD)
    if len(plain) != 8 or not set(plain) <= _ALPHABET:
        raise BadEnrolment
    server = server.strip().rstrip("/")
    if "://" not in server:
        host = server.partition(":")[0]
        server = f"{'http' if host in ('localhost', '127.0.0.1') else 'https'}://{server}"
    try:
        address = urlsplit(server)
        _ = address.port  # ValueError for one that is no number
    except ValueError as error:
        raise BadEnrolment from error
    if address.scheme not in ("http", "https") or not address.hostname:
        raise BadEnrolment
    return Enrolment(server, f"{plain[:4]}-{plain[4:]}")


def enrol(store: Store, enrolment: Enrolment, *, label: str = "", timeout_s: float = 20.0) -> None:
    """Ask the server for a token and keep it; then run `sync_once`. SyncError says why not.

    A phone may be enrolled again; what is on it stays.
    """
    incarnation = str(get(store.connection, "incarnation"))
    client = Client(enrolment.server, timeout_s=timeout_s)
    try:
        answer = client.enrol(enrolment.code, incarnation, label, VERSION)
    finally:
        client.close()
    with store.writing() as connection:
        put(connection, "server", enrolment.server)
        put(connection, "token", answer["token"])
        put(connection, "device_id", answer["device_id"])


def is_enrolled(store: Store) -> bool:
    """Tell whether the phone has a token."""
    return bool(get(store.connection, "token"))


def read_qr(image_path: str | Path) -> str:
    """Return the text of the QR code in a picture; NoQrFound (a BadEnrolment) when there is none."""
    try:
        texts = device().qr_texts(Path(image_path))
    except OSError as error:  # Pillow's error for what is no picture is one
        raise NoQrFound from error
    if not texts:
        raise NoQrFound
    return next((text for text in texts if text.startswith("chushan:")), texts[0])
