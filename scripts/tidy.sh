#!/usr/bin/env bash
# Rules over the tree that no linter knows. Prints every breach; exits 1 when there is one.
set -euo pipefail
cd "$(dirname "$0")/.."
breaches=0
breach() { printf 'tidy: %s\n' "$*"; breaches=1; }

for crate in crates/*/; do
  name=$(basename "$crate")
  grep -q "crates/$name" ARCHITECTURE.md || breach "ARCHITECTURE.md does not name crates/$name"
done
while IFS= read -r file; do
  [ "$(stat -c %s "$file")" -le 1000000 ] || breach "$file is larger than 1 MB; is it meant to be in the repository?"
done < <(git ls-files)
if git grep -nE '(todo!|unimplemented!)\(' -- '*.rs'; then breach "unfinished code above"; fi
# Only a macro whose uses differ may allow, and then it allows the lint against allowing too.
if git grep -nE '#!?\[allow\(' -- '*.rs' | grep -v 'clippy::allow_attributes'; then breach "use #[expect(..., reason = ...)] instead of #[allow]"; fi
if git grep -nE 'registry\.npmjs|resolved"' -- '*package-lock.json' | grep -q .; then
  breach "a package lock names a registry host; set omit-lockfile-registry-resolved in .npmrc"
fi
[ $breaches -eq 0 ] && printf 'tidy: nothing to say\n'
exit $breaches
