"""A performance as sections, each with a prompt of its own: one for a single prompt, one per line of a script."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..motion.features import FPS
from ..motion.filters import gaussian
from .pace import pace

if TYPE_CHECKING:
    from ..protocol.messages import GenerateParams

SHORTEST = 4
"""Latent frames that the models make at least; what is too many is cut off."""
_EASE = 0.15
"""Seconds over which the playing speed changes where two sections meet."""


@dataclass(frozen=True)
class Section:
    """A stretch of a performance with one prompt.

    Attributes:
        prompt: what the body does.
        lower, upper: what its halves do, where that is not the prompt.
        style: ranks 0 to 1 by field.
        seed: of its random choices.
        start, stop: frames of the result at 30 fps, half-open; ``stop`` None: as long as the model wants.
        length: latent frames to make; None with ``stop``.
        tempo: how many times as fast as it is performed it is played.
    """

    prompt: str
    lower: str | None
    upper: str | None
    style: Mapping[Any, float]
    seed: tuple[int, ...]
    start: int
    stop: int | None
    length: int | None
    tempo: float = 1.0

    @property
    def halves(self) -> bool:
        """Whether the halves of the body have prompts of their own."""
        return self.lower is not None or self.upper is not None


def single(
    params: GenerateParams,
    prompt: str,
    frames: int | None,
    tempo: float,
    stride: int,
    *,
    between: bool = False,
) -> Section:
    """The one section of a prompt of so many frames, or of as many as the model wants.

    ``between`` two given motions it is played a little faster or slower, so that no latent frame is cut.
    """
    length = None
    if frames is not None and between:
        length = max(round(frames * tempo / stride), 1)
    elif frames is not None:
        performed = math.ceil((frames - 1) * tempo - 1e-9) + 1
        length = max(math.ceil(performed / stride), SHORTEST)
    return Section(prompt, params.lower, params.upper, params.style, (params.seed,), 0, frames, length, tempo)


def of_script(params: GenerateParams, frames: int | None, stride: int) -> list[Section]:
    """The lines of a script; the last one goes on for as long as there is a voice.

    Borders are kept to the frame in the result; the models change over at the latent frame next to them.

    Args:
        params: a request with a script.
        frames: of the voice, where there is one.
        stride: frames per latent frame.
    """
    assert params.script is not None
    ends = np.round(np.cumsum([line.seconds for line in params.script]) * FPS).astype(int)
    if frames is not None:
        ends[-1] = max(ends[-1], frames)
    sections: list[Section] = []
    start, performed, made = 0, 0.0, 0
    for index, (line, stop) in enumerate(zip(params.script, ends.tolist(), strict=True)):
        style = params.style if line.style is None else line.style
        tempo = pace(style)
        performed += (stop - start) * tempo
        until = math.ceil(performed / stride) if index == len(ends) - 1 else round(performed / stride)
        length = max(until - made, SHORTEST if index == 0 else 1)
        # A line's own seed makes it the same wherever it stands; else it depends on its place.
        seed = (line.seed,) if line.seed is not None else (params.seed, index) if index else (params.seed,)
        own = line.lower is not None or line.upper is not None
        sections.append(
            Section(
                line.prompt,
                line.lower if own else params.lower,
                line.upper if own else params.upper,
                style,
                seed,
                start,
                stop,
                length,
                tempo,
            )
        )
        start, made = stop, made + length
    return sections


def playing(sections: list[Section], made: int, stride: int) -> np.ndarray:
    """Which performed frame (a position, counted in frames) is played at each frame of the result (T,), at 30 fps.

    Args:
        sections: in their order.
        made: latent frames of all of them.
        stride: frames per latent frame.
    """
    first, last = sections[0], sections[-1].stop
    if last is None:
        return np.arange(math.floor((made * stride - 1) / first.tempo + 1e-6) + 1) * first.tempo
    if all(section.tempo == first.tempo for section in sections):
        return np.arange(last) * first.tempo
    borders = [*(section.start for section in sections), last]
    performed = np.cumsum([0, *(section.length or 0 for section in sections)]) * stride
    speeds = np.zeros(last)
    for index, section in enumerate(sections):
        here = slice(borders[index], borders[index + 1])
        share = (performed[index + 1] - performed[index]) / (borders[index + 1] - borders[index])
        speeds[here] = section.tempo if section is sections[-1] else share
    # The speed changes softly where two lines meet, and a border stays where it is.
    positions = np.cumsum(gaussian(speeds, _EASE * FPS))
    return np.minimum(positions - positions[0], made * stride - 1.0)
