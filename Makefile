# Five words a newcomer needs. Each sets up .venv by itself, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SHELL := /bin/sh

.PHONY: help demo test check bench new-connector
help:  ## this list
	@echo 'Syncline keeps two systems in agreement, both ways.'
	@echo
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY)  ## two real trackers kept in agreement; stays up until Ctrl-C (ONCE=1: exits after the show)
	$(BIN)/syncline demo $(if $(ONCE),--once)

test: $(READY)  ## all tests (those that want Redmine, PostgreSQL or Chromium skip without them, and say so)
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: $(READY)  ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## speed and memory, as ratios taken in one run
	$(BIN)/python -m bench $(ARGS)

new-connector: $(READY)  ## a connector and its test to start from: make new-connector NAME=mytracker
	$(BIN)/python -m connectors.new '$(NAME)'
