#!/usr/bin/env bash
# Makes the environments of this repository, each once:
#
#   tools/setup.sh main           .venv         everything, with Blender 4.5 as a Python module
#   tools/setup.sh bpy42          .venv-bpy42   Blender 4.2 for the add-on's tests
#   tools/setup.sh bpy50          .venv-bpy50   Blender 5.0 for the add-on's tests
#
# A finished environment carries a stamp with the checksum of what it was made from, so a second
# call returns at once. Needs Debian or Ubuntu with Python 3.11; as root it installs the missing
# system libraries itself, otherwise it names the one command that does.
#
# TORCH_INDEX=URL   an extra package index to take torch from (the CPU build's, for instance)
# PYTHON=PROGRAM    the Python 3.11 to use
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\033[1m%s\033[0m\n' "setup: $*" >&2; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

environment=${1:-main}
case $environment in
  main) venv=.venv ;;
  bpy42) venv=.venv-bpy42 bpy=4.2.23 ;;
  bpy50) venv=.venv-bpy50 bpy=5.0.1 ;;
  *) fail "unknown environment '$environment' (main, bpy42 or bpy50)" ;;
esac

want=$(cat pyproject.toml constraints.txt tools/setup.sh | sha256sum | cut -c1-16)
stamp=$venv/.understudy-ready
# The folder is part of the stamp: an editable install points at it.
if [ "$(cat "$stamp" 2>/dev/null)" = "$want $PWD" ] && [ -x "$venv/bin/python" ]; then
  exit 0
fi

# ------------------------------------------------------------------ system libraries
# bpy loads these at import (libgomp1: 4.2; libegl1: Workbench and EEVEE). Named by the file they
# bring, so that a machine which has them from elsewhere is left alone.
system_packages=()
need_library() { # FILE PACKAGE
  ldconfig -p 2>/dev/null | grep -q "$1" || system_packages+=("$2")
}
if command -v apt-get >/dev/null; then
  PATH=$PATH:/sbin:/usr/sbin
  need_library libX11.so.6 libx11-6
  need_library libXrender.so.1 libxrender1
  need_library libXfixes.so.3 libxfixes3
  need_library libXi.so.6 libxi6
  need_library libxkbcommon.so.0 libxkbcommon0
  need_library libSM.so.6 libsm6
  need_library libGL.so.1 libgl1
  need_library libEGL.so.1 libegl1
  need_library libgomp.so.1 libgomp1
fi

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.11 python3 python; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
}
python=$(find_python)
if [ -z "$python" ]; then
  # Debian 12 and Ubuntu 22.04 carry it under this name.
  system_packages+=(python3.11 python3.11-venv)
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  system_packages+=(python3.11-venv)
fi

if [ ${#system_packages[@]} -gt 0 ]; then
  command="apt-get install -y --no-install-recommends ${system_packages[*]}"
  if ! command -v apt-get >/dev/null; then
    fail "Python 3.11 is missing; install it and run this again (or set PYTHON to it)"
  elif [ "$(id -u)" -ne 0 ]; then
    fail "system packages are missing; run this, then again what you ran: sudo $command"
  fi
  say "installing system packages: ${system_packages[*]}"
  log=$(mktemp)
  export DEBIAN_FRONTEND=noninteractive
  # A package list may be missing or old: ask for a new one only when the first try fails.
  $command >"$log" 2>&1 || { apt-get update >>"$log" 2>&1 && $command >>"$log" 2>&1; } ||
    { tail -n 20 "$log" >&2; fail "could not install system packages; by hand: $command"; }
  rm -f "$log"
  python=$(find_python)
  [ -n "$python" ] || fail "no Python 3.11 found; install it or set PYTHON to it"
fi

# ------------------------------------------------------------------ the environment
say "making $venv with $python (once; a few minutes)"
began=$SECONDS
if ! [ -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
  rm -rf "$venv"
  "$python" -m venv "$venv"
fi
rm -f "$stamp"
pip() { "$venv/bin/python" -m pip -qq --disable-pip-version-check "$@"; }
index=()
[ -n "${TORCH_INDEX:-}" ] && index=(--extra-index-url "$TORCH_INDEX")

if [ "$environment" = main ]; then
  pip install -c constraints.txt setuptools wheel
  # torch first and by its exact version: a later package would otherwise take the newest.
  pip install -c constraints.txt "${index[@]}" "$(grep '^torch==' constraints.txt)"
  pip install -c constraints.txt "${index[@]}" --no-build-isolation -e '.[torch,train,ray,bpy,dev]'
else
  # Only what Blender's Python has, plus the test runner: an import of torch or pydantic must fail here.
  rest=$(mktemp)
  grep -v '^bpy==' constraints.txt >"$rest"
  pip install -c "$rest" setuptools wheel
  pip install -c "$rest" "bpy==$bpy" 'numpy<2' pytest hypothesis
  pip install --no-build-isolation --no-deps -e .
  rm -f "$rest"
fi
"$venv/bin/python" -c 'import bpy' || fail "Blender as a module does not load in $venv"
echo "$want $PWD" >"$stamp"
say "$venv is ready ($((SECONDS - began)) s)"
