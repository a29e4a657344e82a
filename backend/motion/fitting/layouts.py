"""The skeletons that the HumanML3D family of features is defined on, and where each number stands in a row.

A layout is constants only: which joints, in which chains, with which rest directions and bone lengths.
Positions are Y up and right-handed, the figure faces +Z with its left on +X. Sources: Guo et al., "Generating
Diverse and Natural 3D Human Motions from Text" (CVPR 2022) for 22 and 21 joints; Lu et al., "HumanTOMATO"
(ICML 2024) and Chen et al., "SynTalker" (ACM MM 2024) for 52.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...errors import BadInput
from ..skeleton import INDEX, JOINT_NAMES, REST_OFFSETS

SMOOTHING = 20.0
"""Frames: the standard deviation of the filter over the facing direction, the same at every frame rate."""

_AXES = {
    "+X": (1, 0, 0),
    "-X": (-1, 0, 0),
    "+Y": (0, 1, 0),
    "-Y": (0, -1, 0),
    "+Z": (0, 0, 1),
    "0": (0, 0, 0),
}


@dataclass(frozen=True)
class Layout:
    """One skeleton of the family.

    Attributes:
        name: ``humanml3d``, ``kit``, ``wholebody`` or ``wholebody-syntalker``.
        names: of the joints, in their order.
        chains: joints of each chain from its start outwards. Rotations of a chain count from the root's
            heading, whatever joint it hangs on; their order among each other has no influence.
        raw_offsets: (J, 3) the axis along which each bone lies where its rotation is zero.
        lengths: (J,) length of the bone that ends at each joint, in ``unit``.
        legs: the two joints whose bones give the size of a body.
        facing: right hip, left hip, right shoulder, left shoulder.
        feet_left: ankle and toe; ``feet_right`` likewise.
        contact_threshold: squared distance per frame, in ``unit``², below which a foot counts as standing.
        fps: frames per second of the published features.
        unit: ``m`` or ``mm``.
    """

    name: str
    names: tuple[str, ...]
    chains: tuple[tuple[int, ...], ...]
    raw_offsets: np.ndarray
    lengths: np.ndarray
    legs: tuple[int, int]
    facing: tuple[int, int, int, int]
    feet_left: tuple[int, int]
    feet_right: tuple[int, int]
    contact_threshold: float
    fps: float
    unit: str = "m"

    @property
    def joints(self) -> int:
        return len(self.names)

    @property
    def dim(self) -> int:
        """Numbers per frame: 4 of the root, 3 + 6 per other joint, 3 per joint, 4 contacts."""
        return 12 * self.joints - 1

    @cached_property
    def parents(self) -> tuple[int, ...]:
        parents = [-1] * self.joints
        for chain in self.chains:
            for parent, child in itertools.pairwise(chain):
                parents[child] = parent
        return tuple(parents)

    @cached_property
    def chain_starts(self) -> tuple[int, ...]:
        """The first joint after the start of each chain: those whose rotation counts from the heading."""
        return tuple(chain[1] for chain in self.chains)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Where each group of numbers stands in a row."""
        positions = 4 + 3 * (self.joints - 1)
        rotations = positions + 6 * (self.joints - 1)
        velocities = rotations + 3 * self.joints
        return {
            "yaw": slice(0, 1),
            "planar": slice(1, 3),
            "height": slice(3, 4),
            "positions": slice(4, positions),
            "rotations": slice(positions, rotations),
            "velocities": slice(rotations, velocities),
            "contacts": slice(velocities, velocities + 4),
        }

    @property
    def leg_length(self) -> float:
        return float(self.lengths[list(self.legs)].sum())

    @property
    def metres(self) -> float:
        """Metres per unit."""
        return 0.001 if self.unit == "mm" else 1.0

    def speed_threshold(self) -> float:
        """The contact threshold that means the same foot speed, for this body and frame rate, as HumanML3D's.

        HumanML3D lets a foot move 4.47 cm per frame at 20 fps (0.894 m/s) with legs of 0.816 m. Speed
        scales with the size of the body and the step with the length of a frame.
        """
        speed = np.sqrt(HUMANML3D.contact_threshold) * HUMANML3D.fps
        step = speed * self.leg_length / HUMANML3D.leg_length / self.fps
        return float(step**2)

    def with_template(self, joints: np.ndarray) -> Layout:
        """This layout with the bone lengths of another body.

        Args:
            joints: (J, 3) or (T, J, 3), whose first frame is taken: ``000021`` as the originals do, or
                any file of their ``new_joints``.

        Raises:
            BadInput: another number of joints, or a bone without a length.
        """
        frame = np.asarray(joints, np.float64)
        frame = frame[0] if frame.ndim == 3 and len(frame) else frame
        if frame.ndim != 2 or frame.shape[0] < self.joints or frame.shape[1] != 3:
            raise BadInput(
                f"The template needs the shape (T, {self.joints}, 3), not {np.shape(joints)}.",
                field="template",
            )
        parents = np.array(self.parents[1:])
        lengths = np.linalg.norm(frame[1 : self.joints] - frame[parents], axis=1)
        if not (np.isfinite(lengths).all() and (lengths > 0).all()):
            raise BadInput("The template has a bone without a length.", field="template")
        return replace(self, lengths=_frozen(np.concatenate([[0.0], lengths])))


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


