"""Which bone of a rig plays which part of the body, where that is known from, and what is missing.

A *slot* is one place in the list that an animator sees. Most slots are SMPL-X joints and carry their names.
Chains whose length differs from rig to rig have numbered slots: ``spine.1`` to ``spine.8`` from the hips to
the chest, ``neck.1`` to ``neck.4``, and the twist bones of a limb (``left_elbow_twist.1`` is the first of
the left forearm). ``root`` is the bone that carries the whole character over the floor.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import BadInput
from .rig import Rig
from .rig_controls import LIMBS, IkControls, ik_from_json, settings_from_json

SIDES = ("left", "right")
FINGERS = ("thumb", "index", "middle", "ring", "pinky")
TWISTED = ("shoulder", "elbow", "hip", "knee")
CHAIN_LENGTHS = {"spine": 8, "neck": 4, "twist": 4}


def _chain(name: str, length: int) -> tuple[str, ...]:
    return tuple(f"{name}.{i}" for i in range(1, length + 1))


SPINE = _chain("spine", CHAIN_LENGTHS["spine"])
NECK = _chain("neck", CHAIN_LENGTHS["neck"])


def twist_slots(joint: str) -> tuple[str, ...]:
    """The twist slots of a limb joint such as ``left_elbow``."""
    return _chain(f"{joint}_twist", CHAIN_LENGTHS["twist"])


def _side_slots(side: str) -> list[str]:
    slots: list[str] = []
    for joint in ("collar", "shoulder", "elbow", "wrist"):
        slots.append(f"{side}_{joint}")
        slots += twist_slots(f"{side}_{joint}") if joint in TWISTED else ()
    slots += [f"{side}_{finger}{i}" for finger in FINGERS for i in (1, 2, 3)]
    for joint in ("hip", "knee", "ankle", "foot"):
        slots.append(f"{side}_{joint}")
        slots += twist_slots(f"{side}_{joint}") if joint in TWISTED else ()
    return slots


SLOTS: tuple[str, ...] = (
    "root", "pelvis", *SPINE, *NECK, "head", "jaw", "left_eye_smplhf", "right_eye_smplhf",
    *_side_slots("left"), *_side_slots("right"),
)  # fmt: skip
"""Every slot, in the order of the list."""

REQUIRED: tuple[str, ...] = (
    "pelvis", *(f"{side}_{joint}" for side in SIDES for joint in ("hip", "knee", "ankle"))
)  # fmt: skip
"""Without these there is neither a scale nor a place for the body."""

CORE: tuple[str, ...] = (
    "pelvis", "spine.1", "neck.1", "head",
    *(
        f"{side}_{joint}"
        for side in SIDES
        for joint in ("collar", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "foot")
    ),
)  # fmt: skip
"""What a human figure has; their share is the ground of the confidence."""

_LIMBS = {
    "shoulder": ("{s}collar", "spine.1", "pelvis"),
    "elbow": ("{s}shoulder",),
    "wrist": ("{s}elbow",),
    "collar": ("spine.1", "pelvis"),
    "hip": ("pelvis",),
    "knee": ("{s}hip",),
    "ankle": ("{s}knee",),
    "foot": ("{s}ankle",),
}
ABOVE: dict[str, tuple[str, ...]] = {
    "spine.1": ("pelvis",),
    "neck.1": ("spine.1", "pelvis"),
    "head": ("neck.1", "spine.1", "pelvis"),
    **{
        f"{side}_{lower}": tuple(upper.format(s=f"{side}_") for upper in uppers)
        for side in SIDES
        for lower, uppers in _LIMBS.items()
    },
}
"""On which slot a slot's bone hangs in a sound mapping: the first of these that is mapped."""


@dataclass(frozen=True)
class Mapping:
    """A rig's bones by slot.

    Attributes:
        bones: slot to bone name, in the order of :data:`SLOTS`.
        by: slot to where that is known from: ``name``, ``structure`` or ``user``.
        family: the name table that fitted, empty without one.
        label: what the family is called in front of people.
        confidence: 0 to 1.
        notes: sentences about what was found odd.
        attached: slots whose bone follows the body's joint above it by constraints, whatever bone it
            hangs on in the hierarchy (the fingers of a control rig).
        carried: slots whose bone's head goes with the body's joint above it by constraints, while it inherits
            the turns of the bone that it hangs on.
        settings: custom properties a control rig wants: bone to property to value.
        ik: limb (``left_leg``) to the controls by which inverse kinematics moves it.
        idle: further controls, which bend the body when they are not at rest.
    """

    bones: dict[str, str] = field(default_factory=dict)
    by: dict[str, str] = field(default_factory=dict)
    family: str = ""
    label: str = ""
    confidence: float = 0.0
    notes: tuple[str, ...] = ()
    attached: frozenset[str] = frozenset()
    carried: frozenset[str] = frozenset()
    settings: dict[str, dict[str, float]] = field(default_factory=dict)
    ik: dict[str, IkControls] = field(default_factory=dict)
    idle: tuple[str, ...] = ()

    @property
    def is_control_rig(self) -> bool:
        """Whether the mapped bones are controls, which move the body by constraints of the rig's own."""
        return bool(self.settings or self.ik)

    @property
    def missing(self) -> tuple[str, ...]:
        """Slots of :data:`CORE` without a bone."""
        return tuple(slot for slot in CORE if slot not in self.bones)

    @property
    def missing_required(self) -> tuple[str, ...]:
        return tuple(slot for slot in REQUIRED if slot not in self.bones)

    def chain(self, slots: Iterable[str]) -> list[str]:
        """The mapped ones of some slots, in order."""
        return [slot for slot in slots if slot in self.bones]

    def changed(self, **changes: Any) -> Mapping:
        return replace(self, **changes)

    def ordered(self) -> Mapping:
        """The same with slots in the order of the list."""
        return replace(self, bones={slot: self.bones[slot] for slot in SLOTS if slot in self.bones})

    def to_json(self) -> str:
        """One line of JSON; :func:`mapping_from_json` reads it back."""
        data = {
            "family": self.family,
            "label": self.label,
            "confidence": round(self.confidence, 3),
            "bones": self.bones,
            "by": self.by,
            "notes": list(self.notes),
            "attached": sorted(self.attached),
            "carried": sorted(self.carried),
            "settings": self.settings,
            "ik": {limb: controls.as_dict() for limb, controls in self.ik.items()},
            "idle": list(self.idle),
        }
        return json.dumps(data, ensure_ascii=False)


