#!/bin/sh
# The plain search beside faiss-cpu, one thread each, as a table: crates/mpc/benches/beside_faiss.sh [ROWS LENGTH].
# faiss and numpy (pinned) go into a cache outside the repository, the first time.
set -eu
cd "$(dirname "$0")/../../.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/handfast/faiss-1.15.1"
if [ ! -e "$cache/ready" ]; then
    python3 -m venv "$cache"
    "$cache/bin/pip" install --quiet faiss-cpu==1.15.1 numpy==2.4.6
    : >"$cache/ready"
fi
cargo build --quiet --release -p handfast-mpc --example plain
exec "$cache/bin/python" crates/mpc/benches/beside_faiss.py "$@"
