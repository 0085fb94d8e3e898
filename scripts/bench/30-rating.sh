#!/usr/bin/env bash
# Rating, beside DuckDB computing the same tiers over the same usage.
cd "$(dirname "$0")/../.." && . scripts/lib.sh

target/release/rivals rating
.tools/bench/bin/python scripts/bench/duck.py rating
