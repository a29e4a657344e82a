"""A stage for a clip: the body, a lit floor, and a camera that keeps the whole motion in the picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...backend.motion.clip import Clip, resample
from ..body.builtin import add_body
from ..keying.keying import key_clip
from .framing import Framing, frame_motion

FIRST_FRAME = 1
_MAX_RATE = 60.0
_SENSOR = 36.0  # millimetres, along the picture's longer side
_FLOOR = (0.60, 0.605, 0.62)
_LINE = (0.48, 0.487, 0.505)
_WORLD = (0.80, 0.86, 0.95)


@dataclass(frozen=True)
class Stage:
    """What :func:`build_stage` put into a scene.

    Attributes:
        body: the armature that plays the clip.
        camera: the scene's camera.
        framing: where it stands.
        clip: the clip at the scene's frame rate; its frame i is scene frame ``FIRST_FRAME + i``.
    """

    body: bpy.types.Object
    camera: bpy.types.Object
    framing: Framing
    clip: Clip


def build_stage(
    context: bpy.types.Context,
    clip: Clip,
    *,
    resolution: tuple[int, int] = (960, 540),
    follow: bool | None = None,
    smoothing: float = 0.45,
    angle: float | None = None,
) -> Stage:
    """Set up the context's scene to show a clip: frame rate, range, body, floor, lights, camera.

    Args:
        context: its scene is changed; give an empty one.
        clip: the motion, at any frame rate; above 60 a second it is shown at 30.
        resolution: of the picture, pixels.
        follow: let the camera follow, or not; by default it follows far travel.
        smoothing: how lazily it follows, seconds.
        angle: of the camera from the figure's front, radians; by default :mod:`.framing` chooses.
    """
    scene = context.scene
    clip = resample(clip, 30.0) if clip.fps > _MAX_RATE else clip
    set_rate(scene, clip.fps)
    scene.frame_start, scene.frame_end = FIRST_FRAME, FIRST_FRAME + len(clip) - 1
    scene.render.resolution_x, scene.render.resolution_y = resolution
    scene.render.resolution_percentage = 100

    body = add_body(context)
    prompt = str(clip.meta.get("prompt") or "clip")
    key_clip(body, clip, name=prompt, start_frame=FIRST_FRAME, scene_fps=clip.fps)

    camera, framing = light(scene, clip, start=FIRST_FRAME, follow=follow, smoothing=smoothing, angle=angle)
    scene.frame_set(FIRST_FRAME)
    return Stage(body, camera, framing, clip)


def light(
    scene: bpy.types.Scene,
    clip: Clip,
    *,
    start: int,
    follow: bool | None = None,
    smoothing: float = 0.45,
    angle: float | None = None,
) -> tuple[bpy.types.Object, Framing]:
    """Camera, three-point light, floor and world for a motion at the scene's origin, at the scene's rate.

    Args:
        scene: its resolution is set already.
        clip: the motion.
        start: scene frame of its first pose.
        follow, smoothing, angle: as in :func:`build_stage`.

    Returns:
        The camera, and where it stands.
    """
    resolution = (scene.render.resolution_x, scene.render.resolution_y)
    framing = frame_motion(
        clip,
        resolution[0] / resolution[1],
        half_width=_half_width(resolution),
        follow=follow,
        smoothing=smoothing,
        angle=angle,
    )
    rig = _rig(scene, framing, start=start, every=max(int(smoothing * clip.fps / 1.7), 1))
    camera = _camera(scene, framing, rig)
    _lights(scene, framing, rig)
    _floor(scene, framing)
    _world(scene)
    return camera, framing


def set_rate(scene: bpy.types.Scene, fps: float) -> None:
    """Set a scene's frame rate; Blender wants a whole number over a base."""
    scene.render.fps = max(round(fps), 1)
    scene.render.fps_base = scene.render.fps / fps


def add_sound(scene: bpy.types.Scene, path: Path, frame: int) -> bool:
    """Let a sound file begin at a frame of the scene; False where this Blender was built without sound."""
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences  # before 4.4 its only name
    try:
        strips.new_sound(name=path.name, filepath=str(path), channel=1, frame_start=frame)
    except RuntimeError:
        return False
    return True


def lens(resolution: tuple[int, int]) -> float:
    """Focal length, millimetres: a long lens for little perspective, and so narrow in height that the
    floor fills the picture up to its upper edge."""
    width, height = resolution
    return max(58.0, 90.0 * min(height / width, 1.0))


def _half_width(resolution: tuple[int, int]) -> float:
    """Tangent of half the horizontal field of view."""
    width, height = resolution
    return 0.5 * _SENSOR / lens(resolution) * min(width / height, 1.0)


def _link(
    scene: bpy.types.Scene, name: str, data: bpy.types.ID | None, parent: bpy.types.Object | None
) -> bpy.types.Object:
    thing = bpy.data.objects.new(name, data)
    scene.collection.objects.link(thing)
    thing.parent = parent
    return thing


