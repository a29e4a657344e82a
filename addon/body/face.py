"""The face in Blender: shape keys of the mannequin, sliders on its armature, and clips keyed on them.

Each slider is a custom property of the armature object, so that one Action holds body and face; drivers of the
plain kind (no scripts) pass it on to the shape key of the same name.
"""

from __future__ import annotations

import bpy
import numpy as np

from ...backend.motion.clip import Clip
from ...backend.motion.expressions import CHANNELS, META_KEY, META_VALUE, channels_of, marked, weigh
from ...backend.motion.skeleton import NUM_EXPRESSIONS
from ..keying.actions import Channels, fill_curve

GROUP = "Face"

EXPRESSION = "Exp{:03d}"
"""The sliders of a SMPL-X model's own expressions."""


def add_shapes(skin: bpy.types.Object, armature: bpy.types.Object, shapes: dict[str, np.ndarray]) -> None:
    """Give a mesh its shape keys, its armature the sliders, and connect them.

    Args:
        skin: the mesh object, without shape keys.
        armature: gets one custom property from 0 to 1 per shape.
        shapes: (V, 3) offsets by name, in the mesh's own axes, metres.
    """
    rest = np.empty(3 * len(skin.data.vertices), np.float32)
    skin.data.attributes["position"].data.foreach_get("vector", rest)
    skin.shape_key_add(name="Basis", from_mix=False)
    for name, offsets in shapes.items():
        key = skin.shape_key_add(name=name, from_mix=False)
        key.points.foreach_set("co", rest + offsets.astype(np.float32).ravel())
        add_slider(key, armature, name)


def add_slider(
    key: bpy.types.ShapeKey, armature: bpy.types.Object, name: str, low: float = 0.0, high: float = 1.0
) -> None:
    """Let a custom property of the armature object, from ``low`` to ``high``, drive a shape key."""
    armature[name] = 0.0
    armature.id_properties_ui(name).update(min=low, max=high, soft_min=low, soft_max=high)
    driver = key.driver_add("value").driver
    driver.type = "SUM"
    variable = driver.variables.new()
    variable.targets[0].id = armature
    variable.targets[0].data_path = _path(name)


def has_face(armature: bpy.types.Object) -> bool:
    """Whether an armature has the sliders."""
    return all(name in armature for name in CHANNELS)


def key_face(armature: bpy.types.Object, channels: Channels, clip: Clip, frames: np.ndarray) -> None:
    """Key a clip's named expression channels on the sliders; a face that the clip does not have is held at rest.

    Args:
        armature: without the sliders nothing happens.
        channels: of the Action.
        clip: at the rate of the keys.
        frames: (T,) scene frames.
    """
    if EXPRESSION.format(0) in armature:
        named = _coefficients(armature, clip)
    elif has_face(armature):
        found = channels_of(clip)
        named = {name: found.get(name, np.zeros(1)) for name in CHANNELS}
    else:
        return
    for name, values in named.items():
        if np.ptp(values) == 0.0:
            values = values[:1]
        curve = channels.fcurves.new(_path(name))
        fill_curve(curve, frames[: len(values)], values)
        curve.group = channels.groups.get(GROUP) or channels.groups.new(GROUP)


def _coefficients(armature: bpy.types.Object, clip: Clip) -> dict[str, np.ndarray]:
    """The expression coefficients (T,) of a clip by slider; all at rest where they mean something else."""
    names = _coefficient_names(armature)
    ours = clip.meta.get(META_KEY) == META_VALUE
    if clip.expressions is None or ours:
        return {name: np.zeros(1) for name in names}
    return {name: clip.expressions[:, k] for k, name in enumerate(names)}


def _coefficient_names(armature: bpy.types.Object) -> list[str]:
    return [name for name in map(EXPRESSION.format, range(NUM_EXPRESSIONS)) if name in armature]


def read_face(
    armature: bpy.types.Object, channels: Channels | None, frames: np.ndarray
) -> dict[str, np.ndarray]:
    """The sliders' values (T,) by name, from the curves or, where there are none, as they stand; empty at rest."""
    smplx = EXPRESSION.format(0) in armature
    if not smplx and not has_face(armature):
        return {}
    curves = {c.data_path: c for c in channels.fcurves if not c.mute} if channels is not None else {}
    values = {}
    for name in _coefficient_names(armature) if smplx else CHANNELS:
        curve = curves.get(_path(name))
        if curve is None:
            values[name] = np.full(len(frames), float(armature[name]))
        else:
            values[name] = np.array([curve.evaluate(frame) for frame in frames])
    return values if any(np.abs(v).max() > 1e-6 for v in values.values()) else {}


def with_read_face(clip: Clip, values: dict[str, np.ndarray]) -> Clip:
    """The clip with sliders' values as its expressions."""
    if not values:
        return clip
    if EXPRESSION.format(0) in values:
        expressions = np.zeros((len(clip), NUM_EXPRESSIONS))
        expressions[:, : len(values)] = np.stack(list(values.values()), axis=1)
        meta = {key: value for key, value in clip.meta.items() if key != META_KEY}
        return clip.replace(expressions=expressions, meta=meta)
    return clip.replace(expressions=weigh(len(clip), **values), meta=marked(clip.meta))


def _path(name: str) -> str:
    return f'["{bpy.utils.escape_identifier(name)}"]'
