.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PLOTTING := $(VENV)/.plotting
BENCH_REPORT := $(BIN)/python -m bench.report && $(BIN)/python -m bench.plots

.PHONY: help setup demo test check unit kafka bench bench-quick bench-report format clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("tailrace needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	$(BIN)/python -m tailrace.codec.native
	@touch $@

setup: $(READY) ## make the virtual environment with everything in it

demo: $(READY) ## run the whole job on an embedded broker, with a live view and a proof at the end
	$(BIN)/tailrace demo

check: $(READY) ## lint, types, layers, schema compatibility
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tailrace.codec.compatibility schemas

unit: $(READY) ## every test that needs no real Kafka
	$(BIN)/python -m pytest -m "not kafka" --numprocesses auto

kafka: $(READY) ## the suite on a real Apache Kafka (Docker, or TAILRACE_TEST_BOOTSTRAP)
	$(BIN)/python -m pytest -m kafka

test: check unit kafka ## everything: check, then every test; real-Kafka tests are skipped where no engine runs

$(PLOTTING): $(READY)
	$(BIN)/python -m pip install --quiet --group bench
	@touch $@

bench-quick: $(PLOTTING) ## every comparison on a real Kafka at a small size, then tables and plots; an hour
	$(BIN)/python -m bench.compare --quick; code=$$?; $(BENCH_REPORT) && exit $$code

bench: $(PLOTTING) ## the same at full size, steps, and memory over five million events; four and a half hours
	$(BIN)/python -m bench.compare --full; code=$$?; \
	$(BIN)/python -m bench.steps || code=1; \
	$(BIN)/python -m bench.memory --full || code=1; $(BIN)/python -m bench.memory --full --let-go || code=1; \
	$(BENCH_REPORT) && exit $$code

bench-report: $(PLOTTING) ## tables and plots in bench/ from the results that are there
	$(BENCH_REPORT)

format: $(READY) ## rewrite the sources in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove what the targets above made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
