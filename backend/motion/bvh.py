"""Write a clip as BVH: the SMPL-X skeleton with our body's rest pose, for tools that know no SMPL-X.

Rest pose: the T-pose, facing +Z, Y up. The root's OFFSET is zero and its position channels are the pelvis's
place in the world, which importers that add the OFFSET and importers that replace it read alike.
"""

from __future__ import annotations

import numpy as np

from . import rotations
from .clip import Clip
from .skeleton import JOINT_NAMES, PARENTS, REST_OFFSETS

ORDER = "ZXY"
"""Euler order of every joint: ``Rz Rx Ry`` on column vectors."""
CENTIMETRES = 100.0
"""BVH files carry no unit; centimetres are the custom, and what game engines and MotionBuilder assume."""

_END_SITES: dict[str, tuple[float, float, float]] = {
    "left_foot": (0.0, 0.0, 0.065),
    "right_foot": (0.0, 0.0, 0.065),
    "jaw": (0.0, -0.05, 0.07),
    "left_eye_smplhf": (0.0, 0.0, 0.02),
    "right_eye_smplhf": (0.0, 0.0, 0.02),
}


def clip_to_bvh(clip: Clip, *, scale: float = CENTIMETRES) -> str:
    """The text of a BVH file.

    Args:
        clip: the motion.
        scale: file units per metre.
    """
    lines = ["HIERARCHY"]
    order = _write_joint(lines, 0, 0, scale)
    lines += ["MOTION", f"Frames: {len(clip)}", f"Frame Time: {1 / clip.fps:.10g}"]
    root = (REST_OFFSETS[0] + clip.trans) * scale
    angles = np.degrees(_continuous_angles(rotations.axis_angle_to_matrix(clip.poses)))[:, order]
    table = np.concatenate([root, angles.reshape(len(clip), -1)], axis=1)
    table = np.where(np.abs(table) < 5e-7, 0.0, table)  # no "-0.000000"
    lines += [" ".join(f"{value:.6f}" for value in row) for row in table.tolist()]
    return "\n".join(lines) + "\n"


def _write_joint(lines: list[str], joint: int, depth: int, scale: float) -> list[int]:
    """Append one joint and what hangs on it; returns the joints in the order of their channels."""
    pad = "\t" * depth
    offset = np.zeros(3) if joint == 0 else REST_OFFSETS[joint] * scale
    rotation = " ".join(f"{axis}rotation" for axis in ORDER)
    lines += [
        f"{pad}{'ROOT' if joint == 0 else 'JOINT'} {JOINT_NAMES[joint]}",
        f"{pad}{{",
        f"{pad}\tOFFSET {_numbers(offset)}",
        f"{pad}\tCHANNELS 6 Xposition Yposition Zposition {rotation}"
        if joint == 0
        else f"{pad}\tCHANNELS 3 {rotation}",
    ]
    order = [joint]
    children = [i for i, parent in enumerate(PARENTS) if parent == joint]
    for child in children:
        order += _write_joint(lines, child, depth + 1, scale)
    if not children:
        end = _END_SITES.get(JOINT_NAMES[joint])
        # A fingertip continues its last bone.
        tip = np.array(end) if end else 0.8 * REST_OFFSETS[joint]
        lines += [f"{pad}\tEnd Site", f"{pad}\t{{", f"{pad}\t\tOFFSET {_numbers(tip * scale)}", f"{pad}\t}}"]
    lines.append(f"{pad}}}")
    return order


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in values + 0.0)


def _continuous_angles(matrices: np.ndarray) -> np.ndarray:
    """Euler angles (T, J, 3) in :data:`ORDER`, each frame's the nearest to the frame before.

    Two triples of angles mean the same rotation, and each angle may have turns added: without a choice,
    curves jump and every resampling tool turns the jumps into spins.
    """
    angles = rotations.matrix_to_euler(matrices, ORDER)
    other = angles * np.array([1.0, -1.0, 1.0]) + np.pi
    turn = 2 * np.pi
    for i in range(1, len(angles)):
        previous = angles[i - 1]
        first = angles[i] + turn * np.round((previous - angles[i]) / turn)
        second = other[i] + turn * np.round((previous - other[i]) / turn)
        nearer = np.abs(second - previous).sum(-1) < np.abs(first - previous).sum(-1)
        angles[i] = np.where(nearer[:, None], second, first)
    return angles
