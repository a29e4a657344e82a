"""One exchange, from what the user says to the performed answer."""

from __future__ import annotations

import base64
import binascii
import io
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..dialogue.emotions import style_of
from ..dialogue.turns import RATE
from ..errors import BadInput
from ..motion.clip import Clip
from ..motion.npz import clip_from_bytes, clip_to_bytes
from ..pipeline import Pipeline
from ..protocol.chat import Character, ChatParams, ChatResult, Remembered
from ..speech.transcripts import recognised
from .answers import Words
from .character import read_character
from .endpoint import EndpointError, check_endpoint
from .intents import Intents
from .model_author import written
from .offline import OfflineAuthor
from .performing import USER, Standing, performed
from .remembering import Scene, remembered
from .speaking import Spoken, spoken
from .staging import Stage, stages_of

OFFLINE = "offline"
"""The author of answers that no model wrote."""
LONGEST = 600.0
"""Seconds of a clip that may be gone on from."""
Progress = Callable[[str, int, int], None]

_INTENTS: weakref.WeakKeyDictionary[Pipeline, Intents] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Told:
    """An answer in words.

    Attributes:
        character: who answers.
        words: as they were written.
        author: ``offline``, or a model's name.
        heard: what the user said.
        seed: of everything that is made for this answer.
        memory: with this exchange.
        warnings: sentences for the user.
    """

    character: Character
    words: Words
    author: str
    heard: str
    seed: int
    memory: list[Remembered]
    warnings: list[str]


@dataclass(frozen=True)
class Answered:
    """An answer, performed.

    Attributes:
        told: in words.
        clip: at 30 fps, in the world of the one before.
        sound: (N,) at 24 kHz as long as the clip, or None.
        warnings: sentences for the user, those about the words among them.
    """

    told: Told
    clip: Clip
    sound: np.ndarray | None
    warnings: list[str]


