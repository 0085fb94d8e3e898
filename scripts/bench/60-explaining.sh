#!/usr/bin/env bash
# Explaining cents of the demo's invoices, taken at random, down to their records.
cd "$(dirname "$0")/../.." && . scripts/lib.sh

python3 scripts/bench/explaining.py
