"""Mesh2Motion's animation libraries (CC0 1.0): two GLB files, with fingers.

Two skeletons with different names; keys every 1/24 s; loops run in place, ``RM`` carries root motion.
``Idle``, ``Walk`` and ``Sit`` of the base file are motionless rest poses in spite of their names:
static takes are skipped.
"""

from __future__ import annotations

import re
from pathlib import Path

from ...backend.motion.clip import Clip
from ...backend.motion.grounding import foot_heights, ground, place_on_floor
from ..formats import gltf
from ..formats.source import SourceMotion
from ..retargeting.floor import rest_floor
from ..retargeting.retarget import Rig, retarget
from . import rigs
from .item import Item
from .job import FPS, Job
from .raw import Raw
from .travel import give_travel

LICENCE = "CC0-1.0"
AFLOAT = ("Swim", "Flying", "Levitate")
ATTRIBUTION = "Mesh2Motion/mesh2motion-app"


def jobs(raw: Raw) -> list[Job]:
    """One job per animation; those that do not move are left out."""
    result = []
    for row in raw.table("cc0/animations.csv"):
        stem = "base" if "base" in row["file"] else "addon"
        name = f"{stem}_{row['name'].replace(' ', '_').replace('-', '_')}"
        item = Item(
            dataset="cc0", motion_name=name, trial=name, kind="whole", text=[row["caption_1"], row["caption_2"]],
            caption_source="cc0", source=ATTRIBUTION, licence=LICENCE,
        )  # fmt: skip
        in_place = row["root_motion"] == "no" and re.search(
            r"\b(forward|ahead)\b", row["caption_1"] + " " + row["caption_2"]
        )
        options = {"animation": row["name"], "travels": bool(in_place)}
        static = "It is a motionless rest pose." if row["static"] == "yes" else ""
        path = raw.path(f"cc0/{row['file']}")
        result.append(Job("cc0", name, convert, path, options, [item], left_out=static))
    return result


def read_motion(path: Path, *, animation: str, fps: float = FPS) -> tuple[SourceMotion, Rig]:
    """One animation and the rig of its file."""
    motion = gltf.motion_of(gltf.read_glb(path), animation, fps=fps)
    return motion, rigs.CC0_BASE if "DEF-hips" in motion.names else rigs.CC0_ADDON


def convert(path: Path, *, animation: str, travels: bool = False) -> Clip:
    """The clip; with ``travels``, a gait animated on the spot goes where its caption says."""
    motion, rig = read_motion(path, animation=animation)
    clip = place_on_floor(retarget(motion, rig), rest_floor(motion, rig))
    if travels:
        clip = give_travel(clip)
    if any(word in animation for word in AFLOAT):  # meant to be off the floor, but not under it
        return place_on_floor(clip, min(0.0, float(foot_heights(clip).min())))
    return ground(clip)


def source_of(job: Job) -> tuple[SourceMotion, Rig]:
    """What the job retargets."""
    return read_motion(job.path, animation=job.arguments["animation"])
