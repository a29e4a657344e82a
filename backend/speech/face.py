"""A face that speaks: jaw, lips, eyes, lids and brows for a voice.

The mouth comes from the sound (:mod:`.mouth`), the eyes from chance within what people do (:mod:`.gaze`). Jaw and
eyes are joints of SMPL-X; lips, lids and brows are the channels of :mod:`..motion.expressions`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..motion.clip import Clip
from ..motion.expressions import CHANNELS, MOUTH_OPEN, marked, weigh
from ..motion.filters import gaussian
from ..motion.skeleton import INDEX
from . import gaze, mouth
from .face_model import FaceMover
from .features import SpeechFeatures
from .spectrum import MELS

Face = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Jaw (T, 3) and eyes (T, 2, 3), axis-angle, and expressions (T, 100)."""
_SILENCE = {"mel": -14.0, "loudness": -60.0}
_EMPTY = np.zeros(0)
_NOTHING = SpeechFeatures(np.zeros((0, MELS)), _EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY, seconds=0.0)
_LID_FOLLOWS = 1.3  # how far a lid falls for every radian that its eye looks down


def perform_face(
    features: SpeechFeatures,
    frames: int,
    seed: int,
    *,
    smile: float = 0.0,
    brows: float = 0.0,
    model: FaceMover | None = None,
) -> Face:
    """A speaking face of ``frames`` frames at 30 fps, the same for the same seed.

    Args:
        features: of the voice; where it is shorter than ``frames``, silence follows.
        frames: how many.
        seed: of blinks and looks.
        smile, brows: 0 to 1, lie over everything else; brows are raised.
        model: moves the jaw and the expressions of scans; ours then add what a body of our own can show.
    """
    return next(
        face_blocks(features, frames, seed, smile=smile, brows=brows, model=model, block=max(frames, 1))
    )


def face_blocks(
    features: SpeechFeatures,
    frames: int,
    seed: int,
    *,
    smile: float = 0.0,
    brows: float = 0.0,
    model: FaceMover | None = None,
    block: int = 1800,
) -> Iterator[Face]:
    """:func:`perform_face` in blocks of ``block`` frames, each the same as its part of the whole."""
    heard = _cut(features, frames)
    directions = gaze.look(heard.activity, seed)
    lids = gaze.blinks(heard.activity, directions, seed)
    lids = np.clip(np.maximum(lids, _LID_FOLLOWS * directions[:, 0]), 0.0, 1.0)
    raised = np.minimum(_brows(heard) + brows, 1.0)
    for start in range(0, max(frames, 1), block):
        stop = min(start + block, frames)
        said = mouth.part(heard, start, stop)
        here = slice(start, stop)
        jaw = np.zeros((stop - start, 3))
        jaw[:, 0] = said.jaw
        eyes = np.zeros((stop - start, 2, 3))
        eyes[..., :2] = directions[here, None]
        calm = np.full(stop - start, float(np.clip(smile, 0.0, 1.0)))
        expressions = weigh(
            stop - start,
            blink_left=lids[here],
            blink_right=lids[here],
            mouth_wide=said.mouth_wide,
            mouth_round=said.mouth_round,
            lips_press=said.lips_press,
            lip_bite=said.lip_bite,
            smile=calm * (1.0 - 0.6 * said.mouth_round),
            brows_up=raised[here],
        )
        if model is not None:
            learned, scanned = model.perform(heard, start, stop)
            wide_open = np.clip((jaw[:, 0] - learned[:, 0]) / MOUTH_OPEN, 0.0, 1.0)
            ours = list(CHANNELS.values())
            scanned[:, ours] = expressions[:, ours]
            scanned[:, CHANNELS["mouth_open"]] = wide_open
            jaw, expressions = learned, scanned
        yield jaw, eyes, expressions


def with_face(
    clip: Clip,
    features: SpeechFeatures | None,
    seed: int,
    *,
    smile: float = 0.0,
    brows: float = 0.0,
    model: FaceMover | None = None,
) -> Clip:
    """The clip with a face that speaks; as long as before, at its own frame rate.

    Args:
        clip: its jaw, eyes and expressions are replaced.
        features: of the voice, which begins with the clip; None for somebody who keeps silent and whose eyes live.
        seed: of blinks and looks.
        smile, brows: 0 to 1.
        model: of a pack that has one; without it the mouth is the signal model's.
    """
    features = _NOTHING if features is None else features
    position = np.arange(len(clip)) / clip.fps * features.fps
    # What is said past the end of the clip still shapes the mouth before it.
    frames = int(position[-1]) + 2 + mouth.REACH
    jaw, eyes, expressions = (
        _at_times(values, position)
        for values in perform_face(features, frames, seed, smile=smile, brows=brows, model=model)
    )
    poses = np.array(clip.poses)
    poses[:, INDEX["jaw"]] = jaw
    poses[:, [INDEX["left_eye_smplhf"], INDEX["right_eye_smplhf"]]] = eyes
    return clip.replace(
        poses=poses, expressions=expressions, known={**clip.known, "face": True}, meta=marked(clip.meta)
    )


def _at_times(values: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Values (T, ...) between frames, at ``position`` (N,) frames; the angles are small enough for lines."""
    low = np.minimum(position.astype(int), len(values) - 1)
    high = np.minimum(low + 1, len(values) - 1)
    weight = (position - low).reshape(-1, *[1] * (values.ndim - 1))
    result: np.ndarray = (1 - weight) * values[low] + weight * values[high]
    return result


def _brows(features: SpeechFeatures) -> np.ndarray:
    """Brows (T,), 0 to 1, that rise with accents: a pitch well above what this voice had within seconds."""
    voiced = (np.asarray(features.pitch) > 0) & (np.asarray(features.loudness) > -14.0)
    if not voiced.any():
        return np.zeros(len(voiced))
    height = np.log2(np.where(voiced, features.pitch, 1.0)) * 12.0
    weight = voiced.astype(float)
    memory = 4.0 * features.fps
    usual = gaussian(height * weight, memory) / np.maximum(gaussian(weight, memory), 1e-6)
    high = np.clip((height - usual - 2.0) / 5.0, 0.0, 1.0) * weight
    raised = gaussian(high, 0.10 * features.fps)
    result: np.ndarray = np.maximum(np.minimum(1.6 * raised, 1.0) * 0.75 - 0.04, 0.0)
    return result


def _cut(features: SpeechFeatures, frames: int) -> SpeechFeatures:
    """The first ``frames`` frames; silence where there are fewer."""
    missing = frames - len(features)

    def fit(name: str) -> np.ndarray:
        values = np.asarray(getattr(features, name))[:frames]
        if missing <= 0:
            return values
        rest = np.full((missing, *values.shape[1:]), _SILENCE.get(name, 0.0), values.dtype)
        return np.concatenate([values, rest])

    return SpeechFeatures(
        mel=fit("mel"), onset=fit("onset"), loudness=fit("loudness"), pitch=fit("pitch"), voiced=fit("voiced"),
        activity=fit("activity"), seconds=features.seconds, fps=features.fps,
    )  # fmt: skip
