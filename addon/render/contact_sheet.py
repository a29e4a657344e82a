"""Eight moments of a clip in one wide picture: ``python -m understudy.addon.render.contact_sheet CLIP.npz --out FILE.png``.

A tool for the documentation and for looking at data; it needs Pillow besides ``bpy``.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
from pathlib import Path

import numpy as np

from ...backend.errors import BadInput, UnderstudyError
from ...backend.motion import rotations
from ...backend.motion.clip import Clip
from ...backend.motion.npz import read_clip

_PAPER = (250, 250, 248)
_INK = (38, 40, 46)
_FAINT = (112, 116, 126)
_IN_PLACE = 0.8  # metres of travel below which figures are set side by side
_GAP, _HEAD, _FOOT = 6, 46, 26


def contact_sheet(
    clip: Clip,
    out: Path,
    *,
    caption: str = "",
    count: int = 8,
    tile: tuple[int, int] = (240, 340),
    engine: str = "workbench",
    samples: int = 16,
    threads: int = 0,
) -> None:
    """Render ``count`` moments, evenly spread over the clip, side by side, with their times.

    The open Blender file is replaced by an empty one.

    Args:
        clip: the motion.
        out: the ``.png`` to write.
        caption: the line above; the clip's prompt by default.
        count: how many moments.
        tile: width and height of each, pixels.
        engine, samples, threads: as for :func:`..render.render.render`.
    """
    import bpy
    from PIL import Image, ImageDraw, ImageFont

    from .rendering import render
    from .scene import FIRST_FRAME, build_stage

    if out.suffix.lower() != ".png":
        raise BadInput(f"{out.name} must end in .png.", field="out")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    stage = build_stage(bpy.context, clip, resolution=tile, follow=True, smoothing=0.08)
    moments = np.linspace(0, len(stage.clip) - 1, count)
    width, height = tile
    size = (count * (width + _GAP) + _GAP, _HEAD + height + _FOOT + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    title, small = ImageFont.load_default(22), ImageFont.load_default(14)
    words = caption or str(clip.meta.get("prompt") or "")
    draw.text((_GAP + 4, _HEAD / 2), words, _INK, title, anchor="lm")
    draw.text((size[0] - _GAP - 4, _HEAD / 2), _source(clip), _FAINT, small, anchor="rm")
    with tempfile.TemporaryDirectory(prefix="understudy-sheet-") as folder:
        picture = Path(folder) / "tile.png"
        for i, moment in enumerate(moments):
            render(
                bpy.context.scene,
                picture,
                engine=engine,
                samples=samples,
                frame=FIRST_FRAME + float(moment),
                threads=threads,
            )
            left = _GAP + i * (width + _GAP)
            with Image.open(picture) as image:
                sheet.paste(image.convert("RGB"), (left, _HEAD))
            label = f"{moment / stage.clip.fps:.1f} s"
            draw.text((left + width / 2, _HEAD + height + _FOOT / 2 + 1), label, _FAINT, small, anchor="mm")
    temporary = out.with_name(f".{out.stem[:40]}.{secrets.token_hex(4)}.png")
    try:
        sheet.save(temporary, optimize=True)
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)


def line_up(
    clip: Clip,
    out: Path,
    *,
    count: int = 7,
    resolution: tuple[int, int] = (1280, 480),
    engine: str = "cycles",
    samples: int = 32,
    threads: int = 0,
) -> None:
    """Render several moments of a clip as figures in one picture, on the way or, in place, side by side.

    The open Blender file is replaced by an empty one.

    Args:
        clip: the motion.
        out: the ``.png`` to write.
        count: how many figures.
        resolution: of the picture, pixels.
        engine, samples, threads: as for :func:`..render.render.render`.
    """
    import bpy

    from .rendering import render
    from .scene import FIRST_FRAME, build_stage

    in_place = float(np.linalg.norm((clip.trans[-1] - clip.trans[0])[[0, 2]])) < _IN_PLACE
    clip = _spread(clip, count)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    stage = build_stage(
        bpy.context,
        clip,
        resolution=resolution,
        follow=False,
        angle=float(np.radians(14 if in_place else 66)),
    )
    scene = bpy.context.scene
    skin = stage.body.children[0]
    for i, moment in enumerate(np.linspace(0, len(stage.clip) - 1, count)):
        scene.frame_set(FIRST_FRAME + int(moment), subframe=float(moment % 1))
        posed = skin.evaluated_get(bpy.context.evaluated_depsgraph_get())
        mesh = bpy.data.meshes.new_from_object(posed)
        scene.collection.objects.link(bpy.data.objects.new(f"Moment {i + 1}", mesh))
    skin.hide_render = True
    render(scene, out, engine=engine, samples=samples, threads=threads)


def _spread(clip: Clip, count: int, apart: float = 0.85) -> Clip:
    """Let the clip drift sideways so that ``count`` moments of it stand clear of one another."""
    way = clip.trans[-1, [0, 2]] - clip.trans[0, [0, 2]]
    travel = float(np.linalg.norm(way))
    wanted = apart * (count - 1)
    if travel >= wanted:
        return clip
    if travel >= _IN_PLACE:
        direction = way / travel
    else:  # to the figure's left, seen from its front: from left to right in the picture
        facing = rotations.axis_angle_to_matrix(clip.poses[:, 0])[:, :, 2].mean(0)[[0, 2]]
        direction = np.array([facing[1], -facing[0]]) / max(float(np.linalg.norm(facing)), 1e-6)
    trans = np.array(clip.trans)
    trans[:, [0, 2]] += np.linspace(0, 1, len(clip))[:, None] * (wanted - travel) * direction
    return clip.replace(trans=trans)


def _source(clip: Clip) -> str:
    parts = [
        f"{clip.meta[key]}" if key != "seed" else f"seed {clip.meta[key]}"
        for key in ("pack", "seed")
        if key in clip.meta
    ]
    return "   ".join([*parts, f"{clip.seconds:.1f} s"])


def main(arguments: list[str] | None = None) -> int:
    """Read a clip, write its sheet; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="contact_sheet", description="Eight moments of a clip in one picture."
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--caption", default="")
    parser.add_argument("--together", action="store_true", help="all moments in one scene, without labels")
    parser.add_argument(
        "--resolution", default="1280x480", metavar="WxH", help="of the picture with --together"
    )
    parser.add_argument("--count", type=int, default=0, help="how many moments")
    parser.add_argument("--engine", choices=("cycles", "workbench", "eevee"), default="workbench")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args(arguments)
    try:
        clip, out = read_clip(args.clip), args.out.resolve()
        how = {"engine": args.engine, "samples": args.samples, "threads": args.threads}
        if args.together:
            width, _, height = args.resolution.partition("x")
            if not (width.isdigit() and height.isdigit()):
                raise BadInput("The resolution must look like 1280x480.", field="resolution")
            line_up(clip, out, count=args.count or 7, resolution=(int(width), int(height)), **how)
        else:
            contact_sheet(clip, out, caption=args.caption, count=args.count or 8, **how)
    except UnderstudyError as error:
        print(" ".join(part for part in (error.message, error.hint) if part), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
