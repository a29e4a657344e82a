"""Small Inter-X files in the published layout; the people are those of :mod:`.interhuman`."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .interhuman import SMPLX_J0, TURN, Truth

ACTIONS = ("Hug", "Handshake", "Wave", "Grab", "Hit", "Kick")
"""The first lines of ``action_setting.txt``."""
SHAKE = "G001T000A001R000"


def smplx(truth: Truth, *, up: str = "y", raised: float = 0.0, **changes: Any) -> dict[str, Any]:
    """The keys of ``P1.npz``; ``changes`` replace some, None removes one."""
    from scipy.spatial.transform import Rotation

    poses, pelvis = truth
    keys: dict[str, Any] = {
        "root_orient": (TURN[up] * Rotation.from_rotvec(poses[:, 0])).as_rotvec(),
        "pose_body": poses[:, 1:22],
        "pose_lhand": poses[:, 25:40],
        "pose_rhand": poses[:, 40:55],
        "trans": TURN[up].apply(pelvis + [0, raised, 0]) - SMPLX_J0,
        "betas": np.zeros((1, 10)),
        "gender": np.array("male"),
    }
    keys |= changes
    return {key: value for key, value in keys.items() if value is not None}


def write(
    home: Path,
    scene: str,
    first: dict[str, Any] | bytes | None,
    second: dict[str, Any] | bytes | None,
    captions: Sequence[str] = (),
) -> None:
    """``motions/<scene>/P1.npz`` and ``P2.npz`` (of keys, or bytes as they are) and ``texts/<scene>.txt``."""
    folder = home / "motions" / scene
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("P1", first), ("P2", second)):
        if isinstance(content, bytes):
            (folder / f"{name}.npz").write_bytes(content)
        elif content is not None:
            np.savez(folder / f"{name}.npz", **content)
    texts(home, scene, captions)


def texts(home: Path, scene: str, captions: Sequence[str]) -> None:
    (home / "texts").mkdir(parents=True, exist_ok=True)
    (home / "texts" / f"{scene}.txt").write_text("".join(f"{line}\n" for line in captions), encoding="utf-8")


def annots(home: Path, order: Any) -> None:
    """``annots``: the names of the actions, and who acts (an object, or bytes as they are)."""
    folder = home / "annots"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "action_setting.txt").write_text("\n".join(ACTIONS), encoding="utf-8")
    (folder / "interaction_order.pkl").write_bytes(order if isinstance(order, bytes) else pickle.dumps(order))
