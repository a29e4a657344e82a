"""Render a clip from the command line: ``python -m understudy.addon.render.cli CLIP.npz --out FILE``.

Runs in a Python that has ``bpy``, or inside the Blender program; ``understudy render`` starts it as a child.
Prints ``Fra:N`` after each frame and ends with the exit code and the one sentence of our errors.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from ...backend.errors import BadInput, JobFailed, UnderstudyError


def main(arguments: list[str] | None = None) -> int:
    """Parse, build the stage in an empty file, render; returns the exit code."""
    try:
        args = _parser().parse_args(arguments)
    except SystemExit as error:
        return int(error.code or 0)
    try:
        _run(args)
    except UnderstudyError as error:
        print(" ".join(part for part in (error.message, error.hint) if part), file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="render_cli", description="Render a clip with Blender.")
    parser.add_argument("clip", type=Path, help="an .npz clip of any dialect")
    parser.add_argument("--out", type=Path, required=True, help="a .png picture or a .mp4 film")
    parser.add_argument("--engine", choices=("cycles", "workbench", "eevee"), default="workbench")
    parser.add_argument("--resolution", default="960x540", metavar="WxH", help="pixels")
    parser.add_argument("--samples", type=int, default=32, help="Cycles samples per pixel")
    parser.add_argument(
        "--frame", type=int, help="frame of the clip for a picture, from 0 (default: the middle)"
    )
    parser.add_argument("--blend", type=Path, help="also save the scene as a .blend file")
    parser.add_argument("--shown-as", type=Path, help="output path written into the .blend (default: --out)")
    parser.add_argument("--audio", type=Path, help="a sound that begins with the film")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all)")
    parser.add_argument(
        "--follow", action=argparse.BooleanOptionalAction, help="let the camera follow the figure"
    )
    return parser


def _run(args: argparse.Namespace) -> None:
    size = re.fullmatch(r"(\d{1,5})x(\d{1,5})", args.resolution)
    if size is None or not all(16 <= int(side) <= 8192 for side in size.groups()):
        raise BadInput(
            "The resolution must look like 1280x720, each side from 16 to 8192.", field="resolution"
        )
    resolution = (int(size[1]), int(size[2]))
    if args.out.suffix.lower() == ".mp4":  # H.264 wants even sides
        resolution = (resolution[0] + resolution[0] % 2, resolution[1] + resolution[1] % 2)
    if not 1 <= args.samples <= 65536:
        raise BadInput(f"Samples must be between 1 and 65536, not {args.samples}.", field="samples")

    from ...backend.motion.reading import read_motion

    clip = read_motion(args.clip).clip
    if args.frame is not None and not 0 <= args.frame < len(clip):
        raise BadInput(f"The clip has frames 0 to {len(clip) - 1}, not {args.frame}.", field="frame")

    import bpy

    from .rendering import render
    from .scene import FIRST_FRAME, add_sound, build_stage

    bpy.ops.wm.read_factory_settings(use_empty=True)
    stage = build_stage(bpy.context, clip, resolution=resolution, follow=args.follow)
    scene = bpy.context.scene
    if args.audio is not None and not add_sound(scene, args.audio.resolve(), FIRST_FRAME):
        print("Warning: This Blender was built without sound, the film is silent.", flush=True)
    moment = args.frame if args.frame is not None else len(clip) // 2
    frame = FIRST_FRAME + min(moment * stage.clip.fps / clip.fps, len(stage.clip) - 1)

    def progress(number: int) -> None:
        print(f"Fra:{number}", flush=True)

    out = args.out.resolve()
    render(
        scene,
        out,
        engine=args.engine,
        samples=args.samples,
        frame=frame,
        threads=args.threads,
        on_frame=progress,
    )
    if args.blend is not None:
        save_blend(args.blend.resolve(), shown_as=args.shown_as or out)


def save_blend(path: Path, shown_as: Path) -> None:
    """Save the open scene; its output path becomes ``shown_as``, not our temporary name."""
    import secrets

    import bpy

    bpy.context.scene.render.filepath = str(shown_as)
    temporary = path.with_name(f".{path.stem[:40]}.{secrets.token_hex(4)}.blend")
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(temporary), copy=True, compress=True)
        os.replace(temporary, path)
    except (RuntimeError, OSError) as error:
        raise JobFailed(f"{path} cannot be written.", field="blend") from error
    finally:
        temporary.unlink(missing_ok=True)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # past bpy's own exit, which hangs or crashes in some versions
