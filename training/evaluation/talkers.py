"""Talkers to be measured: captured ones of a store, and what a pack makes of voices, of silence, and clips made elsewhere."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion.clip import Clip, resample
from ...backend.motion.features import FPS, features_from_clip
from ...backend.motion.npz import read_clip
from ...backend.pipeline import Pipeline
from ...backend.protocol.messages import GenerateParams
from ...backend.speech.audio import read_all
from ..data.store import iter_index
from ..formats.recording import wav_bytes
from ..stages.gestures import latents_of, load_judge, rotations_of
from .cospeech import fgd, mean_speeds
from .speech_metrics import SHIFTS, Heard, clip_numbers, face_numbers, joints_of, shifted_numbers, spread

Numbers = dict[str, float]


@dataclass(frozen=True)
class Talker:
    """A voice, and the captured motion that goes with it, where there is one."""

    name: str
    heard: Heard
    captured: Clip | None = None


def captured_talkers(store: Path, datasets: tuple[str, ...] = ()) -> list[Talker]:
    """Recorded clips of a store that training does not see (``val`` and ``test``); all, where it sees all.

    Raises:
        BadInput: no clip of the store has a recording.
    """
    items = {item.path: item for item in iter_index(store, datasets=datasets) if item.speech}
    if not items:
        raise BadInput(
            f"No clip of {store} has a recording.", hint="Prepare a set such as beat2.", field="store"
        )
    held = [item for item in items.values() if item.split != "train"] or list(items.values())
    return [
        Talker(
            item.motion_name,
            Heard.of(read_all(store / item.speech)[1]),
            resample(read_clip(store / item.path), FPS),
        )
        for item in held
    ]


def voices(paths: list[Path]) -> list[Talker]:
    """Recordings that nobody was captured with.

    Raises:
        BadInput: one cannot be read.
    """
    return [Talker(path.stem, Heard.of(read_all(path)[1])) for path in paths]


def made_clips(folder: Path) -> list[tuple[Talker, Clip]]:
    """Clips made elsewhere: ``NAME.npz`` with ``NAME.wav`` beside it.

    Raises:
        BadInput: there is none, or one is damaged.
    """
    pairs = [(path, path.with_suffix(".wav")) for path in sorted(folder.glob("*.npz"))]
    found = [
        (Talker(path.stem, Heard.of(read_all(sound)[1])), resample(read_clip(path), FPS))
        for path, sound in pairs
        if sound.is_file()
    ]
    if not found:
        raise BadInput(f"There is no NAME.npz with NAME.wav beside it in {folder}.", field="clips")
    return found


def perform(pipeline: Pipeline, samples: np.ndarray, seed: int, lower: str | None = None) -> Clip:
    """What a pack makes of mono samples (N,) at 16 kHz.

    Raises:
        BadInput: the pack cannot follow a voice.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "voice.wav"
        path.write_bytes(wav_bytes(samples))
        (clip,) = pipeline.generate(GenerateParams(speech=str(path), lower=lower, seed=seed))
    return clip


class Measuring:
    """Groups of clips as they are measured: captured, made, made of silence, each with voices shifted beside it.

    Args:
        talkers: whose voices are performed.
        judge: folder of ``stage gestures``, for FGD.
    """

    def __init__(self, talkers: list[Talker], judge: Path | None = None) -> None:
        self.judge = None if judge is None else load_judge(judge)
        self.shifted = {t.name: [t.heard.shifted(s) for s in SHIFTS] for t in talkers}
        self.groups: dict[str, list[Numbers]] = defaultdict(list)
        self._latents: dict[tuple[str, int], list[np.ndarray]] = defaultdict(list)
        captured = [t.captured for t in talkers if t.captured is not None]
        # What counts as moving is what captured talkers do; without any, what an average talker's clip does.
        self.usual = mean_speeds([joints_of(clip) for clip in captured], FPS) if captured else None
        for talker in talkers:
            if talker.captured is not None:
                self.add("captured", talker, talker.captured, shifted=True)

    def add(self, group: str, talker: Talker, clip: Clip, seed: int = 0, *, shifted: bool = False) -> Numbers:
        """Measure a clip with a talker's voice; ``shifted``: and with the voice shifted, as a group of its own."""
        usual = mean_speeds([joints_of(clip)], clip.fps) if self.usual is None else self.usual
        numbers = clip_numbers(clip, talker.heard, usual)
        if talker.captured is not None and group != "captured" and clip.known.get("face"):
            numbers |= face_numbers(clip, talker.captured)
        self.groups[group].append(numbers)
        if shifted:
            self.groups[f"{group}, other sound"].append(
                shifted_numbers(clip, self.shifted[talker.name], usual)
            )
        if self.judge is not None:
            model, parts = self.judge
            if all(clip.known.get(part) for part in parts):
                rotations = rotations_of(features_from_clip(clip)[0], parts)
                self._latents[group, seed].append(latents_of(model, rotations))
        return numbers

    def result(self) -> dict[str, dict[str, tuple[float, float]]]:
        """Mean and spread of every metric by group; FGD's spread is over seeds."""
        found = {group: spread(rows) for group, rows in self.groups.items()}
        real = self._latents.get(("captured", 0), [])
        for group in found:
            sets = [latents for (name, _), latents in self._latents.items() if name == group]
            if group == "captured":
                # What the same people are from themselves: first halves against second halves.
                sets = [[latents[: len(latents) // 2] for latents in real]]
                others = [latents[len(latents) // 2 :] for latents in real]
            else:
                others = real
            values = [{"fgd": fgd(others, one)} for one in sets if one and others]
            found[group] |= spread(values)
        return found


def measure_pack(
    pipeline: Pipeline,
    talkers: list[Talker],
    measuring: Measuring,
    *,
    seeds: int = 1,
    lower: str | None = None,
) -> Iterator[tuple[str, int, Clip]]:
    """Perform every voice with so many seeds, and silence as long; gives (name, seed, clip) as they are made."""
    for talker in talkers:
        for seed in range(1, seeds + 1):
            clip = perform(pipeline, talker.heard.samples, seed, lower)
            measuring.add("made", talker, clip, seed, shifted=True)
            yield talker.name, seed, clip
        silent = perform(pipeline, np.zeros_like(talker.heard.samples), 1, lower)
        measuring.add("made of silence", talker, silent, 1)


def as_json(measuring: Measuring, counts: dict[str, int]) -> dict[str, Any]:
    """Every group's metrics: mean, standard deviation and how many clips."""
    return {
        group: {
            "clips": counts[group],
            **{name: {"mean": mean, "deviation": deviation} for name, (mean, deviation) in numbers.items()},
        }
        for group, numbers in measuring.result().items()
    }
