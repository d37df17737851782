#!/usr/bin/env bash
# Makes .venv and installs what `make demo`, `make test` or `make bench` need. Quick when nothing changed.
#
#   scripts/setup.sh app     what the server and the phone app need
#   scripts/setup.sh dev     that and what the tests need: PostgreSQL, Chromium, a screen in memory
#   scripts/setup.sh bench   that and the peers of the benchmarks
#
# System packages are installed where this runs as root on Debian or Ubuntu; elsewhere the one
# command to run is printed. Python packages come from requirements/ and those of Node from
# benchmarks/peers/package-lock.json, each checked by its hash.
set -euo pipefail
cd "$(dirname "$0")/.."

level=${1:-app}
venv=.venv

case $level in
  app | dev | bench) ;;
  *) echo "usage: scripts/setup.sh [app|dev|bench]" >&2; exit 2 ;;
esac

say() { printf '%s\n' "$*" >&2; }

# --- Python -----------------------------------------------------------------------------------

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  local name
  for name in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
    if command -v "$name" >/dev/null && is_new_enough "$name"; then
      command -v "$name"
      return
    fi
  done
  say "Chushan needs Python 3.11 or newer and found none. 需要 Python 3.11 或更新版本。"
  say "Debian 12 or newer: apt-get install python3   or name one: make demo PYTHON=/path/to/python3"
  exit 1
}

# --- System packages --------------------------------------------------------------------------

is_debian() { command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; }

is_installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

has_screen() { [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; }

wanted_packages() {
  local window="libgl1 libegl1 libgles2 libgl1-mesa-dri libmtdev1"
  "$python" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
  case $level in
    app) if has_screen; then echo $window; fi ;;
    # libatomic1: the driver that Playwright brings.
    *) echo $window xvfb xauth chromium fonts-noto-cjk libatomic1 postgresql default-jre-headless libzxing-core-java espeak-ng ;;
  esac
  if [ "$level" = bench ] && ! command -v npm >/dev/null; then echo nodejs npm; fi
}

install_system_packages() {
  local package missing=()
  for package in $(wanted_packages); do
    is_debian && is_installed "$package" || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then return; fi
  if ! is_debian; then
    if [ "$(uname -s)" = Linux ]; then
      say "Not Debian: please see to it that these are installed: ${missing[*]}"
    fi
    return
  fi
  if [ "$(id -u)" -ne 0 ]; then
    say "Some system packages are missing. Run this once, then start again. 请先运行下面这条命令:"
    say ""
    say "    sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
    say ""
    exit 1
  fi
  say "Installing system packages: ${missing[*]}"
  # The lists of a new machine are empty or old.
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# --- Python packages --------------------------------------------------------------------------

fingerprint() {
  "$python" - "$1" <<'PYTHON'
import hashlib, pathlib, sys

digest = hashlib.sha256(sys.version.encode() + str(pathlib.Path.cwd()).encode())
for name in (f"requirements/{sys.argv[1]}.txt", "requirements/build.txt", "pyproject.toml"):
    digest.update(pathlib.Path(name).read_bytes())
print(digest.hexdigest())
PYTHON
}

# A larger set holds the smaller ones, so a stamp of it is good for them too.
is_current() {
  local set sets="bench"
  [ "$level" = bench ] || sets="dev bench"
  [ "$level" != app ] || sets="app dev bench"
  [ -x $venv/bin/python ] || return 1
  for set in $sets; do
    [ "$(cat "$venv/.installed-$set" 2>/dev/null)" = "$(fingerprint "$set")" ] && return
  done
  return 1
}

install_python_packages() {
  if is_current; then return; fi
  say "Making $venv with $("$python" --version) (once, takes a minute or two) …"
  rm -f $venv/.installed-*
  # A folder that was moved or made by another Python is made anew.
  if ! $venv/bin/python -c 'import pip' 2>/dev/null; then
    rm -rf $venv
    "$python" -m venv $venv
  fi
  local pip="$venv/bin/python -m pip -qq --disable-pip-version-check"
  $pip install --require-hashes --only-binary :all: -r requirements/build.txt
  # pyspark has no wheels: it is a folder of Python and jars that nothing is compiled of.
  $pip install --require-hashes --only-binary :all: --no-binary pyspark --no-build-isolation \
    -r "requirements/$level.txt"
  $pip install --no-deps --no-build-isolation --no-index --editable .
  fingerprint "$level" >$venv/.installed-"$level"
}

# --- The peer that runs on Node -----------------------------------------------------------------

install_node_packages() {
  local peers=benchmarks/peers
  local stamp=$peers/node_modules/.installed
  if [ "$level" != bench ] || cmp -s $peers/package-lock.json $stamp; then return; fi
  say "Installing PouchDB for the benchmarks …"
  # Its database comes compiled in the package; nothing is built or fetched by scripts.
  npm ci --prefix $peers --ignore-scripts --no-audit --no-fund --loglevel=error
  cp $peers/package-lock.json $stamp
}

python=$(find_python)
install_system_packages
install_python_packages
install_node_packages
