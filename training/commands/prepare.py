"""``understudy-train prepare DATASET --root DIR --store DIR``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from ...backend.errors import BadInput, JobFailed
from ..data.sets import OPEN, SETS, jobs_of
from ..data.store import prepare


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", choices=["open", *SETS], help=f"a data set; open = {', '.join(OPEN)}")
    parser.add_argument("--root", type=Path, required=True, help="folder of the raw data sets")
    parser.add_argument("--store", type=Path, required=True, help="folder of the store; made when missing")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)"
    )
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")


def run(arguments: argparse.Namespace) -> int:
    if not arguments.root.is_dir():
        raise BadInput(f"The folder {arguments.root} is not there.", field="root")
    if arguments.workers < 1:
        raise BadInput("--workers must be at least 1.", field="workers")
    try:
        arguments.store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"The store {arguments.store} cannot be made ({error.strerror}).", field="store"
        ) from None
    jobs = jobs_of(arguments.dataset, arguments.root, arguments.store)
    show = sys.stderr.isatty() and not arguments.json

    def progress(done: int, total: int) -> None:
        if show:
            print(f"\r{done}/{total} clips", end="" if done < total else "\n", file=sys.stderr, flush=True)

    report = prepare(jobs, arguments.store, workers=arguments.workers, progress=progress)
    if arguments.json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        for name, numbers in report.items():
            print(
                f"{name}: {numbers['made']} made, {numbers['kept']} kept, {len(numbers['skipped'])} skipped, "
                f"{numbers['hours']:.3f} h, {sum(numbers['rows'].values())} rows, {numbers['captions']} captions, {numbers['seconds']} s"
            )
            skipped = list(numbers["skipped"].items())
            for clip, why in skipped[:8]:
                print(f"  skipped {clip}: {why}")
            if len(skipped) > 8:
                print(f"  and {len(skipped) - 8} more, all named in {arguments.store / 'report.json'}")
    if jobs and all(numbers["made"] + numbers["kept"] == 0 for numbers in report.values()):
        raise JobFailed(
            "Not one clip could be read.", hint=f"The reasons are in {arguments.store / 'report.json'}."
        )
    return 0
