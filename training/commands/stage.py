"""``understudy-train stage tokenizer|language|diffusion --config FILE [--set a.b=c]``."""

from __future__ import annotations

import argparse
from pathlib import Path

STAGES = ("tokenizer", "language", "diffusion")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stage", choices=STAGES, help="what to train; each needs the one before it")
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="YAML file with the stage's keys"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the file (a.b=c); repeatable",
    )


def run(arguments: argparse.Namespace) -> int:
    # torch is imported here, so that bad usage is answered at once.
    from ..stages import diffusion, language, tokenizer
    from ..stages.common import load_config

    if arguments.stage == "tokenizer":
        numbers = tokenizer.run(load_config(tokenizer.TokenizerStage, arguments.config, arguments.set))
    elif arguments.stage == "language":
        numbers = language.run(load_config(language.LanguageStage, arguments.config, arguments.set))
    else:
        numbers = diffusion.run(load_config(diffusion.DiffusionStage, arguments.config, arguments.set))
    print(f"{arguments.stage} done: " + ", ".join(f"{key} {value:.4g}" for key, value in numbers.items()))
    return 0
