"""Small files in HumanML3D's published layout, faults included, out of a motion known by formula.

A person walks a gentle curve, the right elbow bent by 70 degrees, the left arm held out to the side: what
is left and what is right can be told from the joints alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from understudy.backend.motion.clip import Clip
from understudy.backend.motion.fitting.layouts import HUMANML3D, Layout
from understudy.backend.motion.fitting.recover import recover_from_ric
from understudy.backend.motion.skeleton import CONTACT_REST_HEIGHTS, INDEX, J0
from understudy.training.features.extract import extract

FPS = 20.0
CAPTION = "a person walks forward with the left arm out"
TOKENS = "a/DET person/NOUN walk/VERB forward/ADV with/ADP the/DET left/ADJ arm/NOUN out/ADV"


def motion(frames: int, fps: float) -> Clip:
    """The walk; knees and the right elbow are hinges, feet stay near the floor."""
    t = np.arange(frames) / fps
    poses = np.zeros((frames, 55, 3))
    swing = np.sin(2 * np.pi * t + 0.7)
    poses[:, INDEX["pelvis"], 1] = 0.3 * t
    poses[:, INDEX["left_hip"], 0], poses[:, INDEX["right_hip"], 0] = -0.2 + 0.35 * swing, -0.2 - 0.35 * swing
    poses[:, INDEX["left_knee"], 0], poses[:, INDEX["right_knee"], 0] = 0.5 - 0.3 * swing, 0.5 + 0.3 * swing
    poses[:, [INDEX["left_ankle"], INDEX["right_ankle"]], 0] = -0.25
    poses[:, INDEX["spine2"], 1] = 0.1 * swing
    poses[:, INDEX["right_shoulder"], 2] = 1.1
    poses[:, INDEX["right_shoulder"], 0] = 0.3 * swing
    poses[:, INDEX["right_elbow"], 1] = np.radians(70)
    path = np.stack([0.15 * t**2, 0.02 * np.cos(4 * np.pi * t), 1.0 * t], axis=1)
    clip = Clip(poses=poses, trans=path - J0, fps=fps)
    lowest = (clip.joints()[:, [7, 10, 8, 11], 1] - np.array(CONTACT_REST_HEIGHTS)).min()
    return clip.replace(trans=clip.trans - np.array([0.0, lowest, 0.0]))


def features(frames: int, layout: Layout = HUMANML3D) -> np.ndarray:
    """(frames, 263) features as published: not normalised, one row fewer than the raw joints."""
    return extract(motion(frames + 1, layout.fps).joints()[:, : layout.joints], layout)


def positions(frames: int) -> np.ndarray:
    """(frames, 22, 3) ``new_joints``: what the features give back."""
    return recover_from_ric(features(frames), HUMANML3D)


def mirrored(joints: np.ndarray) -> np.ndarray:
    left, right = [1, 4, 7, 10, 13, 16, 18, 20], [2, 5, 8, 11, 14, 17, 19, 21]
    result = joints * np.array([-1, 1, 1], np.float32)
    result[:, left + right] = result[:, right + left]
    return result


def write(
    folder: Path, name: str, joints: np.ndarray | None, vectors: np.ndarray | None, text: str | None
) -> None:
    """One id; what is None gets no file."""
    for kind, array in (("new_joints", joints), ("new_joint_vecs", vectors)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        if array is not None:
            np.save(folder / kind / f"{name}.npy", array)
    (folder / "texts").mkdir(exist_ok=True)
    if text is not None:
        (folder / "texts" / f"{name}.txt").write_text(text, encoding="utf-8")


def line(
    caption: str = CAPTION, tokens: str = TOKENS, start: float | str = 0.0, end: float | str = 0.0
) -> str:
    return f"{caption}#{tokens}#{start}#{end}\n"


def make(root: Path) -> Path:
    """A whole set: good ids, mirror images, and every fault that the published files have.

    =========  ==========================================================
    000000     sound; captions of the whole and of seconds 0.5 to 1.5, and one with ``nan``
    M000000    its mirror image, with a text of its own
    000001     features only
    000002     joints only, mirrored features missing; its ``M000002`` has no text
    000003     joints hold a NaN, features are sound
    000004     two frames in both
    000005     cut off in the middle of the file
    009707     in no split
    000006     from HumanAct12, really 15 fps
    000007     from a 250 fps sequence, thinned to 20.8 fps
    000008     pickled object instead of numbers
    =========  ==========================================================
    """
    folder = root / "HumanML3D"
    joints, vectors = positions(60), features(60)
    text = (
        line()
        + line("the person steps", "the/DET person/NOUN step/VERB", 0.5, 1.5)
        + line("walks.", "walk/VERB", "nan", "nan")
    )
    write(folder, "000000", joints, vectors, text)
    write(folder, "M000000", mirrored(joints), None, line(CAPTION.replace("left", "right")))
    write(folder, "000001", None, vectors, line())
    write(folder, "000002", joints, None, line())
    write(folder, "M000002", mirrored(joints), None, None)
    broken = joints.copy()
    broken[10, 3] = np.nan
    write(folder, "000003", broken, vectors, line())
    write(folder, "000004", joints[:2], vectors[:2], line())
    write(folder, "000005", joints, None, line())
    cut = folder / "new_joints" / "000005.npy"
    cut.write_bytes(cut.read_bytes()[:700])
    write(folder, "009707", joints, vectors, line())
    write(folder, "000006", joints, vectors, line("steps", "step/VERB", 0.6, 1.8))
    write(folder, "000007", joints, vectors, line())
    write(folder, "000008", None, None, line())
    np.save(folder / "new_joints" / "000008.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(folder / "Mean.npy", vectors.mean(axis=0))
    np.save(folder / "Std.npy", np.maximum(vectors.std(axis=0), 1e-3))
    (folder / "train.txt").write_text("000000\nM000000\n000001\n000003\n000004\n000005\n000008\n")
    (folder / "val.txt").write_text("000002\nM000002\n000007\n")
    (folder / "test.txt").write_text("000006\n")
    rows = [
        ("./pose_data/CMU/80/80_63_poses.npy", 0, 60, "000000"),
        ("./pose_data/humanact12/humanact12/P01G01R01F0069T0143A0101.npy", 0, -1, "000006"),
        ("./pose_data/Eyes_Japan_Dataset/ichige/jump-01-normal-ichige_poses.npy", 0, 60, "000007"),
    ]
    content = "source_path,start_frame,end_frame,new_name\n"
    content += "".join(f"{path},{start},{end},{name}.npy\n" for path, start, end, name in rows)
    (root / "index.csv").write_text(content)
    return folder
