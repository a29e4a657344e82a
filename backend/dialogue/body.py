"""The bodies of a dialogue, made by a pack's models as those of any voice are; gestures come later."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import BadInput
from ..motion.clip import Clip
from ..performing import Talk, perform
from ..pipeline import Pipeline
from ..protocol.messages import GenerateParams
from ..sections import single
from ..speech.manner import Manner
from ..speech.voice import TALKING, Voice
from ..telling import guidance, hear, tell
from ..windows import Performer
from .acting import Body


def gestures_itself(pipeline: Pipeline) -> bool:
    """Whether the models of a pack hear a voice, and gesture to it."""
    return bool(pipeline.config.diffusion.sound)


def body_of(pipeline: Pipeline, on_step: Callable[[int, int], None]) -> Body:
    """Bodies that stand and stay where they are, made by a pack.

    Args:
        pipeline: of the pack.
        on_step: called with (model steps done, steps expected) of one body; it may raise to cancel.

    Raises:
        BadInput: the pack cannot follow a voice.
    """
    engine, config = pipeline.engine, pipeline.config
    if not (config.diffusion.rhythm or config.diffusion.sound):
        raise BadInput(f"The pack {pipeline.pack.name} cannot follow a voice.", field="pack")

    def body(voice: Voice, seed: int) -> Clip:
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
            stays=not config.diffusion.sound,
        )
        talk = Talk(
            voice, Manner(), seed, arms=True, hips=True, gestures=False, face=pipeline.face, cleanup=True
        )
        (clip,) = perform(performer, talk, on_step)
        meta = {"pack": pipeline.pack.name, "seed": seed, "licence": pipeline.pack.licence}
        return clip.replace(meta={**clip.meta, **meta})

    return body