def _offsets(words: str) -> np.ndarray:
    return _frozen(np.array([_AXES[word] for word in words.split()], np.float64))


_BODY_CHAINS = (
    (0, 2, 5, 8, 11),
    (0, 1, 4, 7, 10),
    (0, 3, 6, 9, 12, 15),
    (9, 14, 17, 19, 21),
    (9, 13, 16, 18, 20),
)
_BODY_OFFSETS = "0 +X -X +Y -Y -Y +Y -Y -Y +Y +Z +Z +Y +X -X +Z -Y -Y -Y -Y -Y -Y"

# Lengths of the published skeleton (clip 000021), measured on the published example pair: they are the
# same in every frame of every clip, so one clip tells them to seven digits.
_BODY_LENGTHS = (
    0.0, 0.1030740, 0.1098834, 0.1315682, 0.3936232, 0.3901882, 0.1431902, 0.4324330, 0.4256434, 0.0573647,
    0.1433818, 0.1494191, 0.2193600, 0.1374868, 0.1433828, 0.1030392, 0.1316140, 0.1229844, 0.2568399,
    0.2630919, 0.2660118, 0.2698763,
)  # fmt: skip

HUMANML3D = Layout(
    name="humanml3d",
    names=JOINT_NAMES[:22],
    chains=_BODY_CHAINS,
    raw_offsets=_offsets(_BODY_OFFSETS),
    lengths=_frozen(np.array(_BODY_LENGTHS)),
    legs=(5, 8),
    facing=(2, 1, 17, 16),
    feet_left=(7, 10),
    feet_right=(8, 11),
    contact_threshold=0.002,
    fps=20.0,
)

# The reference model of the Master Motor Map for a body one metre tall, in millimetres, as language2pose
# lays it out (the features' authors took their joints from there).
_KIT_NAMES = "root BP BT BLN BUN LS LE LW RS RE RW LH LK LA LMrot LF RH RK RA RMrot RF"
_KIT_LENGTHS = (
    0.0, 80.0, 120.0, 44.0, 30.0, 110.0, 188.0, 145.0, 110.0, 188.0, 145.0,
    52.0, 245.0, 246.0, 30.273586, 56.289345, 52.0, 245.0, 246.0, 30.273586, 56.287350,
)  # fmt: skip

KIT = Layout(
    name="kit",
    names=tuple(_KIT_NAMES.split()),
    chains=((0, 11, 12, 13, 14, 15), (0, 16, 17, 18, 19, 20), (0, 1, 2, 3, 4), (3, 5, 6, 7), (3, 8, 9, 10)),
    raw_offsets=_offsets("0 +Y +Y +Y +Y +X -Y -Y -X -Y -Y +X -Y -Y +Z +Z -X -Y -Y +Z +Z"),
    lengths=_frozen(np.array(_KIT_LENGTHS)),
    legs=(17, 18),
    facing=(11, 16, 5, 8),
    feet_left=(19, 20),
    feet_right=(14, 15),
    contact_threshold=0.05,
    fps=12.5,
    unit="mm",
)

