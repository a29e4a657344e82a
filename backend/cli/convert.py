"""``understudy convert``: a clip in another dialect or at another frame rate."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import BadInput
from .common import Staged, check_target, load_clip, output_dialect, print_json, save_clip

FPS = (1.0, 1000.0)


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("convert", help="write a clip in another dialect or at another frame rate")
    parser.add_argument(
        "source", type=Path, metavar="IN", help="a motion file: .npz of any dialect, .bvh, .amc or .npy"
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="the .npz or .bvh file to write")
    parser.add_argument(
        "--dialect", choices=("amass", "smplx", "bvh"), help="file layout (default: by suffix)"
    )
    parser.add_argument("--fps", type=float, help="resample by time to this frame rate")
    parser.add_argument(
        "--source-fps",
        type=float,
        metavar="FPS",
        help="the frame rate of IN, where the file states a wrong one or none",
    )
    parser.add_argument("--json", action="store_true", help="print the result, or the error, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from ..motion.clip import resample

    dialect = output_dialect(args.out, args.dialect)
    for name, rate in (("fps", args.fps), ("source-fps", args.source_fps)):
        if rate is not None and not FPS[0] <= rate <= FPS[1]:
            raise BadInput(
                f"{name.capitalize()} must be between {FPS[0]:g} and {FPS[1]:g}, not {rate:g}.", field=name
            )
    check_target(args.out)
    clip = load_clip(args.source, fps=args.source_fps)
    if args.fps is not None:
        clip = resample(clip, args.fps)
    with Staged() as staged:
        save_clip(clip, staged.path(args.out), dialect)
        staged.commit()
    if args.json:
        print_json({"file": str(args.out), "dialect": dialect, "frames": len(clip), "fps": clip.fps})
    else:
        print(f"{args.out}  {clip.seconds:.1f} s, {len(clip)} frames at {clip.fps:g} fps, {dialect}")
    return 0
