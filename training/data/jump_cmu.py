"""CMU trials on the DeepMimic humanoid (arpspoof/Jump, MIT; CMU terms), where no better copy is at hand.

Frame k of a file is trial frame 4 (k + 1) at 120 Hz, so it starts 1/30 s late. Trials of 60 fps were
taken for 120 and play at double speed: ``time_scale`` of the manifest puts that right.
"""

from __future__ import annotations

from pathlib import Path

from ...backend.motion.clip import Clip
from ..formats.source import SourceMotion
from ..retargeting.retarget import Rig
from . import deepmimic, rigs
from .captions import Captions
from .job import Job
from .raw import Raw

LICENCE = "MIT; CMU mocap: free to use, no resale of the data"
ATTRIBUTION = "arpspoof/Jump; mocap.cs.cmu.edu (NSF EIA-0196217)"
LATE = 1 / 30
"""Seconds of the trial before the first frame of a file (times ``time_scale``)."""


def jobs(raw: Raw) -> list[Job]:
    """One job per trial; those that the CMU set has are left out."""
    folder = raw.folder("jump_cmu/jump_cmu", "jump_cmu/jump_cmu.tar.xz")
    captions = Captions(raw)
    better = {row["trial"] for row in raw.table("cmu/manifest.csv")}
    result = []
    for row in raw.table("jump_cmu/manifest.csv"):
        trial = row["trial"]
        copied = "The set cmu has this trial, with wrists and toes." if trial in better else ""
        scale = float(row["time_scale"])
        items = captions.items(
            "jump_cmu", trial, row["cmu_description"], offset=LATE * scale,
            common={"source": ATTRIBUTION, "licence": LICENCE},
        )  # fmt: skip
        path = folder.parent / row["file"]
        result.append(Job("jump_cmu", trial, convert, path, {"time_scale": scale}, items, left_out=copied))
    return result


def convert(path: Path, *, time_scale: float = 1.0) -> Clip:
    motion, _ = deepmimic.read_motion(path, time_scale=time_scale)
    return deepmimic.finish(motion, rigs.JUMP)


def source_of(job: Job) -> tuple[SourceMotion, Rig]:
    """What the job retargets."""
    return deepmimic.source_of(job)[0], rigs.JUMP
