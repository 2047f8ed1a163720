# Everything a developer or CI runs. `make setup` once, then `make demo` or `make test`.
PY ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: setup demo test lint format bench fuzz lock clean

setup: $(INSTALLED)

# Every package is checked against a hash, the build backend included; nothing is compiled.
$(INSTALLED): requirements/dev.txt pyproject.toml
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "anytill needs Python 3.11 or newer: make setup PY=python3.12")'
	$(PY) -m venv .venv
	$(PIP) install --quiet --only-binary :all: --require-hashes -r requirements/dev.txt
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: setup
	$(BIN)/anytill demo

# Side by side, a file's tests together: several share what is dear to set up. One alone: .venv/bin/pytest FILE -k NAME
test: lint
	$(BIN)/pytest -n auto --dist loadfile

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src tests $(wildcard bench fuzz)
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python -m bench

# Forged messages: N of each kind for each dialect. make fuzz DIALECT=yst KIND=requests N=10000 SEED=2 JOBS=1
N ?= 1000000
SEED ?= 1
JOBS ?= 2
fuzz: setup
	$(BIN)/python -m fuzz -n $(N) --seed $(SEED) --jobs $(JOBS) $(DIALECT:%=--dialect %) $(KIND:%=--kind %)

# New pins and hashes; add UPGRADE=--upgrade for newer versions.
LOCK := uv pip compile pyproject.toml $(UPGRADE) --quiet --universal --python-version 3.11 --generate-hashes --no-header
lock: setup
	$(BIN)/$(LOCK) -o requirements/runtime.txt
	$(BIN)/$(LOCK) --extra dev -c requirements/runtime.txt -o requirements/dev.txt

clean:
	rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
