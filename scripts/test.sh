#!/usr/bin/env bash
# Everything that must hold before a change lands. Leaves nothing out silently.
cd "$(dirname "$0")/.." && . scripts/lib.sh
. scripts/postgres.sh

trap 'postgres_stop; times' EXIT

stage "tools" run_tools
stage "PostgreSQL" postgres_find
stage "format and lints" scripts/lint.sh
stage "tests" run_tests
stage "signatures of what the tests received" run_signatures
stage "real clients" .tools/clients/bin/python tests/clients/run.py
stage "schemathesis" run_fuzz
stage "az" run_az
say
say "everything passed"
