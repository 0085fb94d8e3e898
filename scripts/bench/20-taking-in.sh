#!/usr/bin/env bash
# Durable, de-duplicated usage in over HTTP, beside PostgreSQL's INSERT … ON CONFLICT: the same
# rows with random ids, in batches of 1,000, over as many connections, on the same cores.
cd "$(dirname "$0")/../.." && . scripts/lib.sh

if [ -z "${DATABASE_URL:-}" ]; then
    left_out "taking in beside PostgreSQL" "no server answers at 127.0.0.1:5432"
else
    target/release/rivals taking-in
fi
