"""How long a recording takes to perform, and how much memory, by its length.

.venv/bin/python benchmarks/long_speech.py VOICE [--minutes 1 5 30] [--pack NAME|DIR] [--engine auto|onnx|torch]

The voice is repeated until it is as long as asked for. Every length has a process of its own; the peak is the whole
process's, models included.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from understudy.backend.pipeline import load_pipeline
from understudy.backend.protocol.messages import GenerateParams
from understudy.backend.speech.audio import RATE, read_all


def peak() -> float:
    """MB that this process held at most."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def repeated(voice: Path, minutes: float, target: Path) -> None:
    """Write the voice over and over, a second of silence between."""
    _, samples = read_all(voice)
    turn = np.concatenate([samples, np.zeros(RATE, np.float32)])
    left = round(60 * minutes * RATE)
    with soundfile.SoundFile(target, "w", RATE, 1, format="FLAC") as file:
        while left > 0:
            file.write(turn[:left])
            left -= len(turn[:left])


def measure(voice: str, pack: str, engine: str) -> None:
    """Print what performing costs, as JSON."""
    pipeline = load_pipeline(pack, "cpu", engine)
    with tempfile.TemporaryDirectory() as folder:
        repeated(Path(voice), 0.1, Path(folder) / "warm.flac")
        pipeline.generate(GenerateParams(speech=str(Path(folder) / "warm.flac")))
    before, began, wall = peak(), time.process_time(), time.perf_counter()
    (clip,) = pipeline.generate(GenerateParams(speech=voice, seed=1))
    arrays = (clip.poses, clip.trans, clip.contacts, clip.expressions)
    size = sum(array.nbytes for array in arrays if array is not None) / (1 << 20)
    print(
        json.dumps(
            [time.perf_counter() - wall, time.process_time() - began, before, peak(), size, clip.seconds / 60]
        ),
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("voice", type=Path)
    parser.add_argument("--minutes", type=float, nargs="+", default=[1.0, 5.0, 30.0])
    parser.add_argument("--pack", default="open")
    parser.add_argument("--engine", default="auto")
    args = parser.parse_args()
    processes = multiprocessing.get_context("spawn")
    print("[seconds, processor seconds, MB before, MB at most, MB of it the clip, minutes]")
    with tempfile.TemporaryDirectory() as folder:
        for minutes in args.minutes:
            file = Path(folder) / f"{minutes:g}.flac"
            repeated(args.voice, minutes, file)
            one = processes.Process(target=measure, args=(str(file), args.pack, args.engine))
            one.start()
            one.join()


if __name__ == "__main__":
    main()
