"""A dialogue that arrived becomes two bodies with their Actions, a sound and cameras, all at once or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ...backend.errors import BadInput
from ...backend.motion import npz
from ...backend.motion.clip import Clip, resample, rotate_world
from ...backend.motion.skeleton import J0
from ...backend.protocol.wire import Dialogue, dialogue_of
from ..body.bodymap import SMPL_TO_BLENDER, BodyMap, why_not_editable
from ..body.builtin import adding_body
from ..keying.keying import extend_scene, keyed, scene_rate, wear
from ..process.slices import Steps, aside
from ..takes.preview import KEYS_KEY, digesting
from . import cameras, sounds
from .orders import Order
from .scene import SHIRTS, dress
from .screenplay import read

KEYS = "understudy_dialogue"
"""Custom property of the Actions and strips of a dialogue; an Action's is a digest of its keys."""
STRIP = (KEYS, "dialogue")


_KINDS = ("objects", "armatures", "meshes", "materials")
"""What a body is made of; shape keys go with their mesh."""


@dataclass
class Cast:
    """The two bodies, and the numbers of what was added for them: it goes again where the dialogue fails."""

    bodies: list[bpy.types.Object]
    added: set[int] = field(default_factory=set)

    def dismiss(self) -> None:
        """Remove what was added; at once, for some of it goes with the rest."""
        bpy.data.batch_remove([thing for number, thing in _things().items() if number in self.added])
        self.added.clear()


def _things() -> dict[int, Any]:
    return {thing.session_uid: thing for kind in _KINDS for thing in getattr(bpy.data, kind)}


def acting(order: Order, result: Any) -> Steps[tuple[list[bpy.types.Object], list[str]]]:
    """Put a dialogue into the scene, in slices. Nothing plays before the last of them.

    Returns:
        The two bodies, and sentences for the animator.

    Raises:
        UnderstudyError: the answer is no dialogue, or a body is gone; the scene is as it was.
    """
    told, clips = yield from aside(_read, result)
    scene = _scene(order)
    before = selection()
    cast = Cast([])
    made: list[bpy.types.Action] = []
    sound: Path | None = None
    try:
        for index, name in enumerate(told.names):
            if name not in order.speakers:
                raise BadInput(f"The backend's dialogue has another speaker: {name}.", field="script")
            number = order.bodies[order.speakers.index(name)]
            body = yield from body_for(scene, number, name.title(), index, cast)
            cast.bodies.append(body)
            yield
        bpy.context.view_layer.update()  # where a body stands that has just been added
        maps = [BodyMap.of(body) for body in cast.bodies]
        rate, size = scene_rate(scene), (scene.render.resolution_x, scene.render.resolution_y)
        worlds = [
            np.linalg.inv(world_of(b, m)) @ world_of(cast.bodies[0], maps[0])
            for b, m in zip(cast.bodies, maps, strict=True)
        ]
        placed = yield from aside(
            lambda: [resample(moved(clip, world), rate) for clip, world in zip(clips, worlds, strict=True)]
        )
        framings = []
        if order.cuts:
            framings = yield from aside(
                lambda: [cameras.framed_both(clips, size), *cameras.framed(clips, size)]
            )
        sound = yield from aside(sounds.store, told.sound, " ".join(told.names))
        played = []
        for body, clip, name in zip(cast.bodies, placed, told.names, strict=True):
            action, channels = yield from keyed(
                body, clip, name=name.title(), start_frame=order.start_frame, scene_fps=rate
            )
            made.append(action)
            action[KEYS] = yield from digesting(action)
            played.append((body, action, channels, name.title()))
        kept = []
        for body in cast.bodies:
            old = body.animation_data.action if body.animation_data is not None else None
            if old is not None and old.library is None:
                digest = yield from digesting(old)
                if digest not in (old.get(KEYS), old.get(KEYS_KEY)):
                    kept.append(old)
    except BaseException:
        drop(made)
        cast.dismiss()
        select_again(before)
        if sound is not None:
            sound.unlink(missing_ok=True)
        raise
    # From here on the scene changes, in one slice.
    for old in kept:
        old.use_fake_user = True  # somebody's own work, or edited by hand
    for body, action, channels, name in played:
        wear(body, action, channels, name)
        extend_scene(scene, action)
    warnings = list(told.warnings)
    sounds.remove(scene, STRIP)
    frames = round(clips[0].seconds * rate)
    if refusal := sounds.place(scene, sound, order.start_frame, frames, STRIP):
        warnings.append(refusal)
    cameras.clear(scene)
    if order.cuts:
        world = Matrix(_blender(world_of(cast.bodies[0], maps[0])))
        both, *each = (
            cameras.add_camera(scene, name, framing, size, world)
            for name, framing in zip(
                ("Camera", *(f"Camera {name.title()}" for name in told.names)), framings, strict=True
            )
        )
        cameras.cut(
            scene,
            both,
            dict(zip(told.names, each, strict=True)),
            told.turns,
            rate=rate,
            start=order.start_frame,
        )
        scene.camera = scene.camera or both
    _remember(scene, order, cast.bodies, told, rate)
    return cast.bodies, warnings


