"""How well a refiner repairs and how well it follows a style, on held-out stick figures, beside plain filters.

Errors are in thousandths of a unit; a figure is 1.8 units high, so they are about a millimetre of a person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d, median_filter
from scipy.signal import savgol_filter
from scipy.stats import spearmanr

from ...backend.errors import BadInput
from ...backend.models.style import FIELDS, StyleCondition
from ..canonical import style as styles
from ..canonical.samples import Sample
from ..canonical.skeleton import joints
from ..canonical.validator import DataValidator
from .degrade import dropped, jumped, noisy
from .pose_layout import CANONICAL
from .refine import POLISH, Refiner

Spoil = Callable[[np.ndarray, np.random.Generator], np.ndarray]
Filter = Callable[[np.ndarray], np.ndarray]

PARTS = CANONICAL.parts
SPOILS: dict[str, Spoil] = {
    "noise 0.005": lambda m, rng: noisy(m, rng, 0.005),
    "noise 0.01": lambda m, rng: noisy(m, rng, 0.01),
    "noise 0.02": lambda m, rng: noisy(m, rng, 0.02),
    "noise 0.05": lambda m, rng: noisy(m, rng, 0.05),
    "drifting noise 0.02": lambda m, rng: noisy(m, rng, 0.02, memory=0.9),
    "30 % of frames dropped": lambda m, rng: dropped(m, rng, 0.3, longest=6),
    "two jumps a second": lambda m, rng: jumped(m, rng, 2.0, 0.15, parts=PARTS),
    "all three": lambda m, rng: dropped(
        jumped(noisy(m, rng, 0.01), rng, 1.0, 0.15, parts=PARTS), rng, 0.2, longest=4
    ),
}
"""What is done to clean joints (T, 30) in units."""

GAUSSIAN: tuple[float, ...] = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
SAVGOL: tuple[tuple[int, int], ...] = ((5, 2), (7, 2), (9, 2), (11, 2), (15, 2), (9, 3), (15, 3))
MEDIAN: tuple[tuple[int, float], ...] = ((3, 0.5), (5, 0.5), (5, 1.0), (7, 1.0), (7, 1.5), (9, 1.5))


def _gaussian(motion: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(gaussian_filter1d(motion, sigma, axis=0, mode="nearest"))


def _savgol(motion: np.ndarray, window: int, order: int) -> np.ndarray:
    return np.asarray(savgol_filter(motion, window, order, axis=0)) if len(motion) >= window else motion


def _median(motion: np.ndarray, window: int, sigma: float) -> np.ndarray:
    return _gaussian(median_filter(motion, size=(window, 1), mode="nearest"), sigma)


FILTERS: dict[str, tuple[Filter, ...]] = {
    "Gaussian": tuple(partial(_gaussian, sigma=sigma) for sigma in GAUSSIAN),
    "Savitzky-Golay": tuple(partial(_savgol, window=w, order=order) for w, order in SAVGOL),
    "median, Gaussian": tuple(partial(_median, window=w, sigma=sigma) for w, sigma in MEDIAN),
}
"""Each filter in several strengths; the best one for each kind of damage is chosen on training motion."""

RANKS = (0.05, 0.275, 0.5, 0.725, 0.95)
"""Places of a slider, as shares of the training motion."""


@dataclass(frozen=True)
class Figure:
    """A clean figure (T, 48) of one actor and what is known of it."""

    name: str
    motion: np.ndarray
    fps: float
    lengths: np.ndarray | None


def figures_of(
    samples: Sequence[Sample], split: str, *, shortest: int = 30, longest: int = 300, most: int | None = None
) -> list[Figure]:
    """Single actors of a split, evenly chosen; of long motion the first ``longest`` frames.

    Raises:
        BadInput: the split has none of them.
    """
    found = []
    for sample in samples:
        meta = sample.get("meta") or {}
        frames = int(meta.get("frames") or len(sample["motion"]))
        if meta.get("split") != split or sample["motion"].ndim != 2 or frames < shortest:
            continue
        motion = sample["motion"].numpy()[: min(frames, longest)].astype(np.float64)
        lengths = meta.get("segment_lengths")
        found.append(
            Figure(str(meta.get("name")), motion, float(meta["fps"]), None if lengths is None else np.array(lengths))
        )  # fmt: skip
    if not found:
        raise BadInput(f"The file has no motion of the split {split} to measure on.", field="file")
    if most is not None and len(found) > most:
        found = [found[i] for i in np.linspace(0, len(found) - 1, most).round().astype(int)]
    return found


def jerk(motion: np.ndarray) -> float:
    """Mean length of the third difference of a joint (T, 48)."""
    return float(np.linalg.norm(np.diff(joints(motion), n=3, axis=0), axis=-1).mean())


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Mean distance of a joint in two figures (T, 48), in thousandths of a unit."""
    return 1000 * float(np.linalg.norm(joints(a) - joints(b), axis=-1).mean())


