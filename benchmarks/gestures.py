"""How a pack talks: do its gestures fall on a voice's syllables, follow its loudness, and rest with it?

OMP_NUM_THREADS=1 .venv/bin/python benchmarks/gestures.py VOICE ... [--pack NAME|DIR] [--seeds N] [--captured CLIP.npz]

A voice is any recording; voices of a synthesiser do (``espeak-ng -v en-gb -w a.wav "..."``). BC is that of
``training/cospeech.py`` with the pelvis at the origin, beside the mean of the same with the voice shifted against
the motion. What counts as moving is measured on a captured talker where one is given (with its recording beside it
as ``CLIP.wav``, whose own BC is told too), else on the clips themselves.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.stats import spearmanr

from understudy.backend.motion.clip import Clip
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.npz import read_clip
from understudy.backend.pipeline import load_pipeline
from understudy.backend.protocol.messages import GenerateParams
from understudy.backend.speech.features import speech_features
from understudy.backend.speech.rhythm import syllables
from understudy.training.cospeech import beat_consistency, mean_speeds, speeds

SHIFTS = (3.1, 5.3, 7.7, 9.9, 12.3)
"""Seconds by which a voice is shifted for the comparison, around its end."""
HEAD_AND_HANDS = [15, 20, 21]
SWELL = 0.5
"""Seconds over which speed and loudness are averaged before they are compared."""


def joints(clip: Clip) -> np.ndarray:
    """(T, 22, 3) of the body, pelvis at the origin."""
    found = forward_kinematics(clip.poses, np.zeros_like(clip.trans))[0][:, :22]
    return np.asarray(found - found[:, :1])


def both(
    body: np.ndarray, fps: float, onsets: np.ndarray, seconds: float, usual: np.ndarray
) -> tuple[float, float]:
    """BC with the voice, and its mean with the voice shifted."""
    shifted = [np.sort((onsets + shift) % seconds) for shift in SHIFTS]
    return (
        beat_consistency([body], [onsets], fps, usual),
        float(np.mean([beat_consistency([body], [times], fps, usual) for times in shifted])),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("voices", nargs="+", type=Path, metavar="VOICE")
    parser.add_argument("--pack", default="open")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--lower", help="a prompt for the legs")
    parser.add_argument("--captured", type=Path, metavar="CLIP.npz")
    args = parser.parse_args()

    usual = None
    if args.captured is not None:
        captured, heard = read_clip(args.captured), speech_features(args.captured.with_suffix(".wav"))
        body = joints(captured)
        usual = mean_speeds([body], captured.fps)
        own = both(body, captured.fps, syllables(heard), heard.seconds, usual)
        print(f"captured talker: BC {own[0]:.3f}, shifted {own[1]:.3f}\n")
    pipeline = load_pipeline(args.pack, "cpu")
    print("| voice | seed | s | to make, s | BC | shifted | Spearman, loudness | pauses / talk |")
    print("|---|---|---|---|---|---|---|---|")
    rows = []
    for voice in args.voices:
        heard = speech_features(voice)
        for seed in range(1, args.seeds + 1):
            began = time.perf_counter()
            (clip,) = pipeline.generate(GenerateParams(speech=str(voice), lower=args.lower, seed=seed))
            taken = time.perf_counter() - began
            body = joints(clip)
            own = mean_speeds([body], clip.fps) if usual is None else usual
            bc, shifted = both(body, clip.fps, syllables(heard), heard.seconds, own)
            speed = speeds(body, clip.fps)[:, HEAD_AND_HANDS].max(axis=1)
            mean = np.ones(round(SWELL * clip.fps)) / round(SWELL * clip.fps)
            swell = [np.convolve(values, mean, "same") for values in (speed, heard.loudness[: len(speed)])]
            talks = heard.activity[: len(speed)] > 0.5
            rest = speed[~talks].mean() / speed[talks].mean() if 0 < talks.sum() < len(talks) else np.nan
            rows.append((bc, shifted, spearmanr(*swell).statistic, rest))
            print(
                f"| {voice.stem} | {seed} | {heard.seconds:.1f} | {taken:.1f} | {bc:.3f} | {shifted:.3f} "
                f"| {rows[-1][2]:.2f} | {rest:.2f} |",
                flush=True,
            )
    table = np.array(rows)
    bc, shifted, follows, rest = np.nanmean(table, axis=0)
    print(f"| mean | | | | {bc:.3f} | {shifted:.3f} | {follows:.2f} | {rest:.2f} |")
    print(f"\nabove the shifted voice: {(table[:, 0] > table[:, 1]).sum()} of {len(table)}")


if __name__ == "__main__":
    main()
