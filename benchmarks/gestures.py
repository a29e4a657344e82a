"""How a pack talks, voice by voice: do its gestures fall on syllables, follow the loudness, and rest with it?

OMP_NUM_THREADS=1 .venv/bin/python benchmarks/gestures.py VOICE ... [--pack NAME|DIR] [--seeds N] [--captured CLIP.npz]

A voice is any recording; voices of a synthesiser do (``espeak-ng -v en-gb -w a.wav "..."``). The numbers are those of
``understudy-train speech-metrics`` (training/evaluation/speech_metrics.py), beside the mean of the same with the voice shifted
against the motion. What counts as moving is measured on a captured talker where one is given (with its recording beside
it as ``CLIP.wav``, whose own numbers are told too), else on the clips themselves.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from understudy.backend.motion.npz import read_clip
from understudy.backend.pipeline import load_pipeline
from understudy.backend.speech.audio import read_all
from understudy.training.evaluation.speech_metrics import Heard
from understudy.training.evaluation.talkers import Measuring, Talker, perform, voices

SHOWN = ("bc_syllables", "follows", "pauses", "jaw")


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

    talkers = voices(args.voices)
    known = []
    if args.captured is not None:
        sound = Heard.of(read_all(args.captured.with_suffix(".wav"))[1])
        known.append(Talker(args.captured.stem, sound, read_clip(args.captured)))
    measuring = Measuring([*known, *talkers])
    pipeline = load_pipeline(args.pack, "cpu")
    print(
        "| voice | seed | s | to make, s | BC | shifted | Spearman, loudness | pauses / talk | jaw, loudness |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for talker in talkers:
        for seed in range(1, args.seeds + 1):
            began = time.perf_counter()
            clip = perform(pipeline, talker.heard.samples, seed, args.lower)
            taken = time.perf_counter() - began
            own = measuring.add("made", talker, clip, seed, shifted=True)
            chance = measuring.groups["made, other sound"][-1]
            cells = [
                own.get("bc_syllables"),
                chance.get("bc_syllables"),
                *(own.get(name) for name in SHOWN[1:]),
            ]
            values = " | ".join("" if value is None else f"{value:.3f}" for value in cells)
            print(f"| {talker.name} | {seed} | {clip.seconds:.1f} | {taken:.1f} | {values} |", flush=True)
    result = measuring.result()
    print("\n| | " + " | ".join(SHOWN) + " |\n|---|" + "---|" * len(SHOWN))
    for group, numbers in result.items():
        cells = [f"{numbers[name][0]:.3f}" if name in numbers else "" for name in SHOWN]
        print(f"| {group} | " + " | ".join(cells) + " |")
    pairs = list(zip(measuring.groups["made"], measuring.groups["made, other sound"], strict=True))
    above = sum(own.get("bc_syllables", 0.0) > chance.get("bc_syllables", 0.0) for own, chance in pairs)
    print(f"\nabove the shifted voice: {above} of {len(pairs)}")


if __name__ == "__main__":
    main()
