"""``understudy-train chat-metrics``: a trained stage chat on conversations it has not seen, beside what it began with."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="what the stage was trained with"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a key of it; repeatable"
    )
    parser.add_argument("--split", default="val", choices=("val", "test", "train"), help="whose scripts")
    parser.add_argument(
        "--turns", type=int, default=160, help="turns that are performed, 32 at least (default: 160)"
    )
    parser.add_argument("--alignment", type=Path, metavar="DIR", help="what 'stage alignment' trained")
    parser.add_argument("--replications", type=int, default=20, help="groupings and draws behind intervals")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, metavar="FILE", help="all numbers as JSON")


def run(arguments: argparse.Namespace) -> int:
    from ...backend.errors import BadInput
    from ..evaluation.chat_metrics import Options, measure_chat, page
    from ..evaluation.progress import bars
    from ..features.files import write_whole
    from ..stages.chat import ChatStage
    from ..stages.common import load_config

    if arguments.replications < 2 or arguments.turns < 1:
        raise BadInput("At least two replications and one turn are needed.", field="replications")
    config = load_config(ChatStage, arguments.config, arguments.set)
    options = Options(
        arguments.split, arguments.turns, arguments.alignment, arguments.replications, arguments.seed
    )
    with bars(show=sys.stderr.isatty()) as progress:
        numbers = measure_chat(config, options, progress)
    if arguments.out is not None:
        write_whole(arguments.out, (json.dumps(numbers, indent=1) + "\n").encode())
    print(page(numbers))
    return 0
