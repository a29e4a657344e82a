"""What the stages train on: the store's motions as features, with captioned segments.

Every motion is held once as it is and once mirrored (with mirrored captions), whole, so that windows
and segments are slices without copies.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np

from ...backend.motion.clip import mirror, place_at_origin, resample
from ...backend.motion.contacts import detect_contacts
from ...backend.motion.features import FPS, features_from_clip
from ...backend.motion.npz import read_clip
from ...backend.speech.voice import TALKING
from ..data.captions import mirror_caption
from ..data.metadata import EnhancedMetadata
from ..data.store import read_index
from ..words.actions import actions_of
from .augment import extend


@dataclass(frozen=True)
class Motion:
    """One clip of the store: features per part, ``{part: (T, F) float32}``."""

    name: str
    dataset: str
    split: str
    features: dict[str, np.ndarray]
    known: dict[str, bool]
    mirrored: bool
    energy: float = 0.5
    """Mean energy level of what is captioned of it, 0 (idle) to 1 (intense); medium where unknown."""
    speech: Path | None = None
    """The recording that begins with it; none where it is played faster or slower."""
    words: Path | None = None
    """What is said in it, as JSON."""

    def __len__(self) -> int:
        return len(self.features["lower_trans"])


@dataclass(frozen=True)
class Segment:
    """A captioned stretch of a motion, frames ``start`` to ``stop`` (half-open)."""

    name: str
    motion: Motion
    start: int
    stop: int
    captions: tuple[str, ...]
    metadata: EnhancedMetadata = field(default_factory=EnhancedMetadata)
    emotion: str = ""
    """The item's own label, where its set has one."""

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Corpus:
    motions: list[Motion]
    segments: list[Segment]

    def split(self, name: str) -> Corpus:
        return Corpus(
            [m for m in self.motions if m.split == name], [s for s in self.segments if s.motion.split == name]
        )


def _features(
    path: Path, cache: Path, *, mirrored: bool, speed: float
) -> tuple[dict[str, np.ndarray], dict[str, bool]]:
    """Features of one file, kept in ``cache`` under the file's size and time, so a new store is seen."""
    stat = path.stat()
    variant = ("--m" if mirrored else "") + (f"--x{speed:g}" if speed != 1 else "")
    kept = cache / f"{path.parent.name}--{path.stem}{variant}--{stat.st_size}-{stat.st_mtime_ns}.npz"
    if kept.exists():
        with np.load(kept) as data:
            known = {
                part: bool(data[f"known_{part}"]) for part in data.files if not part.startswith("known_")
            }
            return {part: data[part] for part in known}, known
    clip = read_clip(path)
    clip = resample(clip.replace(fps=clip.fps * speed), FPS)
    clip = place_at_origin(mirror(clip) if mirrored else clip)
    if clip.contacts is None:
        clip = clip.replace(contacts=detect_contacts(clip))
    features, _ = features_from_clip(clip)
    flags = {f"known_{part}": np.array(clip.known[part]) for part in features}
    cache.mkdir(parents=True, exist_ok=True)
    temporary = kept.with_suffix(f".{os.getpid()}.npz")
    np.savez(temporary, **features, **flags)  # type: ignore[arg-type]
    temporary.replace(kept)
    return features, clip.known


MIN_FRAMES = 8
"""Shorter segments teach nothing."""
CYCLIC = {"walk", "run", "sneak", "crawl", "swim", "dribble", "climb", "wave", "box", "dance"}
LONG = 10.0
"""Seconds to which short cyclic motions are extended."""


def _extended(segment: Segment) -> Segment | None:
    """The segment with its gait going on for about :data:`LONG` seconds, as a motion of its own."""
    if len(segment) > 0.75 * LONG * FPS or not actions_of(segment.captions) & CYCLIC:
        return None
    cut = {part: values[segment.start : segment.stop] for part, values in segment.motion.features.items()}
    longer = extend(cut, round(LONG * FPS))
    if longer is None:
        return None
    motion = replace(segment.motion, name=segment.name + "--long", features=longer, speech=None, words=None)
    return replace(segment, name=motion.name, motion=motion, start=0, stop=len(motion))


def load_corpus(
    store: Path,
    *,
    datasets: tuple[str, ...] = (),
    mirrored: bool = True,
    extended: bool = True,
    speeds: tuple[float, ...] = (),
) -> Corpus:
    """Read the index and every motion it names. Who is recorded and not described is told as talking.

    Args:
        store: folder with ``index.parquet`` and ``clips``.
        datasets: only these sets; all when empty.
        mirrored: add each motion's mirror image.
        extended: add longer versions of short gaits (:mod:`.augment`).
        speeds: add each training motion played so many times as fast: style-aware augmentation, whose
            versions differ in tempo and energy and in nothing else.
    """
    items = [item for item in read_index(store) if not datasets or item.dataset in datasets]
    energies: dict[str, list[float]] = defaultdict(list)
    for item in items:
        style = item.metadata.motion_style
        if style is not None and style.energy_level is not None:
            energies[item.path].append(style.energy_level)
    motions: dict[tuple[str, bool, float], Motion] = {}
    segments: list[Segment] = []
    for item, flip, speed in product(items, (False, True) if mirrored else (False,), (1.0, *speeds)):
        if speed != 1 and item.split != "train":
            continue
        key = (item.path, flip, speed)
        tag = f"--x{speed:g}" if speed != 1 else ""
        if key not in motions:
            path = store / item.path
            features, known = _features(path, store / "features", mirrored=flip, speed=speed)
            energy = float(np.mean(energies[item.path] or [0.5]))
            motions[key] = Motion(
                path.stem + tag, item.dataset, item.split, features, known, flip, energy,
                speech=store / item.speech if item.speech and speed == 1 else None,
                words=store / item.words if item.words and speed == 1 else None,
            )  # fmt: skip
        motion = motions[key]
        start = round(item.start_frame * FPS / item.fps / speed)
        stop = min(round(item.end_frame * FPS / item.fps / speed), len(motion))
        texts = item.text or ([TALKING] if item.speech else [])
        captions = tuple(mirror_caption(text) if flip else text for text in texts)
        if captions and stop - start >= MIN_FRAMES:
            name = item.motion_name + ("--mirror" if flip else "") + tag
            segments.append(Segment(name, motion, start, stop, captions, item.metadata, item.emotion))
            longer = _extended(segments[-1]) if extended else None
            if longer is not None:
                segments.append(longer)
                motions[(name, True, speed)] = longer.motion
    return Corpus(list(motions.values()), segments)


def window(features: np.ndarray, start: int, size: int) -> np.ndarray:
    """``size`` frames from ``start``; short motions hold their last frame."""
    index = np.clip(np.arange(start, start + size), 0, len(features) - 1)
    return features[index]


LEAST_SPREAD = 0.02


def statistics(motions: list[Motion], part: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (F,) over all frames of motions that know the part.

    A spread below :data:`LEAST_SPREAD` is raised to it, or constant columns would blow up noise.
    """
    frames = np.concatenate([m.features[part] for m in motions if m.known[part]])
    return frames.mean(0), np.maximum(frames.std(0), LEAST_SPREAD)
