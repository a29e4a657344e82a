"""``understudy-train unpack PACK --out DIR``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", metavar="PACK", help="name or folder of the pack")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the stages, for example runs/open"
    )


def run(arguments: argparse.Namespace) -> int:
    from ...backend.packs.finding import find_pack
    from ..packing.unpack import RECIPE, unpack

    folders = unpack(find_pack(arguments.pack), arguments.out)
    print(f"Wrote {', '.join(folder.name for folder in folders)} and {RECIPE} into {arguments.out}.")
    return 0
