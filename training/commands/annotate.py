"""``understudy-train annotate interx split|vote --root DIR --config FILE``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ...backend.errors import BadInput
from ..data.interx import ANNOTATIONS, home_of
from ..data.interx_texts import AnnotationSettings
from ..data.interx_texts import run as annotate
from ..data.raw import Raw
from ..words.llm import Usage, read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", choices=["interx"], metavar="DATASET", help="interx")
    parser.add_argument(
        "step", choices=["split", "vote"], metavar="split|vote",
        help="divide captions into one of each person, or put the divisions to the vote",
    )  # fmt: skip
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="folder of the raw data sets")
    parser.add_argument(
        "--out", type=Path, metavar="DIR",
        help=f"folder of the results (default: {ANNOTATIONS} in the data set's, where prepare looks for them)",
    )  # fmt: skip
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE.yaml",
        help="the endpoint (llm: base_url, model, temperature, ...), attempts, repeat",
    )  # fmt: skip
    parser.add_argument(
        "--period", type=int, default=1, metavar="N", help="divide the captions into so many parts"
    )
    parser.add_argument("--part", type=int, default=0, metavar="K", help="which of them to do, from 0")
    parser.add_argument(
        "--limit", type=int, metavar="N", help="only the first captions of the part, to try it out"
    )
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")


def run(arguments: argparse.Namespace) -> int:
    if arguments.period < 1 or not 0 <= arguments.part < arguments.period:
        raise BadInput("--part counts from 0 to --period minus 1.", field="part")
    if arguments.limit is not None and arguments.limit < 1:
        raise BadInput("--limit must be at least 1.", field="limit")
    settings = read_config(AnnotationSettings, arguments.config)
    home = home_of(Raw(arguments.root, arguments.root))
    show = sys.stderr.isatty() and not arguments.json

    def progress(done: int) -> None:
        if show:
            print(f"\r{done} captions", end="", file=sys.stderr, flush=True)

    try:
        numbers = annotate(
            arguments.step, home / "texts", arguments.out or home / ANNOTATIONS, settings,
            period=arguments.period, part=arguments.part, limit=arguments.limit, progress=progress,
        )  # fmt: skip
    except OSError as error:
        raise BadInput(f"The results cannot be written ({error.strerror or error}).", field="out") from None
    finally:
        if show:
            print(file=sys.stderr)
    if arguments.json:
        print(json.dumps(numbers, indent=2))
        return 0
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(numbers["outcomes"].items()))
    print(f"{numbers['file']}: {numbers['captions']} captions: {outcomes or 'none'}")
    print(f"this run: {Usage(**numbers['run']).line()}")
    print(f"in all: {numbers['total']['asked']} answers, cost {numbers['total']['cost']:.4f}")
    return 0
