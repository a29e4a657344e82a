"""The bodies of a dialogue, made by a pack's models as those of any voice are; gestures come later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..motion.clip import Clip
from ..performance.sections import single
from ..performance.telling import guidance, hear, tell
from ..performance.voices import Talk, perform
from ..performance.windows import Performer
from ..pipeline import Pipeline
from ..protocol.fields import SECONDS
from ..protocol.messages import GenerateParams
from ..speech.manner import Manner
from ..speech.voice import TALKING, Voice
from .acting import Body, Perform
from .laying import stays
from .standing import TRIES, performed

Report = Callable[[str, int, int], None]


def gestures_itself(pipeline: Pipeline) -> bool:
    """Whether the models of a pack hear a voice, and gesture to it."""
    return bool(pipeline.config.diffusion.sound)


def body_of(pipeline: Pipeline, report: Report) -> Body:
    """Bodies that stand and stay where they are, made by a pack.

    Args:
        pipeline: of the pack.
        report: called with (stage, steps done, steps expected); it may raise to cancel.
    """

    def stood(voice: Voice, seed: int, name: str) -> Clip:
        def generate(prompt: str, seconds: float, own: int) -> list[Clip]:
            return _generated(pipeline, prompt, seconds, own, report)

        clip = performed(generate, len(voice), seed)
        return clip.replace(meta={**clip.meta, **_meta(pipeline, seed)})

    def talked(voice: Voice, seed: int, name: str) -> Clip:
        return _talked(pipeline, voice, seed, lambda done, total: report("refine", done, total))

    return talked if gestures_itself(pipeline) else stood


def motions_of(pipeline: Pipeline, report: Report) -> Perform:
    """Motions of prompts: of some performances the one that is best performed where somebody stands."""

    def perform(prompt: str, seconds: float, seed: int) -> Clip:
        low, high = SECONDS
        clips = _generated(pipeline, prompt, min(max(seconds, low), high), seed, report)
        return max(clips, key=stays)

    return perform


def _generated(pipeline: Pipeline, prompt: str, seconds: float, seed: int, report: Report) -> list[Clip]:
    params = GenerateParams(prompt=prompt, seconds=seconds, samples=TRIES, seed=seed)
    return pipeline.generate(params, progress=report)


def _meta(pipeline: Pipeline, seed: int) -> dict[str, Any]:
    return {"pack": pipeline.pack.name, "seed": seed, "licence": pipeline.pack.licence}


def _talked(pipeline: Pipeline, voice: Voice, seed: int, on_step: Callable[[int, int], None]) -> Clip:
    """A body of models that hear a voice."""
    engine, config = pipeline.engine, pipeline.config
    params = GenerateParams(prompt=TALKING, seed=seed)
    section = single(params, TALKING, len(voice), 1.0, config.stride)
    heard = hear(engine, config, voice, section.length, 1)
    performer = Performer(
        engine,
        config,
        guidance(params, config),
        config.sampling.steps,
        tell(engine, config, section, 1, heard),
        [np.random.default_rng((*section.seed, 0))],
    )
    talk = Talk(voice, Manner(), seed, arms=True, hips=True, gestures=False, face=pipeline.face, cleanup=True)
    (clip,) = perform(performer, talk, on_step)
    return clip.replace(meta={**clip.meta, **_meta(pipeline, seed)})
