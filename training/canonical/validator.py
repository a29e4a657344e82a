"""The gate before ``canonical.pt``: motion that no body makes is kept out, with the reason.

Arrays may be numpy arrays, torch tensors or nested lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .skeleton import DIM, INDEX, SEGMENTS, disconnected, joints

ENVIRONMENTS: dict[str, tuple[float, float]] = {
    "earth_normal": (1.0, 1.0),
    "underwater": (0.4, 0.4),
    "moon": (1.5, 0.5),
    "space_vacuum": (0.5, 0.3),
    "ice": (1.5, 0.7),
    "stadium": (1.2, 1.2),
}
"""What the limits of speed and of acceleration are multiplied with where a scene is played."""


class Verdict(NamedTuple):
    """Outcome of a check: whether it is passed, a score of 0 to 1, and the reason in a sentence."""

    valid: bool
    score: float
    reason: str


class DataValidator:
    """Checks of samples. Limits are per second whatever the frame rate, as ``physics`` is.

    Args:
        environment: a key of :data:`ENVIRONMENTS`; an unknown one has the limits of the ground.
    """

    max_velocity = 20.0
    """Units per second (a figure is 1.8 units high: about 17 m/s)."""
    max_acceleration = 100.0
    """Units per second squared."""
    limb_tolerance = 0.15
    """A segment may be off its mean length by this share."""
    min_angle = np.radians(5.0)
    """An elbow or knee bent further is folded into itself."""
    max_folded = 0.1
    """Share of the joint-frames that may be."""
    min_distance = 0.02
    """Units: actors whose centres are nearer stand inside each other."""
    max_collisions = 0.1
    """Share of frames in which they may."""

    def __init__(self, environment: str = "earth_normal") -> None:
        velocity, acceleration = ENVIRONMENTS.get(environment, (1.0, 1.0))
        self.max_velocity = DataValidator.max_velocity * velocity
        self.max_acceleration = DataValidator.max_acceleration * acceleration

    def check_physics_consistency(self, physics: Any) -> Verdict:
        """Speeds and accelerations of (T, 6) or (T, A, 6), see :func:`.style.physics`."""
        values = _array(physics)
        if values is None or values.ndim not in (2, 3) or values.shape[-1] != 6:
            return Verdict(False, 0.0, f"The physics must be [T, 6] or [T, A, 6], not {_shape(physics)}.")
        if not len(values) or not np.isfinite(values).all():
            return Verdict(False, 0.0, "The physics are empty or hold numbers that are not finite.")
        acceleration = values[..., 2:4].copy()
        # The first frame has no velocity by convention: a motion that starts while it moves is no impact.
        acceleration[1:2] *= values[0, ..., :2].any(axis=-1)[..., None]
        for name, part, limit in (
            ("speed", values[..., :2], self.max_velocity),
            ("acceleration", acceleration, self.max_acceleration),
        ):
            greatest = float(np.linalg.norm(part, axis=-1).max())
            if greatest > limit:
                return Verdict(False, 0.0, f"The {name} reaches {greatest:.1f}, more than {limit:g}.")
        return Verdict(True, 1.0, "")

    def check_skeleton_consistency(self, motion: Any, lengths: Any = None) -> Verdict:
        """Limb lengths of (T, D) or (T, A, D), any D divisible by 4 (segments of four numbers).

        Without ``lengths`` every segment must keep its mean length, as in a figure that moves in the plane.
        A projected figure does not: a thigh that points at the viewer looks short. Where the true lengths
        are known, no segment may look longer than it is.

        Args:
            motion: the figures.
            lengths: (D / 4,) or (A, D / 4) greatest true lengths, for projections of solid motion.
        """
        values = _array(motion)
        if values is None or values.ndim not in (2, 3) or values.shape[-1] % 4 or not values.shape[-1]:
            return Verdict(
                False, 0.0,
                f"The motion must be [T, D] or [T, A, D] with D divisible by 4, not {_shape(motion)}.",
            )  # fmt: skip
        if not values.size or not np.isfinite(values).all():
            return Verdict(False, 0.0, "The motion is empty or holds numbers that are not finite.")
        if values.ndim == 2:
            values = values[:, None]
        segments = values.reshape(*values.shape[:2], -1, 4)
        seen = np.linalg.norm(segments[..., 2:] - segments[..., :2], axis=-1)  # (T, A, S)
        mean = seen.mean(axis=0)
        # Actors that are not there are zeros; a segment without length has no share to be off by.
        judged = (mean >= 1e-3) & (mean.sum(axis=-1, keepdims=True) >= 0.01)
        if lengths is None:
            off = np.abs(seen - mean).max(axis=0) / np.maximum(mean, 1e-3)
        else:
            true = _array(lengths)
            if true is None or true.size not in (mean.size, mean.shape[-1]):
                return Verdict(
                    False, 0.0, f"The true lengths must be one per segment, not {_shape(lengths)}."
                )
            true = np.broadcast_to(true.reshape(-1, mean.shape[-1]), mean.shape)
            off = (seen.max(axis=0) - true) / np.maximum(true, 1e-3)
        off = np.where(judged, off, 0.0)
        if off.max() > self.limb_tolerance:
            actor, segment = np.unravel_index(int(off.argmax()), off.shape)
            return Verdict(
                False, 0.0, f"Segment {segment} of actor {actor} is {100 * off.max():.0f} % off its length."
            )
        if values.shape[-1] == DIM:
            torn = disconnected(values)
            if torn:
                return Verdict(False, 0.0, torn)
        return Verdict(True, 1.0, "")

    def check_joint_angles(self, motion: Any, lengths: Any = None) -> Verdict:
        """Elbows and knees of one actor's v3 figures (T, 48) or (T, 1, 48); anything else passes.

        Args:
            motion: the figures.
            lengths: (12,) true lengths, for projections: limbs that point at the viewer, at less than half
                their length, show no angle and are not judged.
        """
        values, true = _array(motion), None if lengths is None else _array(lengths)
        if values is not None and values.ndim == 3 and values.shape[1] == 1:
            values = values[:, 0]
        if values is None or values.ndim != 2 or values.shape[-1] != DIM or not len(values):
            return Verdict(True, 1.0, "")
        folded = joint_angles(values) < self.min_angle
        if true is not None and true.size == DIM // 4:
            segments = values.reshape(-1, DIM // 4, 4)
            seen = np.linalg.norm(segments[..., 2:] - segments[..., :2], axis=-1) >= 0.5 * true.ravel()
            folded &= seen[:, _BONES[:, 0]] & seen[:, _BONES[:, 1]]
        share = float(folded.mean())
        if share > self.max_folded:
            return Verdict(
                False, 0.0, f"Elbows or knees are folded flat in {100 * share:.0f} % of the frames."
            )
        return Verdict(True, 1.0 - share / 0.5, "")

    def check_interaction_consistency(self, motion: Any) -> Verdict:
        """Distance between the actors of (T, A, D).

        It is no part of :meth:`validate`: hugs and holds are real, and so are actors who pass one behind
        the other.
        """
        values = _array(motion)
        if values is None or values.ndim != 3 or values.shape[1] < 2:
            return Verdict(True, 1.0, "")
        middle = values.reshape(*values.shape[:2], -1, 2).mean(axis=2)
        first, second = np.triu_indices(values.shape[1], 1)
        near = np.linalg.norm(middle[:, first] - middle[:, second], axis=-1) < self.min_distance
        share = float(near.any(axis=1).mean())
        if share > self.max_collisions:
            return Verdict(
                False, 0.0, f"Actors stand inside each other in {100 * share:.0f} % of the frames."
            )
        return Verdict(True, 1.0 - share, "")

    def check_metadata(self, metadata: Mapping[str, Any] | None) -> Verdict:
        """Ranges of ``enhanced_meta``; everything in it is optional."""
        metadata = metadata or {}
        for block, fields, low, high in _RANGES:
            for field in fields:
                value = (metadata.get(block) or {}).get(field)
                if value is not None and not low <= value <= high:
                    return Verdict(False, 0.0, f"{block}.{field} is {value:g}, outside {low:g} to {high:g}.")
        return Verdict(True, 1.0, "")

    def validate(self, sample: Mapping[str, Any]) -> Verdict:
        """Every check of a sample; the score is the mean of physics, skeleton and, where there is any, metadata.

        The true lengths of the segments are read from ``sample["meta"]["segment_lengths"]``.
        """
        lengths = (sample.get("meta") or {}).get("segment_lengths")
        limbs = self.check_skeleton_consistency(sample["motion"], lengths)
        angles = self.check_joint_angles(sample["motion"], lengths) if limbs.valid else limbs
        physics = self.check_physics_consistency(sample["physics"])
        parts = [physics, limbs, angles]
        scores = [physics.score, (limbs.score + angles.score) / 2]
        if sample.get("enhanced_meta"):
            parts.append(self.check_metadata(sample["enhanced_meta"]))
            scores.append(parts[-1].score)
        for verdict in parts:
            if not verdict.valid:
                return Verdict(False, 0.0, verdict.reason)
        return Verdict(True, float(np.mean(scores)), "")


_RANGES: tuple[tuple[str, tuple[str, ...], float, float], ...] = (
    ("motion_style", ("tempo", "energy_level", "smoothness"), 0.0, 1.0),
    ("quality", ("reconstruction_confidence", "marker_quality"), 0.0, 1.0),
    ("temporal", ("original_fps",), 1.0, 240.0),
    ("temporal", ("original_num_frames",), 1.0, np.inf),
    ("temporal", ("original_duration_sec",), 0.0, np.inf),
)


_LIMBS = (("upper_arm", "forearm"), ("thigh", "shin"))
# The two bones at each joint of joint_angles, in its order.
_BONES = np.array(
    [[list(SEGMENTS).index(side + bone) for bone in limb] for limb in _LIMBS for side in ("l_", "r_")]
)


def joint_angles(motion: np.ndarray) -> np.ndarray:
    """Angles (..., 4) in radians at the left and right elbow and knee of figures (..., 48); pi is stretched.

    A limb with no length in the picture counts as stretched.
    """
    points = joints(motion)
    result = []
    for upper, middle, lower in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")):
        for side in ("l_", "r_"):
            joint = points[..., INDEX[side + middle], :]
            a, b = (points[..., INDEX[side + other], :] - joint for other in (upper, lower))
            norm = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
            cosine = np.where(norm > 1e-9, (a * b).sum(axis=-1) / np.maximum(norm, 1e-9), -1.0)
            result.append(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return np.stack(result, axis=-1)


def _array(values: Any) -> np.ndarray | None:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return None


def _shape(values: Any) -> str:
    array = _array(values)
    return "ragged" if array is None else str(list(array.shape))
