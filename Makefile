# The commands of this house. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.PHONY: help test lint bench scale fuzz verify image test-image install-test-needs

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' Makefile

# A build that is made once keeps nothing for the next one.
ifeq ($(NETSPLIT_TEST_ALL),1)
export CARGO_INCREMENTAL := 0
endif

test: ## Install what the tests need, lint, then run every test (unit, property, simulation, integration)
	@# Somebody without root may test without the needs, and sees what is skipped; CI may not.
	scripts/install-test-needs.sh || test -z "$${NETSPLIT_TEST_ALL:-}"
	$(MAKE) --no-print-directory lint
	scripts/test.sh

lint: ## Check formatting, clippy and documentation; every warning is an error
	@cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	@# As it is shipped: what tests bring along may hide what it lacks.
	cargo check --locked --quiet --bins
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps

scale: ## Measure one agent among up to 5,000 peers, at rest and in a cut (benches/scale/), a quarter of an hour
	@cargo bench --locked --bench scale

bench: ## Measure CPU and memory of the heartbeat path (benches/heartbeat.rs), two minutes
	@cargo bench --locked --bench heartbeat

fuzz: ## Look for input that breaks something, FUZZ_SECONDS (60) for each target in fuzz/; needs a nightly compiler
	@cargo +nightly fmt --manifest-path fuzz/Cargo.toml --check
	scripts/fuzz.sh

verify: ## Measure the full figures and write them into docs/verdict.md and docs/performance.md (four hours of one core and more)
	@scripts/install-test-needs.sh
	scripts/verify.sh

image: ## Build the image of the static program (ARCH=amd64 or arm64) into target/image/; needs rustup, buildah, musl-tools (arm64: clang)
	@scripts/image.sh $(or $(ARCH),amd64)

test-image: ## Build the image for this machine and run it: pods in a cut, within their limits; as root, with runc. `make test` does not
	@command -v runc >/dev/null || { echo 'runc is missing: it is a package of Debian.' >&2; exit 1; }
	scripts/image.sh $(if $(filter aarch64,$(shell uname -m)),arm64,amd64)
	NETSPLIT_TEST_ALL=1 cargo test --locked --test image -- --nocapture

install-test-needs: ## Install the Debian packages that the tests need (as root, and only what is missing)
	@scripts/install-test-needs.sh
