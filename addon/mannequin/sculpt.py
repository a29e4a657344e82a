"""The figure: where flesh lies around the skeleton's rest joints.

Only the left half (x >= 0) is described; the mannequin mirrors it. Axes and units are the clip's:
Y up, facing +Z, metres, the rest pose of :mod:`...addon.backend.motion.skeleton`. Girths and breadths follow the
adult means of NASA-STD-3000 (1995) and Winter, between the sexes, for a stature of 1.73 m.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...backend.motion.skeleton import INDEX, REST_FLOOR, rest_joints
from .implicit import Field, Primitive, capsule, ellipsoid, loft

_JOINTS = rest_joints()

FINGERS = ("index", "middle", "pinky", "ring", "thumb")
# Radii at the three joints and at the tip, and the length beyond the last joint, metres.
_FINGER_SIZES = {
    "index": ((0.0094, 0.0086, 0.0077, 0.0066), 0.021),
    "middle": ((0.0096, 0.0088, 0.0079, 0.0067), 0.022),
    "ring": ((0.0092, 0.0083, 0.0075, 0.0064), 0.022),
    "pinky": ((0.0082, 0.0074, 0.0067, 0.0058), 0.018),
    "thumb": ((0.0135, 0.0112, 0.0098, 0.0078), 0.024),
}


EYE_RADIUS = 0.0122
"""Of the eyeball about its joint, metres."""
MOUTH = (0.0, 0.2392, 0.0975)
"""The middle of the line between the lips, metres."""


def joint(name: str) -> np.ndarray:
    """Rest position (3,) of a joint, metres."""
    return _JOINTS[INDEX[name]]


def finger_tip(finger: str) -> np.ndarray:
    """Rest position (3,) of the left finger's tip, metres."""
    a, b = joint(f"left_{finger}2"), joint(f"left_{finger}3")
    return b + (b - a) / np.linalg.norm(b - a) * _FINGER_SIZES[finger][1]


def figure() -> Field:
    """The left half of the figure as an implicit field."""
    branches = [_leg(), _arm(), *(_finger(finger) for finger in FINGERS)]
    return Field([*_torso(), *_neck_and_head(), *_palm()], branches, REST_FLOOR)


def _levels(rows: Sequence[Sequence[float]], z: float) -> tuple[list[float], list[float], list[list[float]]]:
    """A vertical loft from rows (y, half width, front z, back z) with its axis at depth ``z``."""
    low, high = rows[0][0], rows[-1][0]
    # With the axis up and u = +x, v = axis x u points to -z: the back is v+.
    stations = [[(y - low) / (high - low), w, w, z - back, front - z] for y, w, front, back in rows]
    return [0, low, z], [0, high, z], stations


def _torso() -> list[Primitive]:
    a, b, stations = _levels(
        [
            # y, half width, front, back
            (-0.520, 0.060, 0.030, -0.045),
            (-0.490, 0.120, 0.062, -0.078),
            (-0.440, 0.156, 0.080, -0.096),
            (-0.390, 0.156, 0.088, -0.098),
            (-0.330, 0.146, 0.091, -0.085),
            (-0.270, 0.132, 0.088, -0.075),
            (-0.220, 0.127, 0.087, -0.078),
            (-0.160, 0.132, 0.094, -0.090),
            (-0.090, 0.145, 0.104, -0.104),
            (-0.020, 0.156, 0.110, -0.115),
            (0.035, 0.158, 0.100, -0.117),
            (0.080, 0.140, 0.078, -0.109),
            (0.115, 0.100, 0.050, -0.095),
            (0.150, 0.062, 0.025, -0.080),
        ],
        z=-0.005,
    )
    return [
        loft(a, b, (1, 0, 0), stations, 0.0, power=2.35, mirrored=True),
        # chest plane, shoulder blade, and the slope from neck to shoulder
        ellipsoid((0.076, 0.016, 0.062), (0.082, 0.052, 0.046), 0.040, tilt=-0.15),
        ellipsoid((0.080, 0.020, -0.085), (0.062, 0.085, 0.030), 0.040),
        capsule((0.015, 0.150, -0.042), 0.046, (0.160, 0.106, -0.024), 0.036, 0.040),
        # seat
        ellipsoid((0.072, -0.435, -0.062), (0.078, 0.080, 0.068), 0.040),
    ]


