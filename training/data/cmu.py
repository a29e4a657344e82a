"""CMU motion capture in all its shapes: MotionBuilder-friendly BVH, DAZ and 3ds Max BVH, ASF/AMC.

Licence: free to use, also in products; the data itself may not be resold. Attribution: "The data used
in this project was obtained from mocap.cs.cmu.edu. The database was created with funding from NSF
EIA-0196217." Traps handled here: the inserted T-pose row, the header's frame rate, bones that the
BVH conversions lost, the unit of length, the DAZ figure's blended first frames.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...backend.motion.clip import Clip
from ...backend.motion.grounding import floor_height, ground, place_on_floor
from ..formats import asf, bvh
from ..formats.source import SourceMotion, frame_picks
from ..retargeting.repair import remove_spikes
from ..retargeting.retarget import Rig, retarget
from . import rigs
from .captions import Captions
from .job import FPS, Job
from .raw import Raw

CMU_UNIT = 0.0254 / 0.45
"""Metres per unit of CMU's files (ASF ``length 0.45``, inches)."""
DAZ_UNIT = 0.01
DAZ_BLEND = 5
"""Frames after the T-pose in which the DAZ conversions blend into the motion."""
FLOOR_WITHIN = 0.075
"""Metres: the floor found in an ASF/AMC-like file is believed when it is this close to y = 0."""
LICENCE = "CMU mocap: free to use, no resale of the data"
ATTRIBUTION = "mocap.cs.cmu.edu (NSF EIA-0196217)"


def missing_bones(raw: Raw) -> dict[str, list[tuple[list[str], list[float]]]]:
    """By folder (``bvh_mb/01``): joints whose OFFSET lacks a bone, and the bone's vector (file units)."""
    result: dict[str, list[tuple[list[str], list[float]]]] = {}
    for row in raw.table("cmu/bvh_missing_bones.csv"):
        vector = [float(row[axis]) for axis in "xyz"]
        result.setdefault(row["applies_to"], []).append((row["add_to_OFFSET_of_joints"].split(), vector))
    return result


def jobs(raw: Raw) -> list[Job]:
    """One job per trial of the manifest; AMC files of trials that are there as BVH are left out."""
    captions = Captions(raw)
    missing = missing_bones(raw)
    folders = {
        kind: raw.folder(f"cmu/{kind}", f"cmu/{kind}.tar.xz").parent
        for kind in ("bvh_mb", "bvh_other", "amc")
    }
    result = []
    for row in raw.table("cmu/manifest.csv"):
        kind, relative, trial = row["kind"], row["path"], row["trial"]
        path = folders[kind] / relative
        fps, skip = float(row["true_fps"]), int(row["tpose_rows"])
        daz = kind == "bvh_other" and not relative.startswith("bvh_other/131/")
        dropped = DAZ_BLEND if daz else 0
        items = captions.items(
            "cmu",
            trial,
            row["cmu_description"],
            offset=dropped / fps,
            common={"source": ATTRIBUTION, "licence": LICENCE},
        )
        arguments: dict[str, Any] = {"fps": fps, "skip": skip + dropped}
        if kind == "amc":
            arguments["skeleton"] = path.with_name(f"{path.parent.name}.asf")
            result.append(Job("cmu", trial, convert_amc, path, arguments, items))
        else:
            arguments["missing"] = missing.get(str(Path(relative).parent), [])
            result.append(Job("cmu", trial, convert_bvh, path, arguments, items))
        for other in row["other_paths"].split():
            if other.endswith(".amc") and (folders["amc"] / other).is_file():
                result.append(_copy(folders["amc"] / other, trial, fps))
    return result


def _copy(path: Path, trial: str, fps: float) -> Job:
    """An AMC file whose trial is converted from a BVH file."""
    arguments = {"fps": fps, "skip": 0, "skeleton": path.with_name(f"{path.parent.name}.asf")}
    why = "The trial is converted from its BVH file."
    return Job("cmu", f"{trial}.amc", convert_amc, path, arguments, left_out=why)


