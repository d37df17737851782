#!/usr/bin/env bash
# Checks what can be checked of the Android package without the SDK: `make check-apk`. The first run
# fetches buildozer and python-for-android (4 MB and their needs) into var/package-tools.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=var/package-tools
if [ ! -x $tools/bin/buildozer ]; then
  .venv/bin/python -m venv $tools
  $tools/bin/pip install --quiet buildozer==1.6.0 python-for-android==2026.5.9
fi
.venv/bin/python -m pytest -q tests/mobile/test_packaging.py "$@"
