# Every target is one script in .scripts/ or one cargo command; see there for the why.
.DEFAULT_GOAL := help
.PHONY: help run build test lint audit bench soak kryoptic

help: ## This list
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

run: build ## Set everything up and start the server on http://127.0.0.1:8088 with a SoftHSM token in .kunji/
	@.scripts/run

build: ## Everything `make run` does before it starts anything: packages, the demo, then the release server
	@.scripts/build

test: ## The gate: lint, then every test
	@.scripts/test

lint: ## Formatting, clippy, and licences, bans and sources of the dependencies
	@.scripts/lint

audit: ## Published advisories against the lock file (needs a network)
	@.scripts/audit

bench: ## The measurements of docs/performance.md
	@.scripts/bench

soak: ## The tests that take too long for the gate; they write the tables of docs/faults.md
	@.scripts/soak

kryoptic: ## The tests of the PKCS#11 adapter on one more software token, which it compiles
	@.scripts/kryoptic
