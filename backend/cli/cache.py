"""``understudy cache``: how large the cache is, and clearing it."""

from __future__ import annotations

import argparse

from .common import megabytes, print_json


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("cache", help="how large the cache is; --clear empties it")
    parser.add_argument("--clear", action="store_true", help="delete what can be made again")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from ..process.caches import cache_folder, cache_size, clear_cache

    if args.clear:
        clear_cache()
    files, size = cache_size()
    if args.json:
        print_json({"folder": str(cache_folder()), "files": files, "bytes": size})
    else:
        print(f"{cache_folder()}  {files} files, {megabytes(size)}")
    return 0
