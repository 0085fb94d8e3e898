#!/usr/bin/env bash
# Ratios, peak memory, conditions, and which aims are met: printed, and kept as JSON.
cd "$(dirname "$0")/../.." && . scripts/lib.sh

python3 scripts/bench/report.py
