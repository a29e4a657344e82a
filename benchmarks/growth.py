"""What a clip costs by its length, and by the samples made at once.

.venv/bin/python benchmarks/growth.py [--engines onnx torch] [--seconds 10 20 30 60 120 300 600] [--runs 3] [--out FILE.md]

Lengths are scripts of lines of ten seconds, as a prompt alone lasts a minute at most; costs are from the request to the
npz. Every length is asked for the shortest first, so that the peak of memory belongs to it. The share of the variance
that a line explains (R squared) is given for the clock and for the processor's time, which a busy machine leaves alone.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
from pathlib import Path
from typing import Any

import engines
import numpy as np
import quality

LINES = (
    "a person walks forward",
    "a person waves",
    "a person jumps",
    "a person turns around",
    "a person dances",
)


def script(seconds: float) -> list[dict[str, Any]]:
    """Lines of ten seconds."""
    count = max(round(seconds / 10), 1)
    return [{"prompt": LINES[i % len(LINES)], "seconds": seconds / count} for i in range(count)]


def line_of(x: list[float], y: list[float]) -> tuple[float, float, float]:
    """Slope, value at zero, and R squared of the straight line through the points."""
    slope, start = np.polyfit(x, y, 1)
    left = np.square(np.array(y) - (slope * np.array(x) + start)).sum()
    return float(slope), float(start), float(1 - left / np.square(np.array(y) - np.mean(y)).sum())


def measure(names: list[str], pack: str, lengths: list[float], most: int, runs: int) -> str:
    """The report, Markdown."""
    children = [engines.Child(name, pack) for name in names]
    seeds = itertools.count(1)
    lines = [
        f"Pack `{pack}`, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, medians of {runs}.",
        quality.sentence(pack),
    ]
    cases = {
        "motion, s": {seconds: {"script": script(seconds)} for seconds in lengths},
        "samples of 6 s": {
            float(n): {"prompt": engines.PROMPT, "seconds": 6.0, "samples": n} for n in range(1, most + 1)
        },
    }
    for head, requests in cases.items():
        lines += ["", f"| engine | {head} | clock, s | processor, s | peak, MB |", "|---|---|---|---|---|"]
        fits = []
        for child in children:
            clock, processor = [], []
            for size, params in requests.items():
                # Seeds of their own: what was made for another length is not made again.
                answers = [child.ask(**params, seed=next(seeds)) for _ in range(runs)]
                clock.append(statistics.median(one["seconds"] for one in answers))
                processor.append(statistics.median(one["processor"] for one in answers))
                row = f"{size:g} | {clock[-1]:.2f} | {processor[-1]:.2f} | {answers[-1]['peak']:.0f}"
                lines.append(f"| {child.engine} | {row} |")
            for kind, values in (("clock", clock), ("processor", processor)):
                slope, start, fit = line_of(list(requests), values)
                fits.append(f"{child.engine}, {kind}: {start:.3f} s + {slope:.4f} s each, R² {fit:.4f}.")
        lines += ["", *(f"- {fit}" for fit in fits)]
    for child in children:
        child.close()
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pack", default="open")
    parser.add_argument("--engines", nargs="+", default=["onnx", "torch"])
    parser.add_argument("--seconds", nargs="+", type=float, default=[10, 20, 30, 60, 120, 300, 600])
    parser.add_argument("--samples", type=int, default=8, help="from one to so many at once")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, metavar="FILE.md")
    arguments = parser.parse_args()
    report = measure(arguments.engines, arguments.pack, arguments.seconds, arguments.samples, arguments.runs)
    print(report, end="")
    if arguments.out:
        arguments.out.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