def read_bvh_motion(
    path: Path,
    *,
    fps: float,
    skip: int,
    missing: list[tuple[list[str], list[float]]],
    target_fps: float = FPS,
) -> tuple[SourceMotion, Rig]:
    """A CMU BVH of any of the three skeletons, bones restored, joints named as in the ASF.

    Args:
        path: the file.
        fps: the true frame rate (not the header's).
        skip: rows at the start that are no motion capture.
        missing: bones to restore, see :func:`missing_bones`.
        target_fps: frames per second of the result.
    """
    file = bvh.read_bvh(path)
    offsets = file.offsets.copy()
    for joints, vector in missing:
        for name in joints:
            offsets[file.names.index(name)] += vector
    daz = "rButtock" in file.names
    original = (fps, len(file.values) - skip)
    rows = skip + picked_rows(len(file.values) - skip, fps, target_fps)
    if daz:
        motion = bvh.motion_of(file, rows=rows, fps=target_fps, unit=DAZ_UNIT, offsets=offsets)
        t_pose = bvh.motion_of(file, rows=np.array([0]), fps=target_fps, unit=DAZ_UNIT, offsets=offsets)
        return _from_t_pose(motion, t_pose).replace(original=original), rigs.DAZ
    motion = bvh.motion_of(file, rows=rows, fps=target_fps, unit=CMU_UNIT, offsets=offsets)
    table = rigs.MAX_NAMES if "Chest2" in file.names else rigs.MOTIONBUILDER_NAMES
    return _renamed(motion, table).replace(original=original), rigs.ASF


def picked_rows(frames: int, fps: float, target_fps: float) -> np.ndarray:
    """Rows that play at the target rate.

    CMU's rates (120 and 60) are whole multiples of 30, so every position is a row; the nearest row is
    taken otherwise, at most half a source frame off.
    """
    return np.round(frame_picks(frames, fps, target_fps)).astype(int)


def _from_t_pose(motion: SourceMotion, t_pose: SourceMotion) -> SourceMotion:
    """Rotations away from the file's own T-pose (its first row), which bends the legs a little."""
    return motion.replace(rotations=motion.rotations @ np.swapaxes(t_pose.rotations, -1, -2))


def _renamed(motion: SourceMotion, table: dict[str, str]) -> SourceMotion:
    names = tuple(table.get(name, name) for name in motion.names)
    tips = {table.get(name, name): tip for name, tip in motion.tips.items()}
    return motion.replace(names=names, tips=tips)


def convert_bvh(path: Path, *, fps: float, skip: int, missing: list[tuple[list[str], list[float]]]) -> Clip:
    return finish(*read_bvh_motion(path, fps=fps, skip=skip, missing=missing))


def read_amc_motion(
    path: Path, *, fps: float, skip: int, skeleton: Path, target_fps: float = FPS
) -> tuple[SourceMotion, Rig]:
    """An AMC trial on its subject's ASF."""
    bones = asf.read_asf(skeleton)
    values = asf.read_amc(path, bones)
    rows = skip + picked_rows(len(values) - skip, fps, target_fps)
    motion = asf.motion_of(bones, values, rows=rows, fps=target_fps, unit=CMU_UNIT)
    return motion.replace(original=(fps, len(values) - skip)), rigs.ASF


def convert_amc(path: Path, *, fps: float, skip: int, skeleton: Path) -> Clip:
    return finish(*read_amc_motion(path, fps=fps, skip=skip, skeleton=skeleton))


def finish(motion: SourceMotion, rig: Rig) -> Clip:
    """Retarget, take out broken frames, put the floor at y = 0 and the feet on it."""
    clip, spikes = remove_spikes(retarget(motion, rig))
    # CMU's laboratory floor is y = 0 in its own files; the DAZ figure's root was rescaled.
    floor = floor_height(clip, within=FLOOR_WITHIN if rig is rigs.ASF else np.inf)
    clip = ground(place_on_floor(clip, floor))
    return clip.replace(meta={**clip.meta, "spikes": spikes})


def source_of(job: Job) -> tuple[SourceMotion, Rig]:
    """What the job retargets."""
    read = read_amc_motion if "skeleton" in job.arguments else read_bvh_motion
    return read(job.path, **job.arguments)
