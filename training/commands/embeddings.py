"""``understudy-train embeddings build|merge|search``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ...backend.errors import BadInput
from ..words.embeddings import DEFAULT_MODEL, MERGED, build, merge, read_about, search

SHOWN = 4
"""Motions printed of a caption; --json prints all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="build|merge|search")
    one = actions.add_parser("build", help="embed the captions of a store, or one part of them")
    one.add_argument("--store", type=Path, required=True, metavar="DIR")
    one.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the parts")
    one.add_argument(
        "--model", default=DEFAULT_MODEL, metavar="NAME|PATH",
        help=f"a sentence-transformers model (default {DEFAULT_MODEL}, which needs no network)",
    )  # fmt: skip
    one.add_argument(
        "--period", type=int, default=1, metavar="N", help="divide the captions into so many parts"
    )
    one.add_argument("--part", type=int, default=0, metavar="K", help="which of them to embed, from 0")
    two = actions.add_parser("merge", help="join the parts of a folder into one file")
    two.add_argument("folder", type=Path, metavar="DIR", help="folder of the parts")
    two.add_argument("--out", type=Path, metavar="FILE.npz", help=f"default: DIR/{MERGED}")
    three = actions.add_parser("search", help="find captions, and their motions, by meaning")
    three.add_argument("text", metavar="TEXT")
    three.add_argument("--embeddings", type=Path, required=True, metavar="FILE|DIR")
    three.add_argument("--top", type=int, default=10, metavar="N", help="how many captions (default 10)")
    three.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    try:
        return {"build": _build, "merge": _merge, "search": _search}[arguments.action](arguments)
    except OSError as error:
        where = error.filename or "the embeddings"
        raise BadInput(f"{where} cannot be written ({error.strerror or error}).", field="out") from None


def _build(arguments: argparse.Namespace) -> int:
    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done}/{total} captions", end="" if done < total else "\n", file=sys.stderr, flush=True)

    path = build(
        arguments.store, arguments.out, model=arguments.model, period=arguments.period, part=arguments.part,
        progress=progress,
    )  # fmt: skip
    print(f"{path}: {read_about(path)['texts']} captions")
    return 0


def _merge(arguments: argparse.Namespace) -> int:
    path = merge(arguments.folder, arguments.out)
    print(f"{path}: {read_about(path)['texts']} captions")
    return 0


def _search(arguments: argparse.Namespace) -> int:
    hits = search(arguments.text, arguments.embeddings, top=arguments.top)
    if arguments.json:
        print(json.dumps([hit._asdict() for hit in hits], indent=2, ensure_ascii=False))
        return 0
    for hit in hits:
        more = f" and {len(hit.motions) - SHOWN} more" if len(hit.motions) > SHOWN else ""
        print(f"{hit.score:.3f}  {hit.text}  [{', '.join(hit.motions[:SHOWN])}{more}]")
    return 0
