#!/usr/bin/env bash
# Explaining cents of lines and figures of the demo's invoices and notes, taken at random, down to
# their records.
cd "$(dirname "$0")/../.." && . scripts/lib.sh

python3 scripts/bench/explaining.py
