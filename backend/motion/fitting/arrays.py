"""Joint positions and HumanML3D features in an array: recognised by shape, checked as a body, fitted.

====================  ==============================  =====  ==========================================
what                  shape                           fps    where it comes from
====================  ==============================  =====  ==========================================
HumanML3D joints      (T, 22, 3)                      20     ``new_joints``, and what its models write
HumanML3D features    (T, 263)                        20     ``new_joint_vecs``
KIT joints            (T, 21, 3)                      12.5   ``new_joints``, millimetres
KIT features          (T, 251)                        12.5   ``new_joint_vecs``
whole-body features   (T, 623)                        30     HumanTOMATO, Motion-X, SynTalker, SOLAMI
whole-body joints     (T, 52, 3)                      30     the same
SMPL, SMPL-X joints   (T, 24, 3), (T, 55 or 127, 3)   30     body models; no rate is stated anywhere
====================  ==============================  =====  ==========================================

Joints may also lie flat, (T, 3 J), or joints first, (J, 3, T), as MDM has them. A shape is a claim only: three
numbers per joint may as well be rotations, and features may be normalised. So the positions must make a body:
limbs that keep their lengths, of human proportions, the left ones as long as the right ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import BadInput
from ..clip import Clip
from ..keys import check_fps
from ..skeleton import INDEX, JOINT_NAMES
from .axes import left_is_left, upright
from .finish import finish
from .layouts import HUMANML3D, KIT, WHOLEBODY, Layout
from .published import FLOOR_WITHIN, fit_kit, fit_smpl
from .recover import recover_from_ric

SHORTEST = 3
"""Frames; nothing shorter is a motion."""
_LIMBS = ("knee", "ankle", "elbow", "wrist")
_KIT_LIMBS = {"knee": ("H", "K"), "ankle": ("K", "A"), "elbow": ("S", "E"), "wrist": ("E", "W")}
_STRETCH, _UNEVEN = 0.2, 0.3
"""How much a limb's length may vary over time, and from left to right; networks stretch bones by some percent."""
_SHARES = {"knee": 0.48, "ankle": 0.52, "elbow": 0.31, "wrist": 0.31}
_FACTOR = 1.8
"""Lengths of the limbs against the leg, and how far from them a body may be."""
_CONTACT_RANGE = (-0.3, 1.3)
"""A network's contacts are about 0 and 1; normalised ones reach from -2.4 to 0.4."""
_OFF_FLOOR = 0.05
"""Metres: what has its lowest joint further from y = 0 may be in another world than Y up."""


@dataclass(frozen=True)
class Kind:
    """What an array claims to be.

    Attributes:
        label: what people call it.
        layout: of features, and of joints in the family's order.
        features: features, not positions.
        fps: the rate of its data set.
        assumed: nothing states that rate.
    """

    label: str
    layout: Layout
    features: bool
    fps: float
    assumed: bool = False


_FEATURES = {
    layout.dim: Kind(f"{label} features", layout, True, layout.fps)
    for label, layout in (("HumanML3D", HUMANML3D), ("KIT", KIT), ("Whole-body", WHOLEBODY))
}
_JOINTS = {
    22: Kind("HumanML3D joints", HUMANML3D, False, HUMANML3D.fps),
    21: Kind("KIT joints", KIT, False, KIT.fps),
    52: Kind("Whole-body joints", WHOLEBODY, False, WHOLEBODY.fps),
    24: Kind("SMPL joints", HUMANML3D, False, 30.0, assumed=True),
    55: Kind("SMPL-X joints", WHOLEBODY, False, 30.0, assumed=True),
    127: Kind("SMPL-X joints", WHOLEBODY, False, 30.0, assumed=True),
}


