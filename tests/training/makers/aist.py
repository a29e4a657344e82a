"""A small AIST++ folder in the published layout: SMPL motions, keypoints, cameras, splits, and its faults."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from understudy.backend.motion import rotations as rot
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.dialects import SMPLH_J0
from understudy.backend.motion.fitting.points import EXTRAS
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.skeleton import CONTACT_JOINTS, CONTACT_REST_HEIGHTS, INDEX, J0
from understudy.training.data.aist import COCO

SCALING = 93.7
FPS = 60.0
TRAIN = "gBR_sBM_cAll_d04_mBR0_ch01"
HOUSE = "gHO_sFM_cAll_d20_mHO5_ch15"
VAL = "gLO_sBM_cAll_d13_mLO2_ch05"
TEST = "gPO_sFM_cAll_d10_mPO1_ch11"
UNLISTED_SAFE = "gJB_sBM_cAll_d07_mJB1_ch03"
UNLISTED_MUSIC = "gLO_sFM_cAll_d14_mLO2_ch17"
UNLISTED_ROUTINE = "gLO_sBM_cAll_d15_mLO4_ch05"
IGNORED = "gKR_sBM_cAll_d28_mKR2_ch02"
ONLY_KEYPOINTS = "gWA_sBM_cAll_d25_mWA3_ch09"


def dance(frames: int = 121, seed: int = 0) -> Clip:
    """A person stepping from foot to foot and turning, arms swinging, at 60 fps, in metres, Y up."""
    time = np.arange(frames) / FPS
    phase = 2 * np.pi * 1.5 * time + seed
    poses = np.zeros((frames, 55, 3))
    poses[:, 0, 1] = 0.5 * np.sin(0.8 * time + seed)
    for side, sign in (("left", 1), ("right", -1)):
        lift = 0.5 * np.maximum(sign * np.sin(phase), 0)
        poses[:, INDEX[f"{side}_hip"], 0] = -lift
        poses[:, INDEX[f"{side}_knee"], 0] = 2 * lift
        poses[:, INDEX[f"{side}_ankle"], 0] = -lift
        poses[:, INDEX[f"{side}_shoulder"], 2] = -sign * 1.1
        poses[:, INDEX[f"{side}_shoulder"], 0] = 0.4 * sign * np.sin(phase)
        poses[:, INDEX[f"{side}_elbow"], 1] = -sign * (0.6 + 0.3 * np.sin(phase))
    poses[:, INDEX["spine2"], 1] = 0.2 * np.sin(phase)
    trans = np.stack([0.3 * np.sin(0.7 * time), np.full(frames, 1.31), 0.2 * time], axis=1)
    # The lower foot stands on y = 0.
    feet = forward_kinematics(poses, trans)[0][:, list(CONTACT_JOINTS), 1]
    trans[:, 1] -= (feet - np.array(CONTACT_REST_HEIGHTS)).min(axis=1)
    return Clip(poses=poses, trans=trans, fps=FPS)


def motion(clip: Clip, *, scaling: float = SCALING, flat: bool = False) -> dict[str, Any]:
    """The content of a ``motions`` file whose SMPL pelvis goes where the clip's goes."""
    frames = len(clip)
    poses = np.zeros((frames, 24, 3))
    poses[:, :22] = clip.poses[:, :22]
    poses[:, 22:] = 0.05  # SMPL's hand joints, which have no counterpart
    return {
        "smpl_loss": 1.7,
        "smpl_poses": poses.reshape(frames, 72) if flat else poses,
        "smpl_scaling": np.array([scaling], np.float32),
        "smpl_trans": (clip.trans + J0 - SMPLH_J0) * scaling,
    }


