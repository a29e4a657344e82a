"""What became of the constraints: how far each was missed, and a sentence for what was missed by more than a little."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

LARGE = 2.0
"""Centimetres by which a constraint may be missed without a warning."""
LARGE_ANGLE = 5.0
"""Degrees by which a direction may be."""


@dataclass
class Report:
    """Filled while a clip is directed.

    Attributes:
        entries: one per constraint: its name, the time of the largest error, the error in centimetres.
        warnings: sentences for the user.
    """

    entries: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(
        self, name: str, time: float, metres: float, *, why: str = "", degrees: float | None = None
    ) -> None:
        """A constraint and by how much it was missed.

        Args:
            name: ``path``, ``waypoint``, ``pin left_wrist``, ``pose``.
            time: seconds.
            metres: how far from its place.
            why: what kept it from being met, as the end of a sentence.
            degrees: how far from its direction, where it has one.
        """
        error = round(100.0 * metres, 2)
        entry: dict[str, Any] = {"constraint": name, "time": round(time, 3), "error_cm": error}
        if degrees is not None:
            entry["error_degrees"] = round(degrees, 2)
        self.entries.append(entry)
        if error > LARGE:
            self.warnings.append(
                f"The {name} at {time:.2f} s is missed by {error:.0f} cm{why and f': {why}'}."
            )
        if degrees is not None and degrees > LARGE_ANGLE:
            self.warnings.append(
                f"The {name} at {time:.2f} s faces {degrees:.0f} degrees away from what was asked for."
            )

    def late(self, name: str, time: float, seconds: float) -> None:
        """A constraint that lies after the clip's end."""
        self.entries.append({"constraint": name, "time": round(time, 3), "error_cm": None})
        self.warnings.append(
            f"The {name} at {time:.2f} s comes after the end of the motion at {seconds:.2f} s."
        )

    def worst(self, name: str, times: np.ndarray, metres: np.ndarray, *, why: str = "") -> None:
        """A constraint of many frames: its worst one."""
        at = int(np.argmax(metres))
        self.add(name, float(times[at]), float(metres[at]), why=why)

    def meta(self) -> dict[str, Any]:
        """For ``Clip.meta``."""
        return {
            **({"direction": self.entries} if self.entries else {}),
            **({"warnings": list(dict.fromkeys(self.warnings))} if self.warnings else {}),
        }