def _rig(scene: bpy.types.Scene, framing: Framing, *, start: int, every: int) -> bpy.types.Object:
    """The empty that carries camera and lights; it moves where the motion travels."""
    rig = _link(scene, "Stage", None, None)
    rig.empty_display_size = 0.2
    rig.location = framing.follow[0]
    if framing.travels:
        count = len(framing.follow)
        for i in sorted({*range(0, count, every), count - 1}):
            rig.location = framing.follow[i]
            rig.keyframe_insert("location", frame=start + i)
    return rig


def _camera(scene: bpy.types.Scene, framing: Framing, rig: bpy.types.Object) -> bpy.types.Object:
    data = bpy.data.cameras.new("Camera")
    render = scene.render
    data.lens = lens((render.resolution_x, render.resolution_y))
    data.sensor_width, data.sensor_fit = _SENSOR, "AUTO"
    data.clip_start, data.clip_end = 0.1, 1000.0
    camera = _link(scene, "Camera", data, rig)
    back, up = Vector(-framing.forward), Vector(framing.up)
    axes = Matrix((up.cross(back), up, back)).transposed().to_4x4()
    camera.matrix_basis = Matrix.Translation(Vector(framing.offset)) @ axes
    scene.camera = camera
    return camera


def _lights(scene: bpy.types.Scene, framing: Framing, rig: bpy.types.Object) -> None:
    """Key, fill and rim: soft area lights about the point of interest, as far as the picture is wide."""
    target = framing.offset + framing.distance * framing.forward
    target = np.array([target[0], target[1], max(target[2], 0.9)])
    size = max(framing.distance * 0.62, 3.0)
    side = np.cross(framing.forward, framing.up)
    front = -framing.forward * (1, 1, 0)
    front = front / np.linalg.norm(front)
    high = np.array([0.0, 0.0, 1.0])
    for name, direction, reach, width, watts, colour in (
        ("Key", 0.75 * front - 0.75 * side + 0.95 * high, 1.0, 0.50, 9.5, (1.0, 0.95, 0.88)),
        ("Fill", 0.8 * front + 1.0 * side + 0.35 * high, 1.2, 1.1, 1.5, (0.86, 0.92, 1.0)),
        ("Rim", -1.0 * front + 0.55 * side + 1.0 * high, 1.0, 0.5, 13.0, (0.92, 0.96, 1.0)),
    ):
        data = bpy.data.lights.new(name, "AREA")
        data.shape, data.size = "DISK", width * size
        data.energy, data.color = watts * (reach * size) ** 2, colour
        light = _link(scene, name, data, rig)
        away = Vector(direction / np.linalg.norm(direction))
        light.location = Vector(target) + away * (reach * size)
        light.rotation_euler = away.to_track_quat("Z", "Y").to_euler()


def _floor(scene: bpy.types.Scene, framing: Framing) -> None:
    """A floor beyond the picture's edges, with a line every metre so that travel can be seen."""
    reach = max(150.0, 12 * framing.distance)
    centre = framing.follow.mean(0)
    low = np.floor(framing.follow.min(0)[:2] - reach)
    high = np.ceil(framing.follow.max(0)[:2] + reach)
    _flat(scene, "Floor", [(low[0], low[1], high[0], high[1])], 0.0, _FLOOR)
    near = min(reach, max(14.0, 2.5 * framing.distance))
    low = np.floor(np.minimum(framing.follow.min(0), centre)[:2] - near)
    high = np.ceil(np.maximum(framing.follow.max(0), centre)[:2] + near)
    half = 0.012
    strips = [(x - half, low[1], x + half, high[1]) for x in np.arange(low[0], high[0] + 1)]
    strips += [(low[0], y - half, high[0], y + half) for y in np.arange(low[1], high[1] + 1)]
    _flat(scene, "Floor lines", strips, 0.001, _LINE)


def _flat(
    scene: bpy.types.Scene,
    name: str,
    rectangles: list[tuple[float, float, float, float]],
    height: float,
    colour: tuple[float, float, float],
) -> None:
    points: list[tuple[float, float, float]] = []
    faces: list[tuple[int, ...]] = []
    for x0, y0, x1, y1 in rectangles:
        faces.append(tuple(range(len(points), len(points) + 4)))
        points += [(x0, y0, height), (x1, y0, height), (x1, y1, height), (x0, y1, height)]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points, [], faces)
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0):  # from there on always so, and a warning
        material.use_nodes = True
    # Workbench lights more softly than the stage's lamps: its colour is brighter.
    material.diffuse_color, material.roughness = (*(min(1.3 * c, 1.0) for c in colour), 1.0), 0.7
    shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = 0.55
    mesh.materials.append(material)
    _link(scene, name, mesh, None).display.show_shadows = False  # it only catches them


def _world(scene: bpy.types.Scene) -> None:
    world = bpy.data.worlds.new("Stage")
    world.color = _FLOOR
    if bpy.app.version < (5, 0):  # from there on always so, and a warning
        world.use_nodes = True
    for node in world.node_tree.nodes:
        if node.type == "BACKGROUND":
            node.inputs["Color"].default_value = (*_WORLD, 1.0)
            node.inputs["Strength"].default_value = 0.20
    scene.world = world
