#!/usr/bin/env bash
# Builds the Android package into var/apk: `make apk`, or `make apk ARGS=release`. docs/phone-build.md
# says what the machine must have. Never run on the project's own machines, which cannot fetch the SDK.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v buildozer >/dev/null || {
  echo "buildozer is missing. In an environment of its own: pip install buildozer==1.6.0 python-for-android==2026.5.9" >&2
  echo "and see docs/phone-build.md for what else the build needs." >&2
  exit 1
}
# python-for-android starts the main.py that stands at the package's root.
trap 'rm -f main.py' EXIT
cp mobile/main.py main.py
cd mobile
buildozer android "${1:-debug}"
ls -l ../var/apk
