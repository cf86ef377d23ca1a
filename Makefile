# Two commands on a fresh machine: make demo, make test. Both make a virtual environment of their own first.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test oracle corpus lint format types clean

demo: $(STAMP)  ## the example backend: findings, fixes, its tests before and after
	$(BIN)/python tests/projects/demo.py

test: $(STAMP)  ## the whole Python test suite
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

oracle: $(STAMP)  ## rule pages and programs on every CPython 3.10-3.14 here (PYTHONS=/path/python:… chooses)
	$(BIN)/python tests/oracle/run.py $(ARGS)

corpus: $(STAMP)  ## real packages: what is found, and whether each error is explained (ARGS=PACKAGE… chooses)
	$(BIN)/python tests/corpus/run.py $(ARGS)

lint: $(STAMP)  ## linters, formatter, type checker, layers of the architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV)

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $(STAMP)
