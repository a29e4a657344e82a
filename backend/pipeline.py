"""From a prompt to clips: text, plan, refinement, decoding, clean-up."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from .conditions import NAMES, Conditions, Guidance
from .engines.choose import load_engine
from .errors import BadInput, Cancelled
from .known import Known
from .models.style import FIELDS
from .motion.cleanup import clean_up_with_report
from .motion.clip import Clip
from .motion.features import FPS, clip_from_features
from .pace import frames_to_perform, pace, played
from .pack_config import read_config
from .packs import Pack, find_pack
from .planning import plan
from .refining import Refiner
from .speech.face import with_face
from .speech.gestures import gesture
from .speech.voice import TALKING, Voice, listen

if TYPE_CHECKING:
    from .protocol.messages import GenerateParams
    from .text import TextEmbedding

SHORTEST = 4
"""Latent frames that the models make at least; what is too many is cut off."""
Progress = Callable[[str, int, int], None]
"""Called with (stage, steps done, steps expected)."""


class Pipeline:
    """A pack's models, loaded and warm."""

    def __init__(self, pack: Pack, device: str = "auto", engine: str = "auto") -> None:
        self.pack = pack
        self.config = read_config(pack.path)
        self.known = Known.of(pack)
        self.engine = load_engine(pack.path, self.config, device, engine)

    def generate(
        self,
        params: GenerateParams,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Clip]:
        """Clips at 30 fps, one per sample; the same seed gives the same clips.

        Raises:
            Cancelled: ``cancelled()`` turned true; asked at every model step.
        """

        def report(stage: str) -> Callable[[int, int], None]:
            def on_step(done: int, total: int) -> None:
                if cancelled is not None and cancelled():
                    raise Cancelled("The generation was cancelled.")
                if progress is not None:
                    progress(stage, done, total)

            return on_step

        config, sampling = self.config, self.config.sampling
        rngs = [np.random.default_rng((params.seed, sample)) for sample in range(params.samples)]
        report("text")(0, 1)
        voice = self._hear(params)
        prompt = params.prompt or TALKING
        text = self.engine.encode_text([prompt] * params.samples)
        warnings = self._warnings(params, text) + list(voice.features.warnings if voice else ())
        frames = len(voice) if voice else None if params.seconds is None else round(params.seconds * FPS)
        times = 1.0 if voice else pace(params.style)
        performed = None if frames is None else frames_to_perform(frames, times)
        length = None if performed is None else max(math.ceil(performed / config.stride), SHORTEST)
        conditions = self._conditions(params, prompt, text, voice, length)
        codes = plan(
            self.engine,
            config.language,
            sampling,
            self.engine.plan_text([prompt] * params.samples),
            length,
            rngs,
            report("plan"),
            **self._wishes(params, prompt, conditions),
        )
        refiner = Refiner(
            self.engine,
            self.engine.alphas,
            config.diffusion.window,
            sampling.overlap,
            params.steps or sampling.steps,
            self._guidance(params),
        )
        latents = refiner(conditions, self.engine.plan_vectors(codes), rngs, report("refine"))
        report("decode")(0, 1)
        features = self.engine.decode(latents)
        clips = []
        for sample in range(params.samples):
            report("clean-up")(sample, params.samples)
            clip = clip_from_features({part: values[sample, :performed] for part, values in features.items()})
            clip = played(clip, times, frames)
            if params.cleanup:
                clip, numbers = clean_up_with_report(clip)
                clip = clip.replace(meta={**clip.meta, "cleanup": numbers.as_dict()})
            if voice is not None:
                clip = gesture(clip, voice, params.seed + sample, arms=params.upper is None)
            clip = with_face(
                clip,
                voice.features if voice else None,
                params.seed + sample,
                smile=max(params.style.get("valence", 0.0) - 0.6, 0.0),
            )
            clips.append(clip.replace(meta={**clip.meta, **self._meta(params, sample, warnings)}))
        report("clean-up")(params.samples, params.samples)
        return clips

    def _hear(self, params: GenerateParams) -> Voice | None:
        """The voice of a request.

        Raises:
            BadInput: the file cannot be used, or the pack cannot follow a voice.
        """
        if params.speech is None:
            return None
        if not self.config.diffusion.rhythm:
            raise BadInput(f"The pack {self.pack.name} cannot follow a voice.", field="speech")
        return listen(Path(params.speech))

    def _conditions(
        self,
        params: GenerateParams,
        prompt: str,
        text: TextEmbedding,
        voice: Voice | None,
        length: int | None,
    ) -> Conditions:
        """What the models are to follow.

        Raises:
            BadInput: the pack's models cannot follow it.
        """
        sizes = self.config.diffusion
        if params.style and not sizes.style:
            raise BadInput(f"The pack {self.pack.name} has no styles.", field="style")
        for half in ("lower", "upper"):
            if getattr(params, half) is not None and not sizes.halves:
                raise BadInput(
                    f"The pack {self.pack.name} has no prompts for halves of the body.", field=half
                )
        both = None if params.lower is None and params.upper is None else (params.lower, params.upper)
        halves = {} if both is None else {
            half: self.engine.encode_text([own or prompt] * params.samples)
            for half, own in zip(("lower", "upper"), both, strict=True)
        }  # fmt: skip
        style = None
        if params.style:
            names = ["energy" if field == "energy_level" else field for field in FIELDS]
            values = np.array([[params.style.get(name, 0.0) for name in names]], np.float32)  # type: ignore[call-overload]
            known = np.array([[name in params.style for name in names]])
            style = values.repeat(params.samples, axis=0), known.repeat(params.samples, axis=0)
        rhythm = voice.latent_rhythm(length, params.samples) if voice and length else None
        return Conditions(text, np.full(params.samples, both is None), halves, style, rhythm)

    def _wishes(self, params: GenerateParams, prompt: str, conditions: Conditions) -> dict[str, Any]:
        """The conditions that go beyond the prompt, as the planner takes them."""
        wishes: dict[str, Any] = {}
        if conditions.style is not None and self.config.language.style:
            wishes["style"] = conditions.style
        if conditions.rhythm is not None and self.config.language.rhythm:
            wishes["rhythm"] = conditions.rhythm[0]
        if conditions.halves:
            wishes["part_text"] = {
                part: self.engine.plan_text([own or prompt] * params.samples)
                for part, own in (("lower_trans", params.lower), ("upper", params.upper))
            }
        return wishes

    def _guidance(self, params: GenerateParams) -> Guidance:
        """The pack's strengths, and the request's before them.

        Raises:
            BadInput: a strength is of something that there is not.
        """
        sampling, widths = self.config.sampling, self.config.diffusion.parts
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
        return Guidance({**scales, **params.guidances}, widths)

    def _warnings(self, params: GenerateParams, text: TextEmbedding) -> list[str]:
        """What the pack says about a prompt that it hardly knows; the embedding is there already."""
        if self.known is None or params.prompt is None:
            return []
        found = self.known.warning(params.prompt, text.pooled()[0])
        return [] if found is None else [found]

    def _meta(self, params: GenerateParams, sample: int, warnings: list[str]) -> dict[str, Any]:
        return {
            "prompt": params.prompt or "",
            **({"speech": Path(params.speech).name} if params.speech else {}),
            **{half: text for half in ("lower", "upper") if (text := getattr(params, half)) is not None},
            **({"style": dict(params.style)} if params.style else {}),
            "seed": params.seed,
            "sample": sample,
            "pack": self.pack.name,
            "pack_version": self.pack.version,
            "licence": self.pack.licence,
            "source": "generated",
            "engine": self.engine.name,
            "version": __version__,
            **({"warnings": warnings} if warnings else {}),
        }


def load_pipeline(pack: str, device: str = "auto", engine: str = "auto") -> Pipeline:
    """Find a pack by name or folder and load it.

    Raises:
        BadInput: there is no such pack, it is damaged, or the device is not there.
    """
    return Pipeline(find_pack(pack), device, engine)
