# Set-up happens once (.venv/.ready); every target starts from there. `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON_VERSION := 3.12
TOOLS := .tools
UV := $(shell command -v uv 2>/dev/null || echo $(TOOLS)/bin/uv)
PYTHON := .venv/bin/python
SWEEP := .venv/bin/hummingsweep

.PHONY: help setup sweep test test-long check docs format flower bench calibrate upstream lock clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: .venv/.ready  ## Python 3.12 in .venv with everything in requirements.lock (hummingbot is built and loops are compiled: about 5 minutes)

# uv itself, when the machine has none: into a folder of the project, by pip or by a small environment.
$(TOOLS)/bin/uv:
	@python3 -m pip install --quiet --disable-pip-version-check --target $(TOOLS) uv 2>/dev/null \
	  || (python3 -m venv $(TOOLS)/venv && $(TOOLS)/venv/bin/pip install --quiet uv && mkdir -p $(TOOLS)/bin \
	      && ln -sf ../venv/bin/uv $(TOOLS)/bin/uv)

# Byte code is made here: under PYTHONDONTWRITEBYTECODE every start of a child would compile hummingbot's imports again.
.venv/.ready: requirements.lock pyproject.toml | $(if $(findstring $(TOOLS),$(UV)),$(TOOLS)/bin/uv)
	@test -x $(PYTHON) || $(UV) venv --quiet --python $(PYTHON_VERSION) .venv
	@echo "setting up .venv (the first time hummingbot is built and loops are compiled: about 5 minutes)"
	@$(UV) pip install --quiet --compile-bytecode --python $(PYTHON) -r requirements.lock
	@$(UV) pip install --quiet --python $(PYTHON) --no-deps --editable .
	@$(PYTHON) -m compileall -q hummingsweep orchestrator tasks
	@test ! -f tasks/child/kernels.py || $(PYTHON) -m tasks.child.kernels
	@touch $@

examples/data: .venv/.ready examples/synthetic.py
	@$(PYTHON) examples/synthetic.py --to examples/data
	@touch $@

sweep: .venv/.ready examples/data  ## run the quickstart sweep: embedded server, local node, ranking
	@$(SWEEP) run examples/quickstart.yml --out runs/quickstart

test: .venv/.ready  ## the test suite (four processes on any machine: part of it waits for faults to take effect)
	@$(PYTHON) -m pytest -m "not long" --numprocesses 4 --dist loadfile --no-loadscope-reorder

test-long: .venv/.ready  ## the test suite with more cases and longer runs
	@$(PYTHON) -m pytest --timeout 1800

check: .venv/.ready  ## format, lint, strict types, import directions, the documentation
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports
	@$(MAKE) --no-print-directory docs

docs: .venv/.ready  ## the documentation site into build/site; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict

format: .venv/.ready  ## format the code
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix .

flower: .venv/.ready  ## Flower for the broker in HUMMINGSWEEP_BROKER
	@$(SWEEP) flower

bench: .venv/.ready  ## the benchmarks and the peers they compare with, one after the other (see benchmarks/README.md)
	@$(UV) pip install --quiet --python $(PYTHON) --constraint requirements.lock --group bench
	@$(SWEEP) bench all

# A second environment with another release of hummingbot, what it changes, and whether both engines still agree there.
upstream: .venv/.ready  ## VERSION=20261015: what another hummingbot release changes (builds it, about 4 minutes)
	@test -n "$(VERSION)" || { echo "say which release: make upstream VERSION=20261015"; exit 2; }
	@mkdir -p build/upstream
	@test -x build/upstream/$(VERSION)/bin/python || $(UV) venv --quiet --python $(PYTHON_VERSION) build/upstream/$(VERSION)
	@echo "hummingbot==$(VERSION)" > build/upstream/$(VERSION)-override.txt
	@cp requirements.lock build/upstream/$(VERSION).txt
	@$(UV) pip compile --quiet --universal --no-emit-index-url --no-annotate --python-version $(PYTHON_VERSION) \
	  --group dev pyproject.toml --override build/upstream/$(VERSION)-override.txt \
	  --output-file build/upstream/$(VERSION).txt
	@$(UV) pip install --quiet --python build/upstream/$(VERSION)/bin/python -r build/upstream/$(VERSION).txt
	@$(UV) pip install --quiet --python build/upstream/$(VERSION)/bin/python --no-deps --editable .
	@build/upstream/$(VERSION)/bin/python -m tasks.upstream.release_check; test $$? -lt 2
	@build/upstream/$(VERSION)/bin/python -m pytest -q -m "not long" -p no:cacheprovider tests/property/test_jump_equals_stock.py \
	  tests/unit/tasks/engine/test_jump_engine.py --deselect \
	  tests/unit/tasks/engine/test_jump_engine.py::test_what_was_verified_is_what_is_installed

calibrate: .venv/.ready  ## how often the verdict is wrong, on some 2,300 simulated sweeps, an hour (docs/trust/verdict.md); CANDLES=file.csv adds real moves
	@$(PYTHON) benchmarks/calibrate.py --markets 1000 --edges 264 --engine 3 $(if $(CANDLES),--candles $(CANDLES))

lock: | $(if $(findstring $(TOOLS),$(UV)),$(TOOLS)/bin/uv)  ## resolve the ranges of pyproject.toml into requirements.lock
	@$(UV) pip compile --quiet --universal --no-emit-index-url --no-annotate --python-version $(PYTHON_VERSION) \
	  --group dev --group docs pyproject.toml --output-file requirements.lock

clean:  ## forget the environment and every cache
	@rm -rf .venv $(TOOLS) build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
