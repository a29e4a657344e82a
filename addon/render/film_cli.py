"""Pictures to films: ``python -m understudy.addon.render.film_cli --fps 30 FOLDER FILE.mp4 [FOLDER FILE.mp4 ..]``.

Runs in a Python that has ``bpy``, or inside the Blender program: Blender carries an H.264 encoder, so no other
program is needed. Each folder holds the frames of one film as ``*.png``, in the order of their names.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ...backend.errors import BadInput, JobFailed, UnderstudyError


def main(arguments: list[str] | None = None) -> int:
    """Encode each folder; returns the exit code, and prints the sentence of what went wrong."""
    parser = argparse.ArgumentParser(prog="film_cli", description="Make films of folders of PNG frames.")
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("paths", nargs="+", type=Path, metavar="FOLDER FILE.mp4")
    try:
        args = parser.parse_args(arguments)
    except SystemExit as error:
        return int(error.code or 0)
    try:
        if len(args.paths) % 2:
            raise BadInput("Every folder of frames needs the name of its film.", field="paths")
        for folder, out in zip(args.paths[::2], args.paths[1::2], strict=True):
            film(folder, out, args.fps)
            print(f"film {out}", flush=True)
    except UnderstudyError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    return 0


def film(folder: Path, out: Path, fps: int) -> None:
    """One film (H.264) of the PNG frames of a folder, all of one size with even sides.

    Raises:
        BadInput: there are no frames.
        JobFailed: Blender wrote no film.
    """
    import bpy

    from .rendering import _as_film

    frames = sorted(path.name for path in folder.glob("*.png"))
    if not frames:
        raise BadInput(f"{folder} holds no PNG frames.", field="paths")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    size = bpy.data.images.load(str(folder / frames[0])).size
    scene.render.resolution_x, scene.render.resolution_y = size[0], size[1]
    scene.render.resolution_percentage = 100
    scene.render.fps, scene.render.fps_base = fps, 1.0
    scene.frame_start, scene.frame_end = 1, len(frames)
    scene.view_settings.view_transform = "Standard"
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences  # before 4.4 its only name
    strip = strips.new_image("frames", str(folder / frames[0]), 1, 1)
    for name in frames[1:]:
        strip.elements.append(name)
    _as_film(scene)
    temporary = out.with_name(f".{out.stem}.{os.getpid()}.mp4")
    scene.render.filepath, scene.render.use_file_extension = str(temporary), False
    try:
        bpy.ops.render.render(animation=True, scene=scene.name)
        if not temporary.is_file() or temporary.stat().st_size == 0:
            raise JobFailed("Blender ended without writing the film.")
        os.replace(temporary, out)
    except (RuntimeError, OSError) as error:
        raise JobFailed(f"{out.name} cannot be made: {str(error).strip().splitlines()[-1]}") from error
    finally:
        temporary.unlink(missing_ok=True)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Blender's own exit may hang after a film