def drop(actions: Sequence[bpy.types.Action]) -> None:
    """Remove Actions that were not put to use."""
    for action in actions:
        with suppress(ReferenceError):  # undone meanwhile
            bpy.data.actions.remove(action)


def _read(result: Any) -> tuple[Dialogue, list[Clip]]:
    told = dialogue_of(result)
    return told, [npz.clip_from_bytes(data) for data in told.clips]


def _scene(order: Order) -> bpy.types.Scene:
    scene = next((s for s in bpy.data.scenes if s.session_uid == order.scene), None)
    if scene is None:
        raise BadInput("The scene was deleted while its dialogue was made.", field="script")
    return scene


def body_for(
    scene: bpy.types.Scene, number: int, name: str, index: int, cast: Cast
) -> Steps[bpy.types.Object]:
    """The chosen body, or a new one, in slices.

    Raises:
        BadInput: it was deleted meanwhile, or cannot be keyed.
    """
    if not number:
        if bpy.context.scene != scene:
            raise BadInput("Another scene is shown than the one that the dialogue is for.", field="body")
        return (yield from _noting(_adding(name, index, cast), cast))
    body = next((o for o in scene.objects if o.session_uid == number), None)
    if body is None:
        raise BadInput("The body was deleted while its motion was generated.", field="body")
    if reason := why_not_editable(body):
        raise BadInput(reason, field="body")
    return body


def _adding(name: str, index: int, cast: Cast) -> Steps[bpy.types.Object]:
    body = yield from adding_body(bpy.context, name)
    body.location = cast.bodies[0].location if cast.bodies else bpy.context.scene.cursor.location
    dress(body, SHIRTS[index])
    return body


def _noting(steps: Steps[bpy.types.Object], cast: Cast) -> Steps[bpy.types.Object]:
    """Note what each step adds, and not what the animator adds between them."""
    try:
        while True:
            before = set(_things())
            try:
                step = next(steps)
            except StopIteration as stop:
                return stop.value
            finally:
                cast.added |= set(_things()) - before
            yield step
    finally:
        steps.close()


def world_of(body: bpy.types.Object, body_map: BodyMap) -> np.ndarray:
    """(4, 4) from a clip's world (Y up, metres) on a body to the scene's."""
    inner = np.eye(4)
    inner[:3, :3] = body_map.scale * body_map.axes
    return np.array(body.matrix_world) @ inner


def _blender(world: np.ndarray) -> np.ndarray:
    """The same for points whose axes are Blender's already."""
    turned = np.eye(4)
    turned[:3, :3] = SMPL_TO_BLENDER.T
    return np.asarray(world @ turned)


def moved(clip: Clip, world: np.ndarray) -> Clip:
    """A motion in another world: turned, shifted and, where the worlds differ in size, scaled by (4, 4)."""
    if np.allclose(world, np.eye(4), atol=1e-6):
        return clip
    left, sizes, right = np.linalg.svd(world[:3, :3])
    turned = rotate_world(clip, left @ right)
    return turned.replace(trans=sizes.mean() * (turned.trans + J0) + world[:3, 3] - J0)


def selection() -> tuple[str, list[str]]:
    """The names of the active object and of those that are selected."""
    layer = bpy.context.view_layer
    active = layer.objects.active
    return active.name if active is not None else "", [o.name for o in layer.objects if o.select_get()]


def select_again(before: tuple[str, Sequence[str]]) -> None:
    """Select what was selected before a body was added."""
    layer = bpy.context.view_layer
    layer.update()  # it lists what was removed until then
    for thing in layer.objects:
        thing.select_set(thing.name in before[1])
    layer.objects.active = layer.objects.get(before[0])


def _remember(
    scene: bpy.types.Scene, order: Order, bodies: Sequence[bpy.types.Object], told: Dialogue, rate: float
) -> None:
    """A second run finds the same bodies; the list says when each line is heard."""
    dialogue = scene.understudy_dialogue
    if not order.listed and not len(dialogue.lines):
        read(dialogue, order.params["script"])
    for speaker, name in zip((dialogue.first, dialogue.second), order.speakers, strict=True):
        speaker.body = bodies[told.names.index(name)]
    if len(dialogue.lines) != len(told.turns):
        return
    for line, turn in zip(dialogue.lines, sorted(told.turns, key=lambda turn: turn["number"]), strict=True):
        line.start, line.end = (order.start_frame + round(turn[end] * rate) for end in ("start", "end"))
