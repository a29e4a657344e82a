"""``understudy info``: what a clip or a recording of speech contains."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .common import print_json

_BARS = " .:-=+*#"
_FEET = ("left ankle", "left toe", "right ankle", "right toe")


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("info", help="show what a clip or a recording contains")
    parser.add_argument(
        "clip",
        type=Path,
        metavar="FILE",
        help="a motion file (.npz of any dialect, .bvh, .amc, .npy), or a sound file",
    )
    parser.add_argument("--json", action="store_true", help="print the facts, or the error, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from ..speech.audio import SUFFIXES

    sound = args.clip.suffix.lower() in SUFFIXES
    facts = describe_sound(args.clip) if sound else describe_file(args.clip)
    if args.json:
        print_json({"file": str(args.clip), **facts})
        return 0
    print(args.clip)
    for name, value in _sound_lines(facts) if sound else _lines(facts):
        print(f"  {name:<13} {value}")
    return 0


def describe_file(path: Path) -> dict[str, Any]:
    """The facts about a motion file: its layout, and what its clip holds."""
    from ..motion.reading import read_motion

    contents = read_motion(path)
    return {"layout": contents.layout, **describe(contents.clip)}


def describe(clip: Any) -> dict[str, Any]:
    """The facts about a clip: lengths in seconds and metres, shares from 0 to 1."""
    import numpy as np

    ground = clip.trans[:, [0, 2]]
    steps = np.linalg.norm(np.diff(ground, axis=0), axis=-1)
    meta = dict(clip.meta)
    return {
        "frames": len(clip),
        "fps": float(clip.fps),
        "seconds": clip.seconds,
        "root_travel": {
            "path": float(steps.sum()),
            "distance": float(np.linalg.norm(ground[-1] - ground[0])),
            "climb": float(clip.trans[-1, 1] - clip.trans[0, 1]),
        },
        "lowest_joint": float(clip.joints()[..., 1].min()),
        "contacts": None
        if clip.contacts is None
        else {name: float(share) for name, share in zip(_FEET, (clip.contacts > 0.5).mean(0), strict=True)},
        "gender": clip.gender,
        "betas": [float(value) for value in clip.betas],
        "expressions": clip.expressions is not None,
        "known": dict(clip.known),
        "licence": meta.pop("licence", None),
        "meta": meta,
    }


def describe_sound(path: Path) -> dict[str, Any]:
    """The facts about a recording: seconds, hertz, shares from 0 to 1."""
    from ..speech.summary import summary_of

    return asdict(summary_of(path))


def _sound_lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    pitch = facts["pitch"]
    return [
        ("length", f"{facts['seconds']:.2f} s, {facts['frames']} frames at 30 fps"),
        ("sound", f"{facts['rate']} Hz, {facts['channels']} channel{'s'[: facts['channels'] != 1]}"),
        ("voice", f"{facts['voice_share']:.0%} of it" + (f", about {pitch:.0f} Hz" if pitch else "")),
        (
            "pace",
            f"{facts['syllables_per_second']:.1f} syllables, {facts['accents_per_second']:.1f} accents a second of speech",
        ),
        ("outline", "".join(_BARS[round(value * (len(_BARS) - 1))] for value in facts["outline"][::2])),
    ] + [("warning", warning) for warning in facts["warnings"]]


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    travel, contacts = facts["root_travel"], facts["contacts"]
    known = [name for name, is_known in facts["known"].items() if is_known]
    lines = [
        ("layout", facts["layout"]),
        ("length", f"{facts['seconds']:.2f} s, {facts['frames']} frames at {facts['fps']:g} fps"),
        (
            "root travel",
            f"{travel['path']:.2f} m along its path, {travel['distance']:.2f} m from start to end",
        ),
        ("lowest joint", f"{facts['lowest_joint']:.3f} m"),
        (
            "contacts",
            "unknown"
            if contacts is None
            else ", ".join(f"{name} {share:.0%}" for name, share in contacts.items()),
        ),
        ("known parts", ", ".join(known) or "none"),
        ("expressions", "yes" if facts["expressions"] else "no"),
        ("gender", facts["gender"]),
        ("licence", facts["licence"] or "not stated"),
    ]
    return lines + [(str(key), str(value)) for key, value in facts["meta"].items()]
