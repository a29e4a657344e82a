"""Two characters of a dialogue in a scene: a body and an Action each, the sound, and cameras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ...backend.motion.reading import read_motion
from ..body.builtin import add_body
from ..keying.keying import key_clip
from ..render.scene import FIRST_FRAME, add_sound, light, set_rate
from . import cameras

SHIRTS = ((0.040, 0.150, 0.200), (0.330, 0.070, 0.050))
"""Colours that tell the two apart, linear."""


def build_dialogue(
    context: bpy.types.Context, told: dict[str, Any], folder: Path, resolution: tuple[int, int], *, cuts: bool
) -> bool:
    """Build the scene of ``scene.json`` in an empty file; False where this Blender has no sound.

    Args:
        context: its scene is changed.
        told: what ``scene.json`` holds.
        folder: of the clips and the sound.
        resolution: of the picture, pixels.
        cuts: one more camera for each speaker, and a marker for every change.
    """
    scene = context.scene
    clips = [read_motion(folder / one["clip"]).clip for one in told["characters"]]
    set_rate(scene, clips[0].fps)
    scene.frame_start, scene.frame_end = FIRST_FRAME, FIRST_FRAME + len(clips[0]) - 1
    scene.render.resolution_x, scene.render.resolution_y = resolution
    scene.render.resolution_percentage = 100
    for one, clip, shirt in zip(told["characters"], clips, SHIRTS, strict=True):
        body = add_body(context, one["name"].title())
        key_clip(body, clip, name=one["name"].title(), start_frame=FIRST_FRAME, scene_fps=clip.fps)
        dress(body, shirt)
    light(scene, cameras.together(clips), start=FIRST_FRAME, follow=False, angle=0.0)
    if cuts:
        names = [one["name"] for one in told["characters"]]
        speakers = {
            name: cameras.add_camera(scene, f"Camera {name.title()}", framing, resolution)
            for name, framing in zip(names, cameras.framed(clips, resolution), strict=True)
        }
        cameras.cut(scene, scene.camera, speakers, told["turns"], rate=clips[0].fps, start=FIRST_FRAME)
    scene.frame_set(FIRST_FRAME)
    return add_sound(scene, (folder / told["sound"]).resolve(), FIRST_FRAME)


def dress(body: bpy.types.Object, colour: tuple[float, float, float]) -> None:
    """Give the shirt of a body's mesh a colour of its own."""
    for mesh in (child for child in body.children if child.type == "MESH"):
        for slot in mesh.material_slots:
            if slot.material is None or "shirt" not in slot.material.name.lower():
                continue
            slot.material = slot.material.copy()
            shown = slot.material.diffuse_color[3]
            slot.material.diffuse_color = (*(min(1.3 * value, 1.0) for value in colour), shown)
            for node in slot.material.node_tree.nodes if slot.material.node_tree else ():
                if node.type == "BSDF_PRINCIPLED":
                    node.inputs["Base Color"].default_value = (*colour, 1.0)
