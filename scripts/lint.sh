#!/usr/bin/env bash
# Format and lints. `cargo deny` runs where it is installed; its licence, ban and source rules are
# also read by a test (crates/server/tests/it/house.rs), so they hold without it.
cd "$(dirname "$0")/.." && . scripts/lib.sh

cargo fmt --all --check
cargo clippy --workspace --all-targets --locked --quiet -- --deny warnings
if cargo deny --version >/dev/null 2>&1; then
    cargo deny --offline check bans licenses sources
else
    say "cargo deny is not installed; the tests read its licence, ban and source rules instead"
fi
