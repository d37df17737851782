"""Who may import whom: the arrows of the architecture, and no module that cannot be imported alone."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_arrows_of_the_architecture_hold():
    checked = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    assert "0 broken" in checked.stdout


def test_phone_starts_without_what_belongs_to_the_server():
    """A phone has neither Flask nor SQLAlchemy; nor is anything slow imported before it is needed."""
    code = (
        "import sys, mobile.main, mobile.forms.visit, mobile.storage.database, mobile.sync.attempt\n"
        "print([m for m in ('flask', 'sqlalchemy', 'requests', 'server', 'zxingcpp')"
        " if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_shared_schemas_need_marshmallow_only():
    code = (
        "import sys, shared_schemas.rules, shared_schemas.wire, shared_schemas.messages\n"
        "print(sorted(m for m in ('flask', 'sqlalchemy', 'kivy', 'sqlite_utils', 'mobile', 'server')"
        " if m in sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
