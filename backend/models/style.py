"""How a motion is to be performed: five numbers, any of which may be unknown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import BadInput

RANGES: dict[str, tuple[float, float]] = {
    "tempo": (0.0, 1.0),
    "energy_level": (0.0, 1.0),
    "smoothness": (0.0, 1.0),
    "valence": (-1.0, 1.0),
    "arousal": (0.0, 1.0),
}
"""The fields in the order of every array of styles, and their ranges."""
FIELDS = tuple(RANGES)
BLOCKS = {"motion_style": FIELDS[:3], "emotion": FIELDS[3:]}
"""The blocks of the enhanced metadata that hold them."""


@dataclass(frozen=True)
class StyleCondition:
    """A wish, or a measurement. ``None`` says that nothing is known; no number stands for that.

    Attributes:
        tempo: 0 slow, 1 fast.
        energy_level: 0 at rest, 1 intense.
        smoothness: 0 jerky, 1 fluid.
        valence: -1 unpleasant, 1 pleasant.
        arousal: 0 calm, 1 excited.

    Raises:
        BadInput: a number is not finite or outside its range; the sentence names it.
    """

    tempo: float | None = None
    energy_level: float | None = None
    smoothness: float | None = None
    valence: float | None = None
    arousal: float | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
                raise BadInput(f"The style's {name} must be a number, not {value!r}.", field=name)
            if not low <= value <= high:  # not a number is outside too
                raise BadInput(f"The style's {name} must be {low:g} to {high:g}, not {value:g}.", field=name)

    @classmethod
    def from_enhanced_meta(cls, metadata: Mapping[str, Any] | None) -> StyleCondition:
        """The style in a sample's ``enhanced_meta``; every block and field of it may be missing.

        Raises:
            BadInput: a value is no number in its range.
        """
        metadata = metadata or {}
        return cls(
            **{field: (metadata.get(block) or {}).get(field) for block, names in BLOCKS.items() for field in names}
        )  # fmt: skip

    @property
    def known(self) -> tuple[bool, ...]:
        """Which fields are, in their order."""
        return tuple(getattr(self, name) is not None for name in FIELDS)


def arrays(styles: Sequence[StyleCondition | None]) -> tuple[np.ndarray, np.ndarray]:
    """Values (B, 5) float32 and which of them are known (B, 5) bool; unknown values are zero and mean nothing."""
    given = [style or StyleCondition() for style in styles]
    known = np.array([style.known for style in given], bool).reshape(-1, len(FIELDS))
    values = np.array([[getattr(style, name) or 0.0 for name in FIELDS] for style in given], np.float32)
    return values.reshape(-1, len(FIELDS)), known


def extract_style_conditions(
    batch: Mapping[str, Any] | Sequence[Mapping[str, Any]],
) -> list[StyleCondition]:
    """The style of every sample of a batch.

    Args:
        batch: samples; or one dictionary whose ``enhanced_meta`` is a list of theirs, or a nested
            dictionary of arrays with a row for each, where numbers that are not finite are unknown.

    Raises:
        BadInput: a value is no number in its range, or the batch has no ``enhanced_meta``.
    """
    if not isinstance(batch, Mapping):
        return [StyleCondition.from_enhanced_meta(sample.get("enhanced_meta")) for sample in batch]
    metadata = batch.get("enhanced_meta")
    if isinstance(metadata, Mapping):
        columns = {
            field: [_number(value) for value in (metadata.get(block) or {}).get(field, ())]
            for block, names in BLOCKS.items()
            for field in names
        }
        count = max(map(len, columns.values()))
        if any(len(column) not in (0, count) for column in columns.values()):
            raise BadInput("The styles of the batch are not of one length.", field="enhanced_meta")
        return [
            StyleCondition(**{field: column[i] for field, column in columns.items() if column}) for i in range(count)
        ]  # fmt: skip
    if metadata is None:
        raise BadInput("The batch has no enhanced_meta.", field="enhanced_meta")
    return [StyleCondition.from_enhanced_meta(one) for one in metadata]


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None
