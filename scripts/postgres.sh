# Finds a PostgreSQL for the tests, or starts a throw-away one; sourced by the scripts beside it.

postgres_dir=""
postgres_usual=postgres://postgres@127.0.0.1:5432/postgres

# Tries a URL by speaking to it.
postgres_answers() { psql --no-password --quiet --command 'select 1' "$1" >/dev/null 2>&1; }

# The programs of the newest installed server, or nothing.
postgres_programs() {
    find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1
}

# Whether a server answers already, or could be started.
postgres_is_there() {
    [ -n "${DATABASE_URL:-}" ] || postgres_answers "$postgres_usual" || [ -n "$(postgres_programs)" ]
}

# Runs a command as a user who may start a server: PostgreSQL refuses root.
postgres_as() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# Sets DATABASE_URL: the given one, the one at 127.0.0.1:5432, or one of our own.
postgres_find() {
    if [ -n "${DATABASE_URL:-}" ]; then
        postgres_answers "$DATABASE_URL" || die "DATABASE_URL is set, and nothing answers there"
        say "the one DATABASE_URL names"
    elif postgres_answers "$postgres_usual"; then
        export DATABASE_URL=$postgres_usual
        say "the one at 127.0.0.1:5432"
    else
        postgres_start
    fi
}

# Starts a throw-away cluster from the newest installed binaries, durable like a real one.
postgres_start() {
    local bin port
    bin=$(postgres_programs)
    if [ -z "$bin" ]; then
        left_out "tests on PostgreSQL" "no server answers at 127.0.0.1:5432 and none is installed"
        return
    fi
    postgres_dir=$(mktemp -d)
    [ "$(id -u)" != 0 ] || chown postgres "$postgres_dir"
    port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])')
    postgres_as "$bin/initdb" --auth trust --username postgres --encoding UTF8 --locale C \
        --pgdata "$postgres_dir/data" >/dev/null
    postgres_as "$bin/pg_ctl" --pgdata "$postgres_dir/data" --log "$postgres_dir/log" --wait \
        --options "-h 127.0.0.1 -p $port -k $postgres_dir" start >/dev/null
    export DATABASE_URL=postgres://postgres@127.0.0.1:$port/postgres
    postgres_answers "$DATABASE_URL" || die "the throw-away PostgreSQL does not answer"
    say "a throw-away one on port $port ($bin)"
}

# Stops the throw-away cluster, if there is one.
postgres_stop() {
    [ -n "$postgres_dir" ] || return 0
    local bin
    bin=$(postgres_programs)
    postgres_as "$bin/pg_ctl" --pgdata "$postgres_dir/data" --mode immediate stop >/dev/null || true
    rm -rf "$postgres_dir"
}
