"""Motion-X's own format: one array of 322 numbers a frame, and what goes with it (Lin et al., NeurIPS 2023).

``motion_data/smplx_322/<subset>/.../<clip>.npy`` at 30 fps, Y up: root orientation 3, body 63, hands 90, jaw 3,
expression 50, face shape 100, translation 3, shape 10. The face of the marker-captured subsets comes in files
of its own, ``face_motion_data/smplx_322/<subset>/<clip>.npy`` (T', 153): jaw, expression, face shape.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion.clip import Clip
from ...backend.motion.skeleton import NUM_EXPRESSIONS, NUM_JOINTS

FPS = 30.0
WIDTH, FACE_WIDTH = 322, 153
ROOT_BODY, HANDS, JAW, EXPRESSION = slice(0, 66), slice(66, 156), slice(156, 159), slice(159, 209)
FACE_SHAPE, TRANS, BETAS = slice(209, 309), slice(309, 312), slice(312, 322)
AIST_SCALE = 94.0
"""Units of a metre in AIST++ translations that nobody has rescaled yet (the mean of its scalings)."""
FARTHEST = 10.0
"""Metres: no dancer's pelvis is this far from the origin, half of the time, in either height or place."""


def read_array(path: Path, width: int) -> np.ndarray:
    """(T, width) float64 of a ``.npy`` file; never a pickle.

    Raises:
        BadInput: the file is damaged, empty, of another width, or holds numbers that are not finite.
    """
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r")
        shape = array.shape
        if array.ndim != 2 or shape[1] != width:
            raise BadInput(f"{path.name} has the shape {shape}; expected (frames, {width}).", field="path")
        if array.dtype.kind not in "fiu":
            raise BadInput(f"{path.name} must hold numbers, not {array.dtype}.", field="path")
        values = np.array(array, dtype=np.float64)
    except BadInput:
        raise
    except FileNotFoundError:
        raise BadInput(f"{path.name} is not there.", field="path") from None
    except Exception as error:  # a damaged header may raise anything
        reason = "it holds Python objects" if "object" in str(error).lower() else "it is damaged"
        raise BadInput(f"{path.name} cannot be read: {reason}.", field="path") from None
    if not len(values):
        raise BadInput(f"{path.name} has no frames.", field="path")
    if not np.isfinite(values).all():
        raise BadInput(f"{path.name} holds numbers that are not finite (NaN or infinity).", field="path")
    return values


def length_of(path: Path) -> int | None:
    """Frames of a motion file, from its header alone; None when it cannot be read."""
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r")
    except Exception:  # a damaged header may raise anything
        return None
    return len(array) if array.ndim == 2 else None


def with_face(motion: np.ndarray, face: np.ndarray, *, keep_jaw: bool) -> np.ndarray:
    """The motion (T, 322) with a face (T', 153) of another length, stretched linearly to it.

    Frames stand for their middles, as in Motion-X's own script.

    Args:
        motion, face: see above.
        keep_jaw: the motion's own jaw is captured and stays (GRAB).
    """
    frames, given = len(motion), len(face)
    places = np.clip((np.arange(frames) + 0.5) * given / frames - 0.5, 0, given - 1)
    low = np.floor(places).astype(int)
    high = np.minimum(low + 1, given - 1)
    weight = (places - low)[:, None]
    stretched = (1 - weight) * face[low] + weight * face[high]
    result = motion.copy()
    if not keep_jaw:
        result[:, JAW] = stretched[:, :3]
    result[:, EXPRESSION] = stretched[:, 3:53]
    result[:, FACE_SHAPE] = stretched[:, 53:]
    return result


def aist_in_metres(motion: np.ndarray) -> tuple[np.ndarray, bool]:
    """The AIST subset's translation in metres and the right way round, and whether it had to be changed.

    As downloaded it is in units of about a centimetre with z reversed; Motion-X's script puts that right in
    the same files, so the numbers have to tell which it is.
    """
    if np.median(np.linalg.norm(motion[:, TRANS], axis=1)) < FARTHEST:
        return motion, False
    result = motion.copy()
    result[:, TRANS] *= np.array([1.0, 1.0, -1.0]) / AIST_SCALE
    return result, True


def has_face(motion: np.ndarray) -> bool:
    """Whether anyone has put a face into the motion already."""
    return bool(np.abs(motion[:, EXPRESSION]).max() > 1e-8)


def to_clip(motion: np.ndarray, fps: float) -> Clip:
    """(T, 322) to a clip; hands as they are, eyes at rest. Face shape is of no body of ours and is left out."""
    frames = len(motion)
    poses = np.zeros((frames, NUM_JOINTS, 3))
    poses[:, :22] = motion[:, ROOT_BODY].reshape(frames, 22, 3)
    poses[:, 22] = motion[:, JAW]
    poses[:, 25:] = motion[:, HANDS].reshape(frames, 30, 3)
    expressions = np.zeros((frames, NUM_EXPRESSIONS))
    expressions[:, :50] = motion[:, EXPRESSION]
    moving = lambda values: bool(frames > 1 and np.ptp(values, axis=0).max() > 1e-3)  # noqa: E731
    known = {
        "lower_trans": True,
        "upper": True,
        "hands": moving(motion[:, HANDS]),
        "face": moving(motion[:, JAW]) or moving(motion[:, EXPRESSION]),
    }
    return Clip(
        poses=poses, trans=motion[:, TRANS].copy(), fps=fps, betas=motion[0, BETAS].astype(np.float32),
        expressions=expressions if known["face"] else None, known=known,
    )  # fmt: skip
