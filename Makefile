# What people and CI do here; the scripts hold the how.

.DEFAULT_GOAL := help
.PHONY: help deps demo test prove bench lint golden

help: ## lists the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

deps: ## installs the pinned tools below .tools; the only step that uses the network
	@scripts/deps.sh all

demo: ## builds the program and runs it on a made-up company (ARGS="--listen 127.0.0.1:0 …")
	@scripts/deps.sh rust
	cargo run --locked --offline --package server --bin reckoner -- demo $(ARGS)

test: ## formats, lints, tests and real clients: what CI runs
	@scripts/test.sh

prove: ## the long proofs: many kills, many random cases
	@scripts/prove.sh

bench: ## rivals side by side in one run: ratios and peak memory
	@scripts/bench.sh

lint: ## format and lints only
	@scripts/lint.sh

golden: ## TAG=v0.1.0: builds a tag and makes its data directory from its recipe
	cargo run --locked --quiet --package xtask -- golden $(TAG)
