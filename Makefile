# Two commands matter: `make run` and `make test`. Each sets up all it needs (Python 3.11 or newer, and make).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= 2
SOURCES = $(wildcard app command_api query_api projections migrations tests)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: help setup run test faults bench advisories lint types check generate verify format clean

help: ## Show what this Makefile can do
	@echo "Kirana: make <target>"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-13s %s\n", $$1, $$2 }'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Kirana needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	@echo "Creating $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(STAMP): requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing packages …"
	@$(BIN)/python -m pip install -qq --requirement requirements.lock
	@$(BIN)/python -m pip install -qq --no-build-isolation --no-deps --editable .
	@touch $@

setup: $(STAMP) ## Create the virtual environment and install the locked packages

run: $(STAMP) ## Start everything: servers, migrations, procedures, demo catalog, APIs, projector (Ctrl-C stops it)
	@exec $(BIN)/kirana up

test: $(STAMP) ## Run all tests, on servers of their own (ARGS="-k cart" to choose, JOBS=8 for more workers)
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal $(ARGS)

faults: $(STAMP) ## Kill, cut, fill, flood and attack a whole store for half an hour; prints a table of what went wrong
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -m "long or not long" tests/faults tests/security $(ARGS)

bench: $(STAMP) ## Measure everything beside a reference of the same run (needs wrk; ARGS="--only pages", ARGS=--write)
	@$(BIN)/python -m pip install -qq 'pygal>=3.1,<4'
	@$(BIN)/python -m tests.bench $(ARGS)

advisories: $(STAMP) ## Ask the package index for known vulnerabilities of the locked packages (needs the network)
	@$(BIN)/python -m pip install -qq pip-audit
	@$(BIN)/pip-audit --requirement requirements.lock --no-deps --disable-pip

lint: $(STAMP) ## Check style, import rules and the SQL around the procedures
	@$(BIN)/ruff check --quiet $(SOURCES)
	@$(BIN)/ruff format --quiet --check $(SOURCES)
	@$(BIN)/lint-imports --no-logo > $(VENV)/lint-imports.log || { cat $(VENV)/lint-imports.log; exit 1; }
	@if compgen -G 'procedures/*.sql' > /dev/null; then \
	    $(BIN)/sqlfluff lint -q --disable-progress-bar procedures > $(VENV)/sqlfluff.log 2>&1 \
	        || { cat $(VENV)/sqlfluff.log; exit 1; }; fi
	@echo "lint: clean"

types: $(STAMP) ## Check types (mypy --strict)
	@$(BIN)/mypy --no-error-summary
	@echo "types: clean"

check: lint types test ## Everything that CI checks

generate: $(STAMP) ## Write the generated documents again (OpenAPI, ER diagram, error and procedure tables)
	@$(BIN)/kirana docs generate

verify: $(STAMP) ## Fail when a generated document is stale
	@$(BIN)/kirana docs verify

format: $(STAMP) ## Format the Python code
	@$(BIN)/ruff check --quiet --fix $(SOURCES) || true
	@$(BIN)/ruff format --quiet $(SOURCES)

clean: ## Stop the embedded servers and remove what was built, data included
	@if [ -x $(BIN)/kirana ] && [ -d .kirana ]; then $(BIN)/kirana servers stop || true; fi
	@rm -rf $(VENV) .kirana .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .schemathesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
