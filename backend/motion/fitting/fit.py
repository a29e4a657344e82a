"""Fit our skeleton to bare joint positions: SMPL-like joints, KIT, Kinect, COCO, whatever has legs.

Two steps: rotations in closed form (:mod:`.analytic`), then Gauss-Newton over all frames
(:mod:`.refine`), kept only where it brings the joints nearer. A twist that positions do not show is
continuous over time and natural, not measured; ``known`` says which parts were there at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from ...errors import BadInput
from .. import rotations as rot
from ..clip import Clip
from ..skeleton import INDEX, PARTS, REST_OFFSETS
from ..stance import leg_length
from . import analytic
from .body import OURS, Body, body_of_source
from .gaps import bridge
from .noise import steadied
from .points import bone_offsets, check_names, rest_points
from .refine import errors, refine

Prior = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""A pose prior: given body poses (T, 21, 3), axis-angle of joints 1 to 21, and (T, 21) whether the joints
say anything about each rotation, returns plausible poses of that shape. Rotations without a clue take
its values."""

_LEGS = (("left_hip", "left_knee", "left_ankle"), ("right_hip", "right_knee", "right_ankle"))
_GOOD_ENOUGH = 1e-3
"""Metres: a mean error below this is not worth a refinement."""
_ENOUGH = 0.5
"""Share of the frames in which a joint must be there for its part to be known."""
_NEEDED: dict[str, tuple[str, ...]] = {
    "lower_trans": ("left_knee", "right_knee", "left_ankle", "right_ankle"),
    "upper": ("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    "hands": tuple(f"{side}_{finger}{k}" for side in ("left", "right")
                   for finger in ("index", "middle", "ring", "pinky") for k in (1, 2)),
}  # fmt: skip


def fit_joints(
    joints: np.ndarray,
    names: Sequence[str],
    *,
    fps: float,
    known: Mapping[str, bool] | None = None,
    scale: Literal["leg"] | float | None = "leg",
    bones: Mapping[str, Sequence[float]] | None = None,
    prior: Prior | None = None,
    steps: int = 3,
) -> Clip:
    """Poses of our skeleton that put its joints where the source's are.

    Args:
        joints: (T, N, 3) world positions, metres, Y up; NaN where a joint is missing.
        names: of the columns: our joint names and the names of :data:`.points.EXTRAS`. Legs and a
            pelvis (or both hips) are needed.
        fps: frames per second.
        known: which parts the source contains, where the caller knows better than the joints show.
        scale: ``"leg"`` makes the source's legs as long as ours, a number multiplies positions,
            ``None`` leaves them.
        bones: rest directions of the source's bones, see :func:`.points.bone_offsets`.
        prior: fills in rotations that no joint says anything about.
        steps: Gauss-Newton steps, 0 for none.

    Returns:
        A clip at the same frame rate; its floor is the source's, scaled about y = 0. ``meta`` has
        ``fit_error_mm``, the mean distance between the source's joints, scaled, and the same joints of
        the fitted poses on a body with the source's bone lengths; and ``fit`` with further facts.

    Raises:
        BadInput: shapes or names do not fit, or a joint that is needed is never there.
    """
    at, seen = _checked(joints, names, fps)
    factor = _scale(at, seen, scale)
    at, noise = _steadied({name: points * factor for name, points in at.items()}, seen, fps)
    own = list(at)
    offsets = bone_offsets(bones)
    rest = analytic.with_middles(at, seen, rest_points(offsets))
    solution = analytic.solve(analytic.Points(at, seen, rest, fps), len(joints))
    told = solution.seen.copy()
    local = analytic.locals_of(solution, fps)
    if prior is not None:
        local = _with_prior(local, told, prior)

    body = body_of_source(solution.world, at, seen, offsets)
    wanted = np.stack([at[name] for name in own], axis=1)
    weights = np.stack([seen[name] for name in own], axis=1).astype(np.float64)
    trans = body.trans(_hips(at, local, body), local)
    before = _error(local, trans, body, own, wanted, weights)
    after, refined = before, False
    if steps and before > _GOOD_ENOUGH:
        candidate = refine(local, trans, body, own, wanted, weights, fps, steps=steps)
        after = _error(*candidate, body, own, wanted, weights)
        refined = after < before
        if refined:
            local = candidate[0]

    clip_trans = OURS.trans(_hips(at, local, body), local)
    ours, _ = OURS.points(local, clip_trans, own)
    return Clip(
        poses=rot.matrix_to_axis_angle(local),
        trans=clip_trans,
        fps=float(fps),
        known=_known(seen, told, known),
        meta={
            "scale": round(float(factor), 4),
            "fit_error_mm": round(1000 * min(before, after), 3),
            "fit": {
                "closed_form_mm": round(1000 * before, 3),
                "refined": refined,
                "own_proportions_mm": round(1000 * float(errors(ours, wanted, weights).mean()), 3),
                "jitter_mm": round(1000 * noise, 2),
                "seen": round(float(weights.mean()), 4),
            },
        },
    )


