"""Enhanced metadata of a sample: style, subject, music, interaction, timing, quality, emotion.

Every block and every field is optional: a set fills what it knows. Names and ranges are those of the
stick-figure schema that the canonical export writes (``enhanced_meta``), so a dump of
:class:`EnhancedMetadata` is that dictionary.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Unit = Annotated[float, Field(ge=0.0, le=1.0)]

Expression = Literal["neutral", "happy", "sad", "surprised", "angry", "excited"]
"""Emotion labels (the schema's FacialExpression)."""


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid")


class MotionStyle(_Block):
    """Measured on the motion. 0 is slow, idle, jerky; 1 is fast, intense, fluid."""

    tempo: Unit | None = None
    energy_level: Unit | None = None
    smoothness: Unit | None = None


class Subject(_Block):
    """The performer, from shape parameters or annotations."""

    height_cm: float | None = Field(None, gt=0)
    gender: Literal["male", "female", "unknown"] | None = None
    age_group: Literal["child", "adult", "elderly", "unknown"] | None = None


class Music(_Block):
    """What is danced to; beats count frames of the clip."""

    bpm: float | None = Field(None, gt=0)
    beat_frames: list[int] | None = None
    genre: str | None = None


class Interaction(_Block):
    """Two actors; contact frames count frames of the clip."""

    contact_frames: list[int] | None = None
    interaction_role: Literal["leader", "follower", "symmetric"] | None = None
    interaction_type: str | None = None


class Temporal(_Block):
    """Timing of the source before resampling."""

    original_fps: float | None = Field(None, gt=0)
    original_duration_sec: float | None = Field(None, ge=0)
    original_num_frames: int | None = Field(None, ge=1)


class Quality(_Block):
    """How far a sample can be trusted; training may weight by it."""

    reconstruction_confidence: Unit | None = None
    marker_quality: Unit | None = None
    physics_score: float | None = Field(None, ge=0)


class Emotion(_Block):
    """Inferred from the text, else from the motion."""

    emotion_label: Expression | None = None
    valence: float | None = Field(None, ge=-1, le=1)
    arousal: Unit | None = None


class EnhancedMetadata(_Block):
    """All blocks; ``None`` where a set has nothing to say."""

    motion_style: MotionStyle | None = None
    subject: Subject | None = None
    music: Music | None = None
    interaction: Interaction | None = None
    temporal: Temporal | None = None
    quality: Quality | None = None
    emotion: Emotion | None = None

    def merged(self, other: EnhancedMetadata | None) -> EnhancedMetadata:
        """These facts, completed by another's: a field known here wins."""
        if other is None:
            return self
        mine, theirs = self.model_dump(), other.model_dump()
        joined = {
            block: {
                **(theirs[block] or {}),
                **{k: v for k, v in (mine[block] or {}).items() if v is not None},
            }
            or None
            for block in type(self).model_fields
        }
        return EnhancedMetadata.model_validate(joined)
