#!/usr/bin/env bash
# Runs every test, in four processes: the add-on's tests need a Blender each, and Blender in the same
# process as torch would make the exit of either the other's problem. With two cores the first runs beside
# the others, and is shown when they are done. Runs all parts, then says.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What the add-on's tests start as the backend, whichever Blender they run in.
export UNDERSTUDY_PYTHON=${UNDERSTUDY_PYTHON:-$PWD/.venv/bin/python}
export PYTHONDONTWRITEBYTECODE=1
failed=()
began=$SECONDS

part() { # NAME PYTHON ARGUMENTS...
  local name=$1 python=$2 start=$SECONDS status
  shift 2
  printf '\n### %s\n' "$name"
  "$python" -m pytest --durations=5 --durations-min=3 "$@" </dev/null
  status=$?
  printf '### %s: %s s\n' "$name" $((SECONDS - start))
  [ $status -eq 0 ] || failed+=("$name (exit $status)")
}

core() {
  part "core, models, training, command line" .venv/bin/python tests --ignore=tests/addon
  return ${#failed[@]}
}

beside=""
if [ "$(nproc)" -gt 1 ]; then
  log=$(mktemp)
  core >"$log" 2>&1 &
  beside=$!
  trap 'kill "$beside" 2>/dev/null; rm -f "$log"' EXIT
else
  core
fi
part "add-on in Blender 4.5" .venv/bin/python tests/addon
part "add-on in Blender 4.2" .venv-bpy42/bin/python tests/addon
part "add-on in Blender 5.0" .venv-bpy50/bin/python tests/addon
if [ -n "$beside" ]; then
  wait "$beside" || failed+=("core, models, training, command line")
  cat "$log"
fi

printf '\n### all tests: %s s\n' $((SECONDS - began))
if [ ${#failed[@]} -gt 0 ]; then
  printf 'FAILED: %s\n' "${failed[@]}"
  exit 1
fi
