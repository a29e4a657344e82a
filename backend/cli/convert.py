"""``understudy convert``: a clip in another dialect or at another frame rate."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import BadInput
from .common import Staged, check_target, load_clip, output_dialect, print_json, save_clip

FPS = (1.0, 1000.0)


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("convert", help="write a clip in another dialect or at another frame rate")
    parser.add_argument("source", type=Path, metavar="IN", help="an .npz clip of any dialect")
    parser.add_argument("out", type=Path, metavar="OUT", help="the .npz or .bvh file to write")
    parser.add_argument(
        "--dialect", choices=("amass", "smplx", "bvh"), help="file layout (default: by suffix)"
    )
    parser.add_argument("--fps", type=float, help="resample by time to this frame rate")
    parser.add_argument("--json", action="store_true", help="print the result, or the error, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from ..motion.clip import resample

    dialect = output_dialect(args.out, args.dialect)
    if args.fps is not None and not FPS[0] <= args.fps <= FPS[1]:
        raise BadInput(f"Fps must be between {FPS[0]:g} and {FPS[1]:g}, not {args.fps:g}.", field="fps")
    check_target(args.out)
    clip = load_clip(args.source)
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
