"""``understudy-train face --store DIR --out DIR``: fit the learned mouth and measure it on what is held out."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", type=Path, required=True, metavar="DIR", help="with speech and faces, such as beat2's"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for face.safetensors and face.json"
    )
    parser.add_argument("--datasets", nargs="*", default=[], metavar="SET", help="only these (default: all)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    from ...backend.speech.face_model import FILE
    from ..face import fit
    from ..features.files import write_whole

    model, result = fit(arguments.store, tuple(arguments.datasets))
    arguments.out.mkdir(parents=True, exist_ok=True)
    model.save(arguments.out / FILE)
    text = json.dumps(result, indent=1) + "\n"
    write_whole(arguments.out / "face.json", text.encode())
    print(text if arguments.json else _table(result), end="")
    return 0


def _table(result: dict[str, object]) -> str:
    counts = f"{result['training_frames']} frames to fit, {result['held_out_frames']} held out"
    fitted = f"ridge {result['ridge']:g}, {result['explained']:.0%} of the held-out movement explained"
    lines = [
        f"{result['clips']} clips, {counts}; {fitted}.",
        "",
        "| held out | correlation | best ten | with other sound |",
        "|---|---|---|---|",
    ]
    for name in ("jaw", "expressions"):
        row = result[name]
        assert isinstance(row, dict)
        lines.append(
            f"| {name} | {row['correlation']:.2f} | {row['best_ten']:.2f} | {row['with_other_sound']:.2f} |"
        )
    lines.append(f"| jaw of the signal model | {result['jaw_of_the_signal_model']:.2f} | | |")
    return "\n".join(lines) + "\n"
