"""A clip made to fit a rig before it is carried over: feet that stand and hands that touch, on its proportions.

:class:`~.retarget.Retargeter` carries rotations over exactly, so on other proportions feet slide and hands that
clap miss each other. Here the rig is posed with the clip, its feet and hands are brought to where they belong
(:mod:`.retarget_ik`), and what that changes is written back into the clip: it looks wrong on our own body, and
right on the rig.
"""

from __future__ import annotations

import numpy as np

from .clip import Clip
from .footlock import write_local
from .kinematics import forward_kinematics
from .retarget import Retargeter
from .retarget_ik import fit_feet, fit_hands, legs_of
from .skeleton import JOINT_NAMES, NUM_BODY_JOINTS, PARENTS, REST_FLOOR, REST_OFFSETS

_LEGS = (1, 2, 4, 5, 7, 8, 10, 11)
_ARMS = (16, 17, 18, 19, 20, 21)


def fit_to_rig(retargeter: Retargeter, clip: Clip, *, feet: bool = True, hands: bool = True) -> Clip:
    """The clip whose transfer keeps its contacts on a rig.

    Args:
        retargeter: the rig and its mapping.
        clip: the motion; its contacts are used where it has them.
        feet: feet that stand on the floor stand there on the rig, whatever the length of its legs.
        hands: hands near each other, the body or the floor keep their relation.

    Returns:
        A clip for :meth:`~.retarget.Retargeter.perform` of this rig alone.
    """
    if not (feet or hands):
        return clip
    body = clip.poses[:, :NUM_BODY_JOINTS]
    source, world = forward_kinematics(body, clip.trans)
    standing = Clip(np.zeros((1, *clip.poses.shape[1:])), np.array([[0.0, -REST_FLOOR, 0.0]]), clip.fps)
    rest = _joints(retargeter, standing, np.eye(3)[None, None].repeat(NUM_BODY_JOINTS, axis=1))[0]
    joints = _joints(retargeter, clip, world)
    shift = np.zeros((len(clip), 3))
    turned = world
    if feet:
        legs = legs_of(rest, sole=0.0)
        contacts = None if clip.contacts is None else np.asarray(clip.contacts)
        fit = fit_feet(source, joints, world, legs, fps=clip.fps, contacts=contacts)
        turned, shift = fit.world, fit.shift
    if hands:
        joints = joints + shift[:, None]
        for joint in _LEGS:  # hands on knees go where the knees are now
            above = PARENTS[joint]
            if above > 0:
                joints[:, joint] = joints[:, above] + turned[:, above] @ (rest[joint] - rest[above])
        turned = fit_hands(source, joints, turned, source_world=world)
    poses = np.array(clip.poses, dtype=np.float64)
    write_local(poses, turned, (*_LEGS, *_ARMS))
    return clip.replace(poses=poses, trans=clip.trans + shift)


def _joints(retargeter: Retargeter, clip: Clip, world: np.ndarray) -> np.ndarray:
    """Where the rig has our joints (T, 22, 3): Y up, its floor at zero, in lengths that give it our legs."""
    rest, stance = retargeter.rest, retargeter.stance
    posed = retargeter.pose(clip)
    floor = np.array([0.0, stance.floor, 0.0])
    joints = np.empty((len(clip), NUM_BODY_JOINTS, 3))
    for joint in range(NUM_BODY_JOINTS):
        name, above = JOINT_NAMES[joint], PARENTS[joint]
        bone = rest.bone(rest.slot_of(joint) if name in ("spine3", "neck") else name)
        if bone >= 0:
            joints[:, joint] = (posed.head(bone) - floor) / stance.scale
        else:  # as long as ours: nothing hangs on it
            joints[:, joint] = joints[:, above] + world[:, above] @ REST_OFFSETS[joint]
    return joints