def _checked(
    joints: np.ndarray, names: Sequence[str], fps: float
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Positions (T, 3) and truth values (T,) of the joints that are ever there, by name."""
    joints = np.asarray(joints, dtype=np.float64)
    if joints.ndim != 3 or joints.shape[2] != 3 or joints.shape[1] != len(names):
        raise BadInput(
            f"Joints must have the shape (frames, {len(names)}, 3), not {joints.shape}.", field="joints"
        )
    if len(joints) < 2:
        raise BadInput(f"A motion needs at least two frames, this one has {len(joints)}.", field="joints")
    if not fps > 0:
        raise BadInput(f"The frame rate must be above zero, not {fps:g}.", field="fps")
    filled, seen = bridge(joints, fps)
    there = [i for i in range(len(names)) if seen[:, i].any()]
    check_names([names[i] for i in there])
    return {names[i]: filled[:, i] for i in there}, {names[i]: seen[:, i] for i in there}


def _steadied(
    at: dict[str, np.ndarray], seen: dict[str, np.ndarray], fps: float
) -> tuple[dict[str, np.ndarray], float]:
    steady, noise = steadied(np.stack(list(at.values()), axis=1), np.stack(list(seen.values()), axis=1), fps)
    return {name: steady[:, i] for i, name in enumerate(at)}, noise


def _scale(at: dict[str, np.ndarray], seen: dict[str, np.ndarray], scale: str | float | None) -> float:
    if scale is None:
        return 1.0
    if not isinstance(scale, str):
        return float(scale)
    lengths = []
    for hip, knee, ankle in _LEGS:
        shin = _length(at[ankle] - at[knee], seen[ankle] & seen[knee])
        # Without hip joints the thigh is taken to be as long against the shin as ours.
        thigh = _length(at[knee] - at[hip], seen[knee] & seen[hip]) if hip in at else shin * _THIGH_PER_SHIN
        lengths.append(thigh + shin)
    length = float(np.mean(lengths))
    if not length > 1e-6:
        raise BadInput("The legs have no length, so the body has no scale.", field="joints")
    return leg_length() / length


_THIGH_PER_SHIN = float(
    np.linalg.norm(REST_OFFSETS[INDEX["left_knee"]]) / np.linalg.norm(REST_OFFSETS[INDEX["left_ankle"]])
)


def _length(bone: np.ndarray, seen: np.ndarray) -> float:
    length = np.linalg.norm(bone, axis=-1)
    return float(np.median(length[seen] if seen.any() else length))


def _hips(at: dict[str, np.ndarray], local: np.ndarray, body: Body) -> np.ndarray:
    """(T, 3) the middle of the hips, which the root follows."""
    return at["hips"] if "hips" in at else at["pelvis"] + local[:, 0] @ body.middle


def _error(
    local: np.ndarray,
    trans: np.ndarray,
    body: Body,
    names: list[str],
    wanted: np.ndarray,
    weights: np.ndarray,
) -> float:
    points, _ = body.points(local, trans, names)
    return float(errors(points, wanted, weights).mean())


def _with_prior(local: np.ndarray, told: np.ndarray, prior: Prior) -> np.ndarray:
    poses = rot.matrix_to_axis_angle(local[:, 1:22])
    proposed = np.asarray(prior(poses, told[:, 1:22]))
    result = np.array(local)
    result[:, 1:22] = np.where(told[:, 1:22, None, None], local[:, 1:22], rot.axis_angle_to_matrix(proposed))
    return result


def _known(
    seen: dict[str, np.ndarray], told: np.ndarray, given: Mapping[str, bool] | None
) -> dict[str, bool]:
    """Which parts are there: positions never tell a jaw or an eye."""
    found = dict.fromkeys(PARTS, False)
    for part, needed in _NEEDED.items():
        found[part] = all(name in seen and seen[name].mean() >= _ENOUGH for name in needed)
    found["lower_trans"] &= bool(told[:, 0].mean() >= _ENOUGH)
    return {**found, **(given or {})}
