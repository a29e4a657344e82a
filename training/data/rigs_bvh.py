"""Skeletons of stylised BVH sets whose files hold no T-pose: where their joint axes point in one. Facts only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...backend.motion.rotations import axis_angle_to_matrix, yaw_matrix
from ..retargeting.retarget import Drive, Foot, Rig

_DIRECTIONS = {
    "left": (1.0, 0.0, 0.0), "right": (-1.0, 0.0, 0.0), "up": (0.0, 1.0, 0.0),
    "down": (0.0, -1.0, 0.0), "front": (0.0, 0.0, 1.0), "back": (0.0, 0.0, -1.0),
}  # fmt: skip


def axes(words: str, *, pitch: float = 0.0, yaw: float = 0.0) -> np.ndarray:
    """A rotation (3, 3) whose columns are the directions that a joint's X, Y and Z axes point in.

    Args:
        words: three of left, right, up, down, front, back.
        pitch: degrees the joint is then turned forward and down (about +X).
        yaw: degrees it is turned to the left (about +Y).
    """
    columns = np.stack([_DIRECTIONS[word] for word in words.split()], axis=1)
    turn = yaw_matrix(np.array(np.radians(yaw))) @ axis_angle_to_matrix(np.array([np.radians(pitch), 0, 0]))
    return turn @ columns


def _one(name: str) -> tuple[tuple[str, float], ...]:
    return ((name, 1.0),)


def joints_of(rig: Rig) -> list[str]:
    """The source joints without which the rig cannot be driven."""
    points = [joint for drive in rig.drives.values() for joint, _ in drive.sources]
    points += [point for drive in rig.drives.values() for point in drive.bone[1:]]
    points += [point for foot in rig.feet for point in (foot.ankle, foot.ball, foot.toes) if point]
    return sorted({point.removesuffix(".tip") for point in points})


# Bandai-Namco. Bones run along the joints' own X axis, on the right side along -X. Which way the other two
# axes point was read off the motion: knees turn about their Y only and the shins go back; elbows turn about
# -Y and bring the hand to the front; in "bye" and "byebye" the side of the hand that Y names (left -Y, right
# +Y) faces forward. Angles below are medians of the whole set: how the trunk and shoulders are held by
# somebody in the style "normal" who stands with hanging arms, and the pitch of a sole that lies on the floor
# (ankle 11.7 cm and toe joint 4.2 cm high, the mode of 280,000 standing frames to the millimetre).
BANDAI_REST: Mapping[str, np.ndarray] = {
    "joint_Root": np.eye(3),
    "Hips": axes("up right front", pitch=-4.0),
    "Spine": axes("up front left"),
    "Chest": axes("up front left"),
    "Neck": axes("up front left", pitch=4.0),
    "Head": axes("up front left", pitch=8.5),
    "Shoulder_L": axes("left up front", yaw=17.0),
    "Shoulder_R": axes("left down back", yaw=-18.0),
    "UpperArm_L": axes("left up front"),
    "UpperArm_R": axes("left down back"),
    "UpperLeg_L": axes("down left front"),
    "UpperLeg_R": axes("up left back"),
    "Foot_L": axes("front left up", pitch=39.6),
    "Foot_R": axes("back left down", pitch=39.6),
    "Toes_L": axes("front left up", pitch=23.0),
    "Toes_R": axes("back left down", pitch=23.0),
}
"""Where each joint's axes point in a T-pose with the feet flat; joints left out turn with their parents."""
BANDAI_ANKLE = 0.117
"""Metres: height of the ankle over the floor when the foot lies flat."""


def _bandai_side(side: str, s: str) -> dict[str, Drive]:
    bones = {
        "hip": ("knee", "UpperLeg", "LowerLeg"),
        "knee": ("ankle", "LowerLeg", "Foot"),
        "shoulder": ("elbow", "UpperArm", "LowerArm"),
        "elbow": ("wrist", "LowerArm", "Hand"),
    }
    limbs = {
        f"{side}_{ours}": Drive(_one(f"{start}_{s}"), (f"{side}_{child}", f"{start}_{s}", f"{end}_{s}"))
        for ours, (child, start, end) in bones.items()
    }
    # The figure's shoulders are 10 cm from its middle, ours 17: the collar's turning is carried over.
    return {
        **limbs,
        f"{side}_collar": Drive(_one(f"Shoulder_{s}")),
        f"{side}_wrist": Drive(_one(f"Hand_{s}")),
    }


BANDAI = Rig(
    drives={
        "pelvis": Drive(_one("Hips")),
        "spine1": Drive(_one("Spine")),
        "spine2": Drive(_one("Chest")),
        "spine3": Drive(_one("Chest")),
        "neck": Drive(_one("Neck")),
        "head": Drive(_one("Head")),
        **_bandai_side("left", "L"),
        **_bandai_side("right", "R"),
    },
    hips=("UpperLeg_L", "UpperLeg_R"),
    legs=(("UpperLeg_L", "LowerLeg_L", "Foot_L"), ("UpperLeg_R", "LowerLeg_R", "Foot_R")),
    feet=(Foot("Foot_L", "Toes_L", "Toes_L"), Foot("Foot_R", "Toes_R", "Toes_R")),
    flat_rest=True,
)


# 100STYLE, an Xsens figure: all angles zero is a T-pose that faces +Z, with its feet flat.
def _xsens_side(side: str) -> dict[str, Drive]:
    s = side.capitalize()
    bones = {
        "hip": ("knee", "Hip", "Knee"),
        "knee": ("ankle", "Knee", "Ankle"),
        "shoulder": ("elbow", "Shoulder", "Elbow"),
        "elbow": ("wrist", "Elbow", "Wrist"),
    }
    limbs = {
        f"{side}_{ours}": Drive(_one(f"{s}{start}"), (f"{side}_{child}", f"{s}{start}", f"{s}{end}"))
        for ours, (child, start, end) in bones.items()
    }
    return {**limbs, f"{side}_collar": Drive(_one(f"{s}Collar")), f"{side}_wrist": Drive(_one(f"{s}Wrist"))}


STYLE100 = Rig(
    drives={
        "pelvis": Drive(_one("Hips")),
        # Four joints bend the trunk, at 18, 38, 56 and 74 % of the way from hips to neck; ours at 21, 47 and 59.
        "spine1": Drive(_one("Chest")),
        "spine2": Drive((("Chest2", 1.0), ("Chest3", 1.0))),
        "spine3": Drive(_one("Chest4")),
        "neck": Drive(_one("Neck")),
        "head": Drive(_one("Head")),
        **_xsens_side("left"),
        **_xsens_side("right"),
    },
    hips=("LeftHip", "RightHip"),
    legs=(("LeftHip", "LeftKnee", "LeftAnkle"), ("RightHip", "RightKnee", "RightAnkle")),
    feet=(Foot("LeftAnkle", "LeftToe", "LeftToe"), Foot("RightAnkle", "RightToe", "RightToe")),
    flat_rest=True,
)
