#!/usr/bin/env bash
# Questions over HTTP with labels, beside DuckDB on the rated rows and on the roll-ups that
# `30-rating.sh` left.
cd "$(dirname "$0")/../.." && . scripts/lib.sh

target/release/rivals questions
.tools/bench/bin/python scripts/bench/duck.py questions
