"""Film a body of somebody's scene in a scene of its own: ``python -m understudy.addon.render.film_body_cli JOB.json``.

Runs in a second Blender, started by :mod:`.filming`: the animator's file is neither changed nor waited for. The
body comes from a small .blend beside the job. Prints ``Fra:N`` after each frame.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from ...backend.errors import BadInput, JobFailed, UnderstudyError


def main(arguments: list[str] | None = None) -> int:
    """Do one job; returns the exit code, and prints the sentence of what went wrong."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        job = json.loads(Path(given[0]).read_text(encoding="utf-8"))
        film(job)
    except UnderstudyError as error:
        print(" ".join(part for part in (error.message, error.hint) if part), file=sys.stderr)
        return error.exit_code
    return 0


def film(job: dict[str, Any]) -> None:
    """Build the stage around the body and render.

    Args:
        job: as :func:`.filming.job_of` writes it.
    """
    import bpy

    from ..keying.keying import clip_from_action
    from .rendering import render
    from .scene import light

    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = job["fps"], job["fps_base"]
    scene.frame_start, scene.frame_end = job["first"], job["last"]
    scene.render.resolution_x, scene.render.resolution_y = job["resolution"]
    scene.render.resolution_percentage = 100
    body = _load(scene, Path(job["blend"]), job["objects"], job["body"])
    scene.frame_set(job["first"])
    bpy.context.view_layer.update()
    clip = clip_from_action(body, (job["first"], job["last"]), scene=scene)
    light(scene, clip, start=job["first"], follow=job["follow"])
    if not _add_sounds(scene, job["sounds"]):
        print("Warning: This Blender was built without sound, the film is silent.", flush=True)
    render(
        scene,
        Path(job["out"]),
        engine=job["engine"],
        samples=job["samples"],
        frame=job["frame"],
        on_frame=lambda number: print(f"Fra:{number}", flush=True),
    )


def _load(scene: Any, blend: Path, names: list[str], body: str) -> Any:
    """The objects of the .blend, linked to the scene, the body at its origin."""
    import bpy

    with bpy.data.libraries.load(str(blend), link=False) as (there, taken):
        missing = [name for name in names if name not in there.objects]
        if missing:
            raise JobFailed(f"The object “{missing[0]}” did not come along.")
        taken.objects = list(names)
    for obj in taken.objects:
        scene.collection.objects.link(obj)
        obj.hide_render = False
    armature = taken.objects[names.index(body)]
    armature.parent = None
    armature.rotation_mode = "XYZ"
    armature.location, armature.rotation_euler, armature.scale = (0, 0, 0), (0, 0, 0), (1, 1, 1)
    armature.hide_render = True
    if armature.animation_data is None:
        raise BadInput(f"“{body}” has no animation.", field="body")
    return armature


def _add_sounds(scene: Any, sounds: list[dict[str, Any]]) -> bool:
    for number, sound in enumerate(sounds, 1):
        editor = scene.sequence_editor_create()
        strips = editor.strips if hasattr(editor, "strips") else editor.sequences  # before 4.4 its only name
        try:
            strip = strips.new_sound(
                name="voice", filepath=sound["path"], channel=number, frame_start=sound["frame"]
            )
        except RuntimeError:
            return False
        strip.frame_offset_start = sound["before"]
        strip.frame_offset_end = sound["after"]
        strip.volume = sound["volume"]
    return True


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # past bpy's own exit, which hangs or crashes in some versions
