"""Bodies of published joint sets, fitted: SMPL's joints as HumanML3D has them, the Master Motor Map's as KIT has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ..clip import Clip
from ..skeleton import INDEX, JOINT_NAMES, MIRROR
from .axes import left_is_left, upright
from .fit import fit_joints
from .layouts import KIT

FLOOR_WITHIN = 0.15
"""Metres: the lowest joint of a published clip of HumanML3D is at y = 0."""

SMPL_BONES: dict[str, tuple[float, float, float]] = {
    "left_hip": (0.61, -0.79, -0.06), "right_hip": (-0.61, -0.79, -0.06), "spine1": (0.0, 0.97, -0.24),
    "spine2": (0.0, 1.0, 0.0), "spine3": (0.0, 0.91, 0.42), "neck": (0.0, 0.98, -0.2), "head": (0.0, 0.79, 0.62),
}  # fmt: skip
"""Where bones of a SMPL body point in its T-pose, where ours point elsewhere, rounded to some degrees: the
spine leans back, forward and back again, the neck 38 degrees forward (ours 13)."""

KIT_JOINTS: dict[str, str] = {
    "root": "pelvis", "BP": "spine1", "BT": "spine3", "BLN": "neck", "BUN": "head",
    **{f"{s}{theirs}": f"{side}_{ours}" for s, side in (("L", "left"), ("R", "right")) for theirs, ours in (
        ("S", "shoulder"), ("E", "elbow"), ("W", "wrist"), ("H", "hip"), ("K", "knee"), ("A", "ankle"), ("F", "foot"),
    )},
}  # fmt: skip
"""The Master Motor Map's joints that we have, too; LMrot and RMrot (in the middle of the foot) we have not."""

KIT_BONES: dict[str, tuple[float, float, float]] = {
    "left_hip": (1.0, 0.0, 0.0), "right_hip": (-1.0, 0.0, 0.0), "spine1": (0.0, 1.0, 0.0), "spine2": (0.0, 1.0, 0.0),
    "spine3": (0.0, 1.0, 0.0), "neck": (0.0, 1.0, 0.0), "head": (0.0, 0.93, 0.37),
    "left_foot": (0.17, -0.55, 0.8), "right_foot": (-0.17, -0.55, 0.8),
}  # fmt: skip
"""Where the reference model's bones point at rest, where ours point elsewhere: its trunk is a straight line,
its hips lie beside the root, its toes lower before the ankle."""

_KIT_COLUMNS = [KIT.names.index(name) for name in KIT_JOINTS]
_KIT_OURS = tuple(KIT_JOINTS.values())

Sides = Literal["names", "release"]
"""Of KIT's joints. ``names``: joints named L are left, motion is reflected where it must be. ``release``: as
text-to-motion reads the files, which agrees with its features and evaluators, and not with the captions."""


def fit_smpl(positions: np.ndarray, names: Sequence[str], fps: float) -> Clip:
    """Joints (T, N, 3) of a SMPL body, metres, Y up, see :func:`.fit.fit_joints`."""
    return fit_joints(positions, names, fps=fps, bones=SMPL_BONES)


def fit_kit(positions: np.ndarray, fps: float, sides: Sides = "names") -> Clip:
    """Joints (T, 21, 3) in KIT's order and any unit; ``meta`` says what was found out about them."""
    joints, up = upright(positions[:, _KIT_COLUMNS], _KIT_OURS)
    names: Sequence[str] = _KIT_OURS
    agreement = left_is_left(joints, names)
    reflected = agreement < 0
    if reflected and sides == "names":
        joints = joints * np.array([-1.0, 1.0, 1.0])
    elif reflected:
        names = [JOINT_NAMES[MIRROR[INDEX[name]]] for name in names]
    clip = fit_joints(joints, names, fps=fps, bones=KIT_BONES)
    facts = {
        "unit": _unit_of(joints),
        "up": up,
        "reflected": reflected,
        "sides_agree": round(agreement, 3),
    }
    return clip.replace(meta={**clip.meta, **facts})


def _unit_of(joints: np.ndarray) -> str:
    """``mm``, ``cm`` or ``m``, by the length of the left shin: the body is one to two metres tall."""
    knee, ankle = _KIT_OURS.index("left_knee"), _KIT_OURS.index("left_ankle")
    shin = float(np.median(np.linalg.norm(joints[:, knee] - joints[:, ankle], axis=1)))
    return "mm" if shin > 100 else "cm" if shin > 10 else "m" if shin < 1 else "unknown"
