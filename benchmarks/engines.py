"""The engines side by side in one run: start, stages, memory, and how far apart their clips are.

.venv/bin/python benchmarks/engines.py [--pack open] [--runs 7] [--engines onnx torch] [--starts 3] [--out FILE.md]

Each engine has a process of its own; requests go to them in turn, so that whatever else the machine does meets all
alike. Besides the clock, the processor's time is given: on a busy machine it says more. "Start" is from the process's
start to the pack loaded, "first clip" to the first answer. Every request is asked of both engines with the same seed;
their clips being the same to a thousandth of a radian, the pack's figures of quality, printed beside those of speed,
hold for both (``quality.py``).
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import quality

PROMPT = "a person walks forward and waves"
REQUESTS = ((6.0, 1), (10.0, 1), (30.0, 1), (60.0, 1), (6.0, 4))
"""Seconds of motion and samples."""
STAGES = ("text", "plan", "refine", "decode", "clean-up", "npz")


class Watch:
    """Seconds spent in each stage, by the pipeline's own reports."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys(STAGES, 0.0)
        self._stage, self._since = STAGES[0], time.perf_counter()

    def __call__(self, stage: str, done: int = 0, total: int = 1) -> None:
        now = time.perf_counter()
        self.spent[self._stage] = self.spent.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = stage, now


def perform(engine: str, pack: str) -> None:
    """The child: answers a line of JSON for each line of JSON, the first once the pack is loaded."""
    from understudy.backend.motion.npz import clip_to_bytes
    from understudy.backend.pipeline import load_pipeline
    from understudy.backend.protocol.messages import GenerateParams

    pipeline = load_pipeline(pack, "cpu", engine)
    print(json.dumps({"device": pipeline.engine.device, "processor": time.process_time()}), flush=True)
    for line in sys.stdin:
        params = GenerateParams(**json.loads(line))
        watch = Watch()
        processor = time.process_time()
        clips = pipeline.generate(params, watch)
        watch("npz")
        files = [clip_to_bytes(clip) for clip in clips]
        watch("")
        answer = {
            "seconds": sum(watch.spent.values()),
            "processor": time.process_time() - processor,
            "stages": watch.spent,
            "peak": peak_memory(),
            "file": base64.b64encode(files[0]).decode(),
        }
        print(json.dumps(answer), flush=True)


def peak_memory() -> float:
    """Megabytes of this process at most, of those that it has really touched."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1e3
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


class Child:
    """A process that performs with one engine."""

    def __init__(self, engine: str, pack: str) -> None:
        self.engine = engine
        began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--perform", engine, "--pack", pack],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.start = self._answer()
        self.start["seconds"] = time.perf_counter() - began
        first = self.ask(prompt=PROMPT, seconds=6.0)
        self.first = time.perf_counter() - began
        self.peak = first["peak"]

    def ask(self, **params: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(params) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"The {self.engine} engine's process ended.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        self._process.communicate()


def apart(files: list[str]) -> float:
    """The largest difference between clips of the same request, radians or metres."""
    from understudy.backend.motion.npz import clip_from_bytes

    clips = [clip_from_bytes(base64.b64decode(file)) for file in files]
    return max(
        max(
            float(np.abs(clip.poses - clips[0].poses).max()), float(np.abs(clip.trans - clips[0].trans).max())
        )
        for clip in clips
    )


def measure(engines: list[str], pack: str, runs: int, starts: int) -> str:
    """The report, Markdown."""
    median = statistics.median
    begun: dict[str, list[Child]] = {engine: [] for engine in engines}
    for _ in range(starts):
        for engine in engines:
            child = Child(engine, pack)
            begun[engine].append(child)
            child.close()
    children = [Child(engine, pack) for engine in engines]
    lines = [
        f"Pack `{pack}`, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, medians of {runs}.",
        "",
        "| engine | start, s | of it processor | first clip, s | memory after it, MB |",
        "|---|---|---|---|---|",
    ]
    for engine in engines:
        of_engine = begun[engine]
        figures = (
            [child.start["seconds"] for child in of_engine],
            [child.start["processor"] for child in of_engine],
            [child.first for child in of_engine],
        )
        row = " | ".join(f"{median(values):.2f}" for values in figures)
        lines.append(f"| {engine} | {row} | {median(child.peak for child in of_engine):.0f} |")
    head = " | ".join(f"{stage}, ms" for stage in STAGES)
    worth = quality.columns(pack)
    lines += [
        "",
        quality.sentence(pack),
        "",
        f"| motion, s | samples | engine | prompt to npz, s | processor, s | {head} | peak, MB | {' | '.join(worth)} |",
        "|---|---|---|---|---|" + "---|" * (len(STAGES) + 1 + len(worth)),
    ]
    furthest = 0.0
    # Seeds from 1 on: the first clip had 0, and what was made is not made again.
    for seconds, samples in REQUESTS:
        answers: dict[str, list[dict[str, Any]]] = {engine: [] for engine in engines}
        for seed in range(1, 1 + (runs if seconds < 30 else max(runs // 3, 1))):
            for child in children:
                answers[child.engine].append(
                    child.ask(prompt=PROMPT, seconds=seconds, samples=samples, seed=seed)
                )
            furthest = max(furthest, apart([answers[engine][-1]["file"] for engine in engines]))
        for engine in engines:
            mine = answers[engine]
            stages = " | ".join(
                f"{1e3 * median(one['stages'][stage] for one in mine):.0f}" for stage in STAGES
            )
            lines.append(
                f"| {seconds:g} | {samples} | {engine} | {median(one['seconds'] for one in mine):.3f} "
                f"| {median(one['processor'] for one in mine):.3f} | {stages} | {mine[-1]['peak']:.0f} "
                f"| {' | '.join(worth.values())} |"
            )
    for child in children:
        child.close()
    lines += ["", f"Clips of the same seed differ by {furthest:.1e} at most (radians, metres)."]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pack", default="open")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--engines", nargs="+", default=["onnx", "torch"])
    parser.add_argument("--out", type=Path, metavar="FILE.md")
    parser.add_argument("--perform", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.perform:
        perform(arguments.perform, arguments.pack)
        return
    report = measure(arguments.engines, arguments.pack, arguments.runs, arguments.starts)
    print(report, end="")
    if arguments.out:
        arguments.out.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
