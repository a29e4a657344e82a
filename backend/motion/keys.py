"""The single keys of a motion file: their spellings, their shapes, and one sentence for each fault.

Every reader takes an :class:`~.archive.Archive`, returns plain arrays and raises
:class:`~...errors.BadInput` naming the file and the key.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import BadInput
from .archive import Archive
from .skeleton import NUM_EXPRESSIONS, NUM_JOINTS

FPS_KEYS = ("mocap_frame_rate", "mocap_framerate", "mocap_fps", "fps", "frame_rate", "framerate")
TRANS_KEYS = ("trans", "transl", "translation")
EXPRESSION_KEYS = ("expressions", "expression", "face_expr")
DEFAULT_FPS = 30.0
MAX_FPS = 1000.0

# Named slices of SMPL-X: our joints, and the spellings of AMASS, of the smplx library and of Inter-X.
_NAMED: tuple[tuple[slice, tuple[str, ...]], ...] = (
    (slice(0, 1), ("root_orient", "global_orient")),
    (slice(1, 22), ("pose_body", "body_pose")),
    (slice(22, 23), ("pose_jaw", "jaw_pose")),
    (slice(23, 25), ("pose_eye",)),
    (slice(23, 24), ("leye_pose",)),
    (slice(24, 25), ("reye_pose",)),
    (slice(25, 55), ("pose_hand",)),
    (slice(25, 40), ("left_hand_pose", "pose_lhand")),
    (slice(40, 55), ("right_hand_pose", "pose_rhand")),
)
_BODY = list(range(22))
# Joints of a whole-pose vector by their number: SMPL body, SMPL (its two hand joints carry no
# fingers and are left out), SMPL+H, SMPL-X.
_LAYOUTS: dict[int, tuple[list[int], list[int]]] = {
    22: (_BODY, _BODY),
    24: (_BODY, _BODY),
    52: (list(range(52)), [*_BODY, *range(25, 55)]),
    55: (list(range(55)), list(range(55))),
}


def read_numbers(archive: Archive, key: str) -> np.ndarray:
    """A finite array of numbers as float64."""
    array = archive.read(key)
    if array.dtype.kind not in "fiub":
        raise BadInput(f"{archive.name}: {key} must hold numbers, not {array.dtype}.", field=key)
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise BadInput(
            f"{archive.name}: {key} holds numbers that are not finite (NaN or infinity).", field=key
        )
    return array


def first_key(archive: Archive, keys: tuple[str, ...]) -> str | None:
    return next((key for key in keys if key in archive), None)


def read_poses(archive: Archive, notes: list[str]) -> tuple[np.ndarray, int]:
    """Poses (T, 55, 3), zero where the file has nothing, and the file's number of joints."""
    if "poses" in archive:
        raw = read_numbers(archive, "poses")
        joints = _joint_count(raw.shape)
        if joints not in _LAYOUTS:
            raise BadInput(
                f"{archive.name}: poses has the shape {raw.shape}; expected (frames, 165) for SMPL-X, "
                "(frames, 156) for SMPL+H or (frames, 72) for SMPL.",
                field="poses",
            )
        if not len(raw):
            raise BadInput(f"{archive.name}: poses has no frames.", field="poses")
        taken, ours = _LAYOUTS[joints]
        poses = np.zeros((len(raw), NUM_JOINTS, 3))
        poses[:, ours] = raw.reshape(len(raw), -1, 3)[:, taken]
        return poses, joints
    return _read_named_poses(archive, notes)


def _joint_count(shape: tuple[int, ...]) -> int:
    if len(shape) == 3 and shape[2] == 3:
        return shape[1]
    if len(shape) == 2 and shape[1] % 3 == 0:
        return shape[1] // 3
    return -1


def _read_named_poses(archive: Archive, notes: list[str]) -> tuple[np.ndarray, int]:
    """Poses from separate arrays: root and body are needed, hands and face are optional."""
    root_key = first_key(archive, ("root_orient", "global_orient"))
    body_key = first_key(archive, ("pose_body", "body_pose"))
    if root_key is None or body_key is None:
        if root_key is None and body_key is None:
            missing = "poses (or root_orient and pose_body)"
        else:
            missing = "root_orient" if root_key is None else "pose_body"
        found = ", ".join(archive.keys[:8])
        raise BadInput(
            f"{archive.name} is not a motion file: the key {missing} is missing (found: {found}).",
            field=missing.split()[0],
        )
    root = read_numbers(archive, root_key)
    frames = root.size // 3
    if not frames:
        raise BadInput(f"{archive.name}: {root_key} has no frames.", field=root_key)
    poses = np.zeros((frames, NUM_JOINTS, 3))
    for part, spellings in _NAMED:
        key = first_key(archive, spellings)
        if key is None:
            continue
        raw = read_numbers(archive, key)
        width = part.stop - part.start
        if part.start >= 25 and raw.shape[:1] == (frames,) and raw.size // frames < 3 * width:
            notes.append(f"{key} has the shape {raw.shape}, PCA coefficients: the fingers were left out.")
            continue
        if (
            part.start == 1 and raw.size == frames * 69
        ):  # SMPL's body ends with two hand joints without fingers
            raw = raw.reshape(frames, 23, 3)[:, :21]
        if raw.size != frames * width * 3:
            raise BadInput(
                f"{archive.name}: {key} has the shape {raw.shape}; expected ({frames}, {3 * width}), "
                f"as {root_key} has {frames} frames.",
                field=key,
            )
        poses[:, part] = raw.reshape(frames, width, 3)
    hands = (
        poses[:, 25:].any() or first_key(archive, ("pose_hand", "left_hand_pose", "pose_lhand")) is not None
    )
    return poses, NUM_JOINTS if hands else 22


