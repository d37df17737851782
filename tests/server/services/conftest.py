import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from server.storage.engine import open_engine


@pytest.fixture(scope="module")
def fresh(upgraded_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return a maker of engines on databases of their own."""
    folder, number = tmp_path_factory.mktemp("worlds"), itertools.count()
    opened: list[Engine] = []

    def make() -> Engine:
        path = folder / f"{next(number)}.db"
        shutil.copy(upgraded_sqlite, path)
        opened.append(open_engine(f"sqlite:///{path}"))
        return opened[-1]

    yield make
    for engine in opened:
        engine.dispose()
