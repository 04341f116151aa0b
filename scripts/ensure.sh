#!/usr/bin/env bash
# Checks what a target needs and installs what is missing: ensure.sh demo|test|lint
# System packages come by apt where that may be used (root, or sudo without a password); otherwise
# the one command to run is printed. Nothing is downloaded from anywhere but package registries.
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:?which target: demo, test or lint}

say() { printf '==> %s\n' "$*"; }
die() { printf 'cannot go on: %s\n' "$*" >&2; exit 1; }

apt_install() {
  local sudo=()
  if ! command -v apt-get >/dev/null; then
    die "missing: $*. Install them with this system's package manager and run again."
  fi
  if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || die "missing: $*. Run: sudo apt-get install -y $*"
    sudo=(sudo -n)
  fi
  say "installing $* (apt)"
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

need_command() { # need_command COMMAND PACKAGE...
  local name=$1; shift
  command -v "$name" >/dev/null || missing+=("$@")
}

missing=()
need_command cc gcc libc6-dev
need_command make make
if [ "$purpose" = test ]; then
  need_command chromium chromium
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
fi
if [ ${#missing[@]} -gt 0 ]; then apt_install "${missing[@]}"; fi

# rustup puts cargo where a fresh shell may not look.
command -v cargo >/dev/null || die "Rust is not installed. Get it from https://rustup.rs and run again."
command -v node >/dev/null || die "Node.js is not installed. Get version 20 or newer from https://nodejs.org and run again."

need_rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
have_rust=$(rustc --version | cut -d' ' -f2)
[ "$(printf '%s\n%s\n' "$need_rust" "$have_rust" | sort -V | head -1)" = "$need_rust" ] ||
  die "Rust $have_rust is too old; $need_rust or newer is needed. Run: rustup update stable"
node_major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
[ "$node_major" -ge 20 ] || die "Node.js $(node --version) is too old; version 20 or newer is needed."
