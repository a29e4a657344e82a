"""Prompts of the halves, measured: do the arms do what was asked of them above legs that do something else?

Fifty pairs: every action of :data:`.recognise.UPPER` above every one of :data:`.recognise.LOWER`. Each half is
judged by rules on joint positions, which no model has been trained on, and beside them by the alignment
space, where the half must lie nearest to its own prompt among all prompts of that half.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion.clip import Clip
from ...backend.motion.features import clip_from_features
from ...backend.pipeline import Pipeline
from ...backend.protocol.messages import GenerateParams
from ..corpus.dataset import Segment
from .recognise import LOWER, UPPER, Action, Body, gait, told_of, trust
from .retrieval import cut
from .text_metrics import Number, Space

SECONDS = 4.0
HALVES: dict[str, tuple[Action, ...]] = {"upper": UPPER, "lower": LOWER}
PAIRS = tuple(product(UPPER, LOWER))


@dataclass(frozen=True)
class Performed:
    """A pair and its clip."""

    upper: Action
    lower: Action
    clip: Clip

    def asked(self, half: str) -> Action:
        return self.upper if half == "upper" else self.lower


def perform_pairs(
    pipeline: Pipeline,
    *,
    seed: int,
    split: bool,
    pairs: Sequence[tuple[Action, Action]] = PAIRS,
    on_pair: Callable[[int], None] = lambda done: None,
) -> list[Performed]:
    """A clip of each pair.

    Args:
        split: ask each half on its own; else both in one sentence, as packs without prompts of the halves
            have to be asked.

    Raises:
        BadInput: the pack has no prompts of the halves.
    """
    done = []
    for i, (upper, lower) in enumerate(pairs):
        on_pair(i)
        if split:
            params = GenerateParams(
                prompt=lower.prompt, upper=upper.prompt, lower=lower.prompt, seconds=SECONDS, seed=seed + i
            )
        else:
            params = GenerateParams(prompt=f"{lower.prompt} and {upper.does}", seconds=SECONDS, seed=seed + i)
        done.append(Performed(upper, lower, pipeline.generate(params)[0]))
    return done


def share(hits: Sequence[bool]) -> Number:
    """A share and half of its 95 % interval (binomial)."""
    mean = float(np.mean(hits))
    return {"mean": mean, "half": float(1.96 * np.sqrt(mean * (1 - mean) / len(hits)))}


def by_rules(done: Sequence[Performed]) -> dict[str, Any]:
    """How many halves are recognised: ``upper``, ``lower``, ``both``, ``false`` (how often the rule of another
    action of the arms fires, none that the asked one implies), ``actions`` one by one, and ``rows``."""
    rows: list[dict[str, Any]] = []
    false: list[bool] = []
    for pair in done:
        body = Body.of(pair.clip)
        fired = {action.does: bool(action.rule(body)) for action in UPPER}
        implied = told_of([pair.upper.prompt], UPPER)
        false += [hit for does, hit in fired.items() if does not in implied and does != pair.upper.does]
        rows.append(
            {
                "upper": pair.upper.does,
                "lower": pair.lower.does,
                "upper_shown": fired[pair.upper.does],
                "lower_shown": bool(pair.lower.rule(body)),
                "gait": gait(body),
            }
        )
    return {
        "upper": share([row["upper_shown"] for row in rows]),
        "lower": share([row["lower_shown"] for row in rows]),
        "both": share([row["upper_shown"] and row["lower_shown"] for row in rows]),
        "false": share(false),
        "actions": {
            half: {
                action.does: float(
                    np.mean([row[f"{half}_shown"] for row in rows if row[half] == action.does])
                )
                for action in actions
                if any(row[half] == action.does for row in rows)
            }
            for half, actions in HALVES.items()
        },
        "rows": rows,
    }


def by_space(done: Sequence[Performed], space: Space) -> dict[str, Number]:
    """How often a half lies nearest to its own prompt among the prompts of that half, in the half's view."""
    found = {}
    for half, actions in HALVES.items():
        text = space.texts([action.prompt for action in actions], half)
        motion = space.clips([pair.clip for pair in done], half)
        nearest = np.linalg.norm(motion[:, None] - text[None], axis=-1).argmin(1)
        asked = [actions.index(pair.asked(half)) for pair in done]
        found[half] = share([bool(hit) for hit in nearest == asked]) | {"chance": 1 / len(actions)}
    return found


def captured_by_space(segments: Sequence[Segment], space: Space) -> dict[str, Number | None]:
    """The same of captured clips whose captions tell of one action alone: how far the space is to be believed."""
    found: dict[str, Number | None] = {}
    for half, actions in HALVES.items():
        pairs = [(s, told_of(s.captions, actions)) for s in segments]
        chosen = [(s, next(iter(told))) for s, told in pairs if len(told) == 1]
        if not chosen:
            found[half] = None
            continue
        text = space.texts([action.prompt for action in actions], half)
        motion = space.segments([s for s, _ in chosen], half)
        nearest = np.linalg.norm(motion[:, None] - text[None], axis=-1).argmin(1)
        hits = [actions[i].does == does for i, (_, does) in zip(nearest, chosen, strict=True)]
        found[half] = share(hits) | {"clips": float(len(hits))}
    return found


def _loader(segment: Segment) -> Callable[[], Clip]:
    return lambda: clip_from_features(cut(segment))


def measure_halves(
    pipeline: Pipeline,
    segments: Sequence[Segment],
    space: Space | None,
    *,
    seed: int,
    pairs: Sequence[tuple[Action, Action]] = PAIRS,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> dict[str, Any]:
    """The pairs asked by halves and, for comparison, in one sentence; and what the judges are worth.

    Args:
        segments: captured, captioned motion on which the rules are tried.

    Returns:
        ``halves`` (None, and why in ``missing``, for a pack that has no such prompts), ``one_sentence``, and
        what the judges are worth: ``trust``, ``trust_space``.
    """
    numbers: dict[str, Any] = {"pairs": len(pairs), "seconds": SECONDS}
    for name, split in (("halves", True), ("one_sentence", False)):
        try:
            done = perform_pairs(
                pipeline,
                seed=seed,
                split=split,
                pairs=pairs,
                on_pair=lambda i, name=name: progress(name.replace("_", " "), i, len(pairs)),  # type: ignore[misc]
            )
        except BadInput as error:
            if not split:
                raise
            numbers |= {name: None, "missing": error.message}
            continue
        numbers[name] = by_rules(done)
        if space is not None:
            numbers[name]["space"] = by_space(done, space)
    numbers["trust"] = trust((s.captions, _loader(s)) for s in segments)
    if space is not None:
        numbers["trust_space"] = captured_by_space(segments, space)
    return numbers
