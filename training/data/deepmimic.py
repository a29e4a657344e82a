"""DeepMimic's humanoid clips (MIT): flips, cartwheels, dances, kicks, long walks.

(c) 2018 Xue Bin Peng, MIT. The ``*_mirror`` files are left out: mirroring is the training's own augmentation.
"""

from __future__ import annotations

from pathlib import Path

from ...backend.motion.clip import Clip
from ...backend.motion.grounding import floor_height, ground, place_on_floor
from ..formats import deepmimic
from ..formats.source import SourceMotion
from ..retargeting.repair import remove_spikes
from ..retargeting.retarget import Rig, retarget
from . import rigs
from .item import Item
from .job import FPS, Job
from .raw import Raw

LICENCE = "MIT"
ATTRIBUTION = "xbpeng/DeepMimic, (c) 2018 Xue Bin Peng"


def jobs(raw: Raw) -> list[Job]:
    """One job per file; mirror images are left out."""
    folder = raw.folder("deepmimic/deepmimic", "deepmimic/motions.tar.xz")
    result = []
    for row in raw.table("deepmimic/captions.csv"):
        name = Path(row["file"]).stem.removeprefix("humanoid3d_")
        mirrored = "It is the mirror image of another file." if name.endswith("_mirror") else ""
        item = Item(
            dataset="deepmimic", motion_name=name, trial=name, kind="whole", text=[row["caption_1"], row["caption_2"]],
            caption_source="deepmimic", source=ATTRIBUTION, licence=LICENCE,
        )  # fmt: skip
        result.append(Job("deepmimic", name, convert, folder / row["file"], {}, [item], left_out=mirrored))
    return result


def read_motion(path: Path, *, time_scale: float = 1.0, fps: float = FPS) -> tuple[SourceMotion, Rig]:
    return deepmimic.motion_of(deepmimic.read_frames(path), fps=fps, time_scale=time_scale), rigs.DEEPMIMIC


def convert(path: Path, *, time_scale: float = 1.0) -> Clip:
    return finish(*read_motion(path, time_scale=time_scale))


def finish(motion: SourceMotion, rig: Rig) -> Clip:
    """Retarget, take out broken frames, put the feet on the floor."""
    clip, spikes = remove_spikes(retarget(motion, rig))
    clip = ground(place_on_floor(clip, floor_height(clip)))
    return clip.replace(meta={**clip.meta, "spikes": spikes})


def source_of(job: Job) -> tuple[SourceMotion, Rig]:
    """What the job retargets."""
    return read_motion(job.path, **job.arguments)