def _neck_and_head() -> list[Primitive]:
    neck = loft(
        (0, 0.100, -0.040), (0, 0.290, -0.008), (1, 0, 0),
        # v+ is the back (axis up, u = +x)
        [(0.0, 0.066, 0.066, 0.050, 0.052), (0.35, 0.054, 0.054, 0.050, 0.050),
         (0.7, 0.052, 0.052, 0.052, 0.052), (1.0, 0.056, 0.056, 0.060, 0.050)],
        0.045, mirrored=True,
    )  # fmt: skip
    a, b, stations = _levels(
        [
            # the face, from under the chin to the brow
            (0.197, 0.024, 0.074, -0.010),
            (0.204, 0.037, 0.086, -0.020),
            (0.217, 0.049, 0.091, -0.035),
            (0.234, 0.057, 0.0905, -0.045),
            (0.255, 0.062, 0.091, -0.055),
            (0.280, 0.067, 0.093, -0.060),
            (0.310, 0.070, 0.094, -0.060),
            (0.335, 0.0715, 0.0945, -0.060),
            (0.360, 0.070, 0.089, -0.060),
            (0.382, 0.058, 0.070, -0.050),
            (0.396, 0.036, 0.046, -0.040),
        ],
        z=0.020,
    )
    face = loft(a, b, (1, 0, 0), stations, 0.022, power=2.25, mirrored=True)
    eye = joint("left_eye_smplhf")
    return [
        neck,
        ellipsoid((0, 0.332, -0.006), (0.0770, 0.089, 0.101), 0.030),
        face,
        # cheekbone, brow, the socket between them, and room for the eyeball
        ellipsoid((0.045, 0.283, 0.060), (0.024, 0.017, 0.023), 0.026),
        ellipsoid((0.024, 0.333, 0.083), (0.032, 0.010, 0.012), 0.026),
        ellipsoid(eye + (0.001, 0.001, 0.027), (0.023, 0.0125, 0.019), -0.018),
        ellipsoid(eye, (1.05 * EYE_RADIUS,) * 3, -0.002),
        # nose: bridge, tip, wing
        capsule((0, 0.324, 0.089), 0.0085, (0, 0.277, 0.106), 0.0095, 0.015),
        ellipsoid((0, 0.272, 0.107), (0.0115, 0.0095, 0.0105), 0.010),
        ellipsoid((0.010, 0.269, 0.099), (0.0080, 0.0070, 0.0100), 0.008),
        # lips, the dent below them, chin
        ellipsoid((0, 0.2440, 0.0895), (0.023, 0.0065, 0.0085), 0.010),
        ellipsoid((0, 0.2345, 0.0885), (0.019, 0.0065, 0.0085), 0.008),
        ellipsoid((0, 0.2215, 0.1045), (0.026, 0.007, 0.012), -0.012),
        ellipsoid((0, 0.210, 0.082), (0.022, 0.013, 0.013), 0.016),
        # ear
        ellipsoid((0.0745, 0.300, -0.010), (0.0085, 0.031, 0.018), 0.008, tilt=-0.2),
        ellipsoid((0.084, 0.304, -0.006), (0.007, 0.018, 0.009), -0.006, tilt=-0.2),
    ]


def _leg() -> list[Primitive]:
    hip, knee, ankle, ball = (joint(f"left_{n}") for n in ("hip", "knee", "ankle", "foot"))
    down = (knee - hip) / np.linalg.norm(knee - hip)
    # Axis down, u = +x (outwards): v = axis x u points to +z, the front.
    thigh = loft(
        hip - 0.055 * down, knee + 0.015 * down, (1, 0, 0),
        [(0.0, 0.040, 0.060, 0.055, 0.060), (0.12, 0.074, 0.080, 0.078, 0.086), (0.24, 0.0835, 0.081, 0.086, 0.091),
         (0.45, 0.079, 0.074, 0.087, 0.082), (0.68, 0.066, 0.062, 0.074, 0.068), (0.87, 0.0545, 0.0545, 0.060, 0.056),
         (1.0, 0.0525, 0.054, 0.058, 0.049)],
        0.030, power=2.1,
    )  # fmt: skip
    shin = loft(
        knee - 0.015 * down, ankle, (1, 0, 0),
        [(0.0, 0.0525, 0.054, 0.057, 0.049), (0.12, 0.0525, 0.054, 0.051, 0.055), (0.30, 0.055, 0.056, 0.046, 0.068),
         (0.48, 0.050, 0.050, 0.042, 0.064), (0.7, 0.0395, 0.0385, 0.036, 0.047), (0.9, 0.0325, 0.0325, 0.034, 0.038),
         (1.0, 0.032, 0.032, 0.036, 0.040)],
        0.006,
    )  # fmt: skip
    floor = REST_FLOOR
    heel = np.array([ankle[0] - 0.004, floor + 0.034, ankle[2] - 0.036])
    forward = ball - ankle
    forward = np.array([forward[0], 0, forward[2]]) / np.hypot(forward[0], forward[2])
    big_toe = np.array([ball[0] - 0.010, floor + 0.016, ball[2]]) + 0.058 * forward
    little_toe = np.array([ball[0] + 0.030, floor + 0.014, ball[2]]) + 0.030 * forward
    return [
        thigh,
        shin,
        ellipsoid((knee[0], knee[1] + 0.006, knee[2] + 0.037), (0.026, 0.034, 0.020), 0.020),  # kneecap
        ellipsoid(
            (ankle[0] + 0.028, ankle[1] - 0.002, ankle[2] + 0.002), (0.011, 0.014, 0.013), 0.016
        ),  # outer
        ellipsoid(
            (ankle[0] - 0.029, ankle[1] + 0.006, ankle[2] + 0.006), (0.011, 0.014, 0.013), 0.016
        ),  # inner
        ellipsoid(heel, (0.033, 0.040, 0.037), 0.024),
        capsule(ankle + (0, -0.006, 0.006), 0.036, ball + (-0.004, 0.012, -0.020), 0.026, 0.030),
        capsule(heel + (0.004, -0.012, 0.01), 0.028, ball + (0.010, 0.000, -0.010), 0.030, 0.020),
        capsule(ball + (-0.018, -0.003, -0.005), 0.025, big_toe, 0.017, 0.022),
        capsule(ball + (0.018, -0.004, -0.018), 0.025, little_toe, 0.015, 0.022),
        capsule(big_toe + (0.004, -0.001, -0.004), 0.0165, little_toe, 0.0145, 0.022),
    ]


