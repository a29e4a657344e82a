"""From a request to clips: hear and read, plan and refine, decode, bring into place, clean up, direct, finish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from .choosing import MOST, Choice, choice
from .composing import KNOWN_AFTER, KNOWN_BEFORE, Composer, Given
from .decoding import decoded
from .direction import edit as editing
from .direction import keys
from .direction.direct import Direction, lasting
from .direction.seams import softened
from .direction.standing import without_way
from .engines.base import OutOfMemory
from .engines.choose import load_engine
from .errors import BadInput, Cancelled
from .known import Known
from .log import logger
from .memo import Memo
from .motion.clip import Clip, place_at_origin, sampled
from .motion.features import FPS, clip_from_features, features_from_clip
from .motion.skeleton import INDEX
from .pace import pace
from .pack_config import read_config
from .packs import Pack, find_pack
from .performing import Talk, perform
from .protocol.fields import SECONDS
from .sections import Section, of_script, playing, single
from .speech.face import with_face
from .speech.face_model import FILE as FACE
from .speech.face_model import FaceModel, FaceMover, MadeFace
from .speech.gestures import gesture
from .speech.manner import Manner
from .speech.voice import TALKING, Voice, listen
from .telling import check, guidance, hear, tell
from .windows import Performer

if TYPE_CHECKING:
    from .protocol.messages import GenerateParams

Progress = Callable[[str, int, int], None]
"""Called with (stage, steps done, steps expected)."""


TOO_LITTLE = "The device {device} has not enough memory for this: the processor made it, which takes longer."
"""What the user is told then."""


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


class Pipeline:
    """A pack's models, loaded and warm."""

    def __init__(self, pack: Pack, device: str = "auto", engine: str = "auto") -> None:
        self.pack = pack
        self.config = read_config(pack.path)
        self.known = Known.of(pack)
        self.face = FaceModel.load(pack.file(FACE)) if FACE in pack.files else None
        self.engine = load_engine(pack.path, self.config, device, engine)
        self.memo = Memo()
        self._slower: Pipeline | None = None

    def generate(
        self,
        params: GenerateParams,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Clip]:
        """Clips, one per sample, at 30 fps or at that of the clip that is edited; the same seed gives the same clips.

        Where the device has not enough memory, the processor makes them, and a warning says so.

        Raises:
            BadInput: the request cannot be performed with this pack.
            Cancelled: ``cancelled()`` turned true; asked at every model step.
        """
        try:
            return self.perform(params, progress, cancelled)
        except OutOfMemory:
            said = TOO_LITTLE.format(device=self.engine.device)
            logger.warning(said)
        clips = self._on_processor().perform(params, progress, cancelled)
        return [
            clip.replace(meta={**clip.meta, "warnings": [*clip.meta.get("warnings", ()), said]})
            for clip in clips
        ]

    def _on_processor(self) -> Pipeline:
        """The same models on the processor. The next request tries the device again: others may have left it."""
        if self._slower is None:
            self._slower = Pipeline(self.pack, "cpu", self.engine.name)
        return self._slower

    def perform(
        self,
        params: GenerateParams,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Clip]:
        """:meth:`generate` on the pipeline's own device alone.

        Raises:
            OutOfMemory: the device has not enough memory.
        """

        def report(stage: str) -> Callable[[int, int], None]:
            def on_step(done: int, total: int) -> None:
                if cancelled is not None and cancelled():
                    raise Cancelled("The generation was cancelled.")
                if progress is not None:
                    progress(stage, done, total)

            return on_step

        report("text")(0, 1)
        performance = self._understand(params, lambda: report("text")(0, 1))
        if performance.plain_voice:
            clips = [
                clip.replace(meta={**clip.meta, **self._meta(performance, clip, sample)})
                for sample, clip in enumerate(self._talk(performance, report("refine")))
            ]
            return [without_way(clip) for clip in clips] if params.in_place else clips
        before, after = self._context(performance)
        latents = self._compose(performance, report, before, after)
        report("decode")(0, 1)
        features = decoded(self.engine, latents)
        made = latents.shape[1] - len(before) - len(after)
        clips = []
        numbers = performance.numbers
        for row, number in enumerate(numbers):
            report("clean-up")(row, len(numbers))
            motion = clip_from_features({part: values[row] for part, values in features.items()})
            if row == len(numbers) - 1:
                features = {}  # they take as much room as the clip
            motion = softened(motion, *self._borders(performance, len(before), made, len(after)))
            clip, lead = self._in_time(performance, motion, len(before), made)
            direction = Direction(params.constraints, performance.gap, lead, performance.ends_with_path)
            clip = direction.staged(clip, clean=params.cleanup)
            clip = self._spoken(performance, clip, number)
            clips.append(direction.finished(clip, loop=params.loop, in_place=params.in_place))
        report("clean-up")(len(numbers), len(numbers))
        return [
            clip.replace(meta={**clip.meta, **self._meta(performance, clip, sample)})
            for sample, clip in enumerate(self._chosen(performance, clips))
        ]

    def _understand(self, params: GenerateParams, on_block: Callable[[], None]) -> Performance:
        """Hear the voice, read the clip, and lay out the sections; ``on_block`` is called while it hears.

        Raises:
            BadInput: a file cannot be used, or the pack's models cannot follow the request.
        """
        stride = self.config.stride
        if params.speech is not None and not (self.config.diffusion.rhythm or self.config.diffusion.sound):
            raise BadInput(f"The pack {self.pack.name} cannot follow a voice.", field="speech")
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
        check(params, sections, self.config, self.pack.name)
        warnings = self._far(params) + list(voice.warnings if voice else ())
        choosing = None
        if voice is None and gap is None and params.script is None:
            sampling = self.config.sampling
            choosing = choice(params.style, self.config.style_ranks, sampling.performances, params.samples)
        return Performance(params, voice, gap, sections, warnings, choosing)

    def _chosen(self, performance: Performance, clips: list[Clip]) -> list[Clip]:
        """One clip for every sample: that which lies nearest to the style sliders."""
        choosing = performance.choice
        if choosing is None:
            return clips
        tries = [clips[i : i + choosing.tries] for i in range(0, len(clips), choosing.tries)]
        return [some[choosing.nearest(some)] for some in tries]

    def _context(self, performance: Performance) -> tuple[Given, Given]:
        """What the models are told to go on from and to arrive at: of the clip that is edited, or key poses."""
        gap, stride = performance.gap, self.config.stride
        if performance.voice is not None:
            return Given(), Given()  # nobody said anything before
        if gap is not None:
            clips = gap.before(KNOWN_BEFORE, stride), gap.behind(KNOWN_AFTER, stride)
        else:
            constraints, frames = performance.params.constraints, performance.sections[-1].stop
            poses = keys.first_pose(constraints), keys.last_pose(constraints, frames)
            clips = tuple(None if pose is None else keys.held(pose, stride) for pose in poses)  # type: ignore[assignment]
        before, behind = (
            Given() if clip is None else Given.of(self.engine, features_from_clip(clip)[0]) for clip in clips
        )
        return before, behind

    def _talk(self, performance: Performance, on_step: Callable[[int, int], None]) -> list[Clip]:
        """Clips of a voice, made window by window."""
        params, voice, (section,) = performance.params, performance.voice, performance.sections
        assert voice is not None
        heard = hear(self.engine, self.config, voice, section.length, params.samples)
        performer = Performer(
            self.engine,
            self.config,
            guidance(params, self.config),
            params.steps or self.config.sampling.steps,
            tell(self.engine, self.config, section, params.samples, heard),
            [np.random.default_rng((*section.seed, sample)) for sample in range(params.samples)],
            stays=params.prompt is None and params.lower is None and not self.config.diffusion.sound,
        )
        talk = Talk(
            voice,
            Manner.of(params.style),
            params.seed,
            arms=params.upper is None,
            hips=params.lower is None,
            gestures=not self.config.diffusion.sound,  # models that hear it gesture of themselves
            face=self.face,
            cleanup=params.cleanup,
        )
        return perform(performer, talk, on_step)

    def _compose(
        self,
        performance: Performance,
        report: Callable[[str], Callable[[int, int], None]],
        before: Given,
        after: Given,
    ) -> np.ndarray:
        """Latents (B, L, D) of all sections, between those of what is given."""
        params, sections, numbers = performance.params, performance.sections, performance.numbers
        lengths = [section.length for section in sections]
        total = None if None in lengths else sum(length or 0 for length in lengths)
        heard = hear(self.engine, self.config, performance.voice, total, len(numbers))
        composer = Composer(
            self.engine,
            self.engine.alphas,
            self.config,
            guidance(params, self.config),
            params.steps or self.config.sampling.steps,
            self.memo,
        )
        return composer(
            [tell(self.engine, self.config, section, len(numbers), heard) for section in sections],
            [[np.random.default_rng((*section.seed, number)) for number in numbers] for section in sections],
            report,
            before,
            after,
        )

    def _borders(
        self, performance: Performance, known: int, made: int, arriving: int
    ) -> tuple[list[int], int | None]:
        """Frames at which something new begins, and the first of what is arrived at."""
        lengths = [known, *(section.length or made for section in performance.sections[:-1])]
        borders = [int(at) * self.config.stride for at in np.cumsum(lengths) if at]
        return borders, (known + made) * self.config.stride if arriving else None

    def _in_time(self, performance: Performance, motion: Clip, known: int, made: int) -> tuple[Clip, int]:
        """What was performed, at the speed and the frame rate that it is played at, and its frames before an edit.

        Args:
            performance: what is asked for.
            motion: as decoded, at 30 fps.
            known, made: latent frames of what was given before, and of what was made.
        """
        stride, gap = self.config.stride, performance.gap
        positions = playing(performance.sections, made, stride)
        if gap is None:
            if known:
                motion = place_at_origin(motion.slice(known * stride, len(motion)))
            if np.array_equal(positions, np.arange(len(positions))):
                return motion.slice(0, len(positions)), 0
            return sampled(motion, positions), 0
        return gap.in_time(motion, known * stride, made * stride, positions)

    def _spoken(self, performance: Performance, clip: Clip, sample: int) -> Clip:
        """With gestures and a face; an edited clip has its own."""
        params, voice = performance.params, performance.voice
        if performance.gap is not None:
            return clip
        seed, manner = params.seed + sample, Manner.of(params.style)
        if voice is not None and not self.config.diffusion.sound:  # models that hear it gesture of themselves
            hips = params.lower is None and not params.constraints
            clip = gesture(clip, voice, seed, manner, arms=params.upper is None, hips=hips)
        if voice is None:
            return with_face(clip, None, seed, smile=manner.smile, brows=manner.brows)
        face: FaceMover | None = self.face
        if "face" in self.config.tokenizers and clip.expressions is not None:
            face = MadeFace(clip.poses[:, INDEX["jaw"]], clip.expressions)
        return with_face(clip, voice.features, seed, smile=manner.smile, brows=manner.brows, model=face)

    def _far(self, params: GenerateParams) -> list[str]:
        """What the pack says about prompts that it hardly knows."""
        if self.known is None:
            return []
        prompts = [line.prompt for line in params.script or ()]
        found = []
        for prompt in dict.fromkeys([*prompts, *([params.prompt] if params.prompt else [])]):
            embedding = self.engine.encode_text([prompt]).pooled()[0]
            found.append(self.known.warning(prompt, embedding))
        return [warning for warning in found if warning is not None]

    def _meta(self, performance: Performance, clip: Clip, sample: int) -> dict[str, Any]:
        params = performance.params
        warnings = performance.warnings + list(clip.meta.get("warnings", ()))
        return {
            "prompt": params.prompt or "; ".join(line.prompt for line in params.script or ()),
            **({"script": self._script(performance)} if params.script else {}),
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

    @staticmethod
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


def load_pipeline(pack: str, device: str = "auto", engine: str = "auto") -> Pipeline:
    """Find a pack by name or folder and load it.

    Raises:
        BadInput: there is no such pack, it is damaged, or the device is not there.
        JobFailed: the engine is not installed, or the pack lacks its graphs.
    """
    return Pipeline(find_pack(pack), device, engine)
