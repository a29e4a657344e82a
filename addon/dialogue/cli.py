"""Build the scene of a dialogue, and film it: ``python -m understudy.addon.dialogue.cli scene.json --out FILE.mp4``.

Runs in a Python that has ``bpy``, or inside the Blender program; ``understudy dialogue`` starts it as a child. Prints
``Fra:N`` after each frame and ends with the exit code and the one sentence of our errors.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from ...backend.errors import BadInput, UnderstudyError


def main(arguments: list[str] | None = None) -> int:
    """Parse, build the scene in an empty file, save and render; returns the exit code."""
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
    parser = argparse.ArgumentParser(prog="dialogue_cli", description="Build the scene of a dialogue.")
    parser.add_argument("scene", type=Path, help="a scene.json of understudy dialogue")
    parser.add_argument("--out", type=Path, help="a .mp4 film")
    parser.add_argument("--blend", type=Path, help="save the scene as a .blend file")
    parser.add_argument("--shown-as", type=Path, help="output path written into the .blend (default: --out)")
    parser.add_argument("--cuts", action="store_true", help="cut to the speaker")
    parser.add_argument("--engine", choices=("cycles", "workbench", "eevee"), default="workbench")
    parser.add_argument("--resolution", default="960x540", metavar="WxH", help="pixels")
    return parser


def _run(args: argparse.Namespace) -> None:
    size = re.fullmatch(r"(\d{1,5})x(\d{1,5})", args.resolution)
    if size is None or not all(16 <= int(side) <= 8192 for side in size.groups()):
        raise BadInput(
            "The resolution must look like 1280x720, each side from 16 to 8192.", field="resolution"
        )
    width, height = (int(side) + int(side) % 2 for side in size.groups())  # H.264 wants even sides
    try:
        told: dict[str, Any] = json.loads(args.scene.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{args.scene} cannot be read.", field="scene") from error

    import bpy

    from ..render.cli import save_blend
    from ..render.rendering import render, use_engine
    from .scene import build_dialogue

    bpy.ops.wm.read_factory_settings(use_empty=True)
    if not build_dialogue(bpy.context, told, args.scene.parent, (width, height), cuts=args.cuts):
        print("Warning: This Blender was built without sound, the film is silent.", flush=True)
    scene = bpy.context.scene
    use_engine(scene, args.engine, film=True)
    if args.blend is not None:
        shown = args.shown_as or args.blend.with_suffix(".mp4")
        save_blend(args.blend.resolve(), shown_as=shown)
    if args.out is not None:
        render(
            scene,
            args.out.resolve(),
            engine=args.engine,
            on_frame=lambda number: print(f"Fra:{number}", flush=True),
        )


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # past bpy's own exit, which hangs or crashes in some versions
