#!/usr/bin/env bash
# The long proofs: what `make test` tries a little of, here it tries for long. RECKONER_KILLS,
# RECKONER_COMPANIES, RECKONER_HISTORIES, RECKONER_FUZZ and PROPTEST_CASES set how long; a failing seed
# is printed and can be given again by RECKONER_SEED. RECKONER_RESTART_MS is the slowest restart after
# a kill, RECKONER_TRANSACTIONS and RECKONER_DETAILS how many are read in pages while usage arrives,
# RECKONER_ADDRESSES how many addresses are asked to be called that nobody may call.
# RECKONER_QUERIES is how many usage queries are asked while the program is killed RECKONER_QUERY_KILLS
# times, and of them a tenth, at random, beside a slow exact reference.
# The proof is time-boxed: of RECKONER_FUZZ 40 cases of a kind, as 200 took over an hour on each store.
cd "$(dirname "$0")/.." && . scripts/lib.sh
. scripts/postgres.sh

trap 'postgres_stop; times' EXIT
export RECKONER_KILLS=${RECKONER_KILLS:-500} PROPTEST_CASES=${PROPTEST_CASES:-5000}
export RECKONER_RESTART_MS=${RECKONER_RESTART_MS:-2000}
export RECKONER_TRANSACTIONS=${RECKONER_TRANSACTIONS:-100000}
export RECKONER_DETAILS=${RECKONER_DETAILS:-1000000}
export RECKONER_QUERIES=${RECKONER_QUERIES:-10000} RECKONER_QUERY_KILLS=${RECKONER_QUERY_KILLS:-100}
export RECKONER_HISTORIES=${RECKONER_HISTORIES:-50} RECKONER_FUZZ=${RECKONER_FUZZ:-40}
export RECKONER_ADDRESSES=${RECKONER_ADDRESSES:-10000}
companies=${RECKONER_COMPANIES:-50000}

companies() { PROPTEST_CASES=$companies cargo test --workspace --lib --locked --offline a_company_lives; }

# On books in PostgreSQL, in a schema of their own.
fuzz_on_postgres() {
    if [ -z "${DATABASE_URL:-}" ]; then
        left_out "schemathesis on PostgreSQL" "there is none"
        return
    fi
    local name=reckoner_fuzz_$$ glue='?'
    [[ $DATABASE_URL != *\?* ]] || glue='&'
    local failed=0 tables
    psql --quiet --command "CREATE SCHEMA $name" "$DATABASE_URL"
    RECKONER_STORE="$DATABASE_URL${glue}options=-csearch_path%3D$name" run_fuzz || failed=$?
    tables=$(psql --quiet --tuples-only --no-align "$DATABASE_URL" \
        --command "SELECT count(*) FROM pg_tables WHERE schemaname = '$name'")
    PGOPTIONS="-c client_min_messages=warning" \
        psql --quiet --command "DROP SCHEMA $name CASCADE" "$DATABASE_URL"
    [ "$failed" = 0 ] && [ "$tables" -gt 0 ] || die "schemathesis on PostgreSQL: $failed, $tables tables"
}

stage "tools" run_tools
stage "PostgreSQL" postgres_find
stage "$companies histories of a company" companies
stage "tests, $RECKONER_KILLS kills on each store, $PROPTEST_CASES random cases" run_tests
stage "signatures of what the tests received" run_signatures
stage "callbacks to $RECKONER_ADDRESSES private addresses" run_private
stage "schemathesis, $RECKONER_FUZZ cases of a kind" run_fuzz
stage "schemathesis on PostgreSQL, $RECKONER_FUZZ cases of a kind" fuzz_on_postgres
stage "az" run_az
say
say "everything passed"
