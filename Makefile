# Everything that a person or a machine does with a checkout. `make help` lists it.
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
READY := $(VENV)/.ready
PINNED := --no-deps --only-binary :all: -r requirements.lock
OURS := --no-deps -e .
# the newest supported interpreter that is there, unless PYTHON names one
PYTHON ?= $(shell for v in 3.11 3.12 3.13; do command -v python$$v >/dev/null 2>&1 && python$$v -c 'import venv, ensurepip' 2>/dev/null && { echo python$$v; break; }; done || true)
PYTHON := $(or $(PYTHON),python3)
ARGS ?=
SEEDS ?= 200
# of pytest, one more than the cores of a small machine: many tests wait; 0 runs them in one, for a debugger
PROCESSES ?= 3
KERNEL_TESTS := trading_platform_tests/calc trading_platform_tests/wire

.DEFAULT_GOAL := help
.PHONY: help setup demo test format lint types contracts unit bounds checked docs pages screenshots bench torture fuzz kiteconnectjs lock clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

setup: $(READY)  ## create .venv, install pinned dependencies, compile the kernels

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "error: $(PYTHON) is not Python 3.11, 3.12 or 3.13; run: make PYTHON=/path/to/python3.11 setup"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8,<1'
	@# uv takes a fifth of pip's time; where it does not get through (a proxy, an index only pip knows of), pip does
	$(BIN)/uv pip install --quiet --python $(BIN)/python $(PINNED) || $(BIN)/python -m pip install --quiet $(PINNED)
	$(BIN)/uv pip install --quiet --python $(BIN)/python $(OURS) || $(BIN)/python -m pip install --quiet $(OURS)
	@touch $(INSTALLED)

$(READY): $(INSTALLED)
	$(BIN)/trading-platform warmup
	@touch $(READY)

demo: setup  ## trade a session through everything and open the Dagster UI; ARGS=--once ends by itself
	$(BIN)/trading-platform demo $(ARGS)

test: $(INSTALLED)  ## format, lint, types, import contracts, docs, all tests
	@# kernels are compiled as they are used and with bounds checks, each on a core, before what takes less
	$(MAKE) --jobs=2 --output-sync=target setup checked format lint types contracts docs
	@# the short run beside the long one, which waits a good part of its time and ends last; what is tested with checks
	@# is not tested once more without: all other tests use these kernels without checks
	$(MAKE) --jobs=2 bounds unit ARGS='$(KERNEL_TESTS:%=--ignore=%) $(ARGS)'

format:
	$(BIN)/ruff format --check .

lint:
	$(BIN)/ruff check .

types:
	$(BIN)/mypy

contracts:
	$(BIN)/lint-imports

# kernels do not check bounds by themselves: here their tests run with the checks compiled in
bounds: checked
	NUMBA_BOUNDSCHECK=1 $(BIN)/python -m pytest -q $(KERNEL_TESTS)

# compiled once, before all processes of pytest want the same kernels
checked: $(INSTALLED)
	NUMBA_BOUNDSCHECK=1 $(BIN)/trading-platform warmup

unit:
	$(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal $(ARGS)

docs: setup  ## build the documentation into build/site; a broken link fails it, and so does anything loaded from elsewhere
	$(BIN)/zensical build --clean --strict
	@! grep -rEl '(src|<link[^>]*href)="(https?:)?//' build/site --include='*.html' || { echo "error: these pages load from elsewhere"; exit 1; }

pages: setup  ## write the pages of docs/ that are made from the code
	$(BIN)/python -m trading_platform_tests.pages

screenshots: setup  ## take the pictures of docs/images from the UI of a small platform
	mkdir -p docs/images
	SCREENSHOTS=docs/images $(BIN)/python -m pytest trading_platform_tests/browser

bench: setup  ## loads, latencies and ratios to a peer in the same run, as JSON
	$(BIN)/trading-platform bench --json $(ARGS)
	$(BIN)/python -m trading_platform_tests.benchmarks

torture: setup  ## kill everything at random, 200 seeds (SEEDS); Redis away; faults of the official client; mutated frames; fuzz
	$(BIN)/python -m trading_platform_tests.torture.crashes --seeds $(SEEDS)
	$(BIN)/python -m trading_platform_tests.torture.feed_crashes --seeds $(SEEDS)
	$(BIN)/python -m trading_platform_tests.torture.start_stop
	$(BIN)/python -m trading_platform_tests.torture.redis_away
	NUMBA_BOUNDSCHECK=1 $(BIN)/python -m trading_platform_tests.torture.mutated_frames
	$(BIN)/python -m trading_platform_tests.official
	$(MAKE) fuzz

fuzz: setup  ## let a coverage-guided fuzzer loose on everything that parses (installs atheris, which Linux has)
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fuzz]'
	$(BIN)/python -m trading_platform_tests.torture.coverage_fuzz $(ARGS)

kiteconnectjs: setup  ## the exchange against the official JavaScript client; needs Node.js 20 or newer and npm
	@command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || \
		{ echo "error: this needs Node.js 20 or newer with npm; nothing else here does"; exit 2; }
	cd trading_platform_tests/kiteconnectjs && npm ci --ignore-scripts --no-audit --no-fund && \
		TRADING_PLATFORM=$(abspath $(BIN))/trading-platform node --test --test-reporter=spec $(ARGS)

lock: $(INSTALLED)  ## write requirements.lock anew
	$(BIN)/uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --no-header --no-emit-index-url -o requirements.lock

clean:  ## remove what set-up and the demo made
	rm -rf $(VENV) .demo
