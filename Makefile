# `make demo`, `make test` and `make check` work on a fresh machine with Python >= 3.11, pip and make.
#
#   make demo            everything on this machine, four spoken samples, until Ctrl-C; ONCE=1 stops after the samples
#   make test            all tests, those on a real Kafka included; ARGS="-k name" goes to pytest, JOBS=1 runs one at a time
#   make .tools/versitygw  the S3 server that tests of S3 need; it is built, by Go
#   make check           ruff and mypy --strict
#   make lock            requirements.lock anew from pyproject.toml
#   make bench-gpu       tests, speed and precision of the engine glm on a CUDA device; ARGS="--only engine" chooses
#   make soak            20,000 random histories of the worker, from a random seed; HISTORIES=, SEED= choose
#   make clean           forget the installation and the demo's data
#
# PYTHON=python3.12 chooses the interpreter.

PYTHON ?= python3
UV := .uv/bin/uv
BIN := .venv/bin
HISTORIES ?= 20000
# Test processes. Most tests on a real Kafka wait for time to pass, but some end what does not answer in time.
JOBS ?= 2
SEED := $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')

# uv does not read pip's configuration: where that names an index, uv takes it too.
INDEX = index=$${UV_DEFAULT_INDEX:-$${UV_INDEX_URL:-$${PIP_INDEX_URL:-$$($(PYTHON) -m pip config get global.index-url \
	2>/dev/null)}}}; [ -z "$$index" ] || export UV_DEFAULT_INDEX="$$index"

.PHONY: install demo test check bench-gpu lock soak clean

install: .venv/installed

# pip goes into a folder of its own: a Debian's pip refuses to touch the system's packages (PEP 668). It appears at once
# or not at all, so that an interrupted download is made again.
$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "streamer needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
			"Install one and name it: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { \
		echo "$(PYTHON) has no pip: apt-get install python3-pip" >&2; exit 1; }
	rm -rf .uv .uv.new
	$(PYTHON) -m pip install --disable-pip-version-check --target .uv.new uv
	mv .uv.new .uv

# What was interrupted is begun anew, from uv's cache: an installation cut short may look whole.
.venv/installed: requirements.lock pyproject.toml $(UV)
	@if [ -e .venv/unfinished ] || ! $(BIN)/python -c '' 2>/dev/null; then rm -rf .venv; fi
	test -d .venv || $(UV) venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv
	touch .venv/unfinished
	@$(INDEX); $(UV) pip install --python $(BIN)/python --require-hashes -r requirements.lock
	@$(INDEX); $(UV) pip install --python $(BIN)/python --quiet --no-deps --editable .
	rm .venv/unfinished
	touch $@

demo: .venv/installed
	@exec $(BIN)/streamer demo $(if $(ONCE),--once)

test: .venv/installed
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

# Not a prerequisite of `test`: without it the tests of S3 are skipped, and say so.
.tools/versitygw:
	@command -v go >/dev/null || { echo "versitygw is built by Go: install Go 1.25 or newer (https://go.dev/dl)" >&2; exit 1; }
	GOBIN=$(CURDIR)/.tools go install github.com/versity/versitygw/cmd/versitygw@v1.8.0

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench-gpu: .venv/installed
	$(BIN)/python -m benchmarks.gpu $(ARGS)

soak: .venv/installed
	@echo "$(HISTORIES) histories from seed $(SEED); again: make soak SEED=$(SEED) HISTORIES=$(HISTORIES)"
	STREAMER_TEST_HISTORIES=$(HISTORIES) STREAMER_TEST_FIRST_SEED=$(SEED) \
		$(BIN)/python -m pytest tests/simulation/test_histories.py

lock: $(UV)
	$(INDEX); $(UV) pip compile --quiet --no-header --no-emit-index-url --generate-hashes --extra dev \
		--python-version 3.11 --universal pyproject.toml -o requirements.lock

clean:
	rm -rf .venv .uv .uv.new .streamer/demo
