"""Small files of KIT-ML in both of its layouts, reflected as language2pose's scripts leave them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from understudy.backend.motion.fitting.layouts import KIT
from understudy.backend.motion.fitting.recover import recover_from_ric
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.skeleton import INDEX
from understudy.training.features.extract import extract

from . import humanml3d

ORDER = (
    "root", "BP", "BT", "BLN", "BUN", "LS", "LE", "LW", "RS", "RE", "RW",
    "LH", "LK", "LA", "LMrot", "LF", "RH", "RK", "RA", "RMrot", "RF",
)  # fmt: skip
_OURS = {"BP": "spine1", "BT": "spine3", "BLN": "neck", "BUN": "head"}
_LIMBS = {"S": "shoulder", "E": "elbow", "W": "wrist", "H": "hip", "K": "knee", "A": "ankle", "F": "foot"}
MM_PER_METRE = 1000 / 1.73
"""The reference body is one metre tall."""


def positions(frames: int, fps: float, *, reflected: bool = True) -> np.ndarray:
    """(frames, 21, 3) of the walk of :mod:`.humanml3d`, millimetres, Y up."""
    clip = humanml3d.motion(frames, fps)
    joints, world = forward_kinematics(clip.poses, clip.trans)
    columns = []
    for name in ORDER:
        side = {"L": "left_", "R": "right_"}.get(name[0], "")
        if name == "root":
            columns.append(0.5 * (joints[:, INDEX["left_hip"]] + joints[:, INDEX["right_hip"]]))
        elif name.endswith("Mrot"):
            ankle = INDEX[f"{side}ankle"]
            columns.append(joints[:, ankle] + world[:, ankle] @ np.array([0.0, -0.03, 0.02]))
        else:
            columns.append(joints[:, INDEX[_OURS.get(name) or side + _LIMBS[name[1:]]]])
    result = np.stack(columns, axis=1) * MM_PER_METRE
    return result * np.array([-1.0, 1.0, 1.0]) if reflected else result


def fke(path: Path, joints: np.ndarray, *, header: bool = True, numbered: bool = True) -> None:
    """A ``_fke.csv`` as pandas writes it."""
    names = [f"{joint}_t{axis}" for joint in ORDER for axis in "xyz"]
    lines = [("," if numbered else "") + ",".join(names)] if header else []
    for i, row in enumerate(joints.reshape(len(joints), -1)):
        lines.append((f"{i}," if numbered else "") + ",".join(f"{value:.6f}" for value in row))
    path.write_text("\n".join(lines) + "\n")


def original(folder: Path, name: str, joints: np.ndarray | None, texts: object, **layout: bool) -> None:
    """The owners' files of one id, and the joints that are made of them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}_annotations.json").write_text(json.dumps(texts))
    count = len(texts) if isinstance(texts, list) else 0
    (folder / f"{name}_meta.json").write_text(
        json.dumps({"nb_annotations": count, "source": {"institution": "KIT"}})
    )
    (folder / f"{name}_mmm.xml").write_text("<MMM/>")
    if joints is not None:
        fke(folder / f"{name}_fke.csv", joints, **layout)


def make_original(root: Path) -> Path:
    """The owners' layout.

    00001 sound; 00002 without captions; 00003 without header and row numbers; 00004 without joints; 00005 cut
    in the middle of a number; 00006 with broken captions; 00007 with a NaN; 00008 one frame; 00009 of 20 joints.
    """
    folder = root / "kit"
    joints = positions(300, 100.0)
    original(folder, "00001", joints, ["A person walks  forward.", "Someone holds the left arm out."])
    original(folder, "00002", joints, [])
    original(folder, "00003", joints, ["walks"], header=False, numbered=False)
    original(folder, "00004", None, ["walks"])
    original(folder, "00005", joints, ["walks"])
    path = folder / "00005_fke.csv"
    path.write_text(path.read_text()[:-40])
    original(folder, "00006", joints, ["walks"])
    (folder / "00006_annotations.json").write_text('["walks')
    broken = joints.copy()
    broken[5, 5, 1] = np.nan
    original(folder, "00007", broken, ["walks"])
    original(folder, "00008", joints[:1], ["walks"])
    original(folder, "00009", joints, ["walks"])
    path = folder / "00009_fke.csv"
    path.write_text("\n".join(row.rsplit(",", 3)[0] for row in path.read_text().splitlines()))
    return folder


def make_release(root: Path) -> Path:
    """Text-to-motion's layout at 12.5 fps: 00001 both files, M00001 its mirror image, 00010 features only."""
    folder = root / "KIT-ML"
    joints = positions(60, 12.5)
    vectors = extract(joints, KIT)
    published = recover_from_ric(vectors, KIT)
    left = [ORDER.index(name) for name in ORDER if name.startswith("L")]
    right = [ORDER.index("R" + ORDER[i][1:]) for i in left]
    mirrored = published * np.array([-1, 1, 1], np.float32)
    mirrored[:, left + right] = mirrored[:, right + left]
    text = humanml3d.line("a person holds the left arm out", "a/DET person/NOUN hold/VERB")
    humanml3d.write(folder, "00001", published, vectors, text)
    humanml3d.write(folder, "M00001", mirrored, None, text.replace("left", "right"))
    humanml3d.write(folder, "00010", None, vectors, text)
    (folder / "train.txt").write_text("00001\nM00001\n")
    (folder / "test.txt").write_text("00010\n")
    return folder
