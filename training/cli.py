"""``understudy-train``: raw data to store, store to weights, weights to pack.

Every command is a module of :mod:`.commands` with ``add_arguments(parser)`` and ``run(arguments) -> int``;
it is imported only when its name is on the command line, so ``--help`` stays fast.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from ..backend.errors import UnderstudyError

COMMANDS: dict[str, str] = {
    "prepare": "turn a raw data set into clips and captions of a store",
    "features": "make HumanML3D, KIT, whole-body or unified features of joints or of a store",
    "statistics": "take mean and deviation of feature files",
    "preview": "draw clips of a store as contact sheets",
    "canonical": "write stick figures of a store, with metadata and sentence embeddings",
    "manifest": "list the recordings of a speech set: who speaks, what is said, how long",
    "stage": "train a tokenizer, the language model, the diffusion, the alignment, the prior, the refiner or a judge",
    "face": "fit jaw and expressions to the voices of a store, and measure them on held-out speech",
    "refine": "repair stick figures and perform them in another style",
    "evaluate": "measure a pack against the store",
    "speech-codes": "write recordings as codes of a trained speech tokenizer",
    "speech-metrics": "measure how talkers go with their voices, beside captured ones and chance",
    "chat-metrics": "measure a language model in conversations that it has not seen, beside what it began with",
    "gallery": "perform fixed prompts as contact sheets and films to be looked at",
    "pack": "make a pack of trained stages",
    "unpack": "make trained stages of a pack, to train on from",
    "export-onnx": "write a pack's models as ONNX graphs, so that it performs without torch",
    "vposer": "make the training data of the pose prior, in its three stages",
    "annotate": "divide captions of two people by a language model, and put the divisions to the vote",
    "embeddings": "embed the captions of a store and search them by meaning",
    "multimodal": "write scripts with speech, emotion, motion and reaction, by rules or a language model",
}
"""Name of each command (and of its module) and its line of help."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Exit codes: 0 done, 1 the job failed, 2 bad input or usage."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="understudy-train", description="Train Understudy on motion data.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((word for word in words if not word.startswith("-")), "")
    for name, line in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=line, description=line[0].upper() + line[1:] + ".")
        if name == chosen:
            module = import_module(f".commands.{name.replace('-', '_')}", __package__)
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    parsed = parser.parse_args(words)
    try:
        return int(parsed.run(parsed))
    except UnderstudyError as error:
        print(
            f"understudy-train: {error.message}" + (f" {error.hint}" if error.hint else ""), file=sys.stderr
        )
        return error.exit_code
    except KeyboardInterrupt:
        print("understudy-train: stopped.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
