"""Eight moments of a clip in one wide picture: ``python -m understudy.addon.contact_sheet CLIP.npz --out FILE.png``.

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

from ..backend.errors import BadInput, UnderstudyError
from ..backend.motion.clip import Clip
from ..backend.motion.npz import read_clip

_PAPER = (250, 250, 248)
_INK = (38, 40, 46)
_FAINT = (112, 116, 126)
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
        engine, samples, threads: as for :func:`.render.render`.
    """
    import bpy
    from PIL import Image, ImageDraw, ImageFont

    from .render import render
    from .scene import FIRST_FRAME, build_stage

    if out.suffix.lower() != ".png":
        raise BadInput(f"{out.name} must end in .png.", field="out")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    stage = build_stage(bpy.context, clip, resolution=tile, follow=True)
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
    parser.add_argument("--engine", choices=("cycles", "workbench", "eevee"), default="workbench")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args(arguments)
    try:
        contact_sheet(
            read_clip(args.clip),
            args.out.resolve(),
            caption=args.caption,
            engine=args.engine,
            samples=args.samples,
            threads=args.threads,
        )
    except UnderstudyError as error:
        print(" ".join(part for part in (error.message, error.hint) if part), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
