#!/usr/bin/env bash
# Usage queries of one company, from the question until the receiver of the callback has the result,
# beside DuckDB on the same rated rows.
cd "$(dirname "$0")/../.." && . scripts/lib.sh

target/release/rivals usage-queries
.tools/bench/bin/python scripts/bench/duck.py usage-queries
