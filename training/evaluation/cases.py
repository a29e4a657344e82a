"""The captions that an evaluation asks for, and the clips a pack makes of them: once, for every metric."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np

from ...backend.engines.base import Engine
from ...backend.motion.clip import Clip
from ...backend.motion.features import FPS, clip_from_features
from ...backend.performance.memo import Memo
from ...backend.pipeline import Pipeline
from ...backend.protocol.messages import GenerateParams
from ...backend.text import normalize_prompt
from ..corpus.dataset import Segment
from ..words.actions import ACTIONS, action_of, actions_of
from ..words.paraphrase import evaluation_caption
from .retrieval import Features, cut, merged

MIN_FRAMES = 30
"""Shorter segments say too little about an action."""
LONGEST = 300
"""Frames: a longer segment is asked for up to here."""
LONGEST_PROMPT = 500

Without = Literal["language", "diffusion", "best_of_n"]


@dataclass(frozen=True)
class Case:
    """One request: a caption, the captured segment that it tells of, and the seed."""

    caption: str
    segment: Segment
    seed: int

    @property
    def action(self) -> str:
        return action_of(self.caption)

    @property
    def seconds(self) -> float:
        return min(len(self.segment), LONGEST) / FPS

    def captured(self) -> Features:
        """Features of the captured motion, as long as what is asked for."""
        segment = self.segment
        return cut(segment, segment.start, min(segment.stop, segment.start + LONGEST))

    def captured_clip(self) -> Clip:
        known = self.segment.motion.known
        return clip_from_features(self.captured()).replace(known=dict(known))


@dataclass(frozen=True)
class Made:
    """A case and its clips, one per sample; ``cost`` seconds of computing per second of motion."""

    case: Case
    clips: tuple[Clip, ...]
    cost: float


def usable(segments: Sequence[Segment]) -> list[Segment]:
    """As captured, long enough, and none twice."""
    return merged([s for s in segments if not s.motion.mirrored and len(s) >= MIN_FRAMES])


def draw_cases(segments: Sequence[Segment], count: int, seed: int) -> list[Case]:
    """``count`` captions of as many segments; a segment's second caption comes when each had its first.

    Fewer where the segments have fewer captions.
    """
    rng = np.random.default_rng(seed)
    order = [segments[i] for i in rng.permutation(len(segments))]
    said = [[s.captions[i] for i in rng.permutation(len(s.captions))] for s in order]
    rounds = max((len(captions) for captions in said), default=0)
    pairs = [(s, c[k]) for k in range(rounds) for s, c in zip(order, said, strict=True) if k < len(c)]
    return [Case(caption, segment, seed + i) for i, (segment, caption) in enumerate(pairs[:count])]


def draw_balanced(segments: Sequence[Segment], count: int, seed: int) -> list[Case]:
    """``count`` captions, each action as often."""
    rng = np.random.default_rng(seed)
    by_action = {a: [s for s in segments if a in actions_of(s.captions)] for a in ACTIONS}
    actions = [str(a) for a in rng.permutation(sorted(a for a, members in by_action.items() if members))]
    cases = []
    for i in range(count if actions else 0):
        action = actions[i % len(actions)]
        segment = by_action[action][int(rng.integers(len(by_action[action])))]
        caption = str(rng.choice([c for c in segment.captions if action_of(c) == action]))
        cases.append(Case(caption, segment, seed + i))
    return cases


def draw_of_action(segments: Sequence[Segment], action: str, seed: int) -> Case:
    """One caption that names the action; some segment has one."""
    named = [replace(s, captions=tuple(c for c in s.captions if action_of(c) == action)) for s in segments]
    return draw_cases([s for s in named if s.captions], 1, seed)[0]


def reworded(cases: Sequence[Case]) -> list[Case]:
    """The cases in words that no training has seen (:mod:`..words.paraphrase`); those without any are left out."""
    pairs = [(case, evaluation_caption(case.caption)) for case in cases]
    return [replace(case, caption=caption) for case, caption in pairs if caption]


def right_answers(cases: Sequence[Case], *, action: bool) -> np.ndarray:
    """(N, N) whose motion (column) answers whose caption (row): the same recording, or a motion that has been
    told in the very words; with ``action``, also the same action.

    Sets whose captions come from templates repeat them, and a clip that was told so is no wrong answer.
    """
    recordings = np.array([case.segment.motion.name for case in cases])
    asked = [normalize_prompt(case.caption) for case in cases]
    told = [
        {text, *map(normalize_prompt, case.segment.captions)} for text, case in zip(asked, cases, strict=True)
    ]
    actions = np.array([case.action for case in cases])
    right = recordings[:, None] == recordings
    right |= np.array([[text in words for words in told] for text in asked], dtype=bool).reshape(right.shape)
    if action:
        right |= (actions[:, None] == actions) & (actions != "other")
    return right


def perform(
    pipeline: Pipeline,
    cases: Sequence[Case],
    *,
    samples: int = 1,
    guidance: float | None = None,
    steps: int | None = None,
    style: Mapping[str, float] | None = None,
    longest: tuple[float, float] = (0.0, LONGEST / FPS),
    on_case: Callable[[int], None] = lambda done: None,
) -> list[Made]:
    """The clips a pack makes of the cases, cleaned up; ``on_case`` is told how many are done.

    Args:
        style: sliders, each from 0 to 1.
        longest: shortest and longest clip that is asked for, seconds.
    """
    made: list[Made] = []
    for case in cases:
        on_case(len(made))
        seconds = float(np.clip(case.seconds, *longest))
        params = GenerateParams(
            prompt=case.caption[:LONGEST_PROMPT],
            seconds=seconds,
            seed=case.seed,
            samples=samples,
            guidance=guidance,
            steps=steps,
            style=cast(Any, dict(style or {})),
        )
        started = time.perf_counter()
        clips = pipeline.generate(params)
        cost = (time.perf_counter() - started) / (seconds * samples)
        made.append(Made(case, tuple(clips), cost))
    return made


class _Ablated:
    """An engine without its planner or its diffusion; everything else is the engine's own."""

    def __init__(self, engine: Engine, without: Without, sizes: dict[str, int]) -> None:
        self._engine, self._without, self._sizes = engine, without, sizes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def plan_start(self, *wishes: Any, **more: Any) -> Any:
        return None if self._without == "language" else self._engine.plan_start(*wishes, **more)

    def plan_step(self, state: Any, tokens: np.ndarray, *more: Any) -> dict[str, np.ndarray]:
        if self._without != "language":
            return self._engine.plan_step(state, tokens, *more)
        # Nobody reads this plan; it only has to be as long as was asked.
        return {part: np.zeros((len(tokens), codes + 1), np.float32) for part, codes in self._sizes.items()}

    def denoise(self, noisy: np.ndarray, timestep: int, **conditions: Any) -> np.ndarray:
        if self._without == "diffusion":
            # However steps and guidance mix them: all answers are the plan, so the plan is what comes out.
            return np.asarray(conditions["plan"])
        conditions["with_plan"] = np.zeros_like(conditions["with_plan"])
        return self._engine.denoise(noisy, timestep, **conditions)


@contextmanager
def ablated(pipeline: Pipeline, without: Without) -> Iterator[Pipeline]:
    """The pipeline without something: no ``language``: the diffusion refines without a plan; no ``diffusion``:
    the plan is decoded as it is; no ``best_of_n``: one plan is written, and kept."""
    engine, config, memo = pipeline.engine, pipeline.config, pipeline.memo
    pipeline.memo = Memo()  # it would remember what the whole models made
    if without == "best_of_n":
        sampling = config.sampling.model_copy(update={"candidates": 1})
        pipeline.config = config.model_copy(update={"sampling": sampling})
    else:
        pipeline.engine = cast(Engine, _Ablated(engine, without, dict(config.language.parts)))
    try:
        yield pipeline
    finally:
        pipeline.engine, pipeline.config, pipeline.memo = engine, config, memo
