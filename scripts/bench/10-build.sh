#!/usr/bin/env bash
# The program as a release build, and what measures it. Nothing of an earlier run is compared.
cd "$(dirname "$0")/../.." && . scripts/lib.sh

rm -rf target/bench
cargo build --release --locked --offline --package server --package rivals --bin reckoner --bin rivals
