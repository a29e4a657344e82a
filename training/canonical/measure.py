"""What can be measured on a clip itself: the enhanced metadata that every item of the store gets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...backend.motion.clip import Clip
from ..data.metadata import EnhancedMetadata, Quality, Subject, Temporal
from .emotion import emotion
from .figures import figures
from .skeleton import from_clip
from .style import marker_quality, motion_style, physics
from .validator import DataValidator

MEAN_HEIGHT, HEIGHT_PER_BETA = 170.0, 8.0
"""Centimetres: a SMPL-X body with no shape, and what one unit of its first shape parameter adds."""
HEIGHTS = (60.0, 260.0)
"""Centimetres: outside, the shape parameters are taken for broken."""
WORST_FIT = 100.0
"""Millimetres of mean joint error at which a fitted motion earns no confidence."""


def measured(clip: Clip, text: Sequence[str] = ()) -> EnhancedMetadata:
    """Style, timing, quality, subject and emotion of a clip or of a piece of one.

    Args:
        clip: the motion; ``original_fps``, ``original_frames`` and ``fit_error_mm`` of its ``meta`` are read.
        text: its captions; words decide the emotion where they speak of one, else the motion does.
    """
    motion = figures(from_clip(clip)).motion
    return EnhancedMetadata(
        motion_style=motion_style(motion, clip.fps),
        subject=subject(clip),
        temporal=temporal(clip),
        quality=quality(clip, motion),
        emotion=emotion(motion, clip.fps, text),
    )


def quality(clip: Clip, motion: np.ndarray) -> Quality:
    """Quality of a clip and of its stick figure (T, 48)."""
    error = _number(clip.meta.get("fit_error_mm"))
    return Quality(
        reconstruction_confidence=None if error is None else 1.0 - min(abs(error) / WORST_FIT, 1.0),
        marker_quality=marker_quality(motion, clip.fps),
        physics_score=DataValidator().check_physics_consistency(physics(motion, clip.fps)).score,
    )


def subject(clip: Clip) -> Subject | None:
    """Height from the first shape parameter, and the gender; ``None`` where the clip tells neither."""
    first = float(clip.betas[0]) if np.size(clip.betas) and np.any(clip.betas) else math.nan
    height = MEAN_HEIGHT + HEIGHT_PER_BETA * first
    known_height = round(height, 1) if HEIGHTS[0] <= height <= HEIGHTS[1] else None
    gender: Any = clip.gender if clip.gender in ("male", "female") else None
    return Subject(height_cm=known_height, gender=gender) if known_height or gender else None


def temporal(clip: Clip) -> Temporal | None:
    """Timing of the source before resampling; of a piece of a clip, that piece's share of it."""
    fps, frames = (_number(clip.meta.get(key)) for key in ("original_fps", "original_frames"))
    if fps is None or fps <= 0:
        return None
    count = max(round(clip.seconds * fps), 1)
    # The whole clip: resampling rounds to a frame of the slower of the two rates.
    if frames and abs(frames - count) <= max(fps / clip.fps, 1.0):
        count = int(frames)
    return Temporal(original_fps=fps, original_duration_sec=count / fps, original_num_frames=count)


def _number(value: Any) -> float | None:
    """Meta data come from files: anything that is no finite number is taken as unknown."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        return None
    return float(value) if math.isfinite(value) else None
