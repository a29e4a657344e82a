"""Motion files of other programs that are neither SMPL-X ``.npz`` nor a skeleton's own: Kimodo's, Motion-X's.

``Kimodo``
    ``.npz`` with ``local_rot_mats`` (T, J, 3, 3) and ``root_positions`` (T, 3), Y up, metres, 30 fps. Its
    SMPL-X models have the 22 body joints of ours; other skeletons have other joints and are named in the error.
``Motion-X``
    ``.npy`` (T, 322) at 30 fps, Y up: root and body 66, hands 90, jaw 3, expression 50, face shape 100,
    translation 3, shape 10.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import BadInput
from . import keys
from .archive import Archive
from .clip import Clip
from .rotations import matrix_to_axis_angle
from .skeleton import J0, NUM_EXPRESSIONS, NUM_JOINTS

FPS = 30.0
MOTIONX_WIDTH = 322
_TOLERANCE = 0.05


def is_kimodo(archive: Archive) -> bool:
    return "poses" not in archive and "local_rot_mats" in archive and "root_positions" in archive


def kimodo_clip(archive: Archive, fps: float | None = None) -> Clip:
    """A clip from Kimodo's own arrays.

    Raises:
        BadInput: a shape is wrong, or the skeleton is not the SMPL-X one.
    """
    name = archive.name
    turns = keys.read_numbers(archive, "local_rot_mats")
    if turns.ndim == 5 and len(turns) == 1:
        turns = turns[0]
    if turns.ndim != 4 or turns.shape[2:] != (3, 3) or not len(turns):
        raise BadInput(
            f"{name}: local_rot_mats has the shape {turns.shape}; expected (frames, joints, 3, 3).",
            field="local_rot_mats",
        )
    if turns.shape[1] != 22:
        raise BadInput(
            f"{name} holds motion of {turns.shape[1]} joints; only Kimodo's SMPL-X skeleton (22 joints) is read.",
            hint="Let Kimodo write BVH, and import that.",
            field="local_rot_mats",
        )
    square = turns @ np.swapaxes(turns, -1, -2)
    if np.abs(square - np.eye(3)).max() > _TOLERANCE:
        raise BadInput(f"{name}: local_rot_mats are no rotations.", field="local_rot_mats")
    root = keys.read_numbers(archive, "root_positions")
    root = root[0] if root.ndim == 3 and len(root) == 1 else root
    if root.shape != (len(turns), 3):
        raise BadInput(
            f"{name}: root_positions has the shape {root.shape}; expected ({len(turns)}, 3).",
            field="root_positions",
        )
    key = keys.first_key(archive, keys.FPS_KEYS)
    rate = (
        fps
        if fps is not None
        else FPS
        if key is None
        else float(keys.read_numbers(archive, key).reshape(-1)[0])
    )
    poses = np.zeros((len(turns), NUM_JOINTS, 3))
    poses[:, :22] = matrix_to_axis_angle(turns)
    known = {"lower_trans": True, "upper": True, "hands": False, "face": False}
    meta = {"source": Path(name).name, "source_fps": rate}
    return Clip(poses, root - J0, keys.check_fps(name, rate), known=known, meta=meta)


def motionx_clip(name: str, values: np.ndarray, fps: float | None = None) -> Clip:
    """A clip from a Motion-X array (T, 322); hands as they are, eyes at rest."""
    frames = len(values)
    poses = np.zeros((frames, NUM_JOINTS, 3))
    poses[:, :22] = values[:, :66].reshape(frames, 22, 3)
    poses[:, 25:] = values[:, 66:156].reshape(frames, 30, 3)
    poses[:, 22] = values[:, 156:159]
    expressions = np.zeros((frames, NUM_EXPRESSIONS))
    expressions[:, :50] = values[:, 159:209]

    def moves(columns: np.ndarray) -> bool:
        return bool(frames > 1 and np.ptp(columns, axis=0).max() > 1e-3)

    return Clip(
        poses,
        values[:, 309:312],
        keys.check_fps(name, FPS if fps is None else fps),
        betas=values[0, 312:322].astype(np.float32),
        expressions=expressions,
        known={
            "lower_trans": True,
            "upper": True,
            "hands": moves(values[:, 66:156]),
            "face": moves(values[:, 156:209]),
        },
        meta={"source": name, "source_fps": FPS},
    )
