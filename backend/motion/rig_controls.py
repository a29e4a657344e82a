"""The controls by which inverse kinematics moves a limb of a control rig: a goal, a pole, and their switches."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

LIMBS: tuple[str, ...] = ("left_leg", "right_leg", "left_arm", "right_arm")
CHAINS: dict[str, tuple[str, str, str]] = {
    "leg": ("hip", "knee", "ankle"),
    "arm": ("shoulder", "elbow", "wrist"),
}
"""The slots of a limb from the body outwards, without their side."""
CARRIERS = ("root", "goal", "pelvis")


@dataclass(frozen=True)
class IkControls:
    """One limb's controls.

    Attributes:
        goal: the bone that foot or hand follows; it stands on the root.
        pole: the bone that the knee or the elbow points at.
        pole_on: what carries the pole: the slot ``root`` or ``pelvis``, or the ``goal``.
        hinge: the axis of the lower bone, ``x``, ``y`` or ``z``, about which the middle joint bends.
        toe: the bone that bends the toes of a foot that follows its goal; empty without one.
        settings: custom properties that switch the limb to inverse kinematics: bone to property to value.
    """

    goal: str
    pole: str
    pole_on: str = "root"
    hinge: str = "x"
    toe: str = ""
    settings: dict[str, dict[str, float]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; :func:`ik_from_json` reads it back."""
        return asdict(self)


def ik_from_json(data: Any) -> IkControls:
    """Read one limb's controls.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: the data is something else.
    """
    pole_on, hinge = str(data.get("pole_on", "root")), str(data.get("hinge", "x"))
    if pole_on not in CARRIERS or hinge not in ("x", "y", "z"):
        raise ValueError(f"a pole on {pole_on!r} and a hinge about {hinge!r} are unknown")
    return IkControls(
        goal=str(data["goal"]),
        pole=str(data["pole"]),
        pole_on=pole_on,
        hinge=hinge,
        toe=str(data.get("toe", "")),
        settings=settings_from_json(data.get("settings")),
    )


def settings_from_json(data: Any) -> dict[str, dict[str, float]]:
    """Bone to property to value, from JSON."""
    return {
        str(bone): {str(name): float(value) for name, value in values.items()}
        for bone, values in dict(data or {}).items()
    }