def verdict(figure: Figure, motion: np.ndarray) -> tuple[float, bool]:
    """The validator's score, and whether it lets the figure pass."""
    sample: dict[str, Any] = {"motion": motion, "physics": styles.physics(motion, figure.fps)}
    if figure.lengths is not None:
        sample["meta"] = {"segment_lengths": figure.lengths}
    found = DataValidator().validate(sample)
    return found.score, found.valid


def tuned(kind: str, training: Sequence[Figure], spoil: Spoil, seed: int = 1) -> Filter:
    """The strength of a filter that brings this damage nearest to the clean motion on training figures."""
    pairs = []
    for i, figure in enumerate(training):
        inner = CANONICAL.to_inner(figure.motion)
        pairs.append((inner, spoil(inner, np.random.default_rng((seed, i)))))
    errors = [sum(((f(bad) - good) ** 2).mean() for good, bad in pairs) for f in FILTERS[kind]]
    return FILTERS[kind][int(np.argmin(errors))]


def _filtered(motion: np.ndarray, fps: float, chosen: Filter) -> np.ndarray:
    return CANONICAL.to_pose(chosen(CANONICAL.to_inner(motion)))


def repair_table(
    refiner: Refiner,
    held: Sequence[Figure],
    training: Sequence[Figure],
    *,
    steps: int = 4,
    polish: float = POLISH,
    seed: int = 7,
) -> dict[str, dict[str, dict[str, float]]]:
    """By damage and by method: error, its median over figures, jerk against the clean figure, the validator.

    ``jerk`` is the mean jerk of all figures over that of the clean ones; ``valid`` the share that passes.
    """
    table: dict[str, dict[str, dict[str, float]]] = {}
    for damage, spoil in SPOILS.items():
        methods: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {"none": lambda m, fps: m}
        for kind in FILTERS:
            chosen = tuned(kind, training, spoil)
            methods[kind] = partial(_filtered, chosen=chosen)
        methods["refiner, mean"] = lambda m, fps: refiner.refine(m, fps, polish=0.0)
        methods["refiner"] = lambda m, fps: refiner.refine(m, fps, repair_steps=steps, polish=polish)
        spoilt = [
            CANONICAL.to_pose(spoil(CANONICAL.to_inner(f.motion), np.random.default_rng((seed, i))))
            for i, f in enumerate(held)
        ]
        clean_jerk = np.mean([jerk(f.motion) for f in held])
        table[damage] = {}
        for name, method in methods.items():
            made = [
                method(bad, figure.fps).astype(np.float64) for figure, bad in zip(held, spoilt, strict=True)
            ]
            errors = [apart(m, f.motion) for m, f in zip(made, held, strict=True)]
            verdicts = [verdict(f, m) for m, f in zip(made, held, strict=True)]
            table[damage][name] = {
                "error": float(np.mean(errors)),
                "median": float(np.median(errors)),
                "jerk": float(np.mean([jerk(m) for m in made]) / clean_jerk),
                "score": float(np.mean([score for score, _ in verdicts])),
                "valid": float(np.mean([valid for _, valid in verdicts])),
            }
    return table


