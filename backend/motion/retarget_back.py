"""A rig's motion as ours: the inverse of the transfer."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from . import rotations as rot
from .clip import Clip
from .mapping import NECK, SPINE
from .retarget_drives import Drive, spine_place
from .retarget_rest import RestPose
from .retarget_root import PIVOT
from .skeleton import INDEX, J0, JOINT_NAMES, NUM_JOINTS, PARENTS, PARTS


def read_motion(rest: RestPose, drives: tuple[Drive, ...], posed: np.ndarray, fps: float) -> Clip:
    """The motion of the rig as a clip on our skeleton.

    Args:
        rest: the rig at rest.
        drives: what turns its bones, from :func:`.retarget_drives.find_drives`.
        posed: (T, K, 4, 4) matrices of their bones in armature space, as Blender evaluates them.
        fps: frames per second.
    """
    axes = rest.stance.axes
    basis = posed[..., :3, :3] / np.maximum(np.linalg.norm(posed[..., :3, :3], axis=-2, keepdims=True), 1e-12)
    bodies = np.einsum("ji,tkjl->tkil", axes, basis)
    turned: dict[str, np.ndarray] = {}
    for k, d in enumerate(drives):
        assert d.turn is not None
        turned[d.slot] = bodies[:, k] @ (d.turn @ rest.rotations[d.bone]).T
    world = _joints(rest, turned)
    local = np.array(world)
    for j, parent in enumerate(PARENTS):
        if parent >= 0:
            local[:, j] = np.swapaxes(world[:, parent], -1, -2) @ world[:, j]

    stance = rest.stance
    pelvis = [d.slot for d in drives].index("pelvis")
    head = posed[:, pelvis, :3, 3] @ axes
    middle = head + world[:, 0] @ (stance.middle - rest.heads[rest.bone("pelvis")])
    ours = (middle - np.array([0.0, stance.lift, 0.0])) / stance.scale
    mapped = {INDEX[slot] for slot in turned if slot in INDEX}
    known = {part: bool(mapped & set(joints)) for part, joints in PARTS.items()}
    return Clip(
        poses=rot.matrix_to_axis_angle(local),
        trans=ours - world[:, 0] @ PIVOT - J0,
        fps=fps,
        known={**known, "lower_trans": True, "upper": True},
        meta={"source": rest.rig.name, "rig": rest.mapping.label or rest.mapping.family},
    )


def _joints(rest: RestPose, turned: dict[str, np.ndarray]) -> np.ndarray:
    """World rotations (T, 55, 3, 3) of our joints; what has no bone follows its parent."""
    frames = len(turned["pelvis"])
    world = np.empty((frames, NUM_JOINTS, 3, 3))
    spine = [turned[slot] for slot in rest.mapping.chain(SPINE)]
    places = [spine_place(i, len(spine)) for i in range(len(spine))]
    neck = rest.mapping.chain(NECK)
    for j, name in enumerate(JOINT_NAMES):
        slot = rest.slot_of(j)
        if name in ("spine1", "spine2", "spine3"):
            world[:, j] = _at(int(name[-1]) - 1, places, spine, turned["pelvis"])
        elif name == "neck" and neck:
            world[:, j] = turned[neck[-1]]
        elif slot in turned:
            world[:, j] = turned[slot]
        else:
            world[:, j] = world[:, PARENTS[j]]
    return world


def _at(place: float, places: list[float], spine: list[np.ndarray], pelvis: np.ndarray) -> np.ndarray:
    """World rotation (T, 3, 3) at a place along a spine of bones that stand at ``places``."""
    known = [(-1.0, pelvis), *zip(places, spine, strict=True)]
    for (low, first), (high, second) in pairwise(known):
        if abs(place - high) < 1e-9:
            return second
        if low <= place < high:
            weight = np.full((len(first), 1), (place - low) / (high - low))
            q = rot.slerp(rot.matrix_to_quaternion(first), rot.matrix_to_quaternion(second), weight)
            return rot.quaternion_to_matrix(q)
    return known[-1][1]
