"""NTU RGB+D (60 and 120): daily, health-related and two-person actions seen by Kinects, skeletons only.

A. Shahroudy et al. (CVPR 2016), J. Liu et al. (TPAMI 2019); given out on request for academic research.
``SsssCcccPpppRrrrAaaa.skeleton``: setup, camera, performer, repetition, action. The owners list samples
with missing or incomplete skeletons in ``*missing_skeletons*.txt``; where the list lies beside the data it
is respected. Joints are fitted (see :mod:`.kinect`), fingers and face are unknown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...backend.errors import BadInput
from ...backend.motion.clip import Clip, resample
from ..formats import ntu
from . import kinect
from .item import Item, Split
from .job import FPS, Converted, Job
from .metadata import EnhancedMetadata, Interaction
from .raw import Raw

NAME = "ntu_rgbd"
LICENCE = "NTU RGB+D: academic research only, on request"
ATTRIBUTION = "NTU RGB+D 120, ROSE Lab, Nanyang Technological University (Shahroudy 2016, Liu 2019)"
PATTERN = re.compile(
    r"S(?P<setup>\d{3})C(?P<camera>\d{3})P(?P<performer>\d{3})R(?P<repeat>\d{3})A(?P<action>\d{3})"
)

_TRAIN_60 = {1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38}
TRAIN_SUBJECTS: frozenset[int] = frozenset(
    _TRAIN_60
    | {45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89}
    | {91, 92, 93, 94, 95, 97, 98, 100, 103}
)
"""The performers that train in the cross-subject protocol; the first 20 are those of the set of 60 actions,
whose performers end at 40."""
TRAIN_CAMERAS = frozenset({2, 3})
"""Cross-view protocol (60 actions)."""

SYMMETRIC = frozenset({55, 58, 59, 60, 112, 113, 114, 118, 120})
"""Two-person actions in which both do the same."""


@dataclass(frozen=True)
class Sample:
    """What the name of a sample says."""

    setup: int
    camera: int
    performer: int
    repeat: int
    action: int

    @staticmethod
    def of(name: str) -> Sample | None:
        """From a name that begins as the owners' do; ``None`` for any other."""
        match = PATTERN.match(name)
        return Sample(**{k: int(v) for k, v in match.groupdict().items()}) if match else None

    @property
    def splits(self) -> dict[str, Split]:
        """By protocol: cross_subject, cross_view (60 actions), cross_setup (120 actions)."""
        return {
            "cross_subject": "train" if self.performer in TRAIN_SUBJECTS else "test",
            "cross_view": "train" if self.camera in TRAIN_CAMERAS else "test",
            "cross_setup": "train" if self.setup % 2 == 0 else "test",
        }

    @property
    def mutual(self) -> bool:
        """Two people act."""
        return 50 <= self.action <= 60 or 106 <= self.action <= 120


@dataclass(frozen=True)
class Words:
    """Captions of an action: of the one who acts, of the other one, of both."""

    text: str = ""
    other: str = ""
    both: str = ""


def actions(raw: Raw) -> dict[int, Words]:
    """By action number."""
    return {
        int(row["action"]): Words(row["text"], row["other"], row["both"])
        for row in raw.table(f"{NAME}/actions.csv")
    }


def jobs(raw: Raw) -> Iterator[Job]:
    """One job per sample, two where the action is one of two people.

    Raises:
        BadInput: the set is not there.
    """
    home = raw.home(NAME, *(f"{deeper}*.skeleton" for deeper in ("", "*/", "*/*/")))
    words, missing = actions(raw), _missing(home)
    for path in _files(home):
        sample = Sample.of(path.stem)
        reason = "the owners list it as missing skeletons" if path.stem in missing else ""
        for person in range(2 if sample and sample.mutual else 1):
            name = f"{path.stem}--{person}" if sample and sample.mutual else path.stem
            yield Job(
                NAME, name, convert, path, {"person": person},
                [item_of(NAME, name, sample, words, person)], left_out=reason,
            )  # fmt: skip


