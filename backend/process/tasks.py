"""What the worker does with each kind of request: perform, describe, search."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ..errors import BadInput
from ..errors import Cancelled as CancelledError
from ..motion.npz import clip_from_bytes, clip_to_bytes
from ..packs.known import warnings_of
from ..protocol.chat import ChatParams, ChatResult
from ..protocol.dialogue import DialogueParams, DialogueResult, DialogueTurn
from ..protocol.library import (
    DescribeParams,
    DescribeResult,
    FoundClip,
    SearchParams,
    SearchResult,
    SkippedFile,
    Told,
)
from ..protocol.messages import ClipMessage, GenerateParams, GenerateResult
from .log import logger

Params = GenerateParams | DescribeParams | SearchParams | DialogueParams | ChatParams
ReportStep = Callable[[str, int, int], None]
Cancelled = Callable[[], bool]

CALLED = {
    GenerateParams: "Generating",
    DescribeParams: "Describing",
    SearchParams: "Searching",
    DialogueParams: "The dialogue",
    ChatParams: "The answer",
}
"""The kinds of requests, as sentences about them begin."""


def perform(params: Params, pipeline: Any, report: ReportStep, cancelled: Cancelled) -> BaseModel:
    """The result of a request.

    Args:
        params: what is asked for.
        pipeline: of its pack, loaded.
        report: called with (stage, steps done, steps expected).
        cancelled: whether the result is not wanted any more.
    """
    began = time.monotonic()
    if isinstance(params, SearchParams):
        return _search(params, pipeline, report, cancelled, began)
    if isinstance(params, DescribeParams):
        return _describe(params, pipeline, report, began)
    if isinstance(params, DialogueParams):
        return _dialogue(params, pipeline, report, cancelled, began)
    if isinstance(params, ChatParams):
        return _chat(params, pipeline, report, cancelled, began)
    return _generate(params, pipeline, report, cancelled, began)


def _chat(
    params: ChatParams, pipeline: Any, report: ReportStep, cancelled: Cancelled, began: float
) -> ChatResult:
    from ..roleplay.answering import answer, result_of

    result = result_of(answer(params, pipeline, report, cancelled), began)
    logger.info("An answer of %.1f s by %s in %.2f s", result.seconds, result.author, result.seconds_taken)
    return result


def _generate(
    params: GenerateParams, pipeline: Any, report: ReportStep, cancelled: Cancelled, began: float
) -> GenerateResult:
    clips = pipeline.generate(params, progress=report, cancelled=cancelled)
    messages = [
        ClipMessage(
            npz=base64.b64encode(clip_to_bytes(clip)).decode("ascii"),
            frames=len(clip),
            fps=clip.fps,
            seconds=clip.seconds,
            meta=_plain(clip.meta),
        )
        for clip in clips
    ]
    taken = time.monotonic() - began
    logger.info("%d clips of %.1f s in %.2f s", len(clips), clips[0].seconds, taken)
    return GenerateResult(clips=messages, seconds_taken=round(taken, 3), warnings=warnings_of(clips))


def _describe(params: DescribeParams, pipeline: Any, report: ReportStep, began: float) -> DescribeResult:
    from ..performance.describing import describe_clip

    try:
        data = base64.b64decode(params.npz, validate=True)
    except (ValueError, binascii.Error):
        raise BadInput("The clip is not base64.", field="npz") from None
    clip = clip_from_bytes(data)
    report("describe", 0, 1)
    found = describe_clip(pipeline, clip)
    sentences = [Told(start=one.start, stop=one.stop, text=one.text) for one in found]
    taken = round(time.monotonic() - began, 3)
    return DescribeResult(texts=[one.text for one in found], sentences=sentences, seconds_taken=taken)


def _search(
    params: SearchParams, pipeline: Any, report: ReportStep, cancelled: Cancelled, began: float
) -> SearchResult:
    from ..search.searching import Library

    library = Library(pipeline.pack, pipeline.engine.encode_text)
    folders = [Path(folder) for folder in params.all_folders]
    findings = library.search(params.query, folders, params.limit, report, cancelled)
    taken = time.monotonic() - began
    logger.info("Searched %d clips in %.2f s", findings.read, taken)
    return SearchResult(
        results=[
            FoundClip(
                path=str(one.path),
                score=round(one.score, 4),
                text=one.entry.text,
                seconds=one.entry.seconds,
                frames=one.entry.frames,
                fps=one.entry.fps,
                layout=one.entry.layout,
                start=round(one.start, 3),
                stop=round(one.stop, 3),
            )
            for one in findings.found
        ],
        skipped=[SkippedFile(path=str(path), why=why) for path, why in findings.skipped],
        read=findings.read,
        seconds_taken=round(taken, 3),
    )


def _dialogue(
    params: DialogueParams, pipeline: Any, report: ReportStep, cancelled: Cancelled, began: float
) -> DialogueResult:
    from ..dialogue.making import asked_of, make

    def on_step(stage: str, step: int, total: int) -> None:
        if cancelled():
            raise CancelledError("The dialogue was cancelled.")
        report(stage, step, total)

    asked = asked_of(params)
    made = make(asked, lambda: pipeline, on_step)
    clips = [base64.b64encode(clip_to_bytes(clip)).decode("ascii") for clip in made.acted.clips]
    taken = round(time.monotonic() - began, 3)
    logger.info("A dialogue of %.1f s in %.2f s", made.acted.clips[0].seconds, taken)
    return DialogueResult(
        clips=clips,
        names=asked.screenplay.speakers,
        sound=base64.b64encode(made.sound()).decode("ascii"),
        turns=[
            DialogueTurn(
                number=turn.speech.number,
                speaker=turn.speech.speaker,
                text=turn.speech.text,
                start=round(turn.start, 3),
                end=round(turn.end, 3),
            )
            for turn in made.turns
        ],
        distance=made.acted.distance,
        measures=made.acted.measures,
        warnings=made.acted.warnings,
        seconds_taken=taken,
    )


def _plain(meta: dict[str, Any]) -> dict[str, Any]:
    """A clip's free information with nothing in it that JSON does not know."""
    return json.loads(json.dumps(meta, default=str))