def tell(
    params: ChatParams,
    pipeline: Pipeline,
    report: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Told:
    """What the character answers, in words.

    Raises:
        BadInput: the character, the recording or the endpoint's settings cannot be used.
        EndpointError: the endpoint failed, and the offline author was not asked to stand in.
        Cancelled: ``cancelled()`` turned true.
    """
    character = params.character or read_character(Path(params.character_file or ""))
    if params.endpoint is not None:
        check_endpoint(params.endpoint, params.allow_network)
    heard = params.text or _recognised(Path(params.speech or ""))
    seed = (params.seed * 1009 + Scene.of(params.memory).turn * 31) % 2**31
    step = report or (lambda stage, done, total: None)
    step("author", 0, 1)
    words, author, warnings = _words(params, character, heard, pipeline, seed, step, cancelled)
    memory = remembered(params.memory, heard, words.text, words.motion, words.emotion)
    return Told(character, words, author, heard, seed, memory, warnings)


def answer(
    params: ChatParams,
    pipeline: Pipeline,
    report: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Answered:
    """Answer a user, with voice and body.

    Raises:
        BadInput: as :func:`tell`, or the last clip cannot be gone on from.
        EndpointError, Cancelled: as :func:`tell`.
    """
    previous = None if params.previous is None else _clip(params.previous)
    told = tell(params, pipeline, report, cancelled)
    character, words = told.character, told.words
    here = Standing.of(previous)
    user = np.asarray(params.user or USER, float)
    down = previous is not None and Scene.of(params.memory).down
    stages = stages_of(words.motion, here.place, here.facing, user, character.places, down=down)
    if report is not None:
        report("voices", 0, 1)
    said = spoken(
        words.text,
        character.name,
        next((stage.act for stage in stages if stage.act), words.act),
        voice=character.voice,
        language=character.language or params.language,
        aloud=params.voice,
    )
    clip = performed(
        pipeline,
        stages,
        said,
        style=style_of((words.emotion,)),
        seed=told.seed,
        user=user,
        previous=previous,
        progress=report,
        cancelled=cancelled,
    )
    warnings = [*told.warnings, *said.warnings, *_far(pipeline, stages)]
    meta = {"character": character.name, "text": words.text, "emotion": words.emotion, "motion": words.motion}
    clip = clip.replace(meta={**clip.meta, **meta, **({"warnings": warnings} if warnings else {})})
    return Answered(told, clip, _fitted(said, len(clip) / clip.fps), warnings)


def result_of(done: Answered, began: float) -> ChatResult:
    """An answer as a message; ``began`` is a time of ``time.monotonic``."""
    told = done.told
    return ChatResult(
        text=told.words.text,
        emotion=told.words.emotion,
        motion=told.words.motion,
        clip=base64.b64encode(clip_to_bytes(done.clip)).decode("ascii"),
        frames=len(done.clip),
        fps=done.clip.fps,
        sound=None if done.sound is None else base64.b64encode(wav_of(done.sound)).decode("ascii"),
        seconds=done.clip.seconds,
        author=told.author,
        heard=told.heard,
        memory=told.memory,
        warnings=done.warnings,
        seconds_taken=round(time.monotonic() - began, 3),
    )


def wav_of(samples: np.ndarray) -> bytes:
    """A WAV file of samples (N,) at 24 kHz."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, RATE, subtype="PCM_16", format="WAV")
    return file.getvalue()


def _words(
    params: ChatParams,
    character: Character,
    heard: str,
    pipeline: Pipeline,
    seed: int,
    step: Progress,
    cancelled: Callable[[], bool] | None,
) -> tuple[Words, str, list[str]]:
    """What is answered, who wrote it, and what was odd."""
    warnings: list[str] = []
    language = character.language or params.language
    if params.endpoint is not None:
        try:
            words, warnings = written(
                params.endpoint,
                character,
                params.memory,
                heard,
                language=language,
                allow_network=params.allow_network,
                seed=seed,
                cancelled=cancelled,
                waiting=lambda: step("author", 0, 1),
            )
            return words, params.endpoint.model, warnings
        except EndpointError as error:
            if not params.fall_back:
                raise
            warnings = [f"The offline author answers: {error.message}"]
    if not language.lower().startswith("en"):
        warnings.append("The offline author writes English only; other languages need an endpoint.")
    return _offline(pipeline)(character, params.memory, heard, params.seed), OFFLINE, warnings


def _offline(pipeline: Pipeline) -> OfflineAuthor:
    """The offline author, with a pack's sentence encoder and knowledge of movements."""

    def able(motion: str) -> bool:
        prompt = f"a person {motion}"
        known = pipeline.known
        return (
            known is None or known.warning(prompt, pipeline.engine.encode_text([prompt]).pooled()[0]) is None
        )

    if pipeline not in _INTENTS:
        engine = weakref.proxy(pipeline.engine)
        _INTENTS[pipeline] = Intents(lambda texts: np.asarray(engine.encode_text(texts).pooled()))
    return OfflineAuthor(_INTENTS[pipeline], able)


def _far(pipeline: Pipeline, stages: list[Stage]) -> list[str]:
    """What the pack says about movements that it hardly knows."""
    if pipeline.known is None:
        return []
    found = []
    for stage in stages:
        if stage.prompt:
            embedding = pipeline.engine.encode_text([stage.prompt]).pooled()[0]
            found.append(pipeline.known.warning(stage.prompt, embedding))
    return [warning for warning in found if warning]


def _recognised(path: Path) -> str:
    """What is said in a recording.

    Raises:
        BadInput: it cannot be read, nothing on this machine can recognise words, or there are none.
    """
    if not path.is_file():
        raise BadInput(f"There is no recording {path}.", field="speech")
    said = recognised(path)
    if said is None:
        raise BadInput(
            "Words of a recording cannot be recognised on this machine: faster-whisper or its model is not installed.",
            hint="Install faster-whisper and name the folder of a model by UNDERSTUDY_WHISPER, or type the text.",
            field="speech",
        )
    text = " ".join(word.text for word in said.words).strip()
    if not text:
        raise BadInput(f"Nothing is said in {path.name}.", field="speech")
    return text[:2000]


def _clip(previous: str) -> Clip:
    """The answer before.

    Raises:
        BadInput: it is no clip that can be gone on from.
    """
    try:
        clip = clip_from_bytes(base64.b64decode(previous, validate=True))
    except (binascii.Error, ValueError):
        raise BadInput("The previous clip is not base64.", field="previous") from None
    except BadInput as error:
        raise BadInput(error.message, hint=error.hint, field="previous") from None
    if clip.seconds > LONGEST or not clip.known.get("lower_trans", True):
        raise BadInput("The previous clip is no answer of a character.", field="previous")
    return clip


def _fitted(said: Spoken, seconds: float) -> np.ndarray | None:
    """The sound as long as the clip."""
    if said.samples is None:
        return None
    count = round(seconds * RATE)
    return np.pad(said.samples[:count], (0, max(count - len(said.samples), 0)))
