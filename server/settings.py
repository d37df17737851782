"""Settings of the server, read once at start. `docs/settings.md` describes each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. Environment variables are `CHUSHAN_` and the name in capitals."""

    database_url: str = "sqlite:///var/chushan.db"
    """SQLAlchemy URL: `sqlite:///PATH` (default, embedded) or `postgresql+psycopg://…`."""
    secret_key: str = ""
    """Signs sessions and keys hashes. Empty: made at first start and kept beside the database."""
    data_dir: str = "var"
    """Where import reports and the secret key are kept."""
    public_url: str = "http://127.0.0.1:8020"
    """Address that phones and firms reach; it goes into enrolment codes."""
    secure_cookies: bool = False
    """Send the session cookie over HTTPS only. Set it wherever the server is not on loopback."""
    timezone: str = "Asia/Shanghai"
    """Where a day begins, for dates on pages and lists."""
    max_upload_bytes: int = 64 * 1024 * 1024
    """Largest roster file that the page takes."""
    reveals_per_day: int = 300
    """How many people's names and phones one firm may see in a day."""
    requests_per_minute: int = 600
    """Limit of API calls for one device or firm key."""
    sign_in_attempts: int = 10
    """Wrong passwords for one login within 15 minutes before it has to wait."""
    log_level: str = "INFO"
    """Lowest level that is logged."""


def settings_from(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of an environment; ValueError names a variable that cannot be read."""
    given: dict[str, object] = {}
    for entry in fields(Settings):
        raw = environ.get(f"CHUSHAN_{entry.name.upper()}")
        if raw is None:
            continue
        try:
            given[entry.name] = _READERS[entry.type](raw)  # type: ignore[index]
        except ValueError as error:
            raise ValueError(
                f"CHUSHAN_{entry.name.upper()}={raw!r} is not a {entry.type}"
            ) from error
    return Settings(**given)  # type: ignore[arg-type]


def _flag(raw: str) -> bool:
    if raw.lower() in ("1", "true", "yes"):
        return True
    if raw.lower() in ("0", "false", "no", ""):
        return False
    raise ValueError(raw)


_READERS = {"str": str, "int": int, "bool": _flag}


def secret_key_of(settings: Settings) -> str:
    """Return the secret key; make one beside the data at first start."""
    if settings.secret_key:
        return settings.secret_key
    path = Path(settings.data_dir) / "secret_key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            with os.fdopen(os.open(path, flags, 0o600), "w") as file:
                file.write(os.urandom(32).hex())
        except FileExistsError:
            pass
    return path.read_text().strip()
