"""Skin weights of the mannequin, from where a point lies along the skeleton's chains.

Every joint has an *acceptance* in [0, 1]: how much of what its parent carries it takes over at a point.
Acceptances are smooth ramps across the joint, closed wherever a point belongs to another limb. The weight
of a bone is what reached it minus what its children took, so rows sum to one by construction, and no
influence can jump between limbs, however close they are in the rest pose.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ...backend.motion.skeleton import INDEX, MIRROR, NUM_JOINTS, PARENTS
from .sculpt import FINGERS, finger_tip, joint

Array = np.ndarray
MAX_INFLUENCES = 4


def skin_weights(points: Array, neighbours: Array) -> Array:
    """Weights (V, 55), rows summing to one with at most four entries.

    Args:
        points: (V, 3) rest positions, metres, both sides of the body.
        neighbours: (V, K) vertex indices along mesh edges, padded with the vertex itself.
    """
    accepted = np.zeros((len(points), NUM_JOINTS))
    accepted[:, 0] = 1.0
    mirrored = points * np.array([-1.0, 1.0, 1.0])
    for name, ramp in {**_central(points), **_left(points)}.items():
        accepted[:, INDEX[name]] = ramp
    for name, ramp in _left(mirrored).items():
        accepted[:, MIRROR[INDEX[name]]] = ramp

    reached = accepted.copy()
    for i in range(1, NUM_JOINTS):
        reached[:, i] *= reached[:, PARENTS[i]]
    weights = reached.copy()
    for i in range(1, NUM_JOINTS):
        weights[:, PARENTS[i]] -= reached[:, i]
    weights = np.maximum(weights, 0.0).astype(np.float32)
    weights = _diffuse(weights, neighbours, passes=3)
    return strongest(weights)


def strongest(weights: Array) -> Array:
    """Keep the four largest entries of each row, and normalise."""
    weights = weights.copy()
    rest = np.argpartition(weights, -MAX_INFLUENCES, axis=1)[:, :-MAX_INFLUENCES]
    np.put_along_axis(weights, rest, 0.0, axis=1)
    weights[weights < 0.004] = 0.0
    return weights / weights.sum(1, keepdims=True)


def stepped(weights: Array, steps: int = 256) -> Array:
    """Weights (V, 55) as whole multiples of ``1 / steps`` whose rows still sum to one.

    Few different values are what makes adding them to a mesh quick; at 256 a point beside a joint moves by less
    than a fifth of a millimetre.
    """
    scaled = weights.astype(np.float64) * steps
    floor = np.floor(scaled)
    missing = np.rint(steps - floor.sum(1)).astype(int)
    order = np.argsort(-(scaled - floor), axis=1, kind="stable")
    take = np.arange(weights.shape[1]) < missing[:, None]  # the largest remainders of each row go up
    np.put_along_axis(floor, order, np.take_along_axis(floor, order, 1) + take, 1)
    return (floor / steps).astype(np.float32)


def _ramp(s: Array, half: float) -> Array:
    """Smoothstep from 0 at ``s = -half`` to 1 at ``s = half``."""
    t = np.clip((s + half) / (2 * half), 0, 1)
    return t * t * (3 - 2 * t)


def _step(s: Array, low: float, high: float) -> Array:
    return _ramp(s - 0.5 * (low + high), 0.5 * (high - low))


def _central(p: Array) -> dict[str, Array]:
    x, y, z = p.T
    side = np.abs(x)
    off_torso = 1 - _step(side, 0.19, 0.21)
    upright = _step(y, -0.32, -0.30)  # nothing below the pelvis climbs the spine
    neck = _ramp(y - 0.152 + 0.25 * (z + 0.03) - 0.9 * np.maximum(side - 0.035, 0), 0.042)
    head = _ramp(y - 0.222 + 0.6 * z, 0.026)
    jaw = _step(0.247 - y, -0.004, 0.014) * _step(z, 0.0, 0.06)
    arm = 1 - off_torso
    return {
        "spine1": np.maximum(_ramp(y + 0.245, 0.070) * upright, arm),
        "spine2": np.maximum(_ramp(y + 0.115, 0.060), arm),
        "spine3": np.maximum(_ramp(y + 0.053, 0.050), arm),
        "neck": neck * off_torso,
        "head": head,
        "jaw": jaw,
    }


def _left(p: Array) -> dict[str, Array]:
    x, y, z = p.T
    hip, knee, ankle, ball = (joint(f"left_{n}") for n in ("hip", "knee", "ankle", "foot"))
    out: dict[str, Array] = {}

    # The crease runs from the groin up to the outside of the hip.
    crease = -(y - hip[1]) + 0.62 * (x - hip[0]) + 0.15 * z
    out["left_hip"] = _ramp(crease - 0.004, 0.062) * _step(x, -0.012, 0.034) * (1 - _step(y, -0.2, -0.1))
    out["left_knee"] = _ramp(-(y - knee[1]), 0.052)
    out["left_ankle"] = _ramp(-(y - ankle[1]) + 0.55 * (z - ankle[2]) - 0.004, 0.034)
    forward = (ball - ankle) * (1, 0, 1)
    forward /= np.linalg.norm(forward)
    out["left_foot"] = _ramp((p - ball) @ forward, 0.024)

    shoulder = joint("left_shoulder")
    out["left_collar"] = np.maximum(
        _step(x, 0.020, 0.115) * _step(y, 0.0, 0.095) * (1 - _step(y, 0.15, 0.2)), _step(x, 0.165, 0.20)
    )
    above = np.maximum(_step(y, 0.015, 0.070), _step(x, 0.170, 0.20))
    out["left_shoulder"] = _ramp((x - 0.170) - 0.30 * (y - shoulder[1]), 0.056) * above
    out["left_elbow"] = _ramp(x - joint("left_elbow")[0], 0.036)
    out["left_wrist"] = _ramp(x - joint("left_wrist")[0], 0.024)

    share = _finger_share(p)
    for i, finger in enumerate(FINGERS):
        joints = [joint(f"left_{finger}{k}") for k in (1, 2, 3)] + [finger_tip(finger)]
        for k in range(3):
            axis = (joints[k + 1] - joints[k]) / np.linalg.norm(joints[k + 1] - joints[k])
            half = (0.013 if finger == "thumb" else 0.010, 0.0075, 0.0065)[k]
            ramp = _ramp((p - joints[k]) @ axis, half)
            out[f"left_{finger}{k + 1}"] = ramp * share[i] if k == 0 else ramp
    return out


def _finger_share(p: Array) -> Array:
    """(5, V): which left finger a point belongs to, 1 or 0 except in the webs between them."""
    share = np.zeros((len(FINGERS), len(p)))
    near = np.flatnonzero(p[:, 0] > joint("left_wrist")[0])
    if not len(near):
        return share
    distances = []
    for finger in FINGERS:
        chain = [joint(f"left_{finger}{k}") for k in (1, 2, 3)] + [finger_tip(finger)]
        best = np.full(len(near), np.inf)
        for a, b in pairwise(chain):
            q = p[near] - a
            t = np.clip(q @ (b - a) / ((b - a) @ (b - a)), 0, 1)
            best = np.minimum(best, np.linalg.norm(q - t[:, None] * (b - a), axis=1))
        distances.append(best)
    d = np.stack(distances)
    d[FINGERS.index("thumb")] -= 0.003  # the thumb is thicker
    soft = np.exp(-(d - d.min(0)) / 0.0010)
    share[:, near] = soft / soft.sum(0)
    share[share < 0.02] = 0.0
    return share


def _diffuse(weights: Array, neighbours: Array, passes: int) -> Array:
    used = np.flatnonzero(weights.any(0))
    compact = weights[:, used]
    for _ in range(passes):
        compact = 0.5 * compact + 0.5 * compact[neighbours].mean(1)
    out = np.zeros_like(weights)
    out[:, used] = compact
    return out
