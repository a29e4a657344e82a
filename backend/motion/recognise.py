"""Which bones of a rig are which: by name where names help, by structure where they do not, never in silence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .mapping import CORE, REQUIRED, SIDES, Mapping
from .rig import Rig
from .rig_names import Family, match
from .rig_structure import recognise_structure

LEAST = 0.5
"""A mapping below this confidence is shown but not used unasked."""
_AGREE = 0.8


def recognise(rig: Rig, families: Sequence[Family]) -> Mapping:
    """Map a rig's bones.

    Names decide first, by the family that finds most of a body. What they leave open is filled in from the
    rig's structure, if that agrees with the names on the rest; where no family fits, structure alone has
    to do. ``Mapping.by`` says which of the two each bone is known from.

    Args:
        rig: the skeleton.
        families: the name tables.

    Returns:
        The best mapping there is, with a confidence; it may be empty.
    """
    named = max(
        (match(rig, family) for family in sorted(families, key=lambda family: family.rank)),
        # The bones under a control rig fit their own family as well: its controls are what animators key.
        key=lambda found: (
            round(found.confidence, 2),
            found.is_control_rig,
            min(len(found.bones) / 55, 1.0) > 0.5,
        ),
        default=Mapping(),
    )
    shaped = recognise_structure(rig)
    if named.confidence < LEAST and shaped.confidence > named.confidence:
        return _named_sides(shaped, rig)
    if any(slot in named.missing for slot in CORE):
        named = _filled(named, shaped)
    return _sides_checked(named, rig)


def _filled(named: Mapping, shaped: Mapping) -> Mapping:
    """Missing core slots from the structure, where both agree on what both know."""
    both = [slot for slot in CORE if slot in named.bones and slot in shaped.bones]
    if not both or sum(named.bones[s] == shaped.bones[s] for s in both) < _AGREE * len(both):
        return named
    used = set(named.bones.values())
    new = {s: shaped.bones[s] for s in CORE if s not in named.bones and s in shaped.bones}
    new = {slot: bone for slot, bone in new.items() if bone not in used}
    if not new:
        return named
    share = sum(slot in named.bones or slot in new for slot in CORE) / len(CORE)
    return named.changed(
        bones={**named.bones, **new},
        by={**named.by, **dict.fromkeys(new, "structure")},
        confidence=max(named.confidence, min(share, shaped.confidence)),
    ).ordered()


def _named_sides(found: Mapping, rig: Rig) -> Mapping:
    """Turn left and right round where the bones' own names say so more often than not."""
    votes = 0
    for slot, bone in found.bones.items():
        side = next((side for side in SIDES if slot.startswith(side)), "")
        said = side_of(bone)
        if side and said:
            votes += 1 if side == said else -1
    if votes >= -2:
        return found
    return _swapped(found, "The sides follow the bones' names, against the direction of the feet.")


def side_of(name: str) -> str:
    """``left`` or ``right`` if a bone's name says so by a word or a lone letter, else nothing."""
    words = "".join(c if c.isalnum() else " " for c in name).casefold().split()
    for side, letter in (("left", "l"), ("right", "r")):
        if letter in words or any(word.startswith(side) or word.endswith(side) for word in words):
            return side
    return ""


def _swapped(found: Mapping, note: str) -> Mapping:
    def other(slot: str) -> str:
        if slot.startswith("left_"):
            return "right_" + slot.removeprefix("left_")
        return "left_" + slot.removeprefix("right_") if slot.startswith("right_") else slot

    return found.changed(
        bones={other(slot): bone for slot, bone in found.bones.items()},
        by={other(slot): by for slot, by in found.by.items()},
        attached=frozenset(other(slot) for slot in found.attached),
        carried=frozenset(other(slot) for slot in found.carried),
        ik={other(limb): controls for limb, controls in found.ik.items()},
        notes=(*found.notes, note),
    ).ordered()


def _sides_checked(found: Mapping, rig: Rig) -> Mapping:
    """Some rigs name the sides as the viewer sees them: the feet tell, and the sides change places."""
    if any(slot not in found.bones for slot in REQUIRED):
        return found
    heads = {slot: rig.heads[rig.index[bone]] for slot, bone in found.bones.items()}
    ankles = 0.5 * (heads["left_ankle"] + heads["right_ankle"])
    up = 0.5 * (heads["left_hip"] + heads["right_hip"]) - ankles
    if "left_foot" not in heads or "right_foot" not in heads or not np.linalg.norm(up):
        return found
    up = up / np.linalg.norm(up)
    toes = 0.5 * (heads["left_foot"] + heads["right_foot"]) - ankles
    toes = toes - (toes @ up) * up
    forward = np.cross(heads["left_hip"] - heads["right_hip"], up)
    size = float(np.linalg.norm(toes) * np.linalg.norm(forward))
    if size and toes @ forward < -0.7 * size:
        return _swapped(found, "Left and right are named as the viewer sees them; they were exchanged.")
    return found
