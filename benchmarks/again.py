"""What a change costs: a script of a minute made once, and again with one line's style changed.

.venv/bin/python benchmarks/again.py [--pack open] [--engine onnx] [--runs 5] [--out FILE.md]

Medians of the processor's time from the request to the npz, in a warm process. "Models" is planning and refining, of
which only what depends on the change is made anew; decoding, clean-up and the file are always those of the whole.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any

import quality

PROMPTS = (
    "a person walks forward",
    "a person waves",
    "a person jumps",
    "a person turns around",
    "a person dances",
)
SECONDS = 10.0


def script(changed: int | None, seed: int, energy: float) -> list[dict[str, Any]]:
    """Six lines, of which one may have another style; lines have seeds of their own, as the panel's have."""
    return [
        {
            "prompt": PROMPTS[i % len(PROMPTS)],
            "seconds": SECONDS,
            "seed": 100 * seed + i,
            "style": {"energy": energy if i == changed else 0.5},
        }
        for i in range(6)
    ]


def measure(pack: str, engine: str, runs: int) -> str:
    """The report, Markdown."""
    from understudy.backend.motion.npz import clip_to_bytes
    from understudy.backend.pipeline import load_pipeline
    from understudy.backend.protocol.messages import GenerateParams

    pipeline = load_pipeline(pack, "cpu", engine)
    pipeline.generate(GenerateParams(prompt=PROMPTS[0], seconds=6.0))

    def spent(lines: list[dict[str, Any]]) -> tuple[float, float]:
        """Seconds of the models, and of all."""
        began = time.process_time()
        decoding = began

        def watch(stage: str, done: int, total: int) -> None:
            nonlocal decoding
            if stage in ("plan", "refine"):
                decoding = time.process_time()

        (clip,) = pipeline.generate(GenerateParams.model_validate({"script": lines}), watch)
        clip_to_bytes(clip)
        return decoding - began, time.process_time() - began

    cases: dict[str, list[tuple[float, float]]] = {}
    for seed in range(1, runs + 1):
        cases.setdefault("a script of 60 s", []).append(spent(script(None, seed, 0.5)))
        cases.setdefault("the last line's style changed", []).append(spent(script(5, seed, 0.9)))
        cases.setdefault("the fourth line's style changed", []).append(spent(script(3, seed, 0.9)))
        cases.setdefault("back to the first", []).append(spent(script(None, seed, 0.5)))
    lines = [
        f"Pack `{pack}`, engine {engine}, load {os.getloadavg()[0]:.1f}, medians of {runs}.",
        quality.sentence(pack),
        "",
        "| | models, s | prompt to npz, s |",
        "|---|---|---|",
    ]
    for name, values in cases.items():
        models, whole = (statistics.median(column) for column in zip(*values, strict=True))
        lines.append(f"| {name} | {models:.3f} | {whole:.3f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pack", default="open")
    parser.add_argument("--engine", default="onnx")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path, metavar="FILE.md")
    arguments = parser.parse_args()
    report = measure(arguments.pack, arguments.engine, arguments.runs)
    print(report, end="")
    if arguments.out:
        arguments.out.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
