"""Style sliders, measured: does the motion follow each slider, and does it still do what was asked for?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from ...backend.models.style import FIELDS
from ...backend.motion.clip import Clip
from ...backend.motion.style import Ranks, measure_clip
from ...backend.pipeline import Pipeline
from .cases import Case, perform, right_answers
from .retrieval import GROUP, Interval
from .text_metrics import Number, Space, number

SLIDERS = {"tempo": "tempo", "energy": "energy_level", "smoothness": "smoothness"}
"""Slider of a request, and the name under which it is measured."""
LEVELS = (0.05, 0.275, 0.5, 0.725, 0.95)
SECONDS = (2.0, 6.0)
"""Clips of a prompt are as long as what was captured, within these."""


def differing(cases: Sequence[Case], count: int) -> list[Case]:
    """Up to ``count`` cases of different captions, none empty of seconds."""
    return list({case.caption: case for case in cases}.values())[:count]


def follows(levels: Sequence[float], measured: np.ndarray) -> Number:
    """Spearman's correlation between a slider and what is measured (prompts, levels), mean over prompts.

    A prompt whose motion never changes counts as 0.
    """
    found = [spearmanr(levels, row).statistic if np.ptp(row) > 0 else 0.0 for row in measured]
    return number(Interval.of([float(x) for x in found]))


def kept(
    text: np.ndarray,
    motion: np.ndarray,
    crowd: np.ndarray,
    wrong: np.ndarray,
    *,
    top: int = 3,
    replications: int,
    seed: int,
) -> np.ndarray:
    """Share (N,) of draws in which a motion is among the ``top`` nearest to its caption in a group of 32.

    The others of the group are captured motion that the caption does not tell of, so that the content of few
    clips can be measured, and clips of other sliders meet the same crowd.

    Args:
        text, motion: (N, D) captions and their motions.
        crowd: (M, D) captured motion.
        wrong: (N, M) which of it may stand in the group of each caption.
    """
    shares = np.zeros(len(text))
    for i, (words, own) in enumerate(zip(text, motion, strict=True)):
        rng = np.random.default_rng((seed, i))
        others = np.flatnonzero(wrong[i])
        apart = np.linalg.norm(crowd - words, axis=1)
        mine = float(np.linalg.norm(own - words))
        size = min(GROUP - 1, len(others))
        shares[i] = np.mean(
            [(apart[rng.choice(others, size, replace=False)] < mine).sum() < top for _ in range(replications)]
        )
    return shares


def measure_sliders(
    pipeline: Pipeline,
    cases: Sequence[Case],
    crowd: Sequence[Case],
    space: Space | None,
    *,
    ranks: Ranks,
    replications: int,
    seed: int,
    levels: Sequence[float] = LEVELS,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> dict[str, Any]:
    """Each slider at each level for each case, all else the same.

    Args:
        cases: prompts, each performed once without sliders and once per slider and level with the same seed.
        crowd: captured motion for the groups of R-precision.
        ranks: where a measurement lies among captured motion.

    Returns:
        ``levels``, ``prompts``, and by slider ``spearman``, ``measured`` (mean by level), ``ranks`` (mean rank
        among captured motion, by level: whether 0.9 is meant as the slider says it), ``R3`` (by level) and
        ``drop``, the share of R-precision@3 without sliders that is lost on average over levels.

    Raises:
        BadInput: the pack has no styles.
    """
    assert set(SLIDERS.values()) <= set(FIELDS)

    def clips(what: str, style: dict[str, float]) -> list[Clip]:
        made = perform(
            pipeline, cases, style=style, longest=SECONDS, on_case=lambda i: progress(what, i, len(cases))
        )
        return [each.clips[0] for each in made]

    # The sliders first: a pack that has none says so before anything is performed in vain.
    moved = {
        slider: [clips(f"{slider} {level:g}", {slider: level}) for level in levels] for slider in SLIDERS
    }
    plain = clips("no slider", {})
    numbers: dict[str, Any] = {
        "levels": list(levels),
        "prompts": [case.caption for case in cases],
        "sliders": {},
    }
    shares: Callable[[list[Clip]], np.ndarray] | None = None
    if space is not None:
        text = space.texts([case.caption for case in cases])
        others = space.segments([case.segment for case in crowd])
        right = right_answers([*cases, *crowd], action=True)[: len(cases), len(cases) :]

        def shares(made: list[Clip]) -> np.ndarray:
            return kept(text, space.clips(made), others, ~right, replications=replications, seed=seed)

        free = shares(plain)
        numbers["R3"] = number(Interval.of(list(free)))
    for slider, made in moved.items():
        name = SLIDERS[slider]
        measured = np.array([[measure_clip(clip)[name] for clip in row] for row in made]).T
        base = np.array([measure_clip(clip)[name] for clip in plain])
        found: dict[str, Any] = {
            "spearman": follows(levels, measured),
            "measured": measured.mean(0).tolist(),
            "ranks": np.vectorize(lambda value, name=name: ranks.rank(name, value))(measured)
            .mean(0)
            .tolist(),
            "without": float(base.mean()),
            "rows": measured.tolist(),
        }
        if shares is not None:
            at_levels = np.stack([shares(row) for row in made])
            found["R3"] = at_levels.mean(1).tolist()
            found["drop"] = float(1 - at_levels.mean() / max(free.mean(), 1e-9))
        numbers["sliders"][slider] = found
    return numbers


def crowd_of(cases: Sequence[Case], most: int = 200) -> list[Case]:
    """Captured motion for the groups: one case of each segment."""
    unique = {(id(c.segment.motion), c.segment.start): replace(c, seed=0) for c in cases}
    return list(unique.values())[:most]
