"""Two characters of a dialogue in a scene: a body and an Action each, the sound, and cameras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...backend.motion.clip import Clip
from ...backend.motion.reading import read_motion
from ..body.builtin import add_body
from ..keying.keying import key_clip
from ..render.framing import frame_motion
from ..render.scene import FIRST_FRAME, add_sound, lens, light, set_rate

SHIRTS = ((0.040, 0.150, 0.200), (0.330, 0.070, 0.050))
"""Colours that tell the two apart, linear."""
BESIDE = np.radians(32.0)
"""How far beside the listener's line of sight the camera of a speaker stands."""
EARLY = 4
"""Frames before a turn at which the camera changes."""


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
        _dress(body, shirt)
    # Both in one picture: the camera frames the two motions as if they followed each other.
    together = Clip(
        np.concatenate([clip.poses for clip in clips]),
        np.concatenate([clip.trans for clip in clips]),
        clips[0].fps,
    )
    light(scene, together, start=FIRST_FRAME, follow=False, angle=0.0)
    if cuts:
        _cut(scene, told, clips, resolution)
    scene.frame_set(FIRST_FRAME)
    return add_sound(scene, (folder / told["sound"]).resolve(), FIRST_FRAME)


def _dress(body: bpy.types.Object, colour: tuple[float, float, float]) -> None:
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


def _cut(
    scene: bpy.types.Scene, told: dict[str, Any], clips: list[Clip], resolution: tuple[int, int]
) -> None:
    """A camera for each speaker over the other's shoulder, bound to a marker at every change of speaker."""
    names = [one["name"] for one in told["characters"]]
    cameras = []
    for index, (name, clip) in enumerate(zip(names, clips, strict=True)):
        # Both on the side of the camera that shows both: nobody changes sides when the picture does.
        angle = BESIDE if index else -BESIDE
        framing = frame_motion(
            clip,
            resolution[0] / resolution[1],
            half_width=18.0 / lens(resolution) * min(resolution[0] / resolution[1], 1.0),
            follow=False,
            angle=angle,
        )
        data = bpy.data.cameras.new(f"Camera {name.title()}")
        data.lens, data.sensor_width, data.sensor_fit = lens(resolution), 36.0, "AUTO"
        camera = bpy.data.objects.new(data.name, data)
        scene.collection.objects.link(camera)
        back, up = Vector(-framing.forward), Vector(framing.up)
        axes = Matrix((up.cross(back), up, back)).transposed().to_4x4()
        camera.matrix_basis = Matrix.Translation(Vector(framing.follow[0] + framing.offset)) @ axes
        cameras.append(camera)
    shown = ""
    scene.timeline_markers.new("Both", frame=FIRST_FRAME).camera = scene.camera
    for turn in told["turns"]:
        if turn["speaker"] != shown:
            shown = turn["speaker"]
            frame = FIRST_FRAME + max(round(turn["start"] * clips[0].fps) - EARLY, 1)
            scene.timeline_markers.new(shown.title(), frame=frame).camera = cameras[names.index(shown)]
