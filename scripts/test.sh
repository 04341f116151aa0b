#!/usr/bin/env bash
# Every test: pages, Rust (hub tests on SQLite and on PostgreSQL), whole system in a browser.
# test.sh [pages|rust|browser]: one part alone. What the parts print is searched for card numbers.
# Ends with the counts of each part; the exit code is non-zero when any part failed.
set -euo pipefail
cd "$(dirname "$0")/.."
chosen=${1:-all}
case $chosen in
  all | pages | rust | browser) ;;
  *) printf 'no such part: %s. There are pages, rust and browser; without a name all are run.\n' "$chosen" >&2; exit 2 ;;
esac
scripts/ensure.sh test

# What the parts print is kept until the next run, and searched for card numbers.
output=test-results/output
rm -rf "$output"
mkdir -p "$output"
output=$(realpath "$output")

report=()
failed=0
part() { # part NAME COMMAND...
  local name=$1; shift
  case $chosen in all | "${name%%:*}") ;; *) return ;; esac
  printf '\n==> %s\n' "$name"
  # A subshell with its own -e: in an `if` the shell would go on after a failed command.
  (set -e; "$@" 2>&1 | tee "$output/${name%%:*}.log") & if wait $!; then report+=("ok      $name"); else report+=("FAILED  $name"); failed=1; fi
}

test_pages() {
  make --no-print-directory pages
  cd web
  npm run --silent check
  npm test --silent
}

test_rust() {
  if cargo nextest --version >/dev/null 2>&1; then
    scripts/postgres.sh run cargo nextest run --locked --workspace --no-fail-fast
    # nextest leaves out the examples in comments, some of which prove that misuse does not compile.
    cargo test --locked --workspace --doc --quiet
  else
    scripts/postgres.sh run cargo test --locked --workspace --no-fail-fast
  fi
}

test_browser() {
  # Together with the tests: alone, the binary has other features of its dependencies, and nearly
  # everything would be built (and kept) a second time.
  cargo build --locked --workspace --bins --tests
  cd tests/browser
  if [ ! -e node_modules/.installed ] || [ package-lock.json -nt node_modules/.installed ]; then
    npm ci --no-audit --no-fund --loglevel=error
    touch node_modules/.installed
  fi
  node --test ./*.test.mjs
}

test_output() {
  target/debug/handfast scan-cards "$output"
}

part "pages: types and units" test_pages
part "rust: units and services on SQLite and PostgreSQL" test_rust
part "browser: the evening, end to end" test_browser
if [ "$chosen" = all ] || [ -x target/debug/handfast ]; then
  chosen=all part "output: no card number in what the tests printed" test_output
fi

printf '\n'
printf '%s\n' "${report[@]}"
passed=$(printf '%s\n' "${report[@]}" | grep -c '^ok' || true)
printf '%s passed, %s failed\n' "$passed" "$((${#report[@]} - passed))"
exit $failed
