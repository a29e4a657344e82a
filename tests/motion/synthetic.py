"""Motion made by formula, so that the truth is known: a walk whose feet stand still, a flight, random poses."""

from __future__ import annotations

import numpy as np

from understudy.backend.motion import footlock, rotations
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.skeleton import CONTACT_REST_HEIGHTS, INDEX, J0, NUM_JOINTS

ANKLE_HEIGHT, TOE_HEIGHT = CONTACT_REST_HEIGHTS[0], CONTACT_REST_HEIGHTS[1]


def random_clip(frames: int = 20, fps: float = 30.0, seed: int = 0) -> Clip:
    """Smooth random motion of all 55 joints, with expressions, contacts and meta data."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None] / fps
    waves = rng.normal(size=(1, NUM_JOINTS, 3)) * np.sin(
        2 * time + rng.uniform(0, 6, size=(1, NUM_JOINTS, 3))
    )
    return Clip(
        poses=0.6 * waves,
        trans=np.cumsum(rng.normal(size=(frames, 3)) * 0.01, axis=0) - J0 + np.array([0.0, 0.95, 0.0]),
        fps=fps,
        betas=rng.normal(size=16).astype(np.float32),
        expressions=rng.normal(size=(frames, 100)),
        contacts=rng.integers(0, 2, size=(frames, 4)).astype(float),
        gender="female",
        known={"lower_trans": True, "upper": True, "hands": False, "face": True},
        meta={"prompt": "a person moves, naïvely", "seed": 3, "nested": {"list": [1, 2.5, None]}},
    )


def walk(
    seconds: float = 4.0, fps: float = 30.0, speed: float = 1.0, stance: float = 0.62
) -> tuple[Clip, np.ndarray]:
    """A walk along +Z whose stance feet stand still exactly.

    Returns:
        the clip, and the contacts (T, 4) that hold by construction.
    """
    frames = round(seconds * fps)
    time = np.arange(frames) / fps
    cycle = 1.0
    pelvis = np.stack(
        [np.zeros(frames), 0.855 + 0.015 * np.cos(4 * np.pi * time / cycle), speed * time], axis=1
    )
    poses = np.zeros((frames, NUM_JOINTS, 3))
    swing = np.sin(2 * np.pi * time / cycle)
    poses[:, INDEX["left_shoulder"], 2] = -1.2
    poses[:, INDEX["right_shoulder"], 2] = 1.2
    poses[:, INDEX["left_shoulder"], 0] = 0.4 * swing
    poses[:, INDEX["right_shoulder"], 0] = -0.4 * swing
    poses[:, [1, 2], 0] = -0.25  # knees bent forwards, so that the legs have a plane
    poses[:, [4, 5], 0] = 0.5
    trans = pelvis - J0
    joints, world = forward_kinematics(poses[:, :22], trans)
    contacts = np.zeros((frames, 4))
    for side, leg in enumerate(footlock.LEGS):
        phase = time / cycle + 0.5 * side
        step, within = np.floor(phase), phase % 1.0
        stride = speed * cycle
        stand = (step - 0.5 * side) * stride + 0.5 * stance * stride
        u = np.clip((within - stance) / (1 - stance), 0, 1)
        ease = u * u * u * (u * (6 * u - 15) + 10)
        ankle = np.stack(
            [
                joints[:, leg.joints[2], 0],
                ANKLE_HEIGHT + 0.12 * np.sin(np.pi * ease) ** 2,
                stand + ease * stride,
            ],
            axis=1,
        )
        flat = rotations.matrix_to_quaternion(np.swapaxes(world[:, leg.joints[2]], -1, -2))
        turned = np.array(world)
        footlock.pose_leg(turned, joints, leg, ankle, flat, floor=False)
        footlock.write_local(poses, turned, leg.joints)
        contacts[:, list(leg.columns)] = (within <= stance)[:, None]
    return Clip(poses=poses, trans=trans, fps=fps, contacts=None), contacts


def spoil(
    clip: Clip, *, noise: float = 0.01, drift: tuple[float, float, float] = (0.0, 0.0, 0.0), seed: int = 0
) -> Clip:
    """What a model does to a motion: correlated noise on joints (radians) and root, and a drift in m/s."""
    rng = np.random.default_rng(seed)
    frames = len(clip)

    def wander(shape: tuple[int, ...]) -> np.ndarray:
        steps = rng.normal(size=(frames, *shape))
        kernel = np.exp(-0.5 * (np.arange(-8, 9) / 3.0) ** 2)
        kernel /= np.sqrt((kernel**2).sum())
        return np.apply_along_axis(lambda x: np.convolve(x, kernel, mode="same"), 0, steps)

    poses = (
        clip.poses + noise * wander((NUM_JOINTS, 3)) + 0.2 * noise * rng.normal(size=(frames, NUM_JOINTS, 3))
    )
    time = np.arange(frames)[:, None] / clip.fps
    trans = clip.trans + 0.5 * noise * wander((3,)) + time * np.asarray(drift)
    return clip.replace(poses=poses, trans=trans)
