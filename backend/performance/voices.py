"""A voice of any length becomes clips, window by window: what stays in memory is the clips.

Every window is cleaned up and talks before it is joined to those before it; the face, which needs no models or has been
made by them, is laid over the whole in pieces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..motion.cleanup import clean_up_with_report
from ..motion.clip import Clip
from ..motion.expressions import marked
from ..motion.features import FPS
from ..motion.quality import CleanUpReport, combined
from ..motion.skeleton import INDEX, NUM_EXPRESSIONS
from ..speech import mouth
from ..speech.face import face_blocks
from ..speech.face_model import FaceMover, MadeFace
from ..speech.gestures import Gestures
from ..speech.manner import Manner
from ..speech.voice import Voice
from .joining import Joined
from .windows import OnStep, Performer

FACE = 1800
"""Frames of a face that are made at once."""


@dataclass(frozen=True)
class Talk:
    """A voice and how it is performed.

    Attributes:
        voice: what is heard.
        manner: the style of the talk.
        seed: of the first sample; the next ones count on.
        arms: whether the arms are free for gestures.
        hips: whether the hips are.
        gestures: whether there are any; models that hear the voice gesture of themselves.
        face: what moves the mouth; None for the signal model, or for the face that the models make.
        cleanup: whether motion is cleaned up.
    """

    voice: Voice
    manner: Manner
    seed: int
    arms: bool
    hips: bool
    gestures: bool
    face: FaceMover | None
    cleanup: bool


def perform(performer: Performer, talk: Talk, on_step: OnStep) -> list[Clip]:
    """A clip for every sample, as long as the voice.

    Args:
        performer: the models, told of the voice.
        talk: the voice.
        on_step: called with (model steps done, steps expected) after each; it may raise to cancel.
    """
    frames, samples = len(talk.voice), len(performer.rngs)
    joined = [Joined(frames) for _ in range(samples)]
    gestures = [
        Gestures.of(talk.voice, talk.seed + sample, talk.manner, arms=talk.arms, hips=talk.hips)
        for sample in range(samples if talk.gestures else 0)
    ]
    reports: list[list[tuple[int, CleanUpReport]]] = [[] for _ in range(samples)]
    for window in performer.windows(frames, on_step):
        for sample, clip in enumerate(window.clips):
            if talk.cleanup:
                clip, report = clean_up_with_report(clip)
                reports[sample].append((window.stop - window.start, report))
            if talk.gestures:
                clip = gestures[sample].over(clip, window.first)
            joined[sample].add(clip, window.first, window.start, window.stop)
    clips = []
    for sample, one in enumerate(joined):
        clip = one.clip()
        meta = {"cleanup": combined(reports[sample]).as_dict()} if talk.cleanup else {}
        clips.append(_with_face(clip.replace(meta={**clip.meta, **meta}), talk, sample))
    return clips


def _with_face(clip: Clip, talk: Talk, sample: int) -> Clip:
    """With a face that speaks, written over the clip's own a piece at a time."""
    poses, expressions = clip.poses, clip.expressions
    model = talk.face
    if clip.known["face"] and expressions is not None:
        model = MadeFace(poses[:, INDEX["jaw"]], expressions)
    else:
        expressions = np.zeros((len(clip), NUM_EXPRESSIONS), np.float32)
    faces = face_blocks(
        talk.voice.features,
        len(clip) + mouth.REACH,  # what is said past the end still shapes the mouth before it
        talk.seed + sample,
        smile=talk.manner.smile,
        brows=talk.manner.brows,
        model=model,
        block=FACE,
    )
    at = 0
    for jaw, eyes, shown in faces:
        count = min(len(jaw), len(clip) - at)
        here = slice(at, at + count)
        poses[here, INDEX["jaw"]] = jaw[:count]
        poses[here, [INDEX["left_eye_smplhf"], INDEX["right_eye_smplhf"]]] = eyes[:count]
        expressions[here] = shown[:count]
        at += count
        if at == len(clip):
            break
    return clip.replace(
        poses=poses,
        expressions=expressions,
        fps=FPS,
        known={**clip.known, "face": True},
        meta=marked(clip.meta),
    )
