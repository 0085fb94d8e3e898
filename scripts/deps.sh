#!/usr/bin/env bash
# Installs what the other steps need, pinned: the only step that uses the network. A part that is
# already there as pinned costs no time and no network. `deps.sh PART…`; `all` stands for every part.
#
#   rust      the crates of Cargo.lock
#   postgres  a PostgreSQL 15 server, unless one answers or is installed (apt, needs root)
#   clients   Python clients and Node.js, below .tools/clients, .tools/older, .tools/usage (PyPI)
#   node      npm clients, newman and a generator of clients, below .tools/node
#   bench     the rivals of `make bench`, below .tools/bench (PyPI)
#   fuzz      schemathesis, below .tools/fuzz (PyPI)
#   az        azure-cli, below .tools/az (PyPI, 733 MB)
cd "$(dirname "$0")/.." && . scripts/lib.sh
. scripts/postgres.sh

# Whether .tools/NAME was made from exactly these pins.
is_current() {
    local name=$1
    shift
    [ "$(cat "$@" | sha256sum)" = "$(cat ".tools/$name/.made-from" 2>/dev/null)" ]
}

made_from() {
    local name=$1
    shift
    cat "$@" | sha256sum >".tools/$name/.made-from"
}

# venv PINS [NAME]: a virtual environment .tools/NAME with exactly what scripts/pins/PINS.txt lists.
venv() {
    local name=${2:-$1}
    local pins=scripts/pins/$1.txt
    is_current "$name" "$pins" && return
    command -v python3 >/dev/null || die "python3 (3.11 or newer) is needed; install it first"
    say "installing .tools/$name"
    rm -rf ".tools/$name"
    python3 -m venv ".tools/$name" || die "python3 cannot make environments; install python3-venv"
    ".tools/$name/bin/pip" install --quiet --no-deps --requirement "$pins"
    made_from "$name" "$pins"
}

rust() { cargo fetch --locked --quiet; }

clients() {
    venv clients
    venv older
    venv usage
}
bench() { venv bench; }
fuzz() { venv fuzz; }
az() { venv az; }

postgres() {
    postgres_is_there && return
    [ "$(id -u)" = 0 ] || die "no PostgreSQL: install postgresql-15, or set DATABASE_URL"
    say "installing postgresql-15"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends postgresql-15 >/dev/null
}

node() {
    clients
    npm_packages
    # What AutoRest's Python part needs, where it looks for it.
    venv autorest node/node_modules/@autorest/python/venv
}

npm_packages() {
    local pins=scripts/pins/node
    is_current node "$pins/package.json" "$pins/package-lock.json" && return
    say "installing .tools/node"
    rm -rf .tools/node && mkdir -p .tools/node
    cp "$pins/package.json" "$pins/package-lock.json" .tools/node
    local home
    home=$(node_home)
    PATH="$home/bin:$PATH" "$home/bin/node" "$home/lib/node_modules/npm/bin/npm-cli.js" \
        ci --prefix .tools/node --ignore-scripts --no-audit --no-fund --loglevel error
    made_from node "$pins/package.json" "$pins/package-lock.json"
}

mkdir -p .tools
[ "$*" != all ] || set -- rust postgres clients node bench fuzz az
for part in "$@"; do
    case $part in
        rust | postgres | clients | node | bench | fuzz | az) "$part" ;;
        *) die "\`$part\` is no part; see the head of scripts/deps.sh" ;;
    esac
done