_HAND = 15  # joints
_FINGERS = ("index", "middle", "pinky", "ring", "thumb")


def _finger(wrist: int, finger: str) -> tuple[int, ...]:
    """A finger's chain among 52 joints, from its wrist (20 or 21)."""
    first = 22 + (_HAND if wrist == 21 else 0) + 3 * _FINGERS.index(finger)
    return (wrist, first, first + 1, first + 2)


def _wholebody_lengths() -> np.ndarray:
    """The published body with our own hands, at the size at which our legs are as long as the body's.

    The finger bones of the originals come from licensed body models; ``with_template`` takes them from a
    file of whoever has one.
    """
    ours = np.linalg.norm(REST_OFFSETS, axis=1)
    size = (_BODY_LENGTHS[5] + _BODY_LENGTHS[8]) / (ours[INDEX["right_knee"]] + ours[INDEX["right_ankle"]])
    return np.concatenate([_BODY_LENGTHS, size * ours[25:55]])


WHOLEBODY = Layout(
    name="wholebody",
    names=JOINT_NAMES[:22] + JOINT_NAMES[25:55],
    chains=(
        *_BODY_CHAINS,
        *(_finger(20, finger) for finger in ("index", "thumb", "middle", "ring", "pinky")),
        *(_finger(21, finger) for finger in ("pinky", "ring", "middle", "index", "thumb")),
    ),
    raw_offsets=_offsets(_BODY_OFFSETS + " +X" * _HAND + " -X" * _HAND),
    lengths=_frozen(_wholebody_lengths()),
    legs=(5, 8),
    facing=(2, 1, 17, 16),
    feet_left=(7, 10),
    feet_right=(8, 11),
    contact_threshold=0.002,
    fps=30.0,
)
"""HumanTOMATO, Motion-X and SOLAMI."""

WHOLEBODY_SYNTALKER = replace(
    WHOLEBODY,
    name="wholebody-syntalker",
    chains=(*_BODY_CHAINS, *(_finger(wrist, finger) for wrist in (21, 20) for finger in _FINGERS)),
    raw_offsets=_offsets(_BODY_OFFSETS + " -Y" * (2 * _HAND)),
)
"""SynTalker: the rotations of the finger bones, and only these, differ. Never share statistics or weights."""

VARIANTS: dict[str, Layout] = {"humantomato": WHOLEBODY, "syntalker": WHOLEBODY_SYNTALKER}


def layout_of(kind: str, variant: str = "humantomato") -> Layout:
    """The layout ``humanml3d``, ``kit`` or ``wholebody``; ``variant`` tells the two whole-body ones apart.

    Raises:
        BadInput: no such layout or variant.
    """
    if kind == "wholebody":
        if variant not in VARIANTS:
            raise BadInput(
                f"There is no whole-body variant {variant!r}, only {', '.join(VARIANTS)}.", field="variant"
            )
        return VARIANTS[variant]
    plain = {"humanml3d": HUMANML3D, "kit": KIT}
    if kind not in plain:
        raise BadInput(f"There is no feature layout {kind!r}.", field="kind")
    return plain[kind]


def body_of(features: np.ndarray) -> np.ndarray:
    """The 263 body numbers of whole-body rows (..., 623)."""
    if features.shape[-1] != WHOLEBODY.dim:
        raise BadInput(
            f"Whole-body rows have {WHOLEBODY.dim} numbers, not {features.shape[-1]}.", field="joints"
        )
    wide, parts = WHOLEBODY.slices, []
    for name, piece in HUMANML3D.slices.items():
        start = wide[name].start
        parts.append(features[..., start : start + piece.stop - piece.start])
    return np.concatenate(parts, axis=-1)
