"""Where the floor is of a source whose rest pose stands on it."""

from __future__ import annotations

import numpy as np

from ...backend.motion.skeleton import CONTACT_REST_HEIGHTS
from ...backend.motion.stance import leg_length
from ..formats.source import SourceMotion
from .retarget import Rig, source_leg_length


def rest_floor(motion: SourceMotion, rig: Rig) -> float:
    """Where our sole stands, metres, when the source stands in a rest pose whose feet are flat on y = 0."""
    ankles = np.mean([motion.rest_point(foot.ankle)[1] for foot in rig.feet])
    return float(leg_length() / source_leg_length(motion, rig) * ankles - CONTACT_REST_HEIGHTS[0])
