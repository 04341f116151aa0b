#!/usr/bin/env bash
# Every test: pages, Rust (hub tests on SQLite and on PostgreSQL), whole system in a browser.
# Ends with the counts of each part; the exit code is non-zero when any part failed.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/ensure.sh test

report=()
failed=0
part() { # part NAME COMMAND...
  local name=$1; shift
  printf '\n==> %s\n' "$name"
  if "$@"; then report+=("ok      $name"); else report+=("FAILED  $name"); failed=1; fi
}

test_pages() { make --no-print-directory pages && cd web && npm run --silent check && npm test --silent; }

test_rust() {
  if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --workspace --no-fail-fast
  else
    cargo test --locked --workspace --no-fail-fast
  fi
}

test_browser() {
  (cd tests/browser && [ package-lock.json -ot node_modules/.installed ] ||
    { cd tests/browser && npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.installed; })
  cargo build --locked --bin handfast
  node --test tests/browser/*.test.mjs
}

HANDFAST_TEST_POSTGRES=$(scripts/postgres.sh start)
export HANDFAST_TEST_POSTGRES
trap 'scripts/postgres.sh stop' EXIT

part "pages: types and units" test_pages
part "rust: units and services on SQLite and PostgreSQL" test_rust
part "browser: the evening, end to end" test_browser

printf '\n'
printf '%s\n' "${report[@]}"
passed=$(printf '%s\n' "${report[@]}" | grep -c '^ok' || true)
printf '%s passed, %s failed\n' "$passed" "$((${#report[@]} - passed))"
exit $failed
