# Commands for a fresh machine: make demo, make test, make vsix, make test-editors. Each makes a virtual environment of
# its own first.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

VSIX := editors/vscode/dist/understudy.vsix

.PHONY: demo test fuzz fuzz-doubles fuzz-flow fuzz-fixtures fuzz-sync fuzz-binding soak soak-workspace oracle corpus bench lint format clean vsix test-editors test-vscode test-neovim pictures fuzz-orm test-sa20 test-pg profile

demo: $(STAMP)  ## the example backend: findings, fixes, its tests before and after
	$(BIN)/python tests/projects/demo.py

test: $(STAMP)  ## the whole Python test suite; a third of the time a test waits for a process
	$(BIN)/python -m pytest -n 3 --dist loadgroup $(ARGS)

test-sa20:  ## the pages about models with SQLAlchemy 2.0, in a virtual environment of its own; the other has the newest
	test -x .venv-sa20/bin/understudy || $(PYTHON) -m venv .venv-sa20
	.venv-sa20/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-sa20/bin/python -m pip install --quiet --editable . --group dev "sqlalchemy<2.1"
	.venv-sa20/bin/python -m pytest tests/pages -k "us30 or us31" $(ARGS)

test-pg: $(STAMP)  ## the cache and the pages about tables on a real PostgreSQL; installs Debian's where there is none
	ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null \
		|| (apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql)
	UNDERSTUDY_NEEDS_POSTGRESQL=1 $(BIN)/python -m pytest tests/index/test_postgresql.py tests/pages/test_postgresql.py $(ARGS)

fuzz-sync: $(STAMP)  ## 10,000 random edit sequences: the server's text stays the client's
	$(BIN)/python -m pytest tests/lsp/test_lsp_documents.py -k sequence_of_edits --hypothesis-profile sync $(ARGS)

soak: $(STAMP)  ## 20,000 random edits on a real server: no crash, no leak, findings as a fresh check finds them
	$(BIN)/python tests/lsp/soak.py $(ARGS)

soak-workspace: $(STAMP)  ## the same of a whole workspace, with settings and files on disk: what editors show (ARGS=--pushes)
	$(BIN)/python tests/lsp/soak_workspace.py $(ARGS)

oracle: $(STAMP)  ## rule pages and programs on every CPython 3.10-3.14 here (PYTHONS=/path/python:… chooses)
	$(BIN)/python tests/oracle/run.py $(ARGS)

fuzz-binding: $(STAMP)  ## random import graphs with a patch: what is said of it, beside what happens (EXAMPLES=, SEED=)
	cd tests && ../$(BIN)/python -m fuzz_binding.fuzz --examples $(or $(EXAMPLES),5000) --seed $(or $(SEED),0)

corpus: $(STAMP)  ## real packages: what is found, and whether each error is explained (ARGS=PACKAGE… chooses)
	$(BIN)/python tests/corpus/run.py $(ARGS)

bench: $(STAMP)  ## what the engine and the server cost (ARGS=NAME… chooses, --profile shows where)
	$(BIN)/python tests/bench/run.py $(ARGS)

profile: $(STAMP)  ## where a cold check of the generated workspace spends its time (ARGS=--files N)
	$(BIN)/python tests/bench/profile_check.py $(ARGS)

fuzz-orm: $(STAMP)  ## generated models, read and real: make fuzz-orm EXAMPLES=5000
	UNDERSTUDY_FUZZ_EXAMPLES=$(or $(EXAMPLES),5000) $(BIN)/python -m pytest tests/fuzz_orm -k agree

lint: $(STAMP)  ## linters, formatter, type checker, layers of the architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

fuzz: fuzz-doubles fuzz-binding fuzz-flow fuzz-fixtures  ## the fuzzers that run programs and compare: EXAMPLES=10000 SEED=1

fuzz-flow: $(STAMP)  ## random ordinary code around doubles: what is said of it, beside what happens (EXAMPLES=, SEED=)
	cd tests && $(abspath $(BIN))/python -m fuzz_flow --examples $(or $(EXAMPLES),1000) --seed $(or $(SEED),0) $(ARGS)

fuzz-fixtures: $(STAMP)  ## random suites of fixtures, marks and setups: what is said of them, beside what happens (EXAMPLES=, SEED=)
	cd tests && $(abspath $(BIN))/python -m fuzz_fixtures --examples $(or $(EXAMPLES),500) --seed $(or $(SEED),0) $(ARGS)

fuzz-doubles: $(STAMP)  ## programs about doubles, run and compared: EXAMPLES=10000 SEED=1 RUN_WITH=…/python (with pytest)
	cd tests && $(abspath $(BIN))/python -m fuzz --examples $(or $(EXAMPLES),2000) --seed $(or $(SEED),0) \
		$(if $(RUN_WITH),--python $(RUN_WITH)) $(ARGS)

vsix: $(VSIX)  ## the VS Code extension, with the server in it

$(VSIX): $(STAMP) $(shell find editors/vscode server -type f -not -path '*/node_modules/*' -not -path '*/dist/*' \
		-not -path '*/libs/*' -not -name '*.pyc' -not -name LICENSE -not -name CHANGELOG.md)
	cd editors/vscode && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	cd editors/vscode && PYTHON=$(abspath $(BIN)/python) npm run --silent package

test-editors: test-neovim test-vscode  ## Understudy in the editors themselves; sets them up in the clone

test-vscode: $(VSIX)
	$(BIN)/python tests/editors/bundled.py
	tests/editors/vscode/setup.sh
	cd tests/editors/vscode && UNDERSTUDY=$(abspath $(BIN)/understudy) node --test --test-concurrency=1 --test-reporter=spec

test-neovim: $(STAMP)
	tests/editors/neovim/run.sh $(abspath $(BIN)/understudy)

pictures: test-vscode  ## the extension's pictures, from the screenshots of the tests
	editors/vscode/pictures.sh

clean:
	rm -rf $(VENV) .venv-sa20 editors/vscode/dist editors/vscode/bundled/libs
	rm -rf editors/vscode/node_modules tests/editors/vscode/node_modules tests/editors/.tools tests/editors/artefacts

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $(STAMP)
