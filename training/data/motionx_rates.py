"""The clips of Motion-X's ``humanml`` subset that were cut with a wrong frame rate.

Whoever builds that subset runs Motion-X's script over the SMPL-X files of AMASS, which say 120 fps whatever they
hold: every fourth frame is kept and HumanML3D's cuts are applied to what is left. Of a 60 fps sequence this gives
15 frames a second called 30, from twice as late in the sequence, or nothing at all (Motion-X issue 56). A clip
that begins at its sequence's first frame is whole and only plays too fast, which can be put right; the others show
another stretch than their captions. Whether a given folder has the defect is told by its lengths.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .amass_fps import listed_rate
from .humanml3d_index import NOMINAL_FPS, Cut
from .motionx_files import FPS, length_of

TAGGED = 120.0
"""What every SMPL-X file says."""
SAMPLE = 64
"""Clips that are looked at."""


def played_rate(cut: Cut) -> float | None:
    """Real frames a second in a file of a folder with the defect; None where the tag was right or unknown."""
    rate = listed_rate(cut.source)
    if rate is None or abs(rate.fps - TAGGED) < 0.5:
        return None
    return FPS * rate.fps / TAGGED


def wanted_frames(cut: Cut) -> int:
    """Frames that a cut of a long enough sequence gives at 30 fps."""
    ratio = FPS / NOMINAL_FPS
    return int(cut.end * ratio) - int(cut.start * ratio)


def has_defect(cuts: Iterable[Cut], folder: Path) -> bool:
    """Whether clips of sequences that were not captured at 120 fps are shorter than their cuts.

    Cuts never reach past the end of their sequence, so with right rates every clip is as long as its cut.

    Args:
        cuts: of HumanML3D's index.
        folder: ``smplx_322/humanml``.
    """
    seen = short = 0
    for cut in cuts:
        if seen >= SAMPLE:
            break
        if cut.is_humanact12 or played_rate(cut) is None:
            continue
        length = length_of(folder / f"{cut.clip}.npy")
        if length is None:
            continue
        seen += 1
        short += length < 0.95 * wanted_frames(cut) - 1
    return short > 0.1 * seen
