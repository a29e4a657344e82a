"""``understudy-train pack --config FILE --out DIR``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML recipe of the pack")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder to write, for example packs/open"
    )
    parser.add_argument(
        "--store",
        type=Path,
        metavar="DIR",
        help="what the stages were trained on (default: as the recipe says)",
    )
    parser.add_argument(
        "--metrics",
        type=Path,
        metavar="FILE.json",
        help="numbers of 'evaluate --out' for the card and pack.toml",
    )


def run(arguments: argparse.Namespace) -> int:
    from ..evaluation.summary import headline
    from ..packing.pack import read_recipe, write_pack

    metrics = headline(json.loads(arguments.metrics.read_text("utf-8"))) if arguments.metrics else {}
    recipe = read_recipe(arguments.config)
    if arguments.store is not None:
        recipe = recipe.model_copy(update={"store": arguments.store})
    folder = write_pack(recipe, arguments.out, metrics)
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"Wrote {folder} ({size / 1e6:.1f} MB).")
    return 0
