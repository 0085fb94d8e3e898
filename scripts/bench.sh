#!/usr/bin/env bash
# Rivals side by side in one run: ratios and peak memory. Each part is a script in scripts/bench/.
cd "$(dirname "$0")/.." && . scripts/lib.sh
. scripts/postgres.sh

trap 'postgres_stop; times' EXIT
stage "tools" scripts/deps.sh rust postgres bench
stage "PostgreSQL" postgres_find
for part in scripts/bench/*.sh; do
    [ -x "$part" ] || die "there is nothing to measure in scripts/bench"
    stage "$part" "$part"
done
