"""How near the import of HumanML3D and KIT comes to the motion behind the files.

    .venv/bin/python benchmarks/fitting.py --store STORE [--set cmu] [--clips 40] [--keep DIR]

Clips of a store become published features, as ``understudy-train features`` makes them, with the published
skeleton's bone lengths; they are imported again, and compared with the clips. Joints are compared with the roots
on each other and the same heading; turns are those of a joint against its parent. A flip is a joint that turns by
more than 60 degrees in one frame where the clip does not. ``--keep`` writes both sides as .npz, to look at.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from understudy.backend.motion import rotations as rot
from understudy.backend.motion.clip import Clip, place_at_origin, resample
from understudy.backend.motion.contacts import contact_report
from understudy.backend.motion.fitting.layouts import HUMANML3D, KIT, Layout
from understudy.backend.motion.fitting.recover import recover_from_ric
from understudy.backend.motion.grounding import foot_heights
from understudy.backend.motion.npz import read_clip, write_clip
from understudy.backend.motion.reading import read_motion
from understudy.backend.motion.skeleton import INDEX
from understudy.training.features.extract import extract
from understudy.training.features.skeletons import joints_for

PARTS = {
    "trunk": ("spine1", "spine2", "spine3", "neck", "head"),
    "legs": ("left_hip", "right_hip", "left_knee", "right_knee"),
    "feet": ("left_ankle", "right_ankle", "left_foot", "right_foot"),
    "arms": ("left_collar", "right_collar", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
    "wrists": ("left_wrist", "right_wrist"),
}
_FLIP = np.radians(60.0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--set", default="cmu")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each clip, as the set's clips are")
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    paths = sorted((args.store / "clips" / args.set).glob("*.npz"))
    paths = paths[:: max(1, len(paths) // args.clips)][: args.clips]
    for layout in (HUMANML3D, KIT):
        rows = [row for path in paths if (row := measured(path, layout, args.seconds, args.keep))]
        print(f"\n{layout.name}: {len(rows)} clips of {args.set}, median (worst tenth)")
        for key in rows[0]:
            values = np.array([row[key] for row in rows])
            print(f"  {key:32} {np.median(values):8.2f}  ({np.percentile(values, 90):.2f})")


def measured(path: Path, layout: Layout, seconds: float, keep: Path | None) -> dict[str, float] | None:
    truth = resample(read_clip(path), layout.fps)
    truth = truth.replace(poses=truth.poses[: int(seconds * layout.fps)], trans=truth.trans[: int(seconds * layout.fps)],
                          expressions=None, contacts=None)  # fmt: skip
    if len(truth) < 2 * layout.fps:
        return None
    # KIT's joints called left lie on the right, as published.
    features = extract(joints_for(truth, layout, reflected=layout is KIT), layout)
    folder = keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{path.stem}_{layout.name}.npy"
    np.save(file, features)
    begun = time.perf_counter()
    found = read_motion(file).clip
    taken = time.perf_counter() - begun
    frames = len(found)
    truth = place_at_origin(truth.replace(poses=truth.poses[:frames], trans=truth.trans[:frames]))
    if keep:
        write_clip(truth, folder / f"{path.stem}_{layout.name}_truth.npz")
        write_clip(found, folder / f"{path.stem}_{layout.name}_fitted.npz")
    turned = rot.geodesic_angle(rot.axis_angle_to_matrix(found.poses), rot.axis_angle_to_matrix(truth.poses))
    apart = np.linalg.norm(_seen_from_root(found) - _seen_from_root(truth), axis=-1)
    soles, before = contact_report(found), contact_report(truth)
    recovered = recover_from_ric(features, layout)
    report = {
        "fit to the file's joints, mm": found.meta["fit_error_mm"],
        "joints beside the clip's, mm": 1000 * float(apart.mean()),
        **{
            f"turn of {part}, degrees": float(np.degrees(turned[:, [INDEX[n] for n in names]]).mean())
            for part, names in PARTS.items()
        },
        "flips": float(_flips(found, truth)),
        "lowest sole, mm": 1000 * float(_lowest(found)),
        "milliseconds per second": 1000 * taken / (len(recovered) / layout.fps),
    }
    report |= {
        f"{name}, {whose}": facts[key]
        for key, name in (
            ("slide_median", "feet in contact slide, cm/s"),
            ("penetration_max", "feet sink, cm"),
        )
        for whose, facts in (("fitted", soles), ("clip", before))
    }
    return report


def _seen_from_root(clip: Clip) -> np.ndarray:
    """Body joints (T, 22, 3) with the root at the origin and its heading along Z."""
    joints = clip.joints()[:, :22]
    forward = rot.axis_angle_to_matrix(clip.poses[:, 0])[:, :, 2]
    back = rot.yaw_matrix(-np.arctan2(forward[:, 0], forward[:, 2]))
    return (joints - joints[:, :1]) @ np.swapaxes(back, -1, -2)


def _flips(found: Clip, truth: Clip) -> int:
    def steps(clip: Clip) -> np.ndarray:
        local = rot.axis_angle_to_matrix(clip.poses[:, 1:22])
        return rot.geodesic_angle(local[1:], local[:-1])

    return int(((steps(found) > _FLIP) & (steps(truth) < 0.5 * _FLIP)).sum())


def _lowest(clip: Clip) -> float:
    return float(foot_heights(clip).min())


if __name__ == "__main__":
    main()
