"""Small BEAT2 files in the published layout: motion, recording, TextGrid and labels of gestures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from .interhuman import SMPLX_J0, person

TAKE = "2_scott_0_1_1"


def motion(seconds: float = 3.0, fps: float = 30.0, **changes: Any) -> dict[str, Any]:
    """The keys of a ``smplxflame_30`` file; ``changes`` replace some, None removes one."""
    poses, pelvis = person(seconds, fps)
    frames = len(poses)
    poses[:, 22, 0] = 0.1 * np.abs(np.sin(np.arange(frames) / 3))
    poses[:, 25, 2] = -0.3 * np.abs(np.sin(np.arange(frames) / 9))
    keys: dict[str, Any] = {
        "betas": np.zeros(300),
        "poses": poses.reshape(frames, 165).astype(np.float32),
        "expressions": 0.1 * np.sin(np.arange(frames * 100)).reshape(frames, 100),
        "trans": pelvis - SMPLX_J0,
        "model": np.array("smplx2020"),
        "gender": np.array("neutral"),
        "mocap_frame_rate": np.array(int(fps)),
    }
    keys |= changes
    return {key: value for key, value in keys.items() if value is not None}


def sound(seconds: float, rate: int = 16000, channels: int = 1) -> np.ndarray:
    """(N, channels): silence with a click at every whole second."""
    samples = np.zeros((round(seconds * rate), channels), np.float32)
    for second in range(int(seconds) + 1):
        samples[second * rate : second * rate + rate // 100] = 0.5
    return samples


def textgrid(words: Sequence[tuple[float, float, str]], end: float, *, form: str = "long") -> str:
    """A file with a tier of words and one of phones, as forced aligners write it; ``form`` is long or short."""
    tiers = (("words", words), ("phones", [(a, b, text and "AH0") for a, b, text in words]))
    if form == "short":
        lines = ['File type = "ooTextFile short"', '"TextGrid"', "", "0", f"{end}", "<exists>", "2"]
        for name, labels in tiers:
            lines += ['"IntervalTier"', f'"{name}"', "0", f"{end}", f"{len(labels)}"]
            lines += [str(part) for a, b, text in labels for part in (a, b, f'"{text}"')]
        return "\n".join(lines) + "\n"
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {end}",
        "tiers? <exists>",
    ]
    lines += ["size = 2", "item []:"]
    for number, (name, labels) in enumerate(tiers, 1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
        lines += ["        xmin = 0", f"        xmax = {end}", f"        intervals: size = {len(labels)}"]
        for k, (a, b, text) in enumerate(labels, 1):
            lines += [
                f"        intervals [{k}]:",
                f"            xmin = {a}",
                f"            xmax = {b}",
                f'            text = "{text}"',
            ]
    return "\n".join(lines) + "\n"


WORDS = ((0.0, 0.5, ""), (0.5, 0.9, "hello"), (0.9, 1.4, "wörld"), (1.4, 2.4, ""), (2.4, 4.0, "bye"))
SEM = "01_beat_align\t0\t1.5\t1.5\t0.1\t\n07_iconic_h\t1.0\t4.0\t3.0\t0.7\tsaying  bye\nhabit   0.2 0.4 0.2 0.0\n"


def write(
    home: Path, id: str = TAKE, *, keys: dict[str, Any] | bytes | None = None, speech: np.ndarray | bytes | None = None,
    rate: int = 16000, words: str | bytes | None = None, sem: str | None = None, flat: bool = False,
) -> Path:  # fmt: skip
    """The files of one take; ``flat`` lays them into one folder. What is None is not there, but for the motion."""

    def place(folder: str, ending: str) -> Path:
        path = home / f"{id}{ending}" if flat else home / folder / f"{id}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    path = place("smplxflame_30", ".npz")
    if isinstance(keys, bytes):
        path.write_bytes(keys)
    else:
        np.savez(path, **(motion() if keys is None else keys))
    if isinstance(speech, bytes):
        place("wave16k", ".wav").write_bytes(speech)
    elif speech is not None:
        soundfile.write(place("wave16k", ".wav"), speech, rate, subtype="FLOAT")
    if words is not None:
        place("textgrid", ".TextGrid").write_bytes(words if isinstance(words, bytes) else words.encode())
    if sem is not None:
        place("sem", ".txt").write_text(sem, encoding="utf-8")
    return path
