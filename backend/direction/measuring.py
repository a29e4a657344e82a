"""How far each constraint is from being met in a finished clip."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..motion import rotations
from ..motion.clip import Clip
from ..motion.kinematics import forward_kinematics
from ..motion.skeleton import INDEX
from ..protocol.direction import ROUNDED, Constraints, Path
from . import paths
from .limbs import LIMBS
from .report import Report
from .stride import headings


class Way(NamedTuple):
    """From the clip's frame ``first`` on the body is to be on its path, but for ``sway`` (T, 2) metres."""

    first: int
    sway: np.ndarray


def measure(report: Report, constraints: Constraints, clip: Clip, way: Way | None) -> None:
    """Compare a finished clip with what was asked for.

    Args:
        report: gets an entry per constraint.
        constraints: that were asked for.
        clip: in which they are to be met.
        way: along the path, where there is one.
    """
    joints = clip.joints()
    places = joints[:, 0][:, [0, 2]]
    end = (len(clip) - 1) / clip.fps
    if constraints.path is not None and way is not None:
        _measure_path(report, constraints.path, clip, places, way)
    facing = headings(clip)
    for point in constraints.waypoints:
        frame = round(point.time * clip.fps)
        if frame >= len(clip):
            report.late("waypoint", point.time, end)
            continue
        turn = None
        if point.facing is not None:
            turn = abs(float(np.degrees(rotations.wrap_angle(facing[frame] - point.facing))))
        error = float(np.linalg.norm(places[frame] - point.position))
        report.add("waypoint", point.time, error, degrees=turn)
    for pin in constraints.pins:
        name = f"pin {pin.joint}"
        first = math.ceil(pin.start * clip.fps - ROUNDED)
        if first >= len(clip):
            report.late(name, pin.start, end)
            continue
        last = min(max(math.floor(pin.end * clip.fps + ROUNDED), first), len(clip) - 1)
        at = np.arange(first, last + 1)
        away = np.linalg.norm(joints[at, INDEX[pin.joint]] - pin.position, axis=1)
        worst = at[int(np.argmax(away))]
        limb = LIMBS[pin.joint]
        far = float(np.linalg.norm(joints[worst, limb.chain[0]] - pin.position))
        why = f"it is {100 * far:.0f} cm from the {_root_name(pin.joint)}, which reaches {100 * limb.reach:.0f} cm"
        report.worst(name, at / clip.fps, away, why=why if far > 0.97 * limb.reach else "")
    for pose in constraints.poses:
        frame = round(pose.time * clip.fps)
        if frame >= len(clip):
            report.late("pose", pose.time, end)
            continue
        trans = clip.trans[frame] if pose.trans is None else np.asarray(pose.trans)
        wanted, _ = forward_kinematics(np.asarray(pose.pose)[None], trans[None])
        away = np.linalg.norm(joints[frame] - wanted[0], axis=-1)
        report.add("pose", pose.time, float(away.max()))


def _measure_path(report: Report, path: Path, clip: Clip, places: np.ndarray, along: Way) -> None:
    line, points = paths.drawn(path.points), np.asarray(path.points, float)
    first = along.first
    way = places[first : first + len(along.sway)] - along.sway[: len(places) - first]
    reached = line.nearest(way)
    past = float(np.linalg.norm(way[-1] - line.points[-1])) if reached[-1] >= line.length - 1e-9 else 0.0
    on = np.maximum.accumulate(reached) < line.length - 1e-9
    away = np.where(on, paths.distances_to(points, way), 0.0)
    times = (first + np.arange(len(way))) / clip.fps
    report.worst("path", times, away, why="corners are rounded")
    if past > 0.1:
        report.warnings.append(f"The motion goes on for {past:.1f} m past the end of the path.")
    elif reached[-1] < line.length - 0.1:
        report.warnings.append(
            f"The motion gets {reached[-1]:.1f} m along the path of {line.length:.1f} m in its {clip.seconds:.1f} s."
        )


def _root_name(joint: str) -> str:
    side, part = joint.split("_")
    return f"{side} shoulder" if part == "wrist" else f"{side} hip"
