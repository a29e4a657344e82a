"""Prompt to npz bytes with a warm pipeline, beside the cold start: medians over several seeds.

.venv/bin/python benchmarks/generate.py [--pack open] [--runs 9]
"""

from __future__ import annotations

import argparse
import statistics
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pack", default="open")
    parser.add_argument("--runs", type=int, default=9)
    args = parser.parse_args()

    started = time.perf_counter()
    from understudy.backend.motion.npz import clip_to_bytes
    from understudy.backend.pipeline import load_pipeline
    from understudy.backend.protocol.messages import GenerateParams

    pipeline = load_pipeline(args.pack, "cpu")
    print(f"imports and load: {time.perf_counter() - started:.2f} s")
    print("| seconds of motion | samples | median s | min s | max s |\n|---|---|---|---|---|")
    for seconds, samples in ((6.0, 1), (10.0, 1), (60.0, 1), (6.0, 4)):
        times = []
        for seed in range(args.runs):
            begin = time.perf_counter()
            params = GenerateParams(
                prompt="a person walks forward", seconds=seconds, seed=seed, samples=samples
            )
            for clip in pipeline.generate(params):
                clip_to_bytes(clip)
            times.append(time.perf_counter() - begin)
        print(
            f"| {seconds:g} | {samples} | {statistics.median(times):.3f} | {min(times):.3f} | {max(times):.3f} |"
        )


if __name__ == "__main__":
    main()
