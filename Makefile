# The front door. `make demo` to try it, `make test` to check it.
.DEFAULT_GOAL := help
.PHONY: help demo test lint bench docs pictures apk check-apk check-python check-desktop lock setup-app setup-dev setup-bench

ARGS ?=
PYTHON ?= python3
export PYTHON

help: ## Say what can be made.
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile | expand -t 20

demo: setup-app ## Server with two invented counties, and the phone app where there is a screen.
	@.venv/bin/chushan demo $(ARGS)

test: setup-dev lint ## Everything: style, types, imports, all tests on both databases, browser, window.
	@# A worker that crashes ends the run with its name: started anew, it may wait for ever.
	@.venv/bin/python -m pytest --numprocesses auto --dist loadfile --max-worker-restart 0 $(ARGS)

lint: setup-dev ## Style, types and who may import whom.
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench: setup-bench ## Measure, beside a peer, and write docs/benchmarks.md.
	@.venv/bin/python -m benchmarks.run $(ARGS)

docs: setup-dev ## Write the generated pages of docs/ anew.
	@.venv/bin/python -m scripts.build_docs

pictures: setup-dev ## Take the pictures in docs/pictures anew.
	@.venv/bin/python -m scripts.take_pictures $(ARGS)

apk: ## The Android package, where buildozer and the Android SDK are: see docs/phone-build.md.
	@scripts/build_apk.sh $(ARGS)

check-apk: setup-dev ## What can be checked of the Android package without the SDK.
	@scripts/check_apk.sh $(ARGS)

check-python: setup-dev ## The phone app under the Python 3.14 of the Android package; needs root.
	@scripts/check_python.sh $(ARGS)

check-desktop: setup-dev ## The phone app installed by pipx, and opened.
	@scripts/check_desktop.sh

lock: setup-dev ## Choose versions anew: requirements/*.txt.
	@scripts/lock.sh

setup-app setup-dev setup-bench:
	@scripts/setup.sh $(subst setup-,,$@)
