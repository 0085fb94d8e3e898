#!/usr/bin/env bash
# Closing a billing period of many accounts, beside DuckDB adding up the same rated rows.
cd "$(dirname "$0")/../.." && . scripts/lib.sh

target/release/rivals closing
.tools/bench/bin/python scripts/bench/duck.py closing
