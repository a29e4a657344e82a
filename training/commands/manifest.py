"""``understudy-train manifest SET --root DIR --out FILE``: the recordings of a speech set in one table."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..speech.sets import SETS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "set",
        choices=SETS,
        help="how the recordings are laid out; folder: own ones, FOLDER/SPEAKER/*.wav with .txt beside",
    )
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="where they lie")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="FILE.parquet or FILE.jsonl")
    parser.add_argument(
        "--decode",
        action="store_true",
        help="read every file to its end, not only its head: finds damaged ones",
    )


def run(arguments: argparse.Namespace) -> int:
    from ..speech.manifests import write_manifest

    report = write_manifest(arguments.set, arguments.root, arguments.out, decode=arguments.decode)
    splits = ", ".join(f"{count} {split}" for split, count in report.splits.items())
    print(
        f"{report.utterances} recordings of {report.speakers} speakers, {report.hours:.2f} h ({splits}); "
        f"{report.without_text} without words."
    )
    if report.broken:
        print(f"{len(report.broken)} could not be used:")
        for path, why in report.broken[:20]:
            print(f"  {path}: {why}")
        if len(report.broken) > 20:
            print(f"  and {len(report.broken) - 20} more, all named in {arguments.out.name}.report.json")
    return 0
