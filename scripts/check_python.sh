#!/usr/bin/env bash
# Runs the tests of shared_schemas and of the phone app, its window among them, under the Python 3.14
# that the Android package brings: `make check-python`. PyPI has no Kivy 2.3.1 for it, but Debian's
# unstable branch has. Needs root, debootstrap and network; the first run takes ten minutes and 2 GB.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$(realpath -m "${CHUSHAN_UNSTABLE:-var/debian-unstable}")
packages="python3 python3-venv python3-kivy libgl1-mesa-dri libegl1 libgles2 libmtdev1"
# What the tests import besides the app: the county's server, and readers and writers of files.
modules="playwright pytest pytest-xdist hypothesis numpy openpyxl xlwt"

if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap >/dev/null; then
  echo "Run this as root, with debootstrap installed: apt-get install debootstrap" >&2
  exit 1
fi
if [ ! -e "$root/.complete" ]; then
  rm -rf "$root"
  debootstrap --variant=minbase --include=ca-certificates sid "$root" >/dev/null
  chroot "$root" apt-get install -y -qq --no-install-recommends $packages >/dev/null
  touch "$root/.complete"
fi

rm -rf "$root/src"
mkdir -p "$root/src"
git archive HEAD | tar x -C "$root/src"
# Debian leaves out the part of Kivy that plays touches.
kivy=$(chroot "$root" python3 -c 'import importlib.util as u; print(u.find_spec("kivy").origin.rpartition("/")[0])')
cp -r "$(.venv/bin/python -c 'import importlib.util as u; print(u.find_spec("kivy").origin.rpartition("/")[0])')/tests" "$root$kivy/"

# Processes that a test kills are looked up in /proc; it is mounted for this run alone.
unshare --mount sh -c "mount -t proc proc '$root/proc' && exec chroot '$root' sh -s" <<INSIDE
set -e
cd /src
[ -x /venv/bin/python ] || python3 -m venv --system-site-packages /venv
/venv/bin/pip install --quiet '.[server]' 'sqlite-utils>=4' sqlcipher3 cryptography zxing-cpp pillow $modules
PATH=/venv/bin:\$PATH
python --version
python -m pytest -q -p no:cacheprovider tests/shared_schemas tests/mobile tests/screens/test_taps.py \
  tests/screens/test_typing.py tests/screens/test_today_screen.py -m 'not slow' $@
INSIDE