def mapping_from_json(text: str) -> Mapping:
    """Read a mapping; unknown slots are dropped.

    Raises:
        BadInput: the text is not a mapping.
    """
    try:
        data = json.loads(text)
        bones = {slot: str(bone) for slot, bone in dict(data["bones"]).items() if slot in SLOTS and bone}
        by = dict(data.get("by", {}))
        return Mapping(
            bones=bones,
            by={slot: str(by.get(slot, "user")) for slot in bones},
            family=str(data.get("family", "")),
            label=str(data.get("label", "")),
            confidence=float(data.get("confidence", 1.0)),
            notes=tuple(str(note) for note in data.get("notes", ())),
            attached=frozenset(str(slot) for slot in data.get("attached", ())),
            carried=frozenset(str(slot) for slot in data.get("carried", ())),
            settings=settings_from_json(data.get("settings")),
            ik={limb: ik_from_json(ik) for limb, ik in dict(data.get("ik", {})).items() if limb in LIMBS},
            idle=tuple(str(bone) for bone in data.get("idle", ())),
        ).ordered()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInput("This is not a bone mapping of Understudy.", field="mapping") from error


def slot_label(slot: str) -> str:
    """A slot as people read it: ``Left upper arm twist 1``."""
    words = {
        "collar": "shoulder", "shoulder": "upper arm", "elbow": "forearm", "wrist": "hand", "hip": "thigh",
        "knee": "shin", "ankle": "foot", "foot": "toes", "eye smplhf": "eye", "pelvis": "hips",
        "pinky": "little finger", "index": "index finger", "middle": "middle finger", "ring": "ring finger",
    }  # fmt: skip
    name, _, number = slot.partition(".")
    side = next((side for side in SIDES if name.startswith(side + "_")), "")
    rest = name.removeprefix(side + "_") if side else name
    rest = rest.replace("_", " ")
    if rest[-1:].isdigit() and not number:
        rest, number = rest[:-1], rest[-1]
    twist = rest.endswith(" twist")
    rest = rest.removesuffix(" twist")
    parts = [side, words.get(rest, rest), "twist" if twist else "", number]
    return " ".join(part for part in parts if part).capitalize()


def checked(mapping: Mapping, rig: Rig) -> Mapping:
    """The mapping without bones that the rig does not have.

    Raises:
        BadInput: it lacks the parts no motion can do without, one bone plays two parts, or a limb's bone
            has no length.
    """
    bones = {slot: bone for slot, bone in mapping.bones.items() if bone in rig.index}
    found = replace(mapping, bones=bones).ordered()
    missing = found.missing_required
    if missing:
        what = ", ".join(slot_label(slot).lower() for slot in missing[:4])
        more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
        raise BadInput(
            f"The bones of “{rig.name}” are not mapped: {what}{more} missing.",
            hint="Choose them in the mapping list.",
            field="mapping",
        )
    seen: dict[str, str] = {}
    for slot, bone in found.bones.items():
        if bone in seen:
            one, other = slot_label(seen[bone]).lower(), slot_label(slot).lower()
            raise BadInput(f"“{bone}” is mapped twice, as {one} and as {other}.", field="mapping")
        seen[bone] = slot
    for side in SIDES:
        for limb in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            names = [found.bones.get(f"{side}_{joint}") for joint in limb]
            for upper, lower in pairwise(names):
                if upper and lower:
                    span = rig.heads[rig.index[lower]] - rig.heads[rig.index[upper]]
                    if np.linalg.norm(span) < 1e-5 * max(rig.size, 1e-9):
                        raise BadInput(
                            f"“{upper}” has no length: “{lower}” begins at the same place.", field="mapping"
                        )
    return found


def soundness(bones: dict[str, str], rig: Rig, attached: Iterable[str] = ()) -> float:
    """Share of the mapped core slots whose bone hangs where a body's would, 0 to 1; ``attached`` ones do."""
    right, total = 0, 0
    for lower, uppers in ABOVE.items():
        upper = next((slot for slot in uppers if slot in bones), None)
        if lower in bones and upper is not None:
            total += 1
            right += lower in attached or rig.is_above(rig.index[bones[upper]], rig.index[bones[lower]])
    return right / total if total else 0.0
