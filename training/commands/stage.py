"""``understudy-train stage NAME --config FILE [--set a.b=c]``."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

STAGES = {
    "tokenizer": "TokenizerStage",
    "speech_tokenizer": "SpeechTokenizerStage",
    "language": "LanguageStage",
    "instruction": "InstructionStage",
    "chat": "ChatStage",
    "diffusion": "DiffusionStage",
    "alignment": "AlignmentStage",
    "prior": "PriorStage",
    "refiner": "RefinerStage",
    "gestures": "GesturesStage",
}
"""Modules of :mod:`..stages` and the class of their configuration."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "stage", choices=STAGES, help="what to train; language needs a tokenizer, diffusion both"
    )
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
    module = import_module(f"..stages.{arguments.stage}", __package__)
    kind = getattr(module, STAGES[arguments.stage])
    from ..stages.common import load_config
    from ..stages.parallel import launched, start

    config = load_config(kind, arguments.config, arguments.set)
    if config.processes > 1 and launched() == 1:
        overrides = [word for override in arguments.set for word in ("--set", override)]
        start(config.processes, ["stage", arguments.stage, "--config", str(arguments.config), *overrides])
        return 0
    numbers = module.run(config)
    if numbers:  # of several processes, the main one has them
        print(f"{arguments.stage} done: " + ", ".join(f"{key} {value:.4g}" for key, value in numbers.items()))
    return 0
