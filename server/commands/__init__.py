"""Further commands of `chushan`, one module each; `server.cli` adds its `command`.

A module here defines `command`, a click command or group. `opened()` gives it its settings and its
upgraded database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click
from sqlalchemy import Engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

from server.services.upgrade import upgrade_database
from server.settings import Settings, settings_from
from server.storage.engine import open_engine
from shared_schemas.errors import ChushanError


@dataclass(frozen=True, slots=True)
class Opened:
    """The settings of this run and its upgraded database."""

    settings: Settings
    engine: Engine


def settings_or_exit() -> Settings:
    """Return the settings of the environment; a message instead of a traceback where one is wrong."""
    try:
        return settings_from()
    except ValueError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def opened() -> Iterator[Opened]:
    """Open and upgrade the database; errors with a stable code end the command with their words."""
    settings = settings_or_exit()
    try:
        engine = open_engine(settings.database_url)
        try:
            upgrade_database(engine)
            yield Opened(settings, engine)
        finally:
            engine.dispose()
    except ChushanError as error:
        words = [error.error.title(), error.error.title("en"), error.detail]
        raise click.ClickException(" · ".join(word for word in words if word)) from error
    except (OperationalError, ArgumentError, NoSuchModuleError) as error:
        raise click.ClickException(
            f"cannot use the database ({type(error).__name__}); see CHUSHAN_DATABASE_URL"
        ) from error
