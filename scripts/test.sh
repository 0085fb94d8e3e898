#!/usr/bin/env bash
# Everything that must hold before a change lands. Leaves nothing out silently.
cd "$(dirname "$0")/.." && . scripts/lib.sh
. scripts/postgres.sh

trap 'postgres_stop; times' EXIT

tests() { cargo test --workspace --locked --offline; }

stage "tools" scripts/deps.sh rust postgres clients node fuzz
stage "PostgreSQL" postgres_find
stage "format and lints" scripts/lint.sh
stage "tests" tests
stage "real clients" .tools/clients/bin/python tests/clients/run.py
stage "schemathesis" .tools/fuzz/bin/python tests/clients/fuzz.py
say
say "everything passed"
