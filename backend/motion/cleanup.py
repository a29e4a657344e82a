"""Clean-up of a motion: less jitter, no broken joints, nothing in the floor, feet that stand while they stand.

Order of the steps, each of which can be switched off:

1. *smooth*: trembling ends are made anew, and a Savitzky-Golay filter takes off as much jitter as there is;
   peaks are kept.
2. *limits*: joints stay within what a body can do (:mod:`.limits`).
3. *floor*: the root is raised or lowered by what the standing feet say, slowly; the trunk and the knees do
   not go below, and hands are raised by their arms (:mod:`.handfloor`).
4. *feet*: the drift that both standing feet share is taken out of the root; the rest is locked by
   two-bone IK (:mod:`.footlock`), and so are hands that bear the body.

A clip without any contact, a jump's flight or a handstand, keeps its legs as they are.
"""

from __future__ import annotations

import numpy as np

from ..errors import BadInput
from . import filters, footlock, handfloor, rotations
from .clip import Clip
from .contacts import contacts_from_positions, foot_float, intervals
from .kinematics import forward_kinematics
from .limits import within_limits
from .quality import CleanUpReport, measure
from .skeleton import CONTACT_JOINTS, INDEX

SMOOTH_SECONDS = 0.1
"""Half width of the smoothing window: seven frames at 30 fps."""
JITTER_ANGLE, JITTER_LENGTH = np.radians(2.0), 0.01
"""Radians and metres: a larger change by the filter would be blur."""
END_SECONDS = 0.1
"""What is made anew at an end of a clip that trembles."""
MAX_ROOT_SHIFT = 0.10
"""Metres the root is raised or lowered at most to bring standing feet onto the floor."""
MAX_BODY_LIFT = 0.30
MAX_DRIFT_SPEED = 0.6
"""Metres per second of shared foot drift that is believed."""
_CORE_SECONDS = 0.07
_DRIFT_SECONDS = 0.1
_UP = np.array([0.0, 1.0, 0.0])

# How far a joint's centre stays above the floor at least: less than the flesh around it, so that a lying,
# rolling or cartwheeling body is only lifted when it is truly below the floor.
_CLEARANCE: dict[str, float] = {
    "pelvis": 0.06, "spine1": 0.06, "spine2": 0.06, "spine3": 0.06, "neck": 0.04, "head": 0.06,
    "left_shoulder": 0.04, "right_shoulder": 0.04, "left_elbow": 0.02, "right_elbow": 0.02,
    "left_knee": 0.03, "right_knee": 0.03,
    "left_hip": 0.05, "right_hip": 0.05,
}  # fmt: skip


def clean_up(
    clip: Clip,
    *,
    feet: bool = True,
    floor: bool = True,
    smooth: bool = True,
    limits: bool = True,
    strength: float = 1.0,
) -> Clip:
    """A cleaner version of a clip, with the contacts that were used.

    Args:
        clip: the motion; ``clip.contacts``, where given, are taken as a model's prediction and joined with
            what heights and speeds say.
        feet: lock feet while they stand.
        floor: keep feet and body on and above the floor (y = 0).
        smooth: take off jitter.
        limits: keep joints within their ranges.
        strength: 0 gives the clip itself, 1 the full effect, a value in between a motion in between.

    Returns:
        A clip of the same length; ``contacts`` are 0 or 1.

    Raises:
        BadInput: the strength is not between 0 and 1.
    """
    if not 0.0 <= strength <= 1.0:
        raise BadInput(
            f"The clean-up's strength must be between 0 and 1, not {strength:g}.", field="strength"
        )
    if strength == 0.0:
        return clip
    cleaned = _cleaned(clip, feet=feet, floor=floor, smooth=smooth, limits=limits)
    return cleaned if strength == 1.0 else _between(clip, cleaned, strength)


def clean_up_with_report(clip: Clip, *, strength: float = 1.0, **steps: bool) -> tuple[Clip, CleanUpReport]:
    """As :func:`clean_up`, with numbers before and after; ``steps`` are its switches."""
    cleaned = clean_up(clip, strength=strength, **steps)
    contacts = cleaned.contacts if strength > 0.0 else None
    before = measure(clip, contacts)
    after = before if cleaned is clip else measure(cleaned, contacts)
    return cleaned, CleanUpReport(strength=strength, before=before, after=after)


def _between(clip: Clip, cleaned: Clip, strength: float) -> Clip:
    """The motion on the way from a clip to its cleaned version."""
    poses = np.array(clip.poses, dtype=np.float64)
    frames, joints = np.nonzero((cleaned.poses != clip.poses).any(axis=-1))
    a, b = (rotations.axis_angle_to_quaternion(c.poses[frames, joints]) for c in (clip, cleaned))
    weight = np.full((len(frames), 1), strength)
    poses[frames, joints] = rotations.quaternion_to_axis_angle(rotations.slerp(a, b, weight))
    return cleaned.replace(poses=poses, trans=clip.trans + strength * (cleaned.trans - clip.trans))


