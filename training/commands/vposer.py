"""``understudy-train vposer --amass DIR|--store DIR --out DIR``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from ...backend.errors import BadInput

STAGES = {"1": (1,), "2": (2,), "3": (3,), "all": (1, 2, 3)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--amass", type=Path, metavar="DIR", help="AMASS as downloaded, SMPL+H or SMPL-X")
    source.add_argument("--store", type=Path, metavar="DIR", help="a store, instead of AMASS")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the three stages")
    parser.add_argument(
        "--stage", choices=list(STAGES), default="all", help="which stage to make (default all)"
    )
    parser.add_argument(
        "--seed", type=int, default=100, metavar="N", help="of all that is random (default 100)"
    )
    parser.add_argument(
        "--keep",
        type=float,
        default=0.3,
        metavar="SHARE",
        help="share of the central frames to draw (default 0.3)",
    )
    parser.add_argument(
        "--noise", type=float, default=0.0, metavar="SIGMA",
        help="stage II: rotation noise of training poses, radians (default 0, none)",
    )  # fmt: skip
    parser.add_argument(
        "--copies", type=int, default=1, metavar="N",
        help="stage II: times each training pose is written; of several the first stays clean (default 1)",
    )  # fmt: skip
    parser.add_argument(
        "--package-layout", action="store_true",
        help="also write SPLIT/{root_orient,pose_body}.pt, which human_body_prior's trainer reads today",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)"
    )
    parser.add_argument("--json", action="store_true", help="print settings.json")


def run(arguments: argparse.Namespace) -> int:
    from ..vposer.sources import SPLITS
    from ..vposer.stages import Settings, run

    stages = STAGES[arguments.stage]
    if 1 in stages and not (arguments.amass or arguments.store):
        raise BadInput("Say where the motion is: --amass DIR or --store DIR.", field="amass")
    if arguments.workers < 1:
        raise BadInput("--workers must be at least 1.", field="workers")
    for field in ("amass", "store"):
        folder = getattr(arguments, field)
        if folder is not None and not folder.is_dir():
            raise BadInput(f"The folder {folder} is not there.", field=field)
    settings = Settings(
        amass=arguments.amass, store=arguments.store, keep=arguments.keep, seed=arguments.seed,
        noise=arguments.noise, copies=arguments.copies, package_layout=arguments.package_layout,
    )  # fmt: skip
    show = sys.stderr.isatty() and not arguments.json

    def progress(what: str, done: int, total: int) -> None:
        if show:
            end = "\n" if done >= total else ""
            print(f"\r{what}: {min(done, total)}/{total}", end=end, file=sys.stderr, flush=True)

    try:
        record = run(settings, arguments.out, stages=stages, workers=arguments.workers, progress=progress)
    except OSError as error:
        raise BadInput(
            f"{arguments.out} cannot be written ({error.strerror or error}).", field="out"
        ) from None
    if arguments.json:
        print(json.dumps(record, indent=2, ensure_ascii=False))
        return 0
    for number in stages:
        made = record[f"stage_{'I' * number}"]
        print(
            f"stage {'I' * number}: " + ", ".join(f"{split} {made[split]['rows']} rows" for split in SPLITS)
        )
        skipped = [pair for split in SPLITS for pair in made[split].get("skipped", {}).items()]
        for name, why in skipped[:8]:
            print(f"  skipped {name}: {why}")
        if len(skipped) > 8:
            print(f"  and {len(skipped) - 8} more, all named in {arguments.out / 'vposer.log'}")
    return 0
