"""HumanML3D (Guo et al., CVPR 2022) as published: joints or features at 20 fps, fitted to our skeleton.

Whoever holds AMASS gets better motion, with twists and fingers, from the set ``humanml3d_amass``; this one
needs nothing but the published files, and is the only way to the clips from HumanAct12. Joints do not tell
how far a head turns or a wrist twists.

Licence: texts and code MIT; the motion is AMASS's (and HumanAct12's), non-commercial research only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...backend.errors import BadInput
from ...backend.motion.fitting.finish import finish
from ...backend.motion.fitting.layouts import HUMANML3D
from ...backend.motion.fitting.published import FLOOR_WITHIN, fit_smpl
from ...backend.motion.skeleton import JOINT_NAMES
from . import t2m_layout
from .amass_fps import listed_rate
from .humanml3d_index import Cut, read_index, step_of
from .humanml3d_texts import Texts, read_splits
from .job import FPS, Converted, Job
from .raw import Raw

SET = "humanml3d"
LICENCE = "HumanML3D: MIT; motion: AMASS, MPI non-commercial research licence"
ATTRIBUTION = "HumanML3D, Guo et al., CVPR 2022 (MIT); motion from AMASS, Mahmood et al., ICCV 2019"
NOMINAL_FPS, HUMANACT12_FPS = 20.0, 15.0
"""The rate that the set states, and what its clips from HumanAct12 really are (HumanML3D issue 124)."""


def jobs(raw: Raw, *, mirrored: bool = True) -> Iterator[Job]:
    """One job per id with a file of motion, mirror images included.

    Args:
        raw: ``HumanML3D/`` or ``humanml3d/`` (or such a folder as the root), as published.
        mirrored: without it, mirror images are left out by name.
    """
    folder = t2m_layout.homes(raw, "HumanML3D", "humanml3d")[0]
    splits, texts, cuts = read_splits(folder), Texts(folder), _cuts(folder)
    for entry in t2m_layout.entries(folder):
        cut = cuts.get(entry.original)
        fps = true_fps(cut)
        left_out = ""
        if entry.mirror_of and not mirrored:
            left_out = f"The mirror image of {entry.original}."
        elif splits and entry.name not in splits:
            left_out = "HumanML3D has it in no split."
        items = t2m_layout.items_of(
            SET,
            entry.name,
            t2m_layout.captions_of(entry, texts),
            split=splits.get(entry.name, "train"),
            slower=NOMINAL_FPS / fps,
            common={
                "trial": cut.source if cut else entry.original,
                "source": ATTRIBUTION,
                "licence": LICENCE,
                "caption_source": "humanml3d",
            },
        )
        arguments = {"joints": entry.joints, "vectors": entry.vectors, "folder": folder, "fps": fps}
        yield Job(SET, entry.name, convert, entry.path, arguments, items, left_out)


def _cuts(folder: Path) -> dict[str, Cut]:
    """Where each id comes from; empty without an ``index.csv`` beside the folder or in it."""
    for place in (folder, folder.parent):
        path = place / "index.csv"
        if path.is_file():
            try:
                return {cut.clip: cut for cut in read_index(path)[0]}
            except BadInput:
                return {}
    return {}


def true_fps(cut: Cut | None) -> float:
    """The rate at which a published clip really plays.

    Sequences were thinned by the integer part of their rate over 20, so what came from 250 fps plays at
    20.8 and what came from 59.99 fps at 30; HumanAct12 was taken for 20 and is 15.
    """
    if cut is None:
        return NOMINAL_FPS
    if cut.is_humanact12:
        return HUMANACT12_FPS
    rate = listed_rate(cut.source)
    # A rate that is only that of most of a subset is no reason to doubt what the set says.
    return rate.fps / step_of(rate.fps) if rate and rate.source == "listing" else NOMINAL_FPS


def convert(path: Path, *, joints: Path | None, vectors: Path | None, folder: Path, fps: float) -> Converted:
    """Fit one clip.

    Args:
        path: either of the next two.
        joints, vectors: the files of the clip in ``new_joints`` and ``new_joint_vecs``.
        folder: holds the statistics, should features be normalised.
        fps: the true rate of the files.

    Raises:
        BadInput: neither file can be used.
    """
    positions, faults = t2m_layout.read_motion(joints, vectors, HUMANML3D, folder)
    clip = fit_smpl(positions, JOINT_NAMES[:22], fps)
    clip = finish(clip, FPS, within=FLOOR_WITHIN)
    meta = {"original_fps": fps, "original_frames": len(positions)}
    return Converted(clip.replace(meta={**clip.meta, **meta, **({"faults": faults} if faults else {})}))
