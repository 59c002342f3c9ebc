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
EXECUTOR_SOURCES := $(shell find executor \( -path executor/target -o -path executor/fuzz \) -prune -o \( -name '*.rs' -o -name 'Cargo.*' -o -name '*.toml' \) -type f -print 2>/dev/null)
CARGO := cd executor && cargo
PACKAGES := $(wildcard services/*/aura_*) operator/aura_operator
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock"
SUPPLY_CHAIN = $(BIN)/python requirements/supply_chain.py --tools tools/audit/bin --python $(BIN)/python
PYTEST_WORKERS ?= 2
HELM_VERSION := v3.18.6
PROMETHEUS_VERSION := v0.307.3
IMAGES := operator replayer planner executor
IMAGE_PREFIX ?= aura
IMAGE_TAG ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
DOCKER_BUILD_ARGS ?=
E2E_WORKERS ?= 3
E2E_CASES ?= e2e
HOSTILE_MESSAGES ?= 1000000
HOSTILE_SEED ?= 1
CHAOS ?=
CHAOS_CONTAINERS ?= 0
FUZZ_TARGETS ?= message plan
FUZZ_RUNS ?= 1000000
FUZZ_SEED ?= 1

.PHONY: help install run test test-python test-rust integration test-cluster e2e hostile fuzz lint lint-python lint-rust chaos bench schemas images helm promtool chart-docs lock audit sbom clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(STAMPS)/project $(EXECUTOR) ## Virtual environment in .venv with `aura` on its bin, and the executor's release build

run: install ## Replay the quick-start experiment and write a verdict and a report
	$(BIN)/aura run examples/quickstart.yaml

test: test-python test-rust ## All tests that need neither containers nor a cluster

test-python: install helm promtool
	$(BIN)/pytest -n $(PYTEST_WORKERS)

test-rust: toolchain
	$(CARGO) test --locked

integration: install ## Tests against containers of MongoDB, Milvus, Kafka and Ollama
	@docker info >/dev/null 2>&1 || { echo "make integration: needs docker, and none answers here; start it and try again" >&2; exit 1; }
	$(BIN)/pytest -m integration

# E2E_CLUSTER=NAME, KIND_NODE_IMAGE=IMAGE; E2E_KEEP=1 keeps the cluster, E2E_REUSE=1 takes the one that is there and builds no images.
# E2E_KEDA=FILE is KEDA's manifest, for the case that scales planners; without it and its images that case is skipped.
test-cluster: $(STAMPS)/project helm ## The operator against a real API server: that of KUBECONFIG_TEST, or one that kind makes and removes
	@for tool in kubectl $$([ -n "$${KUBECONFIG_TEST:-}" ] || echo docker kind); do command -v $$tool >/dev/null || { echo "make test-cluster: needs $$tool; install it and try again" >&2; exit 1; }; done
	$(BIN)/pytest operator/tests/live -m cluster

# E2E_PROMETHEUS=FILE is the bundle.yaml of Prometheus Operator v0.85.0; the test of monitoring is skipped without it.
e2e: export IMAGE_PREFIX := $(IMAGE_PREFIX)
e2e: export IMAGE_TAG := $(IMAGE_TAG)
e2e: install ## Tests in a kind cluster of their own; what failed leaves its logs in e2e/out
	@for tool in docker kind kubectl helm; do command -v $$tool >/dev/null || { echo "make e2e: needs $$tool; install it and try again" >&2; exit 1; }; done
	@docker info >/dev/null 2>&1 || { echo "make e2e: needs docker, and none answers here; start it and try again" >&2; exit 1; }
	@[ -n "$(filter-out 0,$(E2E_REUSE))" ] || $(MAKE) --no-print-directory images
	$(BIN)/pytest $(E2E_CASES) -m e2e -n $(E2E_WORKERS) --maxschedchunk 1 --timeout 900

hostile: install ## A million hostile messages through broker, executor and arm, and a million hostile answers through the planner's readers
	PYTHONPATH=tests/support $(BIN)/python tests/support/hostile_drive.py --messages $(HOSTILE_MESSAGES) --seed $(HOSTILE_SEED)
	AURA_HOSTILE_LOTS=200 $(BIN)/pytest -n $(PYTEST_WORKERS) --timeout 900 services/planner/tests/test_hostile_answers.py

# A crate of its own, which builds anew with a sanitizer; FUZZ_RUNS inputs for each of FUZZ_TARGETS, bounded in time and memory.
fuzz: toolchain ## Fuzz what the executor makes of a message; needs a nightly toolchain of Rust
	@cargo +nightly --version >/dev/null 2>&1 || { echo "make fuzz: needs a nightly toolchain; run rustup toolchain install nightly" >&2; exit 1; }
	@cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --locked
	$(BIN)/python executor/fuzz/seeds.py executor/fuzz/corpus/message
	@mkdir -p executor/fuzz/corpus/plan
	for target in $(FUZZ_TARGETS); do \
		(cd executor/fuzz && cargo +nightly fuzz run $$target -- -runs=$(FUZZ_RUNS) -seed=$(FUZZ_SEED) -max_len=8192 -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=256); \
	done

lint: lint-python lint-rust ## ruff, mypy strict, import-linter, rustfmt, clippy

lint-python: $(STAMPS)/project
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES) charts/readme.py requirements/supply_chain.py tests/support $(filter-out %/test_chaos.py,$(wildcard tests/chaos/*.py)) $(wildcard e2e/*.py)
	$(BIN)/lint-imports

lint-rust: toolchain
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --locked --all-targets -- -D warnings

# CHAOS_CONTAINERS=1 has MongoDB, Milvus and Ollama in containers, which are hit too.
chaos: install ## Ten minutes of short runs with parts killed, paused and cut off; CHAOS="--faults 1000" for more, CHAOS_CONTAINERS=1 with docker
	PYTHONPATH=tests:tests/support $(BIN)/python -m chaos $(if $(filter-out 0,$(CHAOS_CONTAINERS)),--containers) $(CHAOS)

bench: install ## Benchmarks; writes benchmarks/results.json
	$(BIN)/python benchmarks/run.py

schemas: $(STAMPS)/project ## Write the contract's JSON Schemas and the CRD again
	$(BIN)/python -m aura_contract.schemas services/contract/schemas
	$(BIN)/python -m aura_contract.crd crds/auraexperiments.aura.dev.yaml
	cp crds/auraexperiments.aura.dev.yaml charts/aura/files/

images: $(IMAGES:%=image-%) ## The four images, as $(IMAGE_PREFIX)/NAME:$(IMAGE_TAG)

image-%:
	DOCKER_BUILDKIT=1 docker build $(DOCKER_BUILD_ARGS) --build-arg VERSION=$(IMAGE_TAG) \
		--file $(firstword $(wildcard $*/Dockerfile services/$*/Dockerfile)) --tag $(IMAGE_PREFIX)/$*:$(IMAGE_TAG) .

