#!/usr/bin/env bash
# Writes requirements/*.txt: exact versions with hashes, for every platform, none younger than 7 days.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=var/lock-tools
python=${PYTHON:-.venv/bin/python}
[ -x $tools/bin/uv ] || { "$python" -m venv $tools && $tools/bin/pip install --quiet "uv>=0.9"; }

newest=$(date -u -d '7 days ago' +%Y-%m-%dT00:00:00Z)
compile() {
  $tools/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
    --exclude-newer "$newest" --no-emit-index-url --no-header "$@"
}

# Only what is wheels on every platform we name: nothing is built on a county's machine.
compile --extra mobile --extra server --extra linkage pyproject.toml -o requirements/app.txt
compile --extra mobile --extra server --extra linkage --extra test -c requirements/app.txt pyproject.toml -o requirements/dev.txt
compile --extra mobile --extra server --extra linkage --extra test --extra bench -c requirements/dev.txt pyproject.toml \
  -o requirements/bench.txt
python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' |
  compile - -o requirements/build.txt
