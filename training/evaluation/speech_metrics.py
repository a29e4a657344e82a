"""How a talker's clip goes with a voice, and with what captured talkers do: one clip's numbers, tables of many.

Definitions: BC and L1div of :mod:`.cospeech` with onsets of :mod:`.onsets`, as EMAGE's papers print them divided by ten;
the rest is said at :data:`METRICS`. Every number that depends on the voice is also measured with the voice shifted in
time against the motion: what is left then is chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from ...backend.errors import BadInput
from ...backend.motion.clip import Clip
from ...backend.motion.kinematics import forward_kinematics
from ...backend.motion.rotations import axis_angle_to_matrix
from ...backend.motion.skeleton import INDEX
from ...backend.speech.audio import RATE
from ...backend.speech.features import SpeechFeatures, features_of
from ...backend.speech.rhythm import syllables
from .cospeech import EDGE, beat_consistency, face_lvd, l1_diversity, speeds
from .onsets import onsets

SHIFTS = (3.1, 5.3, 7.7, 9.9, 12.3)
"""Seconds by which a voice is shifted against the motion, around its end."""
HEAD_AND_HANDS = (15, 20, 21)
SWELL = 0.5
"""Seconds over which speed and loudness are averaged before they are compared."""
LAGS = 5
"""Frames before and after in which the mouth's lag is looked for."""
CHIN = np.array([0.0, -0.05, 0.09])
"""Metres from the jaw's joint to the chin, which stands for the vertices of the mouth."""

METRICS = {
    "bc": ("BC", "nearness of the upper body's stops to the voice's onsets"),
    "bc_syllables": ("BC, syllables", "the same with the syllables that the backend hears"),
    "l1div": ("L1div", "metres that joints are from their mean place, summed over all joints and axes"),
    "follows": ("follows loudness", "Spearman of head's and hands' speed and loudness, each over 0.5 s"),
    "pauses": ("pauses / talk", "speed of head and hands in pauses, by that in talk"),
    "jaw": ("jaw, loudness", "correlation of the jaw's opening with the envelope of the voice"),
    "jaw_lag": ("lag", "frames by which the jaw is later where that correlation is greatest"),
    "jaw_captured": ("jaw, captured", "correlation of the jaw's opening with the captured one"),
    "expressions_captured": (
        "expressions, captured",
        "mean correlation of the ten expressions that move most",
    ),
    "chin_lvd": ("chin LVD, mm", "mean difference of the chin's steps from the captured ones"),
    "fgd": ("FGD", "Frechet distance of the judge's latents to those of captured talkers"),
}
"""Of every metric its heading and what it is."""


@dataclass(frozen=True)
class Heard:
    """A recording as the metrics hear it: mono samples (N,) at 16 kHz and what is made of them."""

    samples: np.ndarray
    features: SpeechFeatures

    @classmethod
    def of(cls, samples: np.ndarray) -> Heard:
        return cls(samples, features_of(samples))

    def shifted(self, seconds: float) -> Heard:
        """The same recording, begun so much earlier; its beginning comes at its end."""
        return Heard.of(np.roll(self.samples, round(seconds * RATE)))

    def onsets(self, frames: int, fps: float, edge: int = EDGE) -> np.ndarray:
        """Seconds (K,) of the onsets between the first and the last ``edge`` of so many frames, as the reference
        finds them: in that stretch alone."""
        first, last = round(edge / fps * RATE), round((frames - edge) / fps * RATE)
        return onsets(self.samples[first : max(last, first)]) + first / RATE

    def envelope(self, frames: int, fps: float) -> np.ndarray:
        """Root mean square (frames,) of the 50 ms around each frame."""
        half = round(0.025 * RATE)
        power = np.concatenate([[0.0], np.cumsum(np.pad(self.samples.astype(float), half) ** 2)])
        at = np.minimum(np.round(np.arange(frames) / fps * RATE).astype(int), len(self.samples) - 1)
        return np.asarray(np.sqrt((power[at + 2 * half] - power[at]) / (2 * half)))


def joints_of(clip: Clip) -> np.ndarray:
    """Joints (T, 55, 3), the pelvis at the origin: what BC and L1div are measured on."""
    found = forward_kinematics(clip.poses, np.zeros_like(clip.trans))[0]
    return np.asarray(found - found[:, :1])


