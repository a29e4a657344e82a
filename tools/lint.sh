#!/usr/bin/env bash
# Style (ruff), types (mypy) and the one-way rule between packages (import-linter). Runs all, then says.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
status=0

.venv/bin/ruff check . || status=1
.venv/bin/ruff format --check . || status=1

# mypy finds packages by folder name, and this folder may be called anything: give it a link.
mkdir -p .venv/link && ln -sfn ../.. .venv/link/understudy
MYPYPATH=.venv/link .venv/bin/mypy --config-file pyproject.toml \
  -p understudy.addon -p understudy.backend -p understudy.training || status=1

.venv/bin/lint-imports --no-logo --no-cache || status=1
exit $status
