"""Small files as LSMB19's: training samples, a long sequence and its ground truth, from bodies of our own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np


def frames(joints: np.ndarray) -> list[str]:
    """A line a frame: 25 ``x, y, z`` joined by ``;``."""
    return ["; ".join(", ".join(f"{v:.5f}" for v in joint) for joint in pose) for pose in joints]


def samples(root: Path, protocol: str, bodies: Mapping[str, np.ndarray], *, newline: str = "\n") -> Path:
    """``root/lsmb19/<protocol>_training_samples.txt``; names are ``S...A..._<offset>``."""
    home = root / "lsmb19"
    home.mkdir(parents=True, exist_ok=True)
    path = home / f"{protocol}_training_samples.txt"
    lines = [line for name, joints in bodies.items() for line in (name, *frames(joints))]
    path.write_bytes((newline.join(lines) + newline).encode())
    return path


def sequence(root: Path, protocol: str, joints: np.ndarray, truth: list[str]) -> Path:
    """A long sequence under a name of one's choice, and its ground truth."""
    home = root / "lsmb19"
    home.mkdir(parents=True, exist_ok=True)
    path = home / f"{protocol}_sequence.txt"
    path.write_text("\n".join(frames(joints)) + "\n")
    (home / f"{protocol}_gt.txt").write_text("\n".join(truth) + "\n")
    return path