def body_numbers(joints: np.ndarray, fps: float, heard: Heard, usual: np.ndarray) -> dict[str, float]:
    """Numbers of joints (T, 55, 3) that depend on the voice; those of which the clip has too little are left out.

    Args:
        joints: pelvis at the origin.
        fps: frames a second.
        heard: the voice, which begins with the motion.
        usual: (55,) mean speeds of captured talkers (:func:`.cospeech.mean_speeds`).
    """
    result = {}
    times = {
        "bc": heard.onsets(len(joints), fps),
        "bc_syllables": syllables(heard.features),
    }
    for name, at in times.items():
        try:
            result[name] = beat_consistency([joints], [at], fps, usual)
        except BadInput:
            continue
    speed = speeds(joints, fps)[:, HEAD_AND_HANDS].max(axis=1)
    count = min(len(speed), len(heard.features))
    speed, loudness = speed[:count], heard.features.loudness[:count]
    width = min(round(SWELL * fps), count)
    mean = np.ones(width) / width
    result["follows"] = correlation(*(rankdata(np.convolve(v, mean, "same")) for v in (speed, loudness)))
    talks = heard.features.activity[:count] > 0.5
    if 0 < talks.sum() < count:
        result["pauses"] = float(speed[~talks].mean() / max(speed[talks].mean(), 1e-9))
    return result


def mouth_numbers(clip: Clip, heard: Heard) -> dict[str, float]:
    """How the jaw goes with the voice; nothing of a clip without a face."""
    jaw = np.asarray(clip.poses[:, INDEX["jaw"], 0], float)
    if not clip.known.get("face") or np.ptp(jaw) < 1e-6:
        return {}
    loud = heard.envelope(len(jaw), clip.fps)
    found = [lagged(loud, jaw, lag) for lag in range(-LAGS, LAGS + 1)]
    return {"jaw": found[LAGS], "jaw_lag": float(int(np.argmax(found)) - LAGS)}


def face_numbers(made: Clip, captured: Clip) -> dict[str, float]:
    """A made face beside the captured one that spoke the same words."""
    count = min(len(made), len(captured))
    jaws = [np.asarray(clip.poses[:count, INDEX["jaw"]], float) for clip in (made, captured)]
    chins = [(axis_angle_to_matrix(jaw) @ CHIN)[:, None] for jaw in jaws]
    result = {
        "jaw_captured": correlation(jaws[0][:, 0], jaws[1][:, 0]),
        # The sum over three axes, in millimetres.
        "chin_lvd": 3000.0 * face_lvd(chins[0], chins[1]),
    }
    if made.expressions is not None and captured.expressions is not None:
        ours, theirs = made.expressions[:count], captured.expressions[:count]
        most = np.argsort(-theirs.std(axis=0))[:10]
        result["expressions_captured"] = float(np.mean([correlation(ours[:, i], theirs[:, i]) for i in most]))
    return result


def clip_numbers(clip: Clip, heard: Heard, usual: np.ndarray) -> dict[str, float]:
    """All numbers of a clip and its voice that need nothing captured."""
    joints = joints_of(clip)
    return {
        **body_numbers(joints, clip.fps, heard, usual),
        "l1div": l1_diversity([joints]),
        **mouth_numbers(clip, heard),
    }


def shifted_numbers(clip: Clip, heard: Sequence[Heard], usual: np.ndarray) -> dict[str, float]:
    """Means over shifted voices (:data:`SHIFTS`) of what depends on the voice; a lag of chance means nothing."""
    joints = joints_of(clip)
    rows = [{**body_numbers(joints, clip.fps, one, usual), **mouth_numbers(clip, one)} for one in heard]
    return {name: mean for name, (mean, _) in spread(rows).items() if name != "jaw_lag"}


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's; 0 where one does not move."""
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0


def lagged(a: np.ndarray, b: np.ndarray, lag: int) -> float:
    """Correlation of a with b, which is ``lag`` frames later."""
    count = len(a)
    return correlation(a[max(-lag, 0) : count - max(lag, 0)], b[max(lag, 0) : count + min(lag, 0)])


def spread(rows: Iterable[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of each metric over the rows that have it."""
    values: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            values.setdefault(name, []).append(value)
    return {name: (float(np.mean(all_)), float(np.std(all_))) for name, all_ in values.items()}


def table(groups: Mapping[str, Mapping[str, tuple[float, float]]], counts: Mapping[str, int]) -> str:
    """Markdown: a line for each group of clips, mean ± spread of each metric that any of them has."""
    names = [name for name in METRICS if any(name in group for group in groups.values())]
    lines = [
        "| | clips | " + " | ".join(METRICS[name][0] for name in names) + " |",
        "|---" * (len(names) + 2) + "|",
    ]
    for label, group in groups.items():
        cells = [_cell(group[name], counts[label]) if name in group else "" for name in names]
        lines.append(f"| {label} | {counts[label]} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: tuple[float, float], count: int) -> str:
    mean, deviation = value
    digits = 2 if abs(mean) >= 10 else 3
    return f"{mean:.{digits}f}" + (f" ± {deviation:.{digits}f}" if count > 1 else "")
