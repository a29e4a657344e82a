"""When who speaks: speeches with the sound of each become turns on one clock, and their sound one track for each speaker.

Most answers begin 0 to 0.4 s after the end of what they answer, in every language that was looked at (Stivers et al.,
PNAS 106, 2009).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import BadInput
from .fountain import Speech

RATE = 24000
"""Samples a second of everything that is heard in a scene."""
LEAD, TAIL = 1.0, 1.5
"""Seconds before the first word and after the last."""
BEAT = 0.7
"""Seconds of a beat."""
ANSWER = (0.15, 0.45)
"""Seconds from one speaker to the other."""
GOES_ON = 0.6
"""Seconds where the same speaker begins anew."""
_MORE = {"speech": 0.0, "action": 0.8, "scene": 1.6}
LONGEST = 3600.0
_QUIET, _MARGIN = 0.01, 0.03


@dataclass(frozen=True)
class Turn:
    """A speech and when it is heard, seconds."""

    speech: Speech
    start: float
    end: float


def trimmed(samples: np.ndarray) -> np.ndarray:
    """Samples (N,) without the silence (40 dB below the loudest) before and after them; empty where all is silent."""
    level = np.abs(samples)
    loud = np.flatnonzero(level > _QUIET * level.max(initial=0.0))
    if not len(loud):
        return samples[:0]
    margin = round(_MARGIN * RATE)
    return samples[max(loud[0] - margin, 0) : loud[-1] + margin]


def plan_turns(
    speeches: Sequence[Speech], lengths: Sequence[float], seed: int, pauses: Mapping[int, float] = {}
) -> list[Turn]:
    """Turns in the order of the speeches.

    Args:
        speeches: of a screenplay.
        lengths: seconds of the sound of each.
        seed: of the small differences between answers.
        pauses: seconds that nobody speaks before a speech, by its number: something is done.

    Raises:
        BadInput: the scene would be far too long.
    """
    turns: list[Turn] = []
    now = LEAD
    for speech, length in zip(speeches, lengths, strict=True):
        start = now
        if speech.dual and turns:
            start = turns[-1].start
            busy = [turn.end for turn in turns if turn.speech.speaker == speech.speaker]
            start = max([start, *busy])  # nobody says two things at once
        elif turns:
            rng = np.random.default_rng([seed, speech.number])
            same = turns[-1].speech.speaker == speech.speaker
            start += (GOES_ON if same else float(rng.uniform(*ANSWER))) + _MORE[speech.before]
        start += BEAT * speech.beat + pauses.get(speech.number, 0.0)
        turns.append(Turn(speech, start, start + length))
        now = max(now, start + length)
    if now > LONGEST:
        raise BadInput(f"The scene would last {now / 60:.0f} minutes, more than an hour.", field="script")
    return turns


def seconds_of(turns: Sequence[Turn], after: float = 0.0) -> float:
    """Length of the whole scene; ``after``: seconds in which something is done behind the last speech."""
    return max(turn.end for turn in turns) + after + TAIL


def tracks(
    turns: Sequence[Turn], sounds: Sequence[np.ndarray], speakers: Sequence[str], after: float = 0.0
) -> np.ndarray:
    """(speakers, N) samples: each speaker's whole scene, silent while the other speaks."""
    whole = np.zeros((len(speakers), round(seconds_of(turns, after) * RATE)), np.float32)
    for turn, sound in zip(turns, sounds, strict=True):
        at = round(turn.start * RATE)
        row = whole[speakers.index(turn.speech.speaker)]
        row[at : at + len(sound)] += sound[: len(row) - at]
    return whole


def mixed(whole: np.ndarray) -> np.ndarray:
    """(N,) all tracks together, no louder than a file holds."""
    together = whole.sum(axis=0)
    return np.asarray(together / max(float(np.abs(together).max(initial=0.0)), 1.0))
