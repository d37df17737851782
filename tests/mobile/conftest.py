import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from phones import County

from mobile.storage.database import Store, open_store

ZXING = Path("/usr/share/java/core.jar")
"""The reader of QR codes that the Android package brings, as Debian's libzxing-core-java."""
if ZXING.exists():
    # pyjnius reads it when it is first imported, by whichever test.
    os.environ.setdefault("CLASSPATH", str(ZXING))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "phone" / "chushan.db")
    yield opened
    opened.close()


@pytest.fixture
def county(tmp_path: Path, upgraded_sqlite: Path) -> Iterator[County]:
    (tmp_path / "county").mkdir()
    serving = County(tmp_path / "county", upgraded_sqlite)
    yield serving
    serving.stop()