def _arm() -> list[Primitive]:
    shoulder, elbow, wrist = (joint(f"left_{n}") for n in ("shoulder", "elbow", "wrist"))
    # Axis +x, u = +y (up): v = axis x u points to +z, the front.
    upper = loft(
        shoulder - (0.03, 0, 0), elbow + (0.012, 0, 0), (0, 1, 0),
        [(0.0, 0.040, 0.046, 0.042, 0.046), (0.2, 0.044, 0.050, 0.047, 0.046), (0.5, 0.042, 0.045, 0.047, 0.043),
         (0.78, 0.0375, 0.039, 0.040, 0.038), (1.0, 0.036, 0.0365, 0.0385, 0.037)],
        0.040,
    )  # fmt: skip
    fore = loft(
        elbow - (0.012, 0, 0), wrist + (0.012, 0, 0), (0, 1, 0),
        [(0.0, 0.036, 0.0365, 0.0385, 0.037), (0.2, 0.037, 0.038, 0.044, 0.039), (0.45, 0.032, 0.034, 0.040, 0.035),
         (0.75, 0.0235, 0.025, 0.031, 0.028), (0.92, 0.0195, 0.021, 0.028, 0.027), (1.0, 0.019, 0.020, 0.028, 0.028)],
        0.006,
    )  # fmt: skip
    return [
        ellipsoid(shoulder + (0.004, -0.006, 0.001), (0.060, 0.049, 0.053), 0.045),  # deltoid
        upper,
        fore,
        ellipsoid(elbow + (0.002, -0.002, -0.028), (0.018, 0.015, 0.012), 0.014),  # point of the elbow
    ]


def _palm() -> list[Primitive]:
    wrist = joint("left_wrist")
    knuckles = [joint(f"left_{f}1") for f in ("index", "middle", "ring", "pinky")]
    parts: list[Primitive] = [
        # The wrist, so that the palm's blend continues the forearm's.
        loft(
            wrist - (0.040, 0.001, 0), wrist + (0.030, -0.001, 0), (0, 1, 0),
            [(0.0, 0.020, 0.022, 0.029, 0.027), (0.6, 0.019, 0.020, 0.028, 0.028), (1.0, 0.017, 0.018, 0.032, 0.033)],
            0.02,
        )
    ]  # fmt: skip
    for i, knuckle in enumerate(knuckles):  # metacarpals
        spread = wrist + (0.022, -0.003, 0.018 - 0.012 * i)
        parts.append(capsule(spread, 0.0165, knuckle - (0.003, 0.003, 0), 0.0125, 0.016 if i == 0 else 0.014))
    parts.append(ellipsoid(wrist + (0.046, -0.013, 0.022), (0.032, 0.014, 0.017), 0.016))  # ball of the thumb
    parts.append(ellipsoid(wrist + (0.050, -0.011, -0.026), (0.034, 0.012, 0.014), 0.016))  # its opposite
    return parts


def _finger(finger: str) -> list[Primitive]:
    joints = [joint(f"left_{finger}{i}") for i in (1, 2, 3)]
    (r1, r2, r3, r4), _ = _FINGER_SIZES[finger]
    tip = finger_tip(finger)
    end = tip - (tip - joints[2]) / np.linalg.norm(tip - joints[2]) * r4
    blend = 0.012 if finger == "thumb" else 0.008
    return [
        capsule(joints[0], r1, joints[1], r2, blend),
        capsule(joints[1], r2, joints[2], r3, 0.004),
        capsule(joints[2], r3, end, r4, 0.004),
    ]
