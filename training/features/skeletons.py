"""The joints of a clip in the order and proportions of a feature layout."""

from __future__ import annotations

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion.clip import Clip
from ...backend.motion.fitting.layouts import Layout
from ...backend.motion.kinematics import forward_kinematics
from ...backend.motion.skeleton import INDEX, NUM_BODY_JOINTS, NUM_JOINTS

_MIDFOOT = 0.35
"""Where KIT's turning joint of the foot lies between ankle and toe, as a share of the way."""

# KIT's joints out of ours: each the mean of these. The data were laid out from the Master Motor Map with
# two axes exchanged, so what is called L stands on the figure's right (x < 0, facing +Z): here the sides
# follow the geometry, as in the features' own table of hips and shoulders.
_KIT: dict[str, tuple[str, ...]] = {
    "root": ("left_hip", "right_hip"),
    "BP": ("spine1",),
    "BT": ("spine3",),
    "BLN": ("left_shoulder", "right_shoulder"),
    "BUN": ("neck", "head"),
    "LS": ("right_shoulder",),
    "LE": ("right_elbow",),
    "LW": ("right_wrist",),
    "RS": ("left_shoulder",),
    "RE": ("left_elbow",),
    "RW": ("left_wrist",),
    "LH": ("right_hip",),
    "LK": ("right_knee",),
    "LA": ("right_ankle",),
    "LF": ("right_foot",),
    "RH": ("left_hip",),
    "RK": ("left_knee",),
    "RA": ("left_ankle",),
    "RF": ("left_foot",),
}


def joints_for(clip: Clip, layout: Layout, *, reflected: bool = False) -> np.ndarray:
    """Joints (T, J, 3) of a clip on our own body, metres, for a layout.

    22 joints are the first 22 of ours; 52 leave out jaw and eyes; KIT's 21 follow the table above.

    Args:
        clip: the motion, at the frame rate wanted.
        layout: the skeleton.
        reflected: for KIT, mirror the motion, as the published files most likely are: its captions'
            "left" then means the joints called L.
    """
    needed = NUM_JOINTS if layout.joints > NUM_BODY_JOINTS else NUM_BODY_JOINTS
    joints, _ = forward_kinematics(clip.poses[:, :needed], clip.trans)
    if layout.name != "kit":
        return joints[:, [INDEX[name] for name in layout.names]]
    if reflected:
        joints = joints * np.array([-1.0, 1.0, 1.0])
    kit = np.empty((len(joints), layout.joints, 3))
    for number, name in enumerate(layout.names):
        if name in _KIT:
            kit[:, number] = joints[:, [INDEX[other] for other in _source(name, reflected)]].mean(1)
    place = {name: number for number, name in enumerate(layout.names)}
    for side in "LR":
        ankle, toe = kit[:, place[f"{side}A"]], kit[:, place[f"{side}F"]]
        kit[:, place[f"{side}Mrot"]] = ankle + _MIDFOOT * (toe - ankle)
    return kit


def _source(name: str, reflected: bool) -> tuple[str, ...]:
    if not reflected:
        return _KIT[name]
    swap = {"left": "right", "right": "left"}
    sides = (other.partition("_") for other in _KIT[name])
    return tuple(f"{swap.get(side, side)}{bar}{rest}" for side, bar, rest in sides)


def select_joints(joints: np.ndarray, layout: Layout) -> np.ndarray:
    """The layout's joints out of an array as other tools write it.

    Args:
        joints: (T, N, 3) or (T, 3 N). For 22 joints the first 22 are taken (SMPL, SMPL-H and SMPL-X agree
            in them); for 52 an array of SMPL-X joints (55, or 127 with the surface points) loses jaw and
            eyes; KIT needs its own 21.

    Raises:
        BadInput: these are not joints of that skeleton.
    """
    joints = np.asarray(joints)
    if joints.ndim == 2 and joints.shape[1] and joints.shape[1] % 3 == 0:
        joints = joints.reshape(len(joints), -1, 3)
    count = joints.shape[1] if joints.ndim == 3 and joints.shape[2] == 3 else 0
    if count == layout.joints:
        return joints
    if layout.joints == 22 and count > 22:
        return joints[:, :22]
    if layout.joints == 52 and count >= NUM_JOINTS:
        return joints[:, [INDEX[name] for name in layout.names]]
    raise BadInput(
        f"{layout.name} features need joints of the shape (T, {layout.joints}, 3), not {joints.shape}.",
        field="joints",
    )
