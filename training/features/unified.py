"""SOLAMI's unified features of one clip: skeleton features, SMPL-X features and the transforms between.

The fields are those of seed SOLAMI (Jiang et al., CVPR 2025), at 30 fps::

    ske_joints (T-1, 52, 3)   ske_feature (T-1, 623)
    smplx_params   {global_orient, body_pose, jaw_pose, leye_pose, reye_pose, left_hand_pose,
                    right_hand_pose, transl, betas, expression: (T, ·), gender, t_root_J (T, 3)}
    smplx_feature  {root_velocity (T-1, 2), root_height (T-1, 1), global_root_cont6d (T-1, 6),
                    cont6d_local (T-1, 51, 6), cont6d_global (T-1, 54, 6)}
    transforms     {ske_forward (T, 4), ske_root (T, 3), scale, smplx_forward (1, 4), smplx_root (T, 3)}
                   and, beside a partner, {ske_, smplx_}{relative_cont6d (6,), relative_pos (3,)}

Where the original is at fault this is not: clips come at their true frame rate, files hold no pickles
(``smplx_feature/root_velocity`` is the name of an array), a figure that faces exactly -Z is not lost,
and heights are not counted twice when a partner is placed (see :mod:`.placement`; for that the floors
are kept, ``ske_floor`` and ``smplx_floor``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion import clip as clips
from ...backend.motion import rotations
from ...backend.motion.clip import Clip
from ...backend.motion.fitting.layouts import WHOLEBODY, Layout
from ...backend.motion.fitting.recover import recover_from_ric
from ...backend.motion.skeleton import J0, NUM_EXPRESSIONS, PARENTS
from .extract import extract_all, facing
from .files import npz_bytes
from .placement import Frame, relative
from .skeletons import joints_for

FPS = 30.0

Unified = dict[str, Any]
"""Arrays, and dictionaries of arrays."""

_BODY = (*range(1, 22), *range(25, 55))
"""The joints of ``cont6d_local``: no root, jaw or eyes."""

_POSES = {
    "global_orient": slice(0, 1),
    "body_pose": slice(1, 22),
    "jaw_pose": slice(22, 23),
    "leye_pose": slice(23, 24),
    "reye_pose": slice(24, 25),
    "left_hand_pose": slice(25, 40),
    "right_hand_pose": slice(40, 55),
}


def unify(clip: Clip, *, partner: Clip | None = None, layout: Layout = WHOLEBODY) -> Unified:
    """All fields of a clip.

    Args:
        clip: the motion; resampled to 30 fps by time.
        partner: the other person in the same world and at the same time, if there is one: then the
            ``relative`` transforms say how to place this clip in the partner's space.
        layout: a whole-body layout.

    Raises:
        BadInput: the features of the clip or of the partner's first frame are not defined.
    """
    clip = clips.resample(clip, FPS)
    joints = joints_for(clip, layout)
    own = _own_space(joints, layout)
    extracted = extract_all(joints, layout)
    moved = _moved(clip, own)
    frames = {"ske": _ske_frame(extracted.scale, extracted.floor, own), "smplx": own}
    transforms: dict[str, Any] = {
        "ske_forward": _defined(facing(joints, layout)),
        "ske_root": extracted.root,
        "scale": np.array(extracted.scale),
        "ske_floor": np.array(frames["ske"].floor),
        "smplx_forward": own.forward[None],
        "smplx_root": extracted.root,
        "smplx_floor": np.array(own.floor),
    }
    if partner is not None:
        others = partner_frames(partner, layout)
        for kind, frame in frames.items():
            rotation, position = relative(frame, others[kind])
            transforms[f"{kind}_relative_cont6d"], transforms[f"{kind}_relative_pos"] = rotation, position
    single = {name: np.asarray(value, np.float32) for name, value in transforms.items()}
    return {
        "ske_joints": recover_from_ric(extracted.features, layout),
        "ske_feature": extracted.features,
        "smplx_params": smplx_params(moved),
        "smplx_feature": smplx_feature(moved),
        "transforms": single,
    }


def partner_frames(clip: Clip, layout: Layout = WHOLEBODY) -> dict[str, Frame]:
    """The spaces ``ske`` and ``smplx`` of a clip, which is all that placing somebody beside it needs."""
    joints = joints_for(clips.resample(clip, FPS), layout)
    own = _own_space(joints, layout)
    extracted = extract_all(joints, layout)
    return {"ske": _ske_frame(extracted.scale, extracted.floor, own), "smplx": own}


def frames_of(unified: Unified) -> dict[str, Frame]:
    """The spaces ``ske`` and ``smplx`` out of stored transforms."""
    kept = unified["transforms"]
    return {
        "ske": Frame(
            kept["ske_forward"][0], kept["ske_root"][0], float(kept["ske_floor"]), float(kept["scale"])
        ),
        "smplx": Frame(kept["smplx_forward"][0], kept["smplx_root"][0], float(kept["smplx_floor"])),
    }


def _own_space(joints: np.ndarray, layout: Layout) -> Frame:
    forward = _defined(facing(joints[0], layout))
    if not np.isfinite(forward).all():
        raise BadInput("The first frame faces nowhere.", field="joints")
    return Frame(forward, joints[0, 0], float(joints[..., 1].min()))


def _ske_frame(scale: float, floor: float, own: Frame) -> Frame:
    return Frame(own.forward, own.root, floor / scale, scale)


def _defined(quaternions: np.ndarray) -> np.ndarray:
    """With the half turn where a figure faces exactly -Z and the shortest turn has no sense."""
    lost = ~np.isfinite(quaternions).all(-1, keepdims=True)
    return np.where(lost, np.array([0.0, 0.0, 1.0, 0.0], np.float32), quaternions)


def sixd_of(quaternions: np.ndarray) -> np.ndarray:
    """Quaternions (..., 4) as 6D, columns layout: what statistics of turns are taken of."""
    return rotations.matrix_to_6d(rotations.quaternion_to_matrix(quaternions))


def _moved(clip: Clip, own: Frame) -> Clip:
    """The clip in its own space."""
    turn = rotations.quaternion_to_matrix(own.forward.astype(np.float64))
    return clips.rotate_world(clips.move(clip, -own.origin), turn)


def smplx_params(clip: Clip) -> dict[str, np.ndarray]:
    """Parameters as the ``smplx`` package takes them (flat-hand mean), one row per frame."""
    frames = len(clip)
    params = {
        name: clip.poses[:, joints].reshape(frames, -1).astype(np.float32) for name, joints in _POSES.items()
    }
    expression = np.zeros((frames, NUM_EXPRESSIONS)) if clip.expressions is None else clip.expressions
    params |= {
        "transl": clip.trans.astype(np.float32),
        "betas": np.tile(np.asarray(clip.betas, np.float32), (frames, 1)),
        "expression": expression.astype(np.float32),
        "t_root_J": np.tile(J0, (frames, 1)).astype(np.float32),
        "gender": np.array(clip.gender),
    }
    return params


def _yaw(root: np.ndarray) -> np.ndarray:
    """The angle about Y (...,) of SOLAMI's Euler angles: the first of ``Rx Rz Ry``."""
    return np.arctan2(root[..., 0, 2], root[..., 0, 0])


