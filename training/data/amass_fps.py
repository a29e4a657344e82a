"""The true frame rate of an AMASS sequence.

SMPL-X files say 120 frames a second whatever they hold (nghorbani/amass issue 49: about 5,000 of them are
wrong); their SMPL+H twins, with the same frames, are right. Where the twin is not at hand, the rates that
BABEL lists for 12,660 sequences decide (``tables/amass/frame_rates.json``, numbers only), and BABEL's
durations check both. Subsets in no list (GRAB, SOMA, DanceDB, CNRS, HUMAN4D, WEIZMANN, BMLhandball) keep
the rate of their file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...backend.errors import BadInput, UnderstudyError
from ...backend.motion import keys
from ...backend.motion.archive import Archive
from .amass_files import sequence_key
from .raw import TABLES

RATES = (60.0, 100.0, 120.0, 150.0, 250.0)
"""Every rate that AMASS was captured at."""
AGREE = 0.25
"""Seconds by which a duration may differ from BABEL's."""


@dataclass(frozen=True)
class Rate:
    """Frames per second, and who says so."""

    fps: float
    source: str


@cache
def _table() -> dict[str, dict[str, Any]]:
    """Per subset: its rate; for subsets of mixed rates the rate of each subject; single files besides."""
    data: dict[str, Any] = json.loads((TABLES / "amass" / "frame_rates.json").read_text(encoding="utf-8"))
    return {
        subset.casefold(): {
            "rate": float(entry["rate"]),
            "subjects": _by_name(entry.get("subjects", {})),
            "files": _by_name(entry.get("exceptions", {})),
        }
        for subset, entry in data.items()
    }


def _by_name(names: dict[str, list[str]]) -> dict[str, float]:
    return {name: float(rate) for rate, group in names.items() for name in group}


def listed_rate(name: str) -> Rate | None:
    """The rate in BABEL's listing.

    Args:
        name: see :func:`.amass_files.sequence_name`.

    Returns:
        None when the subset is not listed. In a subset of mixed rates a subject that is not listed gets the
        rate of most; ``source`` says so.
    """
    subset, _, rest = sequence_key(name).partition("/")
    entry = _table().get(subset)
    if entry is None:
        return None
    if rest in entry["files"]:
        return Rate(entry["files"][rest], "listing")
    subject = rest.split("/")[0]
    if subject in entry["subjects"]:
        return Rate(entry["subjects"][subject], "listing")
    return Rate(entry["rate"], "most of the subset" if entry["subjects"] else "listing")


def stated_rate(path: Path) -> float | None:
    """The rate that an SMPL+H file states; None for any other file."""
    try:
        with Archive(path) as opened:
            return keys.read_fps(opened, 1, None, []) if "mocap_framerate" in opened else None
    except UnderstudyError:
        return None


def twin_rate(twin: Path, frames: int) -> Rate | None:
    """The rate in an SMPL+H file; None when it cannot be read or is not of the same sequence.

    Args:
        twin: the SMPL+H file.
        frames: of the SMPL-X file; both models were fitted to the same frames.
    """
    try:
        with Archive(twin) as opened:
            if "mocap_framerate" not in opened or len(keys.read_numbers(opened, "trans")) != frames:
                return None
            return Rate(keys.read_fps(opened, frames, None, []), "smplh twin")
    except (UnderstudyError, KeyError):
        return None


def true_rate(
    file: str,
    frames: int,
    *,
    tagged: float | None,
    smplx: bool,
    twin: Path | None = None,
    listed: Rate | None = None,
    seconds: float | None = None,
) -> Rate:
    """The frame rate to believe.

    Args:
        file: what to call the file in a sentence.
        frames: in the file.
        tagged: the rate the file states; None when it states none.
        smplx: the file is of the release whose rates are wrong.
        twin: the SMPL+H file of the same sequence.
        listed: see :func:`listed_rate`.
        seconds: the duration that BABEL gives; decides against a rate that contradicts it.

    Raises:
        BadInput: no rate at all, or none that agrees with BABEL's duration.
    """
    rate = Rate(tagged, "file") if tagged and not smplx else None
    rate = rate or (twin_rate(twin, frames) if twin else None) or listed
    rate = rate or (Rate(tagged, "file, not checked") if tagged else None)
    if rate is None:
        raise BadInput(f"{file} states no frame rate and is in no list.", field="mocap_framerate")
    if seconds is None or abs(frames / rate.fps - seconds) < AGREE:
        return rate
    fitting = [fps for fps in RATES if abs(frames / fps - seconds) < AGREE]
    if len(fitting) == 1:
        return Rate(fitting[0], "BABEL's duration")
    raise BadInput(
        f"{file} lasts {frames / rate.fps:.2f} s at {rate.fps:g} fps, but BABEL says {seconds:.2f} s.",
        field="mocap_framerate",
    )
