"""``understudy-train evaluate --pack DIR --store DIR``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pack", required=True, metavar="NAME|DIR", help="the pack to measure")
    parser.add_argument(
        "--store", type=Path, required=True, metavar="DIR", help="the store it was trained on"
    )
    parser.add_argument(
        "--cases", type=int, default=20, metavar="N", help="captions to generate from (default 20)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="also write all numbers and cases here")


def run(arguments: argparse.Namespace) -> int:
    from ..evaluate import evaluate, report

    numbers = evaluate(arguments.pack, arguments.store, cases=arguments.cases, seed=arguments.seed)
    print(report(numbers))
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        temporary = arguments.out.with_suffix(".tmp")
        temporary.write_text(json.dumps(numbers, indent=1), "utf-8")
        temporary.replace(arguments.out)
    return 0
