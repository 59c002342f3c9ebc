# The front door: every target sets up what it needs and is quick when nothing changed. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
LOCK := requirements/dev.txt
EXECUTOR := executor/target/release/aura-executor
EXECUTOR_SOURCES := $(shell find executor -path executor/target -prune -o \( -name '*.rs' -o -name 'Cargo.*' -o -name '*.toml' \) -type f -print 2>/dev/null)
CARGO := cd executor && cargo
PACKAGES := $(wildcard services/*/aura_*)
PYTEST_WORKERS ?= 2

.PHONY: help install run test test-python test-rust integration lint lint-python lint-rust bench schemas lock clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(STAMPS)/project $(EXECUTOR) ## Virtual environment in .venv with `aura` on its bin, and the executor's release build

run: install ## Replay the quick-start experiment and write a verdict and a report
	$(BIN)/aura run examples/quickstart.yaml

test: test-python test-rust ## All tests that need neither containers nor a cluster

test-python: install
	$(BIN)/pytest -n $(PYTEST_WORKERS)

test-rust: toolchain
	$(CARGO) test --locked

integration: install ## Tests against containers of MongoDB, Milvus, Kafka and Ollama
	@docker info >/dev/null 2>&1 || { echo "make integration: needs docker, and none answers here; start it and try again" >&2; exit 1; }
	$(BIN)/pytest -m integration

lint: lint-python lint-rust ## ruff, mypy strict, import-linter, rustfmt, clippy

lint-python: $(STAMPS)/project
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES)
	$(BIN)/lint-imports

lint-rust: toolchain
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

bench: install ## Benchmarks; writes benchmarks/results.json
	$(BIN)/python benchmarks/run.py

schemas: $(STAMPS)/project ## Write the contract's JSON Schemas again
	$(BIN)/python -m aura_contract.schemas services/contract/schemas

lock: $(STAMPS)/project ## Pin the newest versions that pyproject.toml allows, with hashes
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --extra dev pyproject.toml requirements/build.in --output-file $(LOCK)

clean: ## Remove what these targets made, but not runs/
	rm -rf $(VENV) $(STAMPS) executor/target .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info

$(STAMPS)/venv: $(LOCK)
	@mkdir -p $(STAMPS)
	@for python in $${PYTHON:-} python3.11 python3; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
	done; \
	[ -n "$$python" ] || { echo "make: needs Python 3.11 or newer; install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	set -x; "$$python" -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	@touch $@

$(STAMPS)/project: $(STAMPS)/venv pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(EXECUTOR): $(EXECUTOR_SOURCES) | toolchain
	$(CARGO) build --release --locked
	@touch $@

.PHONY: toolchain
toolchain: $(STAMPS)/venv
	@command -v cargo >/dev/null || { echo "make: needs cargo; install Rust (rustup) and open a new shell" >&2; exit 1; }
	@# The executor's Kafka client is C underneath and builds itself.
	@for tool in cc c++ make; do command -v $$tool >/dev/null || { echo "make: needs $$tool; install a C and C++ compiler (Debian: apt-get install build-essential)" >&2; exit 1; }; done
	@pkg-config --exists openssl 2>/dev/null || { echo "make: needs OpenSSL's headers; install them (Debian: apt-get install pkg-config libssl-dev)" >&2; exit 1; }
