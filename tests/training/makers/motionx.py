"""Motion-X's folders: arrays of 322 numbers a frame, faces, texts and split lists."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from .amass import SMPLX_J0, motion, times


def array(seconds: float, fps: float = 30.0, *, face: bool = True) -> np.ndarray:
    """(T, 322) float32, Y up, of the motion of :mod:`.amass`."""
    t = times(seconds, fps)
    poses, pelvis = motion(t)
    values = np.zeros((len(t), 322), np.float32)
    values[:, :66] = poses[:, :22].reshape(len(t), 66)
    values[:, 66:156] = poses[:, 25:].reshape(len(t), 90)
    if face:
        values[:, 156] = 0.2 + 0.1 * np.sin(4 * t)
        values[:, 159:209] = np.sin(t)[:, None]
    values[:, 309:312] = pelvis - SMPLX_J0
    values[:, 312] = 0.5
    return values


def write(folder: Path, name: str, values: np.ndarray, text: str | None = None, split: str = "train") -> Path:
    """A motion, its caption and its line in a split list."""
    path = folder / "motion_data" / "smplx_322" / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values)
    if text is not None:
        side_text(folder, "semantic_labels", name, text)
    with (folder / f"{split}.txt").open("a", encoding="utf-8") as file:
        file.write(f"{name}\n")
    return path


def side_text(folder: Path, kind: str, name: str, text: str) -> None:
    path = folder / "texts" / kind / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def pose_text(folder: Path, kind: str, name: str, frames: int) -> None:
    path = folder / "texts" / kind / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({str(k): f"pose {k}" for k in range(frames)}), encoding="utf-8")


def face(folder: Path, name: str, frames: int) -> np.ndarray:
    """A face motion (T', 153) whose jaw opens steadily from 0 to 1."""
    path = folder / "face_motion_data" / "smplx_322" / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros((frames, 153), np.float32)
    values[:, 0] = np.linspace(0, 1, frames)
    values[:, 3:53] = np.linspace(-1, 1, frames)[:, None]
    np.save(path, values)
    return values