def smplx_feature(clip: Clip) -> dict[str, np.ndarray]:
    """Root velocity in its heading, metres per frame; root height; rotations in 6D, columns layout."""
    local = rotations.axis_angle_to_matrix(clip.poses)
    step = np.diff(clip.trans, axis=0)[..., None]
    velocity = (rotations.yaw_matrix(-_yaw(local[:-1, 0])) @ step)[:, [0, 2], 0]
    world = np.empty_like(local)
    world[:, 0] = np.eye(3)
    for joint in range(1, len(PARENTS)):
        world[:, joint] = world[:, PARENTS[joint]] @ local[:, joint]
    features = {
        "root_velocity": velocity,
        "root_height": (clip.trans + J0)[:-1, 1:2],
        "global_root_cont6d": rotations.matrix_to_6d(local[:-1, 0]),
        "cont6d_local": rotations.matrix_to_6d(local[:-1, list(_BODY)]),
        "cont6d_global": rotations.matrix_to_6d(world[:-1, 1:]),
    }
    return {name: value.astype(np.float32) for name, value in features.items()}


def clip_of(features: dict[str, np.ndarray]) -> Clip:
    """The clip (T - 1 frames) that a ``smplx_feature`` describes, starting at x = z = 0."""
    root = rotations.matrix_from_6d(features["global_root_cont6d"].astype(np.float64))
    world = rotations.matrix_from_6d(features["cont6d_global"].astype(np.float64))
    world = np.concatenate([np.broadcast_to(np.eye(3), (len(world), 1, 3, 3)), world], axis=1)
    parents = np.array(PARENTS[1:])
    local = np.swapaxes(world[:, parents], -1, -2) @ world[:, 1:]
    poses = rotations.matrix_to_axis_angle(np.concatenate([root[:, None], local], axis=1))
    step = np.zeros((len(root), 3))
    step[:, [0, 2]] = features["root_velocity"]
    step = (rotations.yaw_matrix(_yaw(root)) @ step[..., None])[..., 0]
    pelvis = np.zeros_like(step)
    np.cumsum(step[:-1], axis=0, out=pelvis[1:])
    pelvis[:, 1] = features["root_height"][:, 0]
    return Clip(poses=poses, trans=pelvis - J0, fps=FPS)


def to_bytes(unified: Unified) -> bytes:
    """A ``.npz`` of named arrays; a dictionary's arrays are called ``dictionary/array``."""
    flat: dict[str, np.ndarray] = {}
    for name, value in unified.items():
        if isinstance(value, dict):
            flat |= {f"{name}/{inner}": array for inner, array in value.items()}
        else:
            flat[name] = value
    return npz_bytes(flat)


def read_unified(path: Path) -> Unified:
    """What :func:`to_bytes` wrote.

    Raises:
        BadInput: it cannot be read, or holds anything pickled.
    """
    unified: Unified = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            for name in file.files:
                outer, _, inner = name.partition("/")
                if inner:
                    unified.setdefault(outer, {})[inner] = file[name]
                else:
                    unified[outer] = file[name]
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise BadInput(f"{path} cannot be read ({str(error) or type(error).__name__}).") from None
    return unified