def _files(home: Path) -> Iterator[Path]:
    """All ``.skeleton`` files, in order, with the names of one folder at a time in memory."""
    for folder, folders, names in os.walk(home):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".skeleton"):
                yield Path(folder, name)


def item_of(dataset: str, name: str, sample: Sample | None, words: dict[int, Words], person: int) -> Item:
    """The row of one person's clip: of two, the first is who moves more, taken for the one who acts."""
    told = words.get(sample.action, Words()) if sample else Words()
    text = told.other if person else told.text
    mutual = sample is not None and sample.mutual
    partner = f"{name[:-1]}{1 - person}" if mutual else ""
    return Item(
        dataset=dataset, motion_name=name, trial=name.removesuffix(f"--{person}") if mutual else name,
        kind="whole", split=sample.splits["cross_subject"] if sample else "train",
        text=[text] if text else [], both_text=[told.both] if mutual and told.both else [],
        caption_source="actions" if text else "",
        actor=("N" if person else "Y") if mutual else "Null",
        last_partner_motion_name=partner if person else "",
        next_partner_motion_name="" if person else partner,
        source=ATTRIBUTION, licence=LICENCE, commercial=False,
    )  # fmt: skip


def _missing(home: Path) -> frozenset[str]:
    """Samples that the owners' lists name, wherever below the folder or beside it the lists lie."""
    names: set[str] = set()
    for path in {
        *home.glob("*missing*.txt"),
        *home.glob("*/*missing*.txt"),
        *home.parent.glob("*missing*.txt"),
    }:
        try:
            names |= {match.group() for match in PATTERN.finditer(path.read_text(encoding="latin-1"))}
        except OSError:
            continue  # a folder of that name, or a file that may not be read
    return frozenset(names)


@lru_cache(maxsize=1)
def _clips(path: Path, stamp: int) -> list[Clip]:
    """Both people of a file are asked for one after the other."""
    del stamp
    found = kinect.people([body.joints for body in ntu.read_skeleton(path)])
    if not found:
        raise BadInput(f"{path.name} shows no body for long enough.", field="path")
    sample = Sample.of(path.stem)
    wanted = kinect.trimmed(found[: 2 if sample and sample.mutual else 1])
    return kinect.fit_people([kinect.to_world(body) for body in wanted], fps=ntu.FPS)


def convert(path: Path, *, person: int = 0) -> Converted:
    """The clip of one person.

    Args:
        path: the ``.skeleton`` file.
        person: 0 for who moves most, 1 for the other one.

    Raises:
        BadInput: the file is damaged, or it does not show that person.
    """
    clips = _clips(path, path.stat().st_mtime_ns)
    if person >= len(clips):
        raise BadInput(f"{path.name} shows only one person.", field="path")
    clip, sample = clips[person], Sample.of(path.stem)
    facts = {"splits": sample.splits} if sample else {}
    clip = resample(clip, FPS)
    clip = clip.replace(
        meta={**clip.meta, **facts, "original_fps": ntu.FPS, "original_frames": len(clips[person])}
    )
    if not (sample and sample.mutual):
        return Converted(clip)
    role = "symmetric" if sample.action in SYMMETRIC else "follower" if person else "leader"
    interaction = Interaction(interaction_role=role, interaction_type=_TYPES.get(sample.action))  # type: ignore[arg-type]
    return Converted(clip, EnhancedMetadata(interaction=interaction))


_TYPES = {
    50: "punch", 51: "kick", 52: "push", 53: "pat on back", 54: "point finger", 55: "hug", 56: "give",
    57: "touch pocket", 58: "handshake", 59: "walk towards", 60: "walk apart", 106: "hit", 107: "wield knife",
    108: "knock over", 109: "grab", 110: "shoot", 111: "step on foot", 112: "high-five", 113: "cheers",
    114: "carry", 115: "take a photo", 116: "follow", 117: "whisper", 118: "exchange", 119: "support",
    120: "rock paper scissors",
}  # fmt: skip