def keypoints(clip: Clip) -> np.ndarray:
    """(T, 17, 3) COCO points in centimetres."""
    at, turns = forward_kinematics(clip.poses, clip.trans)
    columns = []
    for name in COCO:
        if name in EXTRAS:
            carrier, offset = EXTRAS[name]
            columns.append(at[:, INDEX[carrier]] + turns[:, INDEX[carrier]] @ np.array(offset))
        else:
            columns.append(at[:, INDEX[name]])
    return np.stack(columns, axis=1) * 100


def cameras(count: int = 9) -> list[dict[str, Any]]:
    """A ring of cameras that look at the dancer, units of the set's world."""
    result = []
    for i in range(count):
        yaw = 2 * np.pi * i / count
        turn = rot.axis_angle_to_matrix(np.array([np.pi, 0, 0])) @ rot.yaw_matrix(np.array(yaw))
        result.append(
            {
                "name": f"c{i + 1:02d}",
                "size": [1920, 1080],
                "matrix": [[1500.0, 0, 960], [0, 1500.0, 540], [0, 0, 1]],
                "rotation": rot.matrix_to_axis_angle(turn).tolist(),
                "translation": [3.0 * i, 100.0, 450.0],
                "distortions": [-0.05, 0.01, 0.0, 0.0, 0.0],
            }
        )
    return result


def click_track(path: Path, bpm: float, first: float, seconds: float = 20.0, rate: int = 22050) -> Path:
    """Music of nothing but drums: a beat every ``60 / bpm`` seconds, softer ones between, and noise."""
    import soundfile

    numbers = np.random.default_rng(0)
    sound = 0.01 * numbers.normal(size=int(seconds * rate))
    tail = np.exp(-np.arange(int(0.08 * rate)) / (0.015 * rate))
    for strength, shift in ((0.8, 0.0), (0.25, 30.0 / bpm)):
        for start in np.arange(first + shift, seconds - 0.1, 60.0 / bpm):
            place = int(start * rate)
            sound[place : place + len(tail)] += strength * tail * numbers.normal(size=len(tail))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.clip(sound, -1, 1), rate)
    return path


def write_pickle(path: Path, value: Any, protocol: int = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(value, protocol))
    return path


def write_aist(home: Path) -> Path:
    """Nine sequences: every split, the ignore list, keypoints only, leaks; cameras, one camera file broken."""
    for seed, name in enumerate(
        (TRAIN, HOUSE, VAL, TEST, UNLISTED_SAFE, UNLISTED_MUSIC, UNLISTED_ROUTINE, IGNORED)
    ):
        write_pickle(home / "motions" / f"{name}.pkl", motion(dance(seed=seed), flat=name == HOUSE))
    points = keypoints(dance(seed=20))
    raw = points.copy()
    raw[30:33, 9] = np.nan
    write_pickle(
        home / "keypoints3d" / f"{ONLY_KEYPOINTS}.pkl", {"keypoints3d": raw, "keypoints3d_optim": points}
    )
    write_pickle(home / "keypoints3d" / f"{TRAIN}.pkl", {"keypoints3d": points, "keypoints3d_optim": points})
    for split, names in {"train": (TRAIN, HOUSE, ONLY_KEYPOINTS), "val": (VAL,), "test": (TEST,)}.items():
        path = home / "splits" / f"crossmodal_{split}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(names) + "\n", encoding="utf-8")
    (home / "ignore_list.txt").write_text(f"{IGNORED}\n", encoding="utf-8")
    folder = home / "cameras"
    folder.mkdir()
    names = (TRAIN, HOUSE, VAL, TEST, UNLISTED_SAFE, ONLY_KEYPOINTS)
    mapping = [f"{name} {'setting2' if name == VAL else 'setting1'}" for name in names]
    (folder / "mapping.txt").write_text("\n".join([*mapping, "rubbish"]) + "\n", encoding="utf-8")
    (folder / "setting1.json").write_text(json.dumps(cameras()), encoding="utf-8")
    (folder / "setting2.json").write_text('[{"name": "c01", "size": [1920]}]', encoding="utf-8")
    return home
