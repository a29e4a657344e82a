"""Numbers about motions: descriptors for nearest neighbours, and physical plausibility."""

from __future__ import annotations

import numpy as np

from ...backend.motion.clip import Clip
from ...backend.motion.contacts import LEG_JOINTS, contact_report, detect_contacts
from ...backend.motion.features import FIELDS, FPS, features_from_clip
from ...backend.motion.kinematics import forward_kinematics
from ...backend.motion.skeleton import CONTACT_JOINTS, J0


def descriptor(features: dict[str, np.ndarray]) -> np.ndarray:
    """What a motion is like, whatever its length: (D,) statistics of its joint features over time.

    Mean, spread and 10/90 % quantiles of joint positions, spreads of velocities, and of the root's
    rates and height; all in the heading frame.
    """
    lower, upper = features["lower_trans"], features["upper"]
    positions = np.concatenate(
        [lower[:, FIELDS["lower_trans"]["positions"].slice], upper[:, FIELDS["upper"]["positions"].slice]],
        axis=1,
    )
    velocities = np.concatenate(
        [lower[:, FIELDS["lower_trans"]["velocities"].slice], upper[:, FIELDS["upper"]["velocities"].slice]],
        axis=1,
    )
    root = lower[:, :4]
    low, high = np.quantile(positions, [0.1, 0.9], axis=0)
    speeds = np.abs(velocities)
    return np.concatenate(
        [
            positions.mean(0),
            positions.std(0),
            low,
            high,
            0.3 * velocities.std(0),
            0.3 * speeds.mean(0),
            root.mean(0),
            root.std(0),
        ]
    )


class Neighbours:
    """Nearest motions by :func:`descriptor`, each dimension scaled by its spread."""

    def __init__(self, descriptors: np.ndarray) -> None:
        self.scale = np.maximum(descriptors.std(0), 1e-3)
        self.points = descriptors / self.scale

    def order(self, query: np.ndarray) -> np.ndarray:
        """Indices from the nearest on."""
        return np.argsort(np.linalg.norm(self.points - query / self.scale, axis=1))


def physics(clip: Clip) -> dict[str, float]:
    """Foot skate, floor penetration and jerk, and how far the root goes."""
    report = dict(contact_report(clip))
    path = (clip.trans + J0)[:, [0, 2]]
    report["travel_m"] = float(np.linalg.norm(path[-1] - path[0]))
    report["path_m"] = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
    return report


def plausibility(clip: Clip) -> dict[str, float]:
    """What papers print of a clip's physics, with contacts found the same way whatever made the clip.

    Returns:
        ``foot_skate`` cm/s, mean horizontal speed of feet in contact; ``skate_share`` of contact frames above
        2.5 cm/s; ``penetration`` cm, mean depth of the soles below the floor; ``jerk`` m/s^3.
    """
    contacts = detect_contacts(clip)
    report = contact_report(clip, contacts)
    joints, _ = forward_kinematics(clip.poses[:, :LEG_JOINTS], clip.trans)
    steps = np.diff(joints[:, list(CONTACT_JOINTS)][..., [0, 2]], axis=0)
    held = (contacts[1:] > 0.5) & (contacts[:-1] > 0.5)
    speeds = 100 * clip.fps * np.linalg.norm(steps, axis=-1)[held]
    return {
        "foot_skate": float(speeds.mean()) if speeds.size else 0.0,
        "skate_share": report["slide_share"],
        "penetration": report["penetration_mean"],
        "jerk": report["jerk"],
    }


def descriptor_of_clip(clip: Clip) -> np.ndarray:
    assert clip.fps == FPS
    return descriptor(features_from_clip(clip)[0])
