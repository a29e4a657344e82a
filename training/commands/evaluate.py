"""``understudy-train evaluate --pack DIR --store DIR``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pack", required=True, metavar="NAME|DIR", help="the pack to measure")
    parser.add_argument(
        "--store", type=Path, required=True, metavar="DIR", help="the store it was trained on"
    )
    parser.add_argument(
        "--datasets", nargs="+", default=[], metavar="SET", help="only these sets of the store"
    )
    parser.add_argument(
        "--alignment",
        type=Path,
        metavar="DIR",
        help="a model of 'stage alignment': R-precision, FID, diversity and variety are measured in its space",
    )
    parser.add_argument(
        "--cases", type=int, default=64, metavar="N", help="captions of each kind to perform (default 64)"
    )
    parser.add_argument(
        "--replications", type=int, default=20, metavar="N", help="draws behind each interval (default 20)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument(
        "--without",
        nargs="+",
        default=[],
        choices=("language", "diffusion", "best_of_n"),
        help="also measure the pack without this model, or without a choice among plans",
    )
    parser.add_argument(
        "--guidance", nargs="+", type=float, default=[], metavar="G", help="also measure with these scales"
    )
    parser.add_argument(
        "--steps",
        nargs="+",
        type=int,
        default=[],
        metavar="N",
        help="also measure with so many diffusion steps",
    )
    parser.add_argument(
        "--sliders",
        nargs="?",
        type=int,
        const=12,
        default=0,
        metavar="N",
        help="also measure the style sliders, on N prompts (12 when no number is given)",
    )
    parser.add_argument(
        "--halves", action="store_true", help="also measure 50 pairs of prompts for arms and legs"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="also write all numbers and cases here")
    parser.add_argument("--page", type=Path, metavar="FILE.md|.html", help="also write a page with plots")


def run(arguments: argparse.Namespace) -> int:
    from ...backend.errors import BadInput
    from ..evaluation.evaluate import Options, evaluate
    from ..evaluation.progress import bars
    from ..evaluation.report_page import check_page, write_page, write_text
    from ..evaluation.summary import report

    for name in ("cases", "replications"):
        if getattr(arguments, name) < 1:
            raise BadInput(f"--{name} is to be at least 1.", field=name)
    if any(count < 1 for count in arguments.steps):
        raise BadInput("--steps is to be numbers of at least 1.", field="steps")
    if arguments.sliders < 0:
        raise BadInput("--sliders is to be a number of prompts.", field="sliders")
    if arguments.page:
        check_page(arguments.page)
    options = Options(
        cases=arguments.cases,
        seed=arguments.seed,
        datasets=tuple(arguments.datasets),
        alignment=arguments.alignment,
        replications=arguments.replications,
        without=tuple(dict.fromkeys(arguments.without)),
        guidance=tuple(dict.fromkeys(arguments.guidance)),
        steps=tuple(dict.fromkeys(arguments.steps)),
        sliders=arguments.sliders,
        halves=arguments.halves,
    )
    with bars(show=sys.stderr.isatty()) as progress:
        numbers = evaluate(arguments.pack, arguments.store, options, progress)
    print(report(numbers))
    if arguments.out:
        write_text(arguments.out, json.dumps(numbers, indent=1))
    if arguments.page:
        write_page(numbers, arguments.page)
    return 0
