#!/usr/bin/env bash
# The ticketing peer as a venue would run it, for comparing with ours: a real pretix on PostgreSQL that
# syncs to the disk, Redis for its cache and sessions, two workers. Everything of it is thrown away
# afterwards but the installed programs.
#
#   scripts/pretix-postgres.sh CMD...   starts it, runs CMD, stops it
#
# CMD finds it by HANDFAST_PRETIX and PEERS_HOME, as the tests in crates/boxoffice/tests/peers do, and an
# empty database for ours on the same server in HANDFAST_RATE_DATABASE. PEERS names the folder with the
# peers' scripts (default: ../shared/peers beside the checkout). Needs PostgreSQL, redis-server and
# python3 with venv (Debian: apt-get install postgresql redis-server python3-venv).
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
peers=${PEERS:-$root/../shared/peers}/pretix
cache=${PEERS_CACHE:-$HOME/.cache/handfast-peers}
version=2026.8.0

fail() {
    printf 'pretix-postgres.sh: %s\n' "$1" >&2
    exit 1
}

[ $# -gt 0 ] || fail "say which command to run, as: scripts/pretix-postgres.sh cargo test ..."
[ -f "$peers/boot.py" ] || fail "$peers holds no boot.py; say with PEERS where the peers' scripts are"
command -v redis-server >/dev/null || fail "no redis-server is installed (Debian: apt-get install redis-server)"

if [ "${1:-}" != --inside ]; then
    HANDFAST_POSTGRES_DURABLE=1 exec "$root/scripts/postgres.sh" run "$root/scripts/pretix-postgres.sh" --inside "$@"
fi
shift

server=${HANDFAST_TEST_POSTGRES:?}
at=${server#postgres://postgres@}
host=${at%%:*}
port=${at#*:}
port=${port%%/*}
home=$(mktemp -d "${TMPDIR:-/tmp}/handfast-pretix-XXXXXX")
export PEER_DIR=$home/pretix
mkdir -p "$PEER_DIR/data"
started=()

stop() {
    for process in "${started[@]}"; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$home"
}
trap stop EXIT

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

wait_for() {
    local what=$1
    shift
    for _ in $(seq 240); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep .5
    done
    fail "$what did not answer within two minutes; see $PEER_DIR"
}

venv=$cache/pretix/venv
if [ ! -x "$venv/bin/gunicorn" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" -q install -U pip
    "$venv/bin/pip" -q install "pretix==$version" gunicorn
fi

redis_port=$(free_port)
redis-server --bind 127.0.0.1 --port "$redis_port" --save '' --dir "$home" >"$home/redis.log" 2>&1 &
started+=($!)
psql() { command psql -X -q -h "$host" -p "$port" -U postgres -d postgres -c "$1"; }
psql 'CREATE DATABASE pretix'
psql 'CREATE DATABASE handfast_rate'

web_port=$(free_port)
address=http://127.0.0.1:$web_port
export PRETIX_CONFIG_FILE=$PEER_DIR/pretix.cfg PYTHONPATH=$peers
cat >"$PRETIX_CONFIG_FILE" <<CFG
[pretix]
instance_name=peer-pretix
url=$address
currency=USD
datadir=$PEER_DIR/data
registration=off
[locale]
default=en
timezone=America/Denver
[database]
backend=postgresql
name=pretix
user=postgres
host=$host
port=$port
[redis]
location=redis://127.0.0.1:$redis_port/0
sessions=true
[mail]
from=noreply@example.org
host=127.0.0.1
port=2525
[django]
debug=off
CFG

printf 'pretix: making its tables, some minutes\n' >&2
"$venv/bin/python" -m pretix migrate --no-input >"$PEER_DIR/migrate.log" 2>&1 ||
    fail "its tables were not made: $(tail -n 3 "$PEER_DIR/migrate.log")"
"$venv/bin/python" "$peers/boot.py" | tail -n 1 >"$PEER_DIR/token"
"$venv/bin/gunicorn" pretix.wsgi -b "127.0.0.1:$web_port" -w 2 --threads 4 \
    --error-logfile "$PEER_DIR/error.log" >"$PEER_DIR/server.log" 2>&1 &
started+=($!)
wait_for pretix curl -fs -H "Authorization: Token $(cat "$PEER_DIR/token")" "$address/api/v1/version"
"$venv/bin/python" "$peers/seed.py" "$address" "$(cat "$PEER_DIR/token")" >"$PEER_DIR/seed.json"
"$venv/bin/python" "$peers/boot.py" gates >/dev/null

export HANDFAST_PRETIX=$address PEERS_HOME=$home
export HANDFAST_PRETIX_RUNS_ON="PostgreSQL and Redis, two workers with four threads"
export HANDFAST_RATE_DATABASE=postgres://postgres@$host:$port/handfast_rate
"$@"
