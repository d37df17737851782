#!/usr/bin/env bash
# Installs the phone app as an office does, `pipx install`, from a wheel into a folder of its own, and
# opens its window without a screen: `make check-desktop`. Needs a package registry; a minute or two.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
app=
trap '[ -z "$app" ] || kill "$app" 2>/dev/null || true; rm -rf "$work"' EXIT

.venv/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work/wheel" .
.venv/bin/python -m venv "$work/tools"
"$work/tools/bin/pip" install --quiet pipx
export PIPX_HOME=$work/pipx PIPX_BIN_DIR=$work/bin PIPX_MAN_DIR=$work/man
"$work/tools/bin/pipx" install --quiet "$(echo "$work"/wheel/chushan-*.whl)[mobile]"

cd "$work" # nothing of the source is to be found from here
bin/chushan-phone --help
LIBGL_ALWAYS_SOFTWARE=1 SDL_VIDEODRIVER=offscreen bin/chushan-phone --folder "$work/phone" &
app=$!
for _ in $(seq 60); do
  if [ -s phone/chushan.db ]; then break; fi
  kill -0 "$app" || { echo "The app ended before it opened its database." >&2; exit 1; }
  sleep 1
done
sleep 5
kill -0 "$app" || { echo "The app ended by itself." >&2; exit 1; }
if [ ! -s phone/chushan.db ] || [ ! -s phone/key.json ]; then
  echo "The app made no database in a minute." >&2
  exit 1
fi
if head -c 15 phone/chushan.db | grep -q "SQLite format 3"; then
  echo "The database is not encrypted." >&2
  exit 1
fi
echo "Installed by pipx, opened, and its database is encrypted."
