# Everything sets itself up: the first run makes .venv (a few minutes), later ones start at once.
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format extension extensions repository clean

help:  ## show what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

setup:  ## make .venv, with system libraries when root
	@tools/setup.sh main

demo: setup  ## a prompt becomes a keyed, rendered clip in out/demo
	@.venv/bin/python tools/demo.py

test: setup  ## every test, on Blender 4.2, 4.5 and 5.0
	@tools/setup.sh bpy42
	@tools/setup.sh bpy50
	@tools/test.sh

lint: setup  ## style, types and the one-way rule between packages
	@tools/lint.sh

format: setup  ## put the style right
	@.venv/bin/ruff check --fix --exit-zero .
	@.venv/bin/ruff format .

extension: setup  ## the zip that Blender installs on this platform (Blender 4.2 to 5.0), in dist/
	@.venv/bin/python tools/build_extension.py

extensions: setup  ## the zips of every platform and Python, in dist/
	@.venv/bin/python tools/build_extension.py --all

repository: setup  ## the zips in dist/ as a remote repository for Blender, in dist/repository
	@.venv/bin/python tools/build_repository.py

clean:  ## remove what the commands above made, environments included
	rm -rf .venv .venv-bpy42 .venv-bpy50 build dist out *.egg-info .mypy_cache .ruff_cache .pytest_cache \
		.import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
