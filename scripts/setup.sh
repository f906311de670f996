#!/bin/bash
# Installs what StreamTensor is built and tested with: Debian packages, and a
# virtual environment .venv for what lives in Python. Debian 12 and 13. Does
# nothing when all is there; can be run as often as wanted.
#
#   scripts/setup.sh check    what only tests use, too: a browser
#
#   ST_PYTHON      the Python of the environment (default: python3)
#   ST_PIP_ARGS    more arguments for pip install, for example an index with
#                  torch's CPU build
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

packages=(
  cmake ninja-build make gcc g++ clang pkg-config libc6-dev
  libjansson-dev libcmocka-dev # JSON, unit tests
  libmlir-19-dev zlib1g-dev    # the importer
  libxrt-dev                   # the emitted host program compiles against it
  verilator yosys iverilog     # the SystemVerilog library: simulation, proofs
  python3 python3-venv
)
[ "${1:-}" != check ] || packages+=(chromium) # draws reports

is_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null)" = "ii " ]
}

install_packages() {
  command -v dpkg-query >/dev/null ||
    fail "this is not Debian: install these yourself: ${packages[*]}"
  local missing=() p
  for p in "${packages[@]}"; do
    is_installed "$p" || missing+=("$p")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      fail "run as root, or install first: ${missing[*]}"
    root=(sudo)
  fi
  say "installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  local wait=(-o DPkg::Lock::Timeout=600)
  "${root[@]}" apt-get "${wait[@]}" update -qq >&2
  "${root[@]}" apt-get "${wait[@]}" install -qq -y --no-install-recommends \
    "${missing[@]}" >/dev/null
}

# All of requirements.txt, torch on its own first; the emitted C++ is compiled
# against the vendor's open headers, which come with hls4ml: without the rest of
# what hls4ml wants.
fill_environment() {
  local pip=(.venv/bin/python -m pip install --quiet
             --disable-pip-version-check)
  [ -z "${ST_PIP_ARGS:-}" ] || pip+=($ST_PIP_ARGS)
  local torch
  torch=$(grep '^torch==' scripts/requirements.txt)
  say "installing $torch into .venv"
  "${pip[@]}" "$torch"
  say "installing scripts/requirements.txt into .venv"
  "${pip[@]}" -r scripts/requirements.txt
  "${pip[@]}" --no-deps hls4ml==1.3.0
}

install_environment() {
  local python=${ST_PYTHON:-python3} want
  want=$(cat scripts/requirements.txt scripts/setup.sh | sha256sum)
  if [ -x .venv/bin/python ] && [ "$(cat .venv/stamp 2>/dev/null)" = "$want" ]
  then
    return
  fi
  if ! .venv/bin/python -c '' 2>/dev/null; then
    say "making the virtual environment .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
  fi
  fill_environment
  printf '%s\n' "$want" >.venv/stamp
}

install_packages
install_environment
say "ready"
