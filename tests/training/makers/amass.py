"""AMASS files in the published layout of both body models, out of a motion known by formula.

The motion: a person walks a curve with the left arm held up to the side, the right arm down, fingers moving.
Its truth is given in our world (Y up), the files are written in AMASS's (Z up) by arithmetic of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

SMPLH_J0 = np.array([-0.0018, -0.2233, 0.0282])
SMPLX_J0 = np.array([0.0, -0.350, 0.0])
TURN = Rotation.from_euler("x", 90, degrees=True)
"""Our world to AMASS's: (x, y, z) becomes (x, -z, y)."""


def times(seconds: float, fps: float) -> np.ndarray:
    """(T,) seconds of the frames."""
    return np.arange(round(seconds * fps)) / fps


def motion(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local rotations (T, 55, 3) axis-angle and pelvis (T, 3), Y up, at the times ``t``."""
    poses = np.zeros((len(t), 55, 3))
    poses[:, 0, 1] = 0.4 * t
    poses[:, 1, 0], poses[:, 2, 0] = 0.3 * np.sin(3 * t), -0.3 * np.sin(3 * t)
    poses[:, 16, 2], poses[:, 17, 2] = 0.4, 1.2
    poses[:, 25, 2] = -0.3 - 0.2 * np.sin(2 * t)
    pelvis = np.stack([0.3 * np.sin(t), 0.96 + 0.01 * np.sin(6 * t), 0.5 * t], axis=1)
    return poses, pelvis


def _amass_world(poses: np.ndarray, pelvis: np.ndarray, j0: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    turned = poses.copy()
    turned[:, 0] = (TURN * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    return turned, TURN.apply(pelvis) - j0


def smplh(seconds: float, fps: float, *, gender: Any = "male", **changes: Any) -> dict[str, Any]:
    """The keys of a ``*_poses.npz``; ``changes`` replace some, None removes one."""
    poses, trans = _amass_world(*motion(times(seconds, fps)), SMPLH_J0)
    body = np.delete(poses, [22, 23, 24], axis=1)
    return _changed(
        {
            "poses": body.reshape(len(body), 156),
            "trans": trans,
            "betas": np.r_[1.5, np.zeros(15)],
            "dmpls": np.zeros((len(body), 8)),
            "gender": np.array(gender),
            "mocap_framerate": np.array(float(fps)),
        },
        changes,
    )


def smplx(seconds: float, fps: float, *, tagged: float = 120.0, **changes: Any) -> dict[str, Any]:
    """The keys of a ``*_stageii.npz`` captured at ``fps``, which says ``tagged``."""
    poses, trans = _amass_world(*motion(times(seconds, fps)), SMPLX_J0)
    flat = poses.reshape(len(poses), 165)
    return _changed(
        {
            "gender": np.array("neutral"),
            "surface_model_type": np.array("smplx"),
            "mocap_frame_rate": np.array(tagged),
            "mocap_time_length": np.array(len(flat) / tagged),
            "markers_latent": np.zeros((5, 3)),
            "latent_labels": np.array(["C7", "LFHD"]),
            "markers_latent_vids": np.array({"C7": 3832}, dtype=object),
            "trans": trans,
            "poses": flat,
            "betas": np.r_[1.0, np.zeros(15)],
            "num_betas": np.array(16),
            "root_orient": flat[:, :3],
            "pose_body": flat[:, 3:66],
            "pose_hand": flat[:, 75:],
            "pose_jaw": flat[:, 66:69],
            "pose_eye": flat[:, 69:75],
        },
        changes,
    )


def _changed(keys: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in (keys | changes).items() if value is not None}


def write(path: Path, keys: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **keys)
    return path


def write_side_files(folder: Path) -> None:
    """``shape.npz`` of the SMPL+H release and ``neutral_stagei.npz`` of the SMPL-X release."""
    write(folder / "shape.npz", {"betas": np.zeros(16), "gender": np.array("male")})
    write(folder / "neutral_stagei.npz", {key: np.zeros(3) for key in ("betas", "num_betas", "gender")})


class Hostile:
    """An object whose pickle makes a file when it is loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


def hostile(trace: Path) -> np.ndarray:
    return np.array([Hostile(trace)], dtype=object)


def write_bodies(folder: Path, seed: int = 0) -> None:
    """``smplh/{male,female}/model.npz``: a few vertices whose regressed joints are those of a skeleton."""
    from understudy.backend.motion.skeleton import rest_joints

    rng = np.random.default_rng(seed)
    joints = rest_joints()[[*range(22), *range(25, 55)]]
    for number, gender in enumerate(("male", "female")):
        template = joints * (1.0 + 0.1 * number)
        shapes = rng.normal(size=(52, 3, 16)) * 0.01
        keys = {
            "v_template": template, "shapedirs": shapes, "J_regressor": np.eye(52),
            "kintree_table": np.zeros((2, 52), int), "posedirs": np.zeros((52, 3, 459)),
        }  # fmt: skip
        write(folder / gender / "model.npz", keys)
