"""Clean-up of a motion of any length, in memory that does not grow with it: what is long is cleaned up in windows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..motion.cleanup import clean_up_with_report
from ..motion.clip import Clip
from ..motion.quality import CleanUpReport, combined
from .joining import Joined

WHOLE = 60.0
"""Seconds up to which a motion is cleaned up at once; all that a single prompt makes."""
WINDOW, MARGIN = 20.0, 2.4
"""Seconds of a window, and of what it is cleaned up with on either side: what its filters look at."""


def cleaned(motion: Clip) -> tuple[Clip, CleanUpReport]:
    """The motion cleaned up, and what that changed."""
    seconds = len(motion) / motion.fps
    if seconds <= WHOLE:
        return clean_up_with_report(motion)
    margin = round(MARGIN * motion.fps)
    borders = np.linspace(0, len(motion), round(seconds / WINDOW) + 1).round().astype(int).tolist()
    joined = Joined(len(motion))
    reports = []
    for start, stop in pairwise(borders):
        first = max(start - margin, 0)
        clip, report = clean_up_with_report(motion.slice(first, min(stop + margin, len(motion))))
        joined.add(clip, first, start, stop)
        reports.append((stop - start, report))
    return joined.clip(), combined(reports)
