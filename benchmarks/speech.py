"""Speech features: time and memory against length, and how well voices made from numbers are heard.

OMP_NUM_THREADS=1 .venv/bin/python benchmarks/speech.py [--voice FILE ...] [--minutes 1 10 30 180]

Times are processor seconds of a fresh process with the imports done, so that other programs on the machine do not
count; memory is the most that the process held beyond what it held before. Long recordings are stored as FLAC at
44.1 kHz in a temporary folder.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
# The voices of the tests are those of the benchmark.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "speech"))

import numpy as np
import soundfile
from voices import RATE, f_score, in_noise, music, noise, speak

from understudy.backend.speech.features import features_of, speech_features
from understudy.backend.speech.rhythm import accents, syllables, voice_rhythm

LEVELS = (60, 20, 10, 5, 0)


def record(path: Path, minutes: float) -> None:
    """A voice of one minute over and over, at 44.1 kHz."""
    import soxr

    minute = soxr.resample(speak(0, 60.0).samples, RATE, 44100)
    with soundfile.SoundFile(path, "w", 44100, 1, subtype="PCM_16") as file:
        for _ in range(max(int(minutes), 1)):
            file.write(minute[: int(60 * 44100 * min(minutes, 1))])


def measure(path: Path) -> tuple[float, float, float, int]:
    """Processor seconds for the features and for the rhythm, megabytes, frames."""
    features_of(noise(1.0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    features = speech_features(path)
    middle = time.process_time()
    rhythm = voice_rhythm(features)
    ended = time.process_time()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert len(rhythm) == len(features)
    return (
        middle - began,
        ended - middle,
        grown / (1024 if sys.platform != "darwin" else 1 << 20),
        len(features),
    )


def costs(minutes: list[float], given: list[Path]) -> None:
    print("| recording | features s | rhythm s | MB more | of it the result |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        paths = list(given)
        for length in minutes:
            paths.append(Path(folder) / f"{length:g} minutes.flac")
            record(paths[-1], length)
        for path in paths:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                one, other, megabytes, frames = pool.apply(measure, (path,))
            result = frames * 4 * (80 + 5) / 2**20
            print(f"| {path.name} | {one:.2f} | {other:.2f} | {megabytes:.0f} | {result:.0f} |")


def hearing() -> None:
    """Syllables within 50 ms, accents within 100 ms of their middle, frames of speech; against chance."""
    print("\n| noise | dB | syllables F | accents F | chance | activity right |\n|---|---|---|---|---|---|")
    voices = [speak(seed, 30.0, pitch=pitch) for seed, pitch in enumerate((120.0, 210.0, 95.0, 160.0))]
    for kind in ("white", "pink", "hum"):
        for level in LEVELS:
            rows = []
            for seed, voice in enumerate(voices):
                features = features_of(in_noise(voice, level, kind, seed))
                found, true = accents(features), voice.syllables[voice.accents, 0] + 0.09
                others = np.random.default_rng(seed).permutation(voice.syllables[:, 0])[: len(found)] + 0.09
                right = np.mean((features.activity > 0.5) == voice.spoken())
                rows.append(
                    (
                        f_score(syllables(features), voice.syllables[:, 0], 0.05),
                        f_score(found, true, 0.1),
                        f_score(others, true, 0.1),
                        right,
                    )
                )
            print(
                f"| {kind} | {level} | "
                + " | ".join(f"{value:.3f}" for value in np.mean(rows, axis=0))
                + " |"
            )


def telling_apart() -> None:
    print("\n| sound | voice share | warnings |\n|---|---|---|")
    sounds = {f"{kind} music": music(kind=kind) for kind in ("chords", "pad", "melody", "drums")}
    sounds |= {f"{kind} noise": noise(20.0, kind=kind) for kind in ("white", "pink", "hum")}
    sounds |= {"silence": np.zeros(20 * RATE), "voice": speak(7).samples}
    for name, samples in sounds.items():
        features = features_of(samples)
        print(f"| {name} | {features.share:.2f} | {' '.join(features.warnings)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--voice", type=Path, nargs="*", default=[], help="recordings to measure as well")
    parser.add_argument("--minutes", type=float, nargs="*", default=[1, 10, 30, 180])
    args = parser.parse_args()
    costs(args.minutes, args.voice)
    hearing()
    telling_apart()


if __name__ == "__main__":
    main()
