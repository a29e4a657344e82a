"""What is asked for, as the models need it, and what a clip then tells about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import __version__
from ..direction import edit as editing
from ..direction import keys
from ..direction.direct import lasting
from ..errors import BadInput
from ..motion.clip import Clip
from ..motion.features import FPS
from ..packs.config import PackConfig
from ..packs.finding import Pack
from ..protocol.fields import SECONDS
from ..speech.voice import TALKING, Voice, listen
from .choosing import MOST, Choice, choice
from .pace import pace
from .sections import Section, of_script, single
from .telling import check

if TYPE_CHECKING:
    from ..protocol.messages import GenerateParams


@dataclass(frozen=True)
class Performance:
    """A request as it was understood.

    Attributes:
        params: what was asked for.
        voice: what is heard, if anything.
        gap: the part of a given clip that is made anew, if there is one.
        sections: what is performed, one after the other.
        warnings: sentences for the user.
        choice: how one of several performances is chosen for each sample, if it is.
    """

    params: GenerateParams
    voice: Voice | None
    gap: editing.Gap | None
    sections: list[Section]
    warnings: list[str]
    choice: Choice | None = None

    @property
    def numbers(self) -> list[int]:
        """What tells apart the chances of everything that is made at once: all tries of a sample, then those of
        the next. The first try is what would be made without a choice."""
        tries = 1 if self.choice is None else self.choice.tries
        return [sample + MOST * attempt for sample in range(self.params.samples) for attempt in range(tries)]

    @property
    def ends_with_path(self) -> bool:
        """Whether the motion lasts until its path is walked, because nobody asked for a length."""
        free = self.params.seconds is None and self.params.script is None
        return free and self.voice is None and self.gap is None and lasting(self.params.constraints)[1]

    @property
    def plain_voice(self) -> bool:
        """Whether a voice is performed from its beginning to its end and nothing else is asked of the way."""
        return self.voice is not None and self.params.script is None and not self.params.constraints


def understood(
    params: GenerateParams, config: PackConfig, pack: Pack, told: list[str], on_block: Callable[[], None]
) -> Performance:
    """Hear the voice, read the clip, and lay out the sections.

    Args:
        params: what is asked for.
        config: of the pack's models.
        pack: that performs.
        told: sentences for the user that are known already.
        on_block: called while the voice is heard; it may raise to cancel.

    Raises:
        BadInput: a file cannot be used, or the pack's models cannot follow the request.
    """
    stride = config.stride
    if params.speech is not None and not (config.diffusion.rhythm or config.diffusion.sound):
        raise BadInput(f"The pack {pack.name} cannot follow a voice.", field="speech")
    voice = None
    if params.speech is not None:
        voice = listen(Path(params.speech), params.transcript, on_block)
    gap = None if params.edit is None else editing.gap_of(params.edit)
    seconds = params.seconds
    if seconds is None and gap is None:
        seconds = lasting(params.constraints)[0]
    frames = len(voice) if voice else None if seconds is None else round(min(seconds, SECONDS[1]) * FPS)
    if params.script is not None:
        sections = of_script(params, frames, stride)
    else:
        if gap is not None:
            frames = gap.frames(seconds, params.edit.end if params.edit else None)
        # A voice is played as it is.
        tempo = 1.0 if voice else pace(params.style)
        arriving = keys.last_pose(params.constraints, frames) is not None and not (gap or voice)
        between = arriving or (gap is not None and gap.after is not None)
        prompt = params.prompt or TALKING
        sections = [single(params, prompt, frames, tempo, stride, between=between)]
    check(params, sections, config, pack.name)
    warnings = told + list(voice.warnings if voice else ())
    choosing = None
    if voice is None and gap is None and params.script is None:
        sampling = config.sampling
        choosing = choice(params.style, config.style_ranks, sampling.performances, params.samples)
    return Performance(params, voice, gap, sections, warnings, choosing)


def facts(performance: Performance, clip: Clip, sample: int, pack: Pack, engine: str) -> dict[str, Any]:
    """What a clip tells about where it comes from."""
    params = performance.params
    warnings = performance.warnings + list(clip.meta.get("warnings", ()))
    return {
        "prompt": params.prompt or "; ".join(line.prompt for line in params.script or ()),
        **({"script": _script(performance)} if params.script else {}),
        **({"speech": Path(params.speech).name} if params.speech else {}),
        **{half: text for half in ("lower", "upper") if (text := getattr(params, half)) is not None},
        **({"style": dict(params.style)} if params.style else {}),
        "seed": params.seed,
        "sample": sample,
        "pack": pack.name,
        "pack_version": pack.version,
        "licence": pack.licence,
        "source": "generated",
        "engine": engine,
        "version": __version__,
        **({"warnings": warnings} if warnings else {}),
    }


def _script(performance: Performance) -> list[dict[str, Any]]:
    """The lines with the seconds at which they start and end in the clip."""
    gap = performance.gap
    offset = 0.0 if gap is None else (gap.first + 1) / gap.clip.fps
    return [
        {
            **line.model_dump(exclude_none=True),
            "start": round(offset + section.start / FPS, 4),
            "end": round(offset + (section.stop or section.start) / FPS, 4),
        }
        for line, section in zip(performance.params.script or (), performance.sections, strict=True)
    ]
