# The commands of a working day; `make help` lists them. The environment is made when it is missing, once.

# Exits with 0 in a Python that this software runs on (`requires-python` in pyproject.toml).
IS_SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c '$(IS_SUPPORTED)' 2>/dev/null && echo $$name && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
RUN_OPTIONS ?= --clients 3 --rounds 5
FUZZ_RUNS ?= 200000

.DEFAULT_GOAL := help

.PHONY: help
help: ## list these commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

.PHONY: run
run: $(VENV)/installed ## train a federation of 3 clients for 5 rounds, without a screen
	$(BIN)/flconsole run --headless $(RUN_OPTIONS)

.PHONY: test
test: $(VENV)/installed-dev ## run the whole test suite, two tests at a time
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

.PHONY: check
check: $(VENV)/installed-dev ## lint, formatting, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: bench
bench: $(VENV)/installed-dev ## measure, and write the figures under benchmarks/results/
	$(BIN)/python -m benchmarks

.PHONY: fuzz
fuzz: $(VENV)/installed-dev ## look for input that brings a reader down, on Linux; FUZZ_RUNS=N inputs
	$(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	$(BIN)/python -m tests.hostile_frames.fuzz --runs $(FUZZ_RUNS)

.PHONY: format
format: $(VENV)/installed-dev ## format the code and repair what can be repaired
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: clean
clean: ## remove the environment and every cache; runs/ stays
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(or $(PYTHON),false) -c '$(IS_SUPPORTED)' || \
		{ echo "Python 3.11 to 3.13 is needed; name one: make PYTHON=/path/to/python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 2; }

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $(VENV)/installed $@
