"""Bandai-Namco-Research-Motiondataset: walks, runs, greetings and gestures, each in up to 15 styles (BVH).

(c) 2022 Bandai Namco Research Inc., CC BY-NC 4.0: not for commercial use. Traps handled here: position
channels replace OFFSET (that of ``Hips`` means nothing), the skeleton has no T-pose (see
:mod:`.rigs_bvh`), some clips repeat a stretch of another, ``walk-left`` and ``walk-right`` name a direction
across the stage. Everything known of a clip is in its name, ``dataset-2_walk_active_003``; the owners' JSON
files repeat it as two numbers and are not needed.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion.clip import Clip
from ...backend.motion.grounding import ground, place_on_floor
from ...backend.motion.skeleton import CONTACT_REST_HEIGHTS
from ..formats import bvh
from ..formats.source import SourceMotion, frame_picks
from ..retargeting.retarget import Rig, leg_length, retarget, source_leg_length
from . import rigs_bvh
from .item import Item
from .job import FPS, Job
from .metadata import Emotion, EnhancedMetadata, Expression
from .raw import Raw

NAME = "bandai_namco"
LICENCE = "CC-BY-NC-4.0"
ATTRIBUTION = (
    "Bandai-Namco-Research-Motiondataset (c) 2022 Bandai Namco Research Inc., CC BY-NC 4.0, modified"
)
UNIT = 0.01
"""Metres per unit of the files."""

VAL: frozenset[str] = frozenset(
    (Path(__file__).parent / "val_bandai.txt").read_text(encoding="utf-8").split()
)
"""Takes kept out of training: of every content and style of dataset-2 one take in twenty, of every content
of dataset-1 with ten styles or more one style. Chosen by a hash of the name; never a clip of
:data:`REPEATS` nor its original. Fixed here so that no run can move one."""

REPEATS: Mapping[str, str] = {
    f"dataset-2_walk-turn-{side}_normal_{first + later + k:03d}": f"dataset-2_walk-turn-{side}_normal_{first + k:03d}"
    for side, first, later in (("left", 27, 4), ("right", 28, 4))
    for k in range(4)
}
"""Clips most of which is frame by frame a stretch of another clip."""

_LABELS = re.compile(r"(?P<set>dataset-\d+)_(?P<content>[a-z-]+)_(?P<style>[a-z-]+)_(?P<take>\d+)")
_PATTERNS = ("dataset-*_*_*.bvh", "data.zip")
_ARCHIVE = "bvh.tar.xz"

_EMOTIONS: Mapping[str, Expression] = {
    "happy": "happy", "sad": "sad", "angry": "angry", "normal": "neutral",
}  # fmt: skip
"""Styles that are an emotion of the metadata."""

_SAME_PHRASES = {"dance-long": "dance-short"}
# The hips are turned about 25 degrees off the path, and a clip's heading is its own: nobody who sees such a
# clip would say more than this.
_ACROSS_THE_STAGE = {
    f"walk-{side}": [
        f"{{who}} walks forward at a slight angle to the {side} {{how}}",
        f"{{who}} walks on, drifting to the {side} {{how}}",
        f"{{who}} walks diagonally forward and to the {side} {{how}}",
    ]
    for side in ("left", "right")
}


@dataclass(frozen=True)
class Phrases:
    """Caption templates by content, and words for each style: ``who`` does it and ``how``."""

    contents: Mapping[str, list[str]]
    styles: Mapping[str, Mapping[str, list[str]]]

    @staticmethod
    def of(raw: Raw) -> Phrases:
        """``bandai_namco/phrases.json`` of the raw data, or ours.

        Raises:
            BadInput: it is no such file.
        """
        path = raw.path(f"{NAME}/phrases.json")
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            contents = {str(k): [str(text) for text in v] for k, v in table["contents"].items()}
            styles = {
                str(k): {word: [str(text) for text in v[word]] for word in ("who", "how")}
                for k, v in table["styles"].items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise BadInput(
                f"{path.name} is damaged: it must hold contents and styles.", field="root"
            ) from None
        return Phrases({**contents, **_ACROSS_THE_STAGE}, styles)

    def captions(self, name: str, content: str, style: str) -> list[str]:
        """Up to one caption per template, always the same for the same clip name.

        The style is told once in a caption, by who does it or by how it is done.
        """
        templates = self.contents.get(_SAME_PHRASES.get(content, content), [])
        words = self.styles.get(style, {"who": [], "how": []})
        choices = [(who, "") for who in words["who"]] + [("a person", how) for how in words["how"]]
        if not choices:
            return []
        seed = zlib.crc32(name.encode())
        texts = []
        for k, template in enumerate(templates):
            # A step of half the choices turns from who to how and back from template to template.
            who, how = choices[(seed + k * (len(choices) // 2) + k // 2) % len(choices)]
            texts.append(" ".join(template.format(who=who, how=how).split()))
        return list(dict.fromkeys(texts))


def jobs(raw: Raw) -> Iterator[Job]:
    """One job per BVH file, in the order of their names."""
    files = _files(raw)
    phrases = Phrases.of(raw)
    for path in files:
        name = path.stem
        original = REPEATS.get(name, "")
        yield Job(
            NAME, name, convert, path, {}, [_item(name, phrases)],
            left_out=f"most of it is the same stretch as {original}" if original else "",
        )  # fmt: skip


def _item(name: str, phrases: Phrases) -> Item:
    labels = _LABELS.fullmatch(name)
    content, style = (labels["content"], labels["style"]) if labels else ("", "")
    text = phrases.captions(name, content, style)
    emotion = _EMOTIONS.get(style)
    return Item(
        dataset=NAME, motion_name=name, trial=name, kind="whole", split="val" if name in VAL else "train",
        text=text, caption_source="phrases" if text else "", emotion="neutral" if style == "normal" else style,
        actor="Null", source=ATTRIBUTION, licence=LICENCE, commercial=False,
        metadata=EnhancedMetadata(emotion=Emotion(emotion_label=emotion) if emotion else None),
    )  # fmt: skip


def _files(raw: Raw) -> list[Path]:
    """All BVH files: of the owners' repository as cloned, a plain folder, or the archive ``bvh.tar.xz``."""
    home = raw.home(
        NAME, _ARCHIVE, *(f"{deeper}{p}" for deeper in ("", "*/", "*/*/", "*/*/*/") for p in _PATTERNS)
    )
    files = {path.stem: path for path in sorted(home.rglob(_PATTERNS[0]))}
    for packed in sorted(home.rglob(_PATTERNS[1])) if not files else ():
        files |= {path.stem: path for path in _unzipped(packed, raw.cache / NAME / packed.parent.name)}
    if not files:
        where = "" if home == raw.root else f"{NAME}/"
        for part in ("dataset-1", "dataset-2"):
            folder = raw.folder(f"{where}{part}", f"{where}{_ARCHIVE}")
            files |= {path.stem: path for path in folder.glob("*.bvh")}
    return [files[name] for name in sorted(files)]


