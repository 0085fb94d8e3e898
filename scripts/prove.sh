#!/usr/bin/env bash
# The long proofs: what `make test` tries a little of, here it tries for long. RECKONER_KILLS,
# RECKONER_COMPANIES, RECKONER_HISTORIES, RECKONER_FUZZ and PROPTEST_CASES set how long; a failing seed
# is printed and can be given again by RECKONER_SEED. RECKONER_RESTART_MS is the slowest restart after
# a kill.
cd "$(dirname "$0")/.." && . scripts/lib.sh
. scripts/postgres.sh

trap 'postgres_stop; times' EXIT
export RECKONER_KILLS=${RECKONER_KILLS:-500} PROPTEST_CASES=${PROPTEST_CASES:-5000}
export RECKONER_RESTART_MS=${RECKONER_RESTART_MS:-2000}
export RECKONER_HISTORIES=${RECKONER_HISTORIES:-50} RECKONER_FUZZ=${RECKONER_FUZZ:-200}
companies=${RECKONER_COMPANIES:-50000}

tests() { cargo test --workspace --locked --offline; }
companies() { PROPTEST_CASES=$companies cargo test --workspace --lib --locked --offline a_company_lives; }

stage "tools" scripts/deps.sh rust postgres clients node fuzz az
stage "PostgreSQL" postgres_find
stage "$companies histories of a company" companies
stage "tests, $RECKONER_KILLS kills on each store, $PROPTEST_CASES random cases" tests
stage "schemathesis, $RECKONER_FUZZ cases of a kind" .tools/fuzz/bin/python tests/clients/fuzz.py
stage "az" .tools/clients/bin/python tests/clients/run.py az
say
say "everything passed"
