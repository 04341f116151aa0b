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
# The tool itself is built once and kept for every checkout on this machine.
tools=${HANDFAST_TOOLS:-$HOME/.cache/handfast-tools}
PATH="$tools/bin:$PATH"
if ! command -v cargo-deny >/dev/null; then
  printf '    building cargo-deny (once)\n'
  cargo install --quiet --locked --no-default-features --root "$tools" cargo-deny --version 0.20.2
fi
cargo-deny --locked check bans licenses sources
printf '==> tidy\n'
scripts/tidy.sh