def _unzipped(packed: Path, folder: Path) -> list[Path]:
    """The BVH files of one of the owners' ``data.zip``, unpacked once."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            target = Path(scratch) / "bvh"
            target.mkdir()
            try:
                with zipfile.ZipFile(packed) as archive:
                    for entry in archive.namelist():
                        if entry.endswith(".bvh"):  # by its last name: no entry can lead out of the folder
                            (target / Path(entry).name).write_bytes(archive.read(entry))
            except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, RuntimeError) as error:
                raise BadInput(f"{packed.name} cannot be unpacked ({error}).", field="root") from None
            os.replace(target, folder)
    return list(folder.glob("*.bvh"))


def read_motion(path: Path, *, fps: float = FPS) -> tuple[SourceMotion, Rig]:
    """One file.

    Raises:
        BadInput: it is no BVH of this skeleton.
    """
    file = bvh.read_bvh(path)
    missing = [name for name in rigs_bvh.joints_of(rigs_bvh.BANDAI) if name not in file.names]
    if missing:
        raise BadInput(
            f"{path.name} is no Bandai-Namco skeleton: it has no joint {missing[0]}.", field="path"
        )
    rows = np.round(frame_picks(len(file.values), bvh.frame_rate(file, path.name), fps)).astype(int)
    motion = bvh.motion_of(file, rows=rows, fps=fps, unit=UNIT, rest_axes=rigs_bvh.BANDAI_REST)
    return _without_stage(motion), rigs_bvh.BANDAI


def _without_stage(motion: SourceMotion) -> SourceMotion:
    """The body alone: ``joint_Root`` is the stage's middle, and no bone leads from there to the hips."""
    if motion.names[0] != "joint_Root":
        return motion
    return motion.replace(
        names=motion.names[1:], parents=tuple(parent - 1 for parent in motion.parents[1:]), rest=motion.rest[1:],
        rotations=motion.rotations[:, 1:], positions=motion.positions[:, 1:],
    )  # fmt: skip


def convert(path: Path) -> Clip:
    """The clip, its feet on the floor."""
    motion, rig = read_motion(path)
    clip = retarget(motion, rig)
    scale = leg_length() / source_leg_length(motion, rig)
    # The stage is y = 0; our ankle is nearer to the sole than the figure's.
    floor = scale * rigs_bvh.BANDAI_ANKLE - CONTACT_REST_HEIGHTS[0]
    clip = ground(place_on_floor(clip, float(floor)))
    return clip.replace(meta={**clip.meta, "original_fps": FPS, "original_frames": len(motion)})


def source_of(job: Job) -> tuple[SourceMotion, Rig]:
    """What the job retargets."""
    return read_motion(job.path)