chart-docs: $(STAMPS)/project ## Write the table of values in the chart's README again
	$(BIN)/python charts/readme.py charts/aura

lock: $(STAMPS)/project ## Pin the newest versions that pyproject.toml allows, with hashes
	$(BIN)/pip install --quiet uv
	$(COMPILE) --upgrade --extra dev pyproject.toml requirements/build.in --output-file $(LOCK)
	@# What the images install is what the tests ran with.
	$(COMPILE) --constraint $(LOCK) requirements/build.in --output-file requirements/build.txt
	$(COMPILE) --upgrade requirements/audit.in --output-file requirements/audit.txt
	$(COMPILE) --constraint $(LOCK) --extra operator pyproject.toml --output-file requirements/operator.txt
	@# The data set's package wants pandas, but its files are read without it.
	$(COMPILE) --constraint $(LOCK) --no-emit-package pandas --extra replayer --extra examples --extra tracing pyproject.toml --output-file requirements/replayer.txt
	$(COMPILE) --constraint $(LOCK) --extra planner --extra ml --extra examples --extra tracing pyproject.toml --output-file requirements/planner.txt

audit: $(STAMPS)/audit toolchain ## Licences of what is shipped, into requirements/licences.json; known vulnerabilities
	$(SUPPLY_CHAIN) licences
	@# Where no advisory database answers it says so, which is no finding.
	$(SUPPLY_CHAIN) vulnerabilities || [ $$? = 3 ]

sbom: $(STAMPS)/audit toolchain ## A CycloneDX bill of materials for each image, into sbom/
	$(SUPPLY_CHAIN) sbom

clean: ## Remove what these targets made, but not runs/
	rm -rf $(VENV) $(STAMPS) tools/bin tools/audit sbom executor/target .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info

$(STAMPS)/venv: $(LOCK)
	@mkdir -p $(STAMPS)
	@for python in $${PYTHON:-} python3.11 python3; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
	done; \
	[ -n "$$python" ] || { echo "make: needs Python 3.11 or newer; install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	set -x; "$$python" -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	@touch $@

# In a place of their own: what they need is none of the project's business.
$(STAMPS)/audit: requirements/audit.txt $(STAMPS)/project
	$(BIN)/python -m venv tools/audit
	tools/audit/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
	@touch $@

$(STAMPS)/project: $(STAMPS)/venv pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(EXECUTOR): $(EXECUTOR_SOURCES) | toolchain
	$(CARGO) build --release --locked
	@touch $@

# The chart's tests are skipped where there is neither helm nor Go.
helm:
	@command -v helm >/dev/null || [ -x tools/bin/helm ] || ! command -v go >/dev/null || $(MAKE) --no-print-directory tools/bin/helm

tools/bin/helm:
	GOBIN=$(CURDIR)/tools/bin CGO_ENABLED=0 go install -trimpath -ldflags "-s -w" helm.sh/helm/v3/cmd/helm@$(HELM_VERSION)

# The rules' tests are skipped where there is neither promtool nor Go.
promtool:
	@[ -n "$${PROMTOOL:-}" ] || command -v promtool >/dev/null || [ -x tools/bin/promtool ] || ! command -v go >/dev/null || $(MAKE) --no-print-directory tools/bin/promtool

# Go installs no program whose go.mod has exclude directives, but builds it as a dependency.
tools/bin/promtool: export GOBIN := $(CURDIR)/tools/bin
tools/bin/promtool: export CGO_ENABLED := 0
tools/bin/promtool:
	@mkdir -p $(GOBIN)
	module=$$(mktemp -d) && trap 'rm -rf "$$module"' EXIT && cd "$$module" && go mod init promtool \
		&& go get github.com/prometheus/prometheus/cmd/promtool@$(PROMETHEUS_VERSION) \
		&& go install -trimpath -ldflags "-s -w" github.com/prometheus/prometheus/cmd/promtool

.PHONY: toolchain
toolchain: $(STAMPS)/venv
	@command -v cargo >/dev/null || { echo "make: needs cargo; install Rust (rustup) and open a new shell" >&2; exit 1; }
	@# The executor's Kafka client is C underneath and builds itself.
	@for tool in cc c++ make; do command -v $$tool >/dev/null || { echo "make: needs $$tool; install a C and C++ compiler (Debian: apt-get install build-essential)" >&2; exit 1; }; done
	@pkg-config --exists openssl 2>/dev/null || { echo "make: needs OpenSSL's headers; install them (Debian: apt-get install pkg-config libssl-dev)" >&2; exit 1; }
