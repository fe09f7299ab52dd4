# `make demo`, `make test` and `make check` work on a fresh machine with Python >= 3.11, pip and make.

PYTHON ?= python3
UV := .uv/bin/uv
BIN := .venv/bin

.PHONY: demo test check install lock

install: .venv/installed

# pip goes into a folder of its own: a Debian's pip refuses to touch the system's packages (PEP 668).
$(UV):
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .uv uv

.venv/installed: requirements.lock pyproject.toml $(UV)
	test -x $(BIN)/python || $(UV) venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv
	$(UV) pip install --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install --python $(BIN)/python --quiet --no-deps --editable .
	touch $@

demo: .venv/installed
	exec $(BIN)/streamer demo $(if $(ONCE),--once)

test: .venv/installed
	$(BIN)/python -m pytest

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock: $(UV)
	$(UV) pip compile --quiet --no-header --no-emit-index-url --generate-hashes --extra dev --python-version 3.11 --universal pyproject.toml -o requirements.lock
