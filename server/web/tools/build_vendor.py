"""Make static/vendor again: `python -m server.web.tools.build_vendor` (needs npm and a network).

Fetches pinned npm packages, compiles govuk-frontend's Sass with `govuk.scss`, copies htmx and the
licences, and writes VERSIONS with each file's SHA-256. The result is checked in, so that nobody who
runs the server needs npm. A test compares the checked-in files with VERSIONS.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

PINNED = {
    "govuk-frontend": "6.6.0",
    "htmx.org": "2.0.8",
    "sass": "1.108.2",
    "swagger-ui-dist": "5.33.3",
}
HERE = Path(__file__).parent
VENDOR = HERE.parent / "static" / "vendor"

MIT = """MIT License

Copyright (C) 2018 Crown Copyright (Government Digital Service)

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense,
and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so,
subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial
portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT
LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN
NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY,
WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def build() -> None:
    """Fetch, compile and copy; the whole of static/vendor is replaced."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "package.json").write_text(json.dumps({"dependencies": PINNED}))
        subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit"], cwd=work, check=True)
        modules = work / "node_modules"
        shutil.rmtree(VENDOR, ignore_errors=True)
        VENDOR.mkdir(parents=True)
        subprocess.run(
            ["npx", "sass", "--no-source-map", "--style=compressed", "--quiet-deps",
             f"--load-path={modules}", str(HERE / "govuk.scss"), str(VENDOR / "govuk-frontend.css")],
            cwd=work, check=True,
        )  # fmt: skip
        shutil.copy(modules / "htmx.org/dist/htmx.min.js", VENDOR / "htmx.js")
        shutil.copy(modules / "htmx.org/LICENSE", VENDOR / "htmx.LICENSE.txt")
        (VENDOR / "govuk-frontend.LICENSE.txt").write_text(MIT)
        swagger = modules / "swagger-ui-dist"
        for name in ("swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-bundle.js.LICENSE.txt"):
            shutil.copy(swagger / name, VENDOR / name)
        shutil.copy(swagger / "LICENSE", VENDOR / "swagger-ui.LICENSE.txt")
    write_versions()


def write_versions() -> None:
    """Write VERSIONS: the pinned packages, then `sha256  file` for each file."""
    lines = [f"# {name} {version}" for name, version in PINNED.items()]
    for file in sorted(VENDOR.iterdir()):
        if file.name != "VERSIONS":
            lines.append(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}")
    (VENDOR / "VERSIONS").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    build()
