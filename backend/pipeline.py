"""From a request to clips: hear and read, plan and refine, decode, bring into place, clean up, direct, finish."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .direction import keys
from .direction.direct import Direction
from .direction.seams import softened
from .direction.standing import without_way
from .engines.base import OutOfMemory
from .engines.choose import load_engine
from .errors import Cancelled
from .motion.clip import Clip, place_at_origin, sampled
from .motion.features import clip_from_features, features_from_clip
from .motion.skeleton import INDEX
from .packs.config import read_config
from .packs.finding import Pack, find_pack
from .packs.known import Known
from .performance.composing import KNOWN_AFTER, KNOWN_BEFORE, Composer, Given
from .performance.decoding import decoded
from .performance.memo import Memo
from .performance.sections import playing
from .performance.telling import guidance, hear, tell
from .performance.understanding import Performance, facts, understood
from .performance.voices import Talk, perform
from .performance.windows import Performer
from .process.log import logger
from .speech.face import with_face
from .speech.face_model import FILE as FACE
from .speech.face_model import FaceModel, FaceMover, MadeFace
from .speech.gestures import gesture
from .speech.manner import Manner

if TYPE_CHECKING:
    from .protocol.messages import GenerateParams

Progress = Callable[[str, int, int], None]
"""Called with (stage, steps done, steps expected)."""


TOO_LITTLE = "The device {device} has not enough memory for this: the processor made it, which takes longer."
"""What the user is told then."""


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
        performance = understood(
            params, self.config, self.pack, self._far(params), lambda: report("text")(0, 1)
        )
        if performance.plain_voice:
            clips = [
                self._signed(performance, clip, sample)
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
            self._signed(performance, clip, sample)
            for sample, clip in enumerate(self._chosen(performance, clips))
        ]

    def _signed(self, performance: Performance, clip: Clip, sample: int) -> Clip:
        """With what it tells about where it comes from."""
        told = facts(performance, clip, sample, self.pack, self.engine.name)
        return clip.replace(meta={**clip.meta, **told})

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


def load_pipeline(pack: str, device: str = "auto", engine: str = "auto") -> Pipeline:
    """Find a pack by name or folder and load it.

    Raises:
        BadInput: there is no such pack, it is damaged, or the device is not there.
        JobFailed: the engine is not installed, or the pack lacks its graphs.
    """
    return Pipeline(find_pack(pack), device, engine)
