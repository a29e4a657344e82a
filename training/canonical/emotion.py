"""The emotion of a motion: from the words of its captions, else from how it moves."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ..data.metadata import Emotion, Expression
from .style import energy_level

WORDS: dict[str, tuple[float, float]] = {
    r"happ(y|il[yi]|iness)|cheer(ful|fully|y|s|ing)?|glad(ly)?|merr(y|ily)": (0.8, 0.6),
    r"joy(ful|fully|ous|ously)?|celebrat\w+|delight\w*": (0.9, 0.8),
    r"excited(ly)?|excitement|thrilled|ecstatic\w*": (0.8, 0.95),
    r"playful(ly)?|fun|lively|bounc(y|ily)": (0.6, 0.7),
    r"energetic(ally)?|enthusias\w+|vigorous(ly)?": (0.5, 0.9),
    r"proud(ly)?|confident(ly)?|triumphant(ly)?": (0.6, 0.5),
    r"calm(ly)?|relax(ed|es|ing)?|peaceful(ly)?|gentl[ey]|serene(ly)?": (0.5, 0.15),
    r"content(ed|edly|ment)|satisf(ied|action)": (0.5, 0.3),
    r"angr(y|ily)|anger|annoyed|irritated": (-0.6, 0.8),
    r"furious(ly)?|fury|rag(e|es|ing)": (-0.8, 1.0),
    r"aggressive(ly)?|violent(ly)?|hostile|threaten\w*": (-0.6, 0.85),
    r"frustrat\w+|stomp\w*": (-0.5, 0.7),
    r"fight\w*|attack\w*": (-0.35, 0.9),
    r"afraid|scared|fear(ful|fully)?|panic\w*|terrified": (-0.7, 0.8),
    r"nervous(ly)?|anxious(ly)?|hesitant(ly)?": (-0.4, 0.6),
    r"disgust\w*|contempt(uous|uously)?": (-0.6, 0.5),
    r"sad(ly|ness)?|sorrow(ful|fully)?|unhapp(y|ily)": (-0.7, 0.3),
    r"depressed|deject\w+|gloom(y|ily)|miserable|miserably": (-0.8, 0.2),
    r"cr(y|ies|ying)|weep\w*|sob(s|bing)?": (-0.7, 0.45),
    r"tired(ly)?|exhausted(ly)?|sleepy|sleepily|weary|wearily": (-0.35, 0.1),
    r"bored(ly)?|listless(ly)?": (-0.35, 0.15),
    r"neutral(ly)?|casual(ly)?|normal(ly)?": (0.0, 0.35),
}
"""Words (patterns of whole words) and the valence and arousal that they carry."""

_PATTERNS = [(re.compile(rf"\b(?:{words})\b"), value) for words, value in WORDS.items()]


def label(valence: float, arousal: float) -> Expression:
    """The schema's expression for a place on the plane of valence and arousal."""
    if valence > 0.3:
        return "excited" if arousal > 0.5 else "happy"
    if valence < -0.3:
        return "angry" if arousal > 0.5 else "sad"
    return "neutral"


def _emotion(valence: float, arousal: float) -> Emotion:
    return Emotion(
        emotion_label=label(valence, arousal), valence=round(valence, 2), arousal=round(arousal, 2)
    )


def emotion_of_text(text: Sequence[str]) -> Emotion | None:
    """The mean over every emotional word of the captions; ``None`` when there is none."""
    joined = "\n".join(text).lower()
    found = [value for pattern, value in _PATTERNS for _ in pattern.finditer(joined)]
    if not found:
        return None
    valence, arousal = np.mean(found, axis=0)
    return _emotion(float(valence), float(arousal))


def emotion_of_motion(motion: np.ndarray, fps: float) -> Emotion | None:
    """Arousal is the energy; a figure that opens out and travels counts as pleasant.

    The formula is the reference's. No label is drawn from it: every quiet figure would be called sad, near
    half of all mocap, and a wrong label is worse than none.

    Args:
        motion: figures (T, D) or (T, A, D); with fewer than five frames nothing can be told.
    """
    if len(motion) < 5:
        return None
    flat = motion.mean(axis=1) if motion.ndim == 3 else motion
    expansion = float(np.clip(flat.var(axis=0, ddof=1).mean() / 0.1, 0.0, 1.0))
    arousal = energy_level(flat, fps)
    return Emotion(valence=round(2.0 * expansion - 1.0, 2), arousal=round(arousal, 2))


def emotion(motion: np.ndarray, fps: float, text: Sequence[str] = ()) -> Emotion | None:
    return emotion_of_text(text) or emotion_of_motion(motion, fps)