def style_table(
    refiner: Refiner,
    held: Sequence[Figure],
    fields: Sequence[str] = FIELDS[:3],
    *,
    guidance: float = 2.5,
    strength: float = 0.5,
    steps: int = 20,
) -> dict[str, dict[str, Any]]:
    """One slider at a time, the other fields unknown, on clean figures.

    ``measured`` has the mean of each field for each place of the slider. ``spearman`` is the rank
    correlation of the place and the measurement over places and figures after each figure's own mean is
    taken off, ``per_figure`` the mean of each figure's own. ``content``: share of figures whose nearest
    original, by pose around the pelvis, is their own; ``apart``: distance to it, ``others`` that of two
    different originals.
    """
    table: dict[str, dict[str, Any]] = {}
    for field in fields:
        places = [refiner.model.value_at(field, rank) for rank in RANKS]
        if field == "tempo":
            places = [0.0, 0.25, 0.5, 0.75, 1.0]  # most motion is at its top: ranks tell little
        made = [
            [
                refiner.refine(
                    figure.motion, figure.fps, style=StyleCondition(**{field: value}), guidance=guidance,
                    strength=strength, steps=steps, repair=False, seed=i,
                ).astype(np.float64)
                for value in places
            ]
            for i, figure in enumerate(held)
        ]  # fmt: skip
        values = {name: measure(name, made, held) for name in (*FIELDS[:3], "rate")}
        own = values[field]
        table[field] = {
            "places": places,
            "measured": {name: found.mean(axis=0).tolist() for name, found in values.items()},
            **correlation(own, "spearman", "per_figure"),
            **(correlation(values["rate"], "rate_spearman", "rate_per_figure") if field == "tempo" else {}),
            **content(made, held),
            "jerk": [
                float(np.mean([jerk(m[i]) for m in made]) / np.mean([jerk(f.motion) for f in held]))
                for i in range(len(places))
            ],
            "valid": float(np.mean([verdict(f, m)[1] for f, ms in zip(held, made, strict=True) for m in ms])),
        }
    return table


def measure(name: str, made: Sequence[Sequence[np.ndarray]], held: Sequence[Figure]) -> np.ndarray:
    """A field of the style (N, places) of refined figures; ``rate`` is :func:`rate`."""
    of = {
        "tempo": styles.tempo,
        "energy_level": styles.energy_level,
        "smoothness": styles.smoothness,
        "rate": rate,
    }
    return np.array([[of[name](m, f.fps) for m in row] for row, f in zip(made, held, strict=True)])


def rate(motion: np.ndarray, fps: float) -> float:
    """How fast poses change back and forth: the mean frequency of the joints' velocities, Hz.

    The square root of the ratio of the accelerations' power to the velocities'. It tells slow from fast
    where the schema's tempo, whose shortest lag nearly always wins, is at its top.
    """
    local = joints(motion)
    local = local - local[:, :1]
    velocity = np.diff(local, axis=0)
    power = (velocity**2).mean()
    return float(np.sqrt((np.diff(velocity, axis=0) ** 2).mean() / max(power, 1e-12)) * fps / (2 * np.pi))


def correlation(values: np.ndarray, pooled: str, single: str) -> dict[str, float]:
    """Spearman of slider and measurement (N, places), see :func:`style_table`."""
    place = np.tile(np.arange(values.shape[1]), (len(values), 1))
    centred = values - values.mean(axis=1, keepdims=True)
    each = [spearmanr(place[0], row).statistic if np.ptp(row) > 0 else 0.0 for row in values]
    together = spearmanr(place.ravel(), centred.ravel()).statistic if np.ptp(centred) > 0 else 0.0
    return {pooled: float(together), single: float(np.mean(each))}


def content(made: Sequence[Sequence[np.ndarray]], held: Sequence[Figure]) -> dict[str, float]:
    """Whether refined figures are still the motion that they were; see :func:`style_table`."""
    length = min(len(f.motion) for f in held)

    def descriptor(motion: np.ndarray) -> np.ndarray:
        points = joints(motion[:length])
        return (points - points[:, :1]).reshape(-1)

    originals = np.stack([descriptor(f.motion) for f in held])
    hits = [
        int(np.argmin(((originals - descriptor(m)) ** 2).sum(axis=1))) == i
        for i, row in enumerate(made)
        for m in row
    ]
    own = [apart(m, f.motion) for row, f in zip(made, held, strict=True) for m in row]
    others = []
    for i in range(len(held)):
        a, b = held[i].motion[:length], held[(i + 1) % len(held)].motion[:length]
        pelvis = [np.tile(joints(m)[:, 0], (1, 24)) for m in (a, b)]
        others.append(apart(a - pelvis[0], b - pelvis[1]))
    return {"content": float(np.mean(hits)), "apart": float(np.mean(own)), "others": float(np.mean(others))}