def read_trans(archive: Archive, frames: int) -> np.ndarray:
    key = first_key(archive, TRANS_KEYS)
    if key is None:
        raise BadInput(f"{archive.name} is not a motion file: the key trans is missing.", field="trans")
    trans = read_numbers(archive, key)
    if trans.shape == (frames, 1, 3):
        trans = trans[:, 0]
    if trans.shape != (frames, 3):
        raise BadInput(
            f"{archive.name}: {key} has the shape {trans.shape}; expected ({frames}, 3), as poses has {frames} frames.",
            field=key,
        )
    return trans


def read_fps(archive: Archive, frames: int, own: dict[str, Any] | None, notes: list[str]) -> float:
    key = first_key(archive, FPS_KEYS)
    if key is not None:
        array = archive.read(key)
        try:
            text = array.reshape(-1)[0]
            value = float(text.decode() if isinstance(text, bytes) else text)
        except (ValueError, IndexError, UnicodeDecodeError):
            raise BadInput(f"{archive.name}: {key} is not a frame rate.", field=key) from None
        return check_fps(archive.name, value, key)
    if own is not None and isinstance(own.get("fps"), (int, float)):
        return check_fps(archive.name, own["fps"], "understudy")
    if "mocap_time_length" in archive:
        seconds = read_numbers(archive, "mocap_time_length").reshape(-1)[:1]
        if seconds.size and seconds[0] > 0:
            return check_fps(archive.name, frames / seconds[0], "mocap_time_length")
    notes.append(f"The file has no frame rate (mocap_frame_rate): {DEFAULT_FPS:g} fps assumed.")
    return DEFAULT_FPS


def check_fps(name: str, value: float, key: str = "fps") -> float:
    if not 0.1 <= value <= MAX_FPS:
        raise BadInput(f"{name}: {key} is {value:g} frames per second, which cannot be right.", field=key)
    return float(value)


def read_expressions(archive: Archive, frames: int) -> np.ndarray | None:
    key = first_key(archive, EXPRESSION_KEYS)
    if key is None:
        return None
    raw = read_numbers(archive, key)
    if raw.ndim == 2 and raw.shape[0] == 1:
        raw = np.repeat(raw, frames, axis=0)
    if raw.ndim != 2 or len(raw) != frames:
        raise BadInput(
            f"{archive.name}: {key} has the shape {raw.shape}; expected ({frames}, {NUM_EXPRESSIONS}), "
            f"as poses has {frames} frames.",
            field=key,
        )
    expressions = np.zeros((frames, NUM_EXPRESSIONS))
    count = min(raw.shape[1], NUM_EXPRESSIONS)
    expressions[:, :count] = raw[:, :count]
    return expressions


def read_contacts(archive: Archive, frames: int) -> np.ndarray | None:
    """Contacts of files that have them as we do; other tools use the name for other things."""
    if "contacts" not in archive:
        return None
    contacts = read_numbers(archive, "contacts")
    return contacts if contacts.shape == (frames, 4) else None


def read_betas(archive: Archive) -> np.ndarray:
    """(B,) of any length; one row is taken of a per-frame array."""
    if "betas" not in archive:
        return np.zeros(16, np.float32)
    betas = read_numbers(archive, "betas")
    if betas.ndim == 2 and len(betas):
        betas = betas[0]
    if betas.ndim != 1:
        raise BadInput(f"{archive.name}: betas has the shape {betas.shape}; expected (16,).", field="betas")
    return betas.astype(np.float32)


def read_text(archive: Archive, key: str) -> str | None:
    """A label, whatever way it was stored: text, bytes, 0-d or with one element; None when absent."""
    if key not in archive:
        return None
    array = archive.read(key).reshape(-1)
    if not array.size or array.dtype.kind not in "SU":
        return None
    value = array[0]
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    # str(b"male") written by mistake.
    return text[2:-1] if text[:2] in ("b'", 'b"') and text[-1:] == text[1] else text


def read_gender(archive: Archive) -> str:
    text = (read_text(archive, "gender") or "").strip().lower()
    return text if text in ("female", "male") else "neutral"
