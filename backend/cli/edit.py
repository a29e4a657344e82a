"""``understudy clean``, ``loop`` and ``join``: what an editor of motions does, on files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadInput
from .common import Staged, check_target, load_clip, output_dialect, print_json, save_clip

if TYPE_CHECKING:
    from ..motion.clip import Clip

_SHOWN = (
    ("slide", "feet slide", "cm/s"),
    ("penetration", "in the floor", "cm"),
    ("jitter", "jitter", "degrees"),
    ("jerk", "jerk", "m/s³"),
    ("limits", "broken joints in", "of the frames"),
)


def add(commands: argparse._SubParsersAction) -> None:
    clean = commands.add_parser(
        "clean", help="take sliding feet, jitter and what is in the floor out of a clip"
    )
    _files(clean, ("source", "IN"))
    clean.add_argument("--strength", type=float, default=1.0, help="0 (nothing) to 1 (all, the default)")
    for name, what in (
        ("feet", "leave feet that slide"),
        ("floor", "leave what is in the floor"),
        ("smooth", "leave jitter"),
        ("limits", "leave joints that are bent too far"),
    ):
        clean.add_argument(f"--no-{name}", action="store_true", help=what)
    clean.set_defaults(run=run_clean)

    loop = commands.add_parser("loop", help="make a cycle of a clip that can be played over and over")
    _files(loop, ("source", "IN"))
    loop.add_argument(
        "--frames",
        type=int,
        nargs=2,
        metavar=("FIRST", "END"),
        help="the cycle: its first frame and the one after its last (default: the best one is looked for)",
    )
    loop.add_argument("--straight", action="store_true", help="without the mean turn")
    loop.add_argument("--in-place", action="store_true", help="without the mean speed and turn")
    loop.add_argument("--times", type=int, default=1, help="write so many cycles, one after the other")
    loop.add_argument("--seconds", type=float, help="how far from the seam the motion is bent (0.3)")
    loop.set_defaults(run=run_loop)

    join = commands.add_parser("join", help="one clip after another without a seam")
    _files(join, ("first", "FIRST"), ("second", "SECOND"))
    join.add_argument(
        "--at", type=int, help="the frame of the result where the second begins (default: the end)"
    )
    join.add_argument("--start", type=int, default=0, help="the second's frame that is shown there")
    join.add_argument("--seconds", type=float, help="how long the difference takes to die out (0.4)")
    join.add_argument("--no-align", action="store_true", help="leave the second where it stands")
    join.add_argument("--clean", action="store_true", help="hold the feet that slide at the seam")
    join.set_defaults(run=run_join)


def _files(parser: argparse.ArgumentParser, *sources: tuple[str, str]) -> None:
    for name, metavar in sources:
        parser.add_argument(name, type=Path, metavar=metavar, help="an .npz clip of any dialect")
    parser.add_argument("out", type=Path, metavar="OUT", help="the .npz or .bvh file to write")
    parser.add_argument(
        "--dialect", choices=("amass", "smplx", "bvh"), help="file layout (default: by suffix)"
    )
    parser.add_argument("--json", action="store_true", help="print the result, or the error, as JSON")


def run_clean(args: argparse.Namespace) -> int:
    from ..motion.cleanup import clean_up_with_report

    dialect = _checked(args)
    clip, report = clean_up_with_report(
        load_clip(args.source),
        strength=args.strength,
        feet=not args.no_feet,
        floor=not args.no_floor,
        smooth=not args.no_smooth,
        limits=not args.no_limits,
    )
    found = report.as_dict()
    clip = clip.replace(meta={**clip.meta, "cleanup": found})
    lines = [
        f"  {label} {getattr(report.before, name):.2f} → {getattr(report.after, name):.2f} {unit}"
        for name, label, unit in _SHOWN
    ]
    return _write(args, clip, dialect, {"cleanup": found}, lines)


def run_loop(args: argparse.Namespace) -> int:
    from ..motion import loop

    dialect = _checked(args)
    if args.times < 1:
        raise BadInput(f"A loop plays at least once, not {args.times} times.", field="times")
    start, stop = args.frames or (None, None)
    cycle = loop.loop(
        load_clip(args.source),
        start=start,
        stop=stop,
        path="in place" if args.in_place else "straight" if args.straight else "advance",
        seconds=loop.SECONDS if args.seconds is None else args.seconds,
    )
    about = cycle.meta["loop"]
    lines = [f"  the frames {about['frames'][0]} to {about['frames'][1]}, {args.times} times"]
    return _write(args, loop.repeat(cycle, args.times), dialect, {"loop": about}, lines)


def run_join(args: argparse.Namespace) -> int:
    from ..motion.cleanup import clean_up
    from ..motion.join import SECONDS, join

    dialect = _checked(args)
    clip = join(
        load_clip(args.first),
        load_clip(args.second),
        at=args.at,
        start=args.start,
        seconds=SECONDS if args.seconds is None else args.seconds,
        align=not args.no_align,
    )
    if args.clean:
        clip = clean_up(clip, smooth=False, limits=False)
    return _write(args, clip, dialect, {}, [])


def _checked(args: argparse.Namespace) -> str:
    """The output's dialect; whatever is wrong with it is said before the work starts."""
    dialect = output_dialect(args.out, args.dialect)
    check_target(args.out)
    return dialect


def _write(
    args: argparse.Namespace, clip: Clip, dialect: str, about: dict[str, Any], lines: list[str]
) -> int:
    with Staged() as staged:
        save_clip(clip, staged.path(args.out), dialect)
        staged.commit()
    if args.json:
        print_json({"file": str(args.out), "dialect": dialect, "frames": len(clip), "fps": clip.fps, **about})
    else:
        print(f"{args.out}  {clip.seconds:.1f} s, {len(clip)} frames at {clip.fps:g} fps, {dialect}")
        for line in lines:
            print(line)
    return 0
