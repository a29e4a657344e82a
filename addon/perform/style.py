"""How a motion is performed: the style sliders, and what the names of emotions mean on them.

The values are shares of the motion that a pack knows: 0.8 is livelier than 80 % of it. The emotions are placed by
pleasantness and activation after Russell's circumplex (1980); tempo, energy and smoothness follow what Wallbott
(1998, "Bodily expression of emotion") saw in actors: anger and joy are fast, large and forceful, sadness and
fatigue slow and small.
"""

from __future__ import annotations

from typing import Any, NamedTuple

FIELDS = {
    "tempo": ("Tempo", "0 slow, 1 fast"),
    "energy": ("Energy", "0 at rest, 1 intense"),
    "smoothness": ("Smoothness", "0 jerky, 1 fluid"),
    "valence": ("Valence", "0 unpleasant, 1 pleasant"),
    "arousal": ("Arousal", "0 calm, 1 excited"),
}
"""The fields as the backend calls them, with their labels and what their ends mean."""


class Emotion(NamedTuple):
    """The five sliders of an emotion, each 0 to 1."""

    tempo: float
    energy: float
    smoothness: float
    valence: float
    arousal: float


EMOTIONS = {
    "calm": Emotion(0.25, 0.25, 0.80, 0.65, 0.20),
    "happy": Emotion(0.65, 0.65, 0.60, 0.90, 0.65),
    "sad": Emotion(0.20, 0.20, 0.60, 0.15, 0.25),
    "angry": Emotion(0.80, 0.90, 0.20, 0.10, 0.90),
    "excited": Emotion(0.90, 0.85, 0.40, 0.85, 0.95),
    "tired": Emotion(0.10, 0.10, 0.50, 0.40, 0.10),
}


def chosen(settings: Any) -> dict[str, float]:
    """The fields that are switched on, with their values; the others are left to the model."""
    # Blender's floats are float32: 0.8 would come out as 0.800000012.
    return {
        field: round(getattr(settings, field), 4) for field in FIELDS if getattr(settings, f"use_{field}")
    }


def choose(settings: Any, style: dict[str, float]) -> None:
    """Switch on exactly the given fields, and set them."""
    for field in FIELDS:
        setattr(settings, f"use_{field}", field in style)
        if field in style:
            setattr(settings, field, float(style[field]))