def _cleaned(clip: Clip, *, feet: bool, floor: bool, smooth: bool, limits: bool) -> Clip:
    poses = np.array(clip.poses, dtype=np.float64)
    trans = np.array(clip.trans, dtype=np.float64)
    if smooth:
        half_width = round(SMOOTH_SECONDS * clip.fps)
        end = max(1, round(END_SECONDS * clip.fps))
        poses, ends = filters.smooth_rotations(poses, half_width, float(JITTER_ANGLE), end)
        trans = filters.smooth_measured(filters.run_on(trans, *ends), half_width, JITTER_LENGTH)
    if limits:
        poses = within_limits(poses)

    joints, world = forward_kinematics(poses[:, :22], trans)
    hint = None if clip.contacts is None else np.asarray(clip.contacts) > 0.5

    def find_contacts(shift: np.ndarray) -> np.ndarray:
        found = contacts_from_positions(_feet(joints) + shift[:, None], clip.fps, hint=hint)
        return found > 0.5

    shift = np.zeros_like(trans)
    # Feet of a lying or rolling body do not say where the floor is: soles or toes must point down.
    ankles = world[:, [7, 7, 8, 8], 1]
    soles_down = (ankles[..., 1] > 0.5) | (ankles[..., 2] < -0.5)
    if floor:
        # Twice: feet far off the floor are found only after a first correction.
        for _ in range(2):
            shift[:, 1] += _vertical_shift(
                joints + shift[:, None], world, find_contacts(shift) & soles_down, clip.fps
            )
        shift[:, 1] = np.clip(shift[:, 1], -MAX_ROOT_SHIFT, MAX_ROOT_SHIFT)
        shift[:, 1] += _body_lift(joints[..., 1] + shift[:, 1:2], clip.fps)
    contacts = find_contacts(shift)
    if feet:
        shift += _drift_shift(_feet(joints) + shift[:, None], contacts, clip.fps)
    joints = joints + shift[:, None]

    drop = np.zeros(len(poses))
    if feet or floor:
        poses[:, :22], drop, contacts = footlock.lock_feet(
            poses[:, :22], joints, world, contacts, clip.fps, lock=feet, floor=floor
        )
        shift[:, 1] -= drop
    joints = joints - drop[:, None, None] * _UP
    body = poses[:, :22]
    if feet:
        held = handfloor.hold_hands(body, joints, world, clip.fps)
        if held is not body:
            joints, world = forward_kinematics(held, trans + shift)
        body = held
    if floor:
        body = handfloor.lift_hands(body, joints, world)
    poses[:, :22] = body
    return clip.replace(poses=poses, trans=trans + shift, contacts=contacts.astype(np.float64))


def _feet(joints: np.ndarray) -> np.ndarray:
    return joints[:, list(CONTACT_JOINTS)]


def _vertical_shift(joints: np.ndarray, world: np.ndarray, contacts: np.ndarray, fps: float) -> np.ndarray:
    """(T,) metres: what brings standing feet to the floor, changing slowly, held between contacts."""
    floats = foot_float(joints, world)
    standing = contacts.reshape(-1, 2, 2).any(axis=2) & (floats < 0.08)
    known = np.flatnonzero(standing.any(axis=1))
    if not known.size:
        return np.zeros(len(joints))
    floats, standing = floats[known], standing[known]
    lowest = np.where(standing, floats, np.inf).min(axis=1)
    # Two feet in the floor: half way for both. Two above it: one of them may be on its way up.
    depth = (np.minimum(floats, 0.0) * standing).sum(axis=1) / standing.sum(axis=1)
    level = np.interp(np.arange(len(joints)), known, np.where(lowest < 0, depth, lowest))
    return -filters.gaussian(level, 0.3 * fps)


def _body_lift(heights: np.ndarray, fps: float) -> np.ndarray:
    """(T,) metres by which the body must rise so that nothing but the feet (which IK serves) is below the floor."""
    index = [INDEX[name] for name in _CLEARANCE]
    lowest = (heights[:, index] - np.array(list(_CLEARANCE.values()))).min(axis=1)
    need = np.clip(-lowest, 0.0, MAX_BODY_LIFT)
    return filters.upper_envelope(need, round(0.15 * fps)) if need.any() else need


def _drift_shift(feet: np.ndarray, contacts: np.ndarray, fps: float) -> np.ndarray:
    """(T, 3) metres, horizontal: takes out of the root the drift that standing feet share.

    Where a whole body glides, legs alone cannot hold the feet. The slowest standing foot joint says how fast
    the body glides: a foot that rolls or shuffles while another stands still is motion. Landing and leaving
    are motion too, so the first and last frames of a contact do not count.
    """
    frames = len(feet)
    margin = round(_CORE_SECONDS * fps)
    core = np.zeros((frames, 4), dtype=bool)
    for foot in range(4):
        for start, stop in intervals(contacts[:, foot]):
            # A contact that the clip's end cuts has no landing or leaving there.
            core[start + (margin if start > 0 else 0) : stop - (margin if stop < frames else 0), foot] = True
    both = core[1:] & core[:-1]
    offset = np.zeros((frames, 3))
    if not both.any():
        return offset
    steps = np.diff(feet[..., [0, 2]], axis=0)
    weight = both / (np.sum((steps * fps) ** 2, axis=-1) + 0.03**2) ** 2
    known = both.any(axis=1, keepdims=True)
    glide = np.sum(weight[..., None] * steps, axis=1) / np.maximum(weight.sum(axis=1), 1e-12)[:, None]
    # A mean over the frames that know it; it fades where the feet are in the air for long.
    sigma = _DRIFT_SECONDS * fps
    velocity = filters.gaussian(glide * known, sigma) / np.maximum(
        filters.gaussian(known.astype(np.float64), sigma), 0.3
    )
    speed = np.linalg.norm(velocity, axis=1, keepdims=True) * fps
    # Legs hold what is slower than a centimetre a second.
    velocity *= np.minimum(1.0, MAX_DRIFT_SPEED / np.maximum(speed, 1e-9)) * speed**2 / (speed**2 + 0.01**2)
    offset[1:, [0, 2]] = -np.cumsum(velocity, axis=0)
    return offset
