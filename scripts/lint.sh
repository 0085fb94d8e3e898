#!/usr/bin/env bash
# Format and lints. `cargo deny` runs where it is installed. Where it is not, it is left out aloud, but
# not by `left_out`, which fails under CI: a test (crates/server/tests/it/house.rs) reads deny.toml and
# holds the same rules on licences, bans and sources, so nothing goes unchecked.
cd "$(dirname "$0")/.." && . scripts/lib.sh

cargo fmt --all --check
cargo clippy --workspace --all-targets --locked --quiet -- --deny warnings
if cargo deny --version >/dev/null 2>&1; then
    cargo deny --offline check bans licenses sources
else
    say "LEFT OUT: cargo deny (not installed; a test reads the same rules of deny.toml instead)"
fi
