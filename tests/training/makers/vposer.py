"""A small AMASS folder for VPoser's stages: two releases, every split, and the faults that downloads have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from understudy.backend.motion import npz
from understudy.backend.motion.clip import Clip
from understudy.training.data.item import Item
from understudy.training.data.parquet import TableWriter
from understudy.training.data.store import INDEX

SMPLH = 52
SMPLX = 55


def poses(frames: int, joints: int, seed: int) -> np.ndarray:
    """(frames, 3 * joints), every number different, angles below 1 radian."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (frames, 3 * joints))


def write_smplh(path: Path, frames: int = 100, seed: int = 0, gender: Any = "male", **changes: Any) -> Path:
    """``*_poses.npz`` of the SMPL+H release, double precision."""
    arrays = {
        "poses": poses(frames, SMPLH, seed),
        "trans": np.random.default_rng(seed + 1).normal(size=(frames, 3)),
        "betas": np.linspace(0, 1, 16),
        "dmpls": np.random.default_rng(seed + 2).normal(size=(frames, 8)),
        "gender": np.array(gender),
        "mocap_framerate": np.array(120.0),
        **changes,
    }
    return _write(path, arrays)


def write_smplx(path: Path, frames: int = 100, seed: int = 0, gender: str = "neutral") -> Path:
    """``*_stageii.npz`` of the SMPL-X release."""
    all_poses = poses(frames, SMPLX, seed)
    arrays = {
        "poses": all_poses,
        "root_orient": all_poses[:, :3],
        "pose_body": all_poses[:, 3:66],
        "trans": np.random.default_rng(seed + 1).normal(size=(frames, 3)),
        "betas": np.linspace(1, 0, 16),
        "num_betas": np.array(16),
        "gender": np.array(gender),
        "surface_model_type": np.array("smplx"),
        "mocap_frame_rate": np.array(120.0),
        "mocap_time_length": np.array(frames / 120),
    }
    return _write(path, arrays)


def _write(path: Path, arrays: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def write_amass(root: Path) -> Path:
    """Both releases' folder names, every split, one folder in no split, and six kinds of broken file."""
    write_smplh(root / "CMU" / "01" / "01_01_poses.npz", 100, seed=1)
    write_smplh(root / "CMU" / "01" / "01_02_poses.npz", 57, seed=2, gender=b"female")
    write_smplh(root / "BioMotionLab_NTroje" / "rub001" / "0000_treadmill_norm_poses.npz", 80, seed=3)
    write_smplh(root / "BML" / "rub002" / "0001_jog_poses.npz", 60, seed=4)
    write_smplx(root / "PosePrior" / "03100" / "op7_stageii.npz", 70, seed=5)
    write_smplh(root / "MPI_HDM05" / "bk" / "HDM_bk_01-01_01_120_poses.npz", 50, seed=6)
    write_smplx(root / "MoSh" / "50002" / "misc_stageii.npz", 40, seed=7)
    write_smplx(root / "SSM" / "20160330_03333" / "jump_stageii.npz", 30, seed=8)
    write_smplx(root / "GRAB" / "s1" / "cup_drink_1_stageii.npz", 30, seed=9)
    # The same sequence in both releases, a space and a renamed folder apart.
    write_smplh(root / "SMPLH" / "Transitions_mocap" / "mazen" / "jump kick_poses.npz", 90, seed=10)
    write_smplx(root / "SMPLX" / "Transitions" / "mazen" / "jump_kick_stageii.npz", 90, seed=10)
    # No motion at all.
    np.savez(root / "CMU" / "01" / "shape.npz", betas=np.zeros(16), gender="male")
    np.savez(root / "MoSh" / "50002" / "neutral_stagei.npz", betas=np.zeros(16))
    # Broken.
    bad = root / "KIT" / "3"
    whole = write_smplh(bad / "cut_short_poses.npz", 50)
    whole.write_bytes(whole.read_bytes()[:2000])
    (bad / "empty_poses.npz").write_bytes(b"")
    write_smplh(bad / "nan_poses.npz", 50, poses=np.full((50, 156), np.nan))
    write_smplh(bad / "short_poses.npz", 3)
    write_smplh(bad / "frames_differ_poses.npz", 50, trans=np.zeros((49, 3)))
    write_smplh(bad / "no_poses_poses.npz", 50, poses=None)
    write_smplh(bad / "objects_poses.npz", 50, poses=np.array([{"a": 1}], dtype=object))
    write_smplh(bad / "dmpls_differ_poses.npz", 50, dmpls=np.zeros((10, 8)))
    return root


BROKEN = {
    "cut_short": "damaged", "empty": "empty", "nan": "finite", "short": "too few", "frames_differ": "expected",
    "no_poses": "missing", "objects": "pickle", "dmpls_differ": "dmpls",
}  # fmt: skip
"""Broken sequences of :func:`write_amass` under ``KIT/3`` and a word of the reason."""


def write_store(store: Path, items: list[Item], frames: int = 40) -> Path:
    """A store with these rows; the clips they name are made, each another motion."""
    for number, path in enumerate(sorted({item.path for item in items if item.path})):
        numbers = np.random.default_rng(number)
        clip = Clip(
            poses=numbers.uniform(-0.5, 0.5, (frames, SMPLX, 3)),
            trans=numbers.normal(size=(frames, 3)),
            fps=30.0,
            gender=("neutral", "female", "male")[number % 3],
        )
        (store / path).parent.mkdir(parents=True, exist_ok=True)
        npz.write_clip(clip, store / path)
    with TableWriter(store / INDEX, Item) as table:
        table.add(items)
    return store
