#!/usr/bin/env bash
# A throw-away PostgreSQL server for tests: its own directory, a private port on loopback, no
# password, no durability unless it is asked for. Never for data that anybody wants to keep.
#
#   scripts/postgres.sh start        starts one (or finds the running one), prints its address
#   scripts/postgres.sh stop         stops it and removes its directory
#   scripts/postgres.sh run CMD...   starts one of its own, runs CMD with HANDFAST_TEST_POSTGRES
#                                    set to its address, stops it
#
# HANDFAST_POSTGRES_DIR chooses the directory (default: a folder of this checkout's own in /tmp).
# HANDFAST_POSTGRES_DURABLE=1 has it sync to the disk as a server that keeps data does: for benches.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
checkout=$(printf '%s' "$root" | cksum | cut -d' ' -f1)
dir=${HANDFAST_POSTGRES_DIR:-${TMPDIR:-/tmp}/handfast-postgres-$checkout}

fail() {
    printf 'postgres.sh: %s\n' "$1" >&2
    exit 1
}

# The newest installed server: Debian keeps its programs outside PATH.
find_bin() {
    local newest
    newest=$(find /usr/lib/postgresql -maxdepth 3 -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
    [ -n "$newest" ] || newest=$(command -v initdb || true)
    [ -n "$newest" ] || fail "no PostgreSQL server is installed; install one (Debian: apt-get install postgresql)"
    dirname "$newest"
}

# The server refuses to run as root; then it runs as the user its package made.
as_server_user() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups env -u HOME LC_ALL=C "$@")
    else
        LC_ALL=C "$@"
    fi
}

free_port() {
    local port
    for port in $(seq $((50000 + checkout % 5000)) $((50100 + checkout % 5000))); do
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            printf '%s\n' "$port"
            return
        fi
    done
    fail "no free port found; stop other servers and try again"
}

address() {
    printf 'postgres://postgres@127.0.0.1:%s/postgres\n' "$(cat "$dir/port")"
}

running() {
    [ -f "$dir/port" ] && as_server_user "$bin/pg_ctl" status -D "$dir/data" >/dev/null 2>&1
}

# A bench that asks for a server that syncs must not measure one that does not.
refuse_without_sync() {
    local fsync
    fsync=$(as_server_user "$bin/psql" -X -A -t -U postgres -h 127.0.0.1 -p "$(cat "$dir/port")" -c 'SHOW fsync')
    [ "$fsync" = on ] || fail "the server in $dir does not sync to the disk; stop it first: scripts/postgres.sh stop"
}

start() {
    if running; then
        [ -z "${HANDFAST_POSTGRES_DURABLE:-}" ] || refuse_without_sync
        return
    fi
    rm -rf "$dir"
    mkdir -p "$dir/data" "$dir/socket"
    chmod 755 "$dir"
    [ "$(id -u)" -ne 0 ] || chown postgres "$dir/data" "$dir/socket"
    as_server_user "$bin/initdb" -D "$dir/data" -U postgres --auth=trust --encoding=UTF8 --locale=C \
        --no-sync >"$dir/initdb.log" 2>&1 || fail "initdb failed; see $dir/initdb.log"
    free_port >"$dir/port"
    # Tests ask what happens under concurrency, not under power loss: fsync off makes them quick.
    local options="-p $(cat "$dir/port") -k $dir/socket -c listen_addresses=127.0.0.1"
    options="$options -c max_connections=300 -c shared_buffers=64MB"
    [ -n "${HANDFAST_POSTGRES_DURABLE:-}" ] || options="$options -c fsync=off -c full_page_writes=off"
    as_server_user "$bin/pg_ctl" start -w -t 60 -D "$dir/data" -l "$dir/data/server.log" -o "$options" \
        >/dev/null || fail "the server did not start; see $dir/data/server.log"
}

stop() {
    if running; then
        as_server_user "$bin/pg_ctl" stop -w -m immediate -D "$dir/data" >/dev/null
    fi
    rm -rf "$dir"
}

bin=$(find_bin)
case "${1:-}" in
start)
    start
    address
    ;;
stop)
    stop
    ;;
run)
    shift
    [ $# -gt 0 ] || fail "run needs a command"
    # A directory of its own, so that its end does not stop a server that others started.
    dir=${HANDFAST_POSTGRES_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/handfast-postgres-XXXXXX")}
    trap stop EXIT
    start
    HANDFAST_TEST_POSTGRES=$(address) "$@"
    ;;
*)
    fail "say start, stop or run CMD"
    ;;
esac
