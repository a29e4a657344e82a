"""``understudy describe``: a clip becomes words."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import load_clip, print_json


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("describe", help="tell in words what a clip shows")
    parser.add_argument(
        "clip", type=Path, metavar="CLIP", help="a motion file: .npz of any dialect, .bvh, .amc or .npy"
    )
    parser.add_argument("--pack", default="open", metavar="NAME|DIR", help="the weights (default: open)")
    parser.add_argument("--engine", default="auto", help="auto, onnx or torch (default: auto)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--json", action="store_true", help="print the sentences, or the error, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    clip = load_clip(args.clip)
    # torch is imported here, so that a wrong file is answered at once.
    from ..performance.describing import describe_clip
    from ..pipeline import load_pipeline

    pipeline = load_pipeline(args.pack, args.device, args.engine)
    found = describe_clip(pipeline, clip)
    if args.json:
        sentences = [{"start": one.start, "stop": one.stop, "text": one.text} for one in found]
        print_json({"file": str(args.clip), "pack": pipeline.pack.name, "sentences": sentences})
    elif len(found) == 1:
        print(found[0].text)
    else:
        for one in found:
            print(f"{one.start:5.1f} to {one.stop:.1f} s  {one.text}")
    return 0
