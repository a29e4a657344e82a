"""What the models of a pack are told of a request: prompts, halves, style, rhythm, and how strongly to follow them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engines.base import Engine
from ..errors import BadInput
from ..models.style import FIELDS
from ..packs.config import PackConfig
from ..speech.hearing import latent_sound, sound, spoken
from ..speech.voice import Voice
from .composing import Told
from .conditions import NAMES, Conditions, Guidance, Pair
from .sections import Section

if TYPE_CHECKING:
    from ..protocol.messages import GenerateParams


@dataclass(frozen=True)
class Heard:
    """A voice over a whole performance, as far as a pack's models listen to it: what :class:`~.conditions.Conditions`
    hold of it."""

    rhythm: Pair | None = None
    sound: Pair | None = None
    words: Pair | None = None


def check(params: GenerateParams, sections: list[Section], config: PackConfig, pack: str) -> None:
    """Refuse what a pack's models cannot follow.

    Raises:
        BadInput: a style, a half or a voice is asked for that the models were not trained on.
    """
    sizes = config.diffusion
    if params.speech is not None and not (sizes.rhythm or sizes.sound):
        raise BadInput(f"The pack {pack} cannot follow a voice.", field="speech")
    for section in sections:
        if section.style and not sizes.style:
            raise BadInput(f"The pack {pack} has no styles.", field="style")
        for half in ("lower", "upper"):
            if getattr(section, half) is not None and not sizes.halves:
                raise BadInput(f"The pack {pack} has no prompts for halves of the body.", field=half)


def tell(
    engine: Engine,
    config: PackConfig,
    section: Section,
    samples: int,
    heard: Heard = Heard(),
) -> Told:
    """A section as the models read it.

    Args:
        engine: encodes the prompts.
        config: of the pack.
        section: one of the performance.
        samples: how many are made at once.
        heard: the voice over the whole performance.
    """
    prompt = section.prompt
    halves = {}
    if section.halves:
        halves = {
            half: engine.encode_text([getattr(section, half) or prompt] * samples)
            for half in ("lower", "upper")
        }
    conditions = Conditions(
        engine.encode_text([prompt] * samples),
        np.full(samples, not section.halves),
        halves,
        _style(section, samples),
        heard.rhythm,
        heard.sound,
        heard.words,
    )
    wishes: dict[str, Any] = {}
    if conditions.style is not None and config.language.style:
        wishes["style"] = conditions.style
    if heard.rhythm is not None and config.language.rhythm:
        wishes["rhythm"] = heard.rhythm[0][0]
    if section.halves:
        wishes["part_text"] = {
            part: engine.plan_text([own or prompt] * samples)
            for part, own in (("lower_trans", section.lower), ("upper", section.upper))
        }
    return Told(section, engine.plan_text([prompt] * samples), conditions, wishes)


def hear(engine: Engine, config: PackConfig, voice: Voice | None, length: int | None, samples: int) -> Heard:
    """What a pack's models hear of a voice over so many latent frames; nothing without a voice or a length."""
    if voice is None or length is None:
        return Heard()
    sizes = config.diffusion

    def given(columns: np.ndarray) -> Pair:
        return np.repeat(columns[None], samples, axis=0), np.ones((samples, length), bool)

    return Heard(
        voice.latent_rhythm(length, samples) if sizes.rhythm or config.language.rhythm else None,
        given(latent_sound(sound(voice.features), length)) if sizes.sound else None,
        given(spoken(voice.words, lambda texts: engine.encode_text(texts).pooled(), length))
        if sizes.words and voice.words
        else None,
    )


def _style(section: Section, samples: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Ranks (B, 5), and which of them are given."""
    if not section.style:
        return None
    names = ["energy" if field == "energy_level" else field for field in FIELDS]
    values = np.array([[section.style.get(name, 0.0) for name in names]], np.float32)
    known = np.array([[name in section.style for name in names]])
    return values.repeat(samples, axis=0), known.repeat(samples, axis=0)


def guidance(params: GenerateParams, config: PackConfig) -> Guidance:
    """The pack's strengths, and the request's before them.

    Raises:
        BadInput: a strength is of something that there is not.
    """
    sampling, widths = config.sampling, config.diffusion.parts
    scales = {
        "text": sampling.guidance if params.guidance is None else params.guidance,
        "lower": sampling.half_guidance,
        "upper": sampling.half_guidance,
        "style": sampling.style_guidance,
        "speech": sampling.speech_guidance,
    }
    for key in params.guidances:
        name, _, part = key.partition(".")
        if name not in NAMES or (part and part not in widths):
            raise BadInput(
                f"There is no guidance of {key!r}.",
                hint=f"Conditions are {', '.join(NAMES)}, parts {', '.join(widths)}.",
                field="guidances",
            )
    return Guidance({**scales, **sampling.guidances, **params.guidances}, widths)