def recognise(name: str, values: np.ndarray) -> tuple[Kind, np.ndarray] | None:
    """What an array is by its shape, and the array as (T, D) features or (T, J, 3) joints; None: nothing of these.

    Raises:
        BadInput: several motions in one array, or a single pose.
    """
    if values.ndim == 4 or (values.ndim == 3 and values.shape[2] in _FEATURES):
        inner = recognise(name, values[0]) if len(values) else None
        if inner and len(values) > 1:
            raise BadInput(
                f"{name} holds {len(values)} motions in one array {values.shape}; a file is read for one.",
                hint="Save them one by one: np.save(f'{i}.npy', motions[i]).",
                field="path",
            )
        return inner
    if values.ndim == 2 and values.shape[1] in _FEATURES:
        kind, array = _FEATURES[values.shape[1]], values
    elif values.ndim == 3 and values.shape[2] == 3 and values.shape[1] in _JOINTS:
        kind, array = _JOINTS[values.shape[1]], values
    elif values.ndim == 3 and values.shape[1] == 3 and values.shape[0] in _JOINTS:
        kind, array = _JOINTS[values.shape[0]], np.moveaxis(values, 2, 0)
    elif values.ndim == 2 and values.shape[1] % 3 == 0 and values.shape[1] // 3 in _JOINTS:
        kind, array = _JOINTS[values.shape[1] // 3], values.reshape(len(values), -1, 3)
    else:
        return None
    if len(array) < SHORTEST:
        raise BadInput(
            f"{name} has {len(array)} frame{'s' * (len(array) != 1)}; a motion needs {SHORTEST}.",
            field="path",
        )
    return kind, array


def fitted(name: str, kind: Kind, values: np.ndarray, fps: float | None = None, up: str = "auto") -> Clip:
    """A clip of what :func:`recognise` found.

    Args:
        name: the file's, for messages.
        kind, values: as found.
        fps: instead of the rate of the data set.
        up: ``amass`` (Z up) or ``smplx`` (Y up) settles what is up; features are always Y up.

    Raises:
        BadInput: the numbers are no body's positions; normalised features are called that.
    """
    rate = check_fps(name, kind.fps if fps is None else fps)
    positions = recover_from_ric(values, kind.layout).astype(np.float64) if kind.features else values
    _check_body(name, kind, values, positions)
    notes = [f"The file states no frame rate; {rate:g} fps assumed."] if kind.assumed and fps is None else []
    if kind.layout is KIT:
        clip = finish(fit_kit(positions, rate))
        if clip.meta["reflected"]:
            notes.append("What is called left lies on the right in this file; the motion was mirrored.")
    else:
        names = _names(positions.shape[1])
        joints = positions[:, : len(names)]
        if not kind.features:
            joints = _stood_up(joints, names, up)
        if left_is_left(joints, names) < 0:
            joints = joints * np.array([-1.0, 1.0, 1.0])
            notes.append("What is called left lies on the right in this file; the motion was mirrored.")
        within = FLOOR_WITHIN if kind.layout is HUMANML3D and not kind.assumed else np.inf
        clip = finish(fit_smpl(joints, names, rate), within=within)
    facts = {
        "scale": clip.meta["scale"],
        "fit_error_mm": clip.meta["fit_error_mm"],
        "own_proportions_mm": clip.meta["fit"]["own_proportions_mm"],
    }
    return clip.replace(
        meta={"source": name, "source_fps": rate, **facts, **({"notes": notes} if notes else {})}
    )


def _names(count: int) -> tuple[str, ...]:
    """Our names of the columns; 24 SMPL joints end in two hands, 127 of SMPL-X in points of the face."""
    if count in (22, 24):
        return JOINT_NAMES[:22]
    return WHOLEBODY.names if count == 52 else JOINT_NAMES


def _stood_up(joints: np.ndarray, names: tuple[str, ...], up: str) -> np.ndarray:
    """Joints (T, N, 3) with Y up. These sets are Y up, with their lowest joint at 0; what is not may be another's."""
    if up == "amass":
        x, y, z = np.moveaxis(joints, -1, 0)
        return np.stack([x, z, -y], axis=-1)
    if up == "smplx" or abs(joints[..., 1].min()) < _OFF_FLOOR:
        return joints
    return upright(joints, names)[0]


def _check_body(name: str, kind: Kind, values: np.ndarray, positions: np.ndarray) -> None:
    fault = _no_body(kind.layout, positions)
    if not fault:
        return
    if kind.features:
        contacts = values[:, kind.layout.slices["contacts"]]
        outside = (contacts < _CONTACT_RANGE[0]) | (contacts > _CONTACT_RANGE[1])
        if outside.mean() > 0.01 or (
            np.abs(values[:, 4:]).mean() < 3 and np.abs(np.median(values[:, 3])) < 0.3
        ):
            raise BadInput(
                f"{name} holds normalised {kind.label}, not a motion as it is.",
                hint="Undo the normalisation with the set's Mean.npy and Std.npy: np.save(path, features * std + mean).",
                field="path",
            )
        raise BadInput(f"{name} has the shape of {kind.label}, but makes no body: {fault}.", field="path")
    raise BadInput(
        f"{name} has the shape of {kind.label}, but {fault}: it holds no positions.",
        hint="Rotations are read from an .npz with poses (frames, joints · 3) and trans (frames, 3).",
        field="path",
    )


def _no_body(layout: Layout, positions: np.ndarray) -> str:
    """What keeps positions from being a body's, or nothing."""
    lengths = {}
    for limb in _LIMBS:
        for side in ("left", "right"):
            a, b = _bone(layout, limb, side)
            lengths[limb, side] = np.linalg.norm(positions[:, a] - positions[:, b], axis=-1)
    typical = {key: float(np.median(values)) for key, values in lengths.items()}
    leg = sum(typical[limb, side] for limb in ("knee", "ankle") for side in ("left", "right")) / 2
    if not leg > 1e-6:
        return "its legs have no length"
    spread = float(np.median([np.std(values) / max(typical[key], 1e-9) for key, values in lengths.items()]))
    if spread > _STRETCH:
        return f"its limbs change their lengths by {100 * min(spread, 9.99):.0f} %"
    for limb in _LIMBS:
        left, right = typical[limb, "left"], typical[limb, "right"]
        if abs(left - right) > _UNEVEN * max(left, right):
            return "its left and right limbs differ in length"
        if not 1 / _FACTOR < 0.5 * (left + right) / leg / _SHARES[limb] < _FACTOR:
            return "its limbs are not those of a person"
    return ""


_BEFORE = {"knee": "hip", "ankle": "knee", "elbow": "shoulder", "wrist": "elbow"}


def _bone(layout: Layout, limb: str, side: str) -> tuple[int, int]:
    if layout is KIT:
        before, after = _KIT_LIMBS[limb]
        letter = side[0].upper()
        return KIT.names.index(letter + before), KIT.names.index(letter + after)
    # The first 22 joints are the same everywhere.
    return INDEX[f"{side}_{_BEFORE[limb]}"], INDEX[f"{side}_{limb}"]
