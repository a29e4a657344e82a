"""Many prompts: one by one beside `understudy batch`, with ratios and how far the clips are apart.

.venv/bin/python benchmarks/batch.py [--jobs 100] [--workers 1 2] [--commands 5] [--pack open] [--out FILE.md]

Three ways to the same files: a process that keeps its models warm and performs one prompt after the other; ``understudy
generate`` for each prompt, as a script would call it (a few of them, the rest counted like them); and ``understudy
batch``, its start and the loading of the models included. Once for prompts of six seconds, once for lengths from two to
ten. The processor's time is that of the command and all its processes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import quality

DOES = (
    "walks forward", "waves", "jumps", "turns around", "dances", "kicks a ball", "claps", "sits down",
    "walks in a circle", "runs", "throws a ball", "bows", "points ahead", "raises both arms", "punches", "crouches",
    "walks backwards", "stretches", "drinks", "looks around",
)  # fmt: skip
HOW = ("slowly", "quickly", "happily", "sadly", "carefully")
LENGTHS = {"6 s": (6.0,), "2 to 10 s": (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)}


def jobs_of(count: int, lengths: tuple[float, ...], pack: str) -> list[dict[str, Any]]:
    """Lines of a job file."""
    return [
        {
            "name": f"clip-{i:03d}",
            "prompt": f"a person {DOES[i % len(DOES)]} {HOW[i // len(DOES) % len(HOW)]}",
            "seconds": lengths[i % len(lengths)],
            "seed": i,
            "pack": pack,
            "device": "cpu",
        }
        for i in range(count)
    ]


def one_by_one(file: str, folder: str) -> None:
    """The child: a warm pipeline, one request after the other; prints seconds by the clock and of the processor."""
    from understudy.backend.motion.npz import write_clip
    from understudy.backend.pipeline import load_pipeline
    from understudy.backend.protocol.messages import GenerateParams

    jobs = [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]
    pipeline = load_pipeline(jobs[0]["pack"], "cpu")
    for warm in ("a person stands", "a person stands still"):
        pipeline.generate(GenerateParams(prompt=warm, seconds=6.0))
    clock, processor = time.perf_counter(), time.process_time()
    for job in jobs:
        params = GenerateParams(prompt=job["prompt"], seconds=job["seconds"], seed=job["seed"])
        write_clip(pipeline.generate(params)[0], Path(folder) / f"{job['name']}.npz")
    print(json.dumps([time.perf_counter() - clock, time.process_time() - processor]))


def timed(command: list[str]) -> tuple[float, float, str]:
    """Seconds by the clock, seconds of the processor, and what was printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    clock = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return clock, spent, done.stdout


def apart(one: Path, other: Path) -> float:
    """The largest difference between the clips of two folders, radians or metres."""
    from understudy.backend.motion.npz import read_clip

    furthest = 0.0
    for path in sorted(one.glob("*.npz")):
        a, b = read_clip(path), read_clip(other / path.name)
        if len(a) != len(b):
            return float("inf")
        differences = (np.abs(a.poses - b.poses).max(), np.abs(a.trans - b.trans).max())
        furthest = max(furthest, *map(float, differences))
    return furthest


def measure(count: int, workers: list[int], commands: int, pack: str) -> str:
    """The report, Markdown."""
    understudy = [sys.executable, "-m", "understudy.backend"]
    lines = [
        f"Pack `{pack}`, {count} prompts, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}.",
        quality.sentence(pack),
    ]
    for kind, lengths in LENGTHS.items():
        jobs = jobs_of(count, lengths, pack)
        rows: list[tuple[str, float, float]] = []
        notes = []
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            file, alone = folder / "jobs.jsonl", folder / "alone"
            file.write_text("".join(json.dumps(job) + "\n" for job in jobs), encoding="utf-8")
            alone.mkdir()
            answer = timed([sys.executable, __file__, "--one-by-one", str(file), str(alone)])[2]
            clock, processor = json.loads(answer)
            rows.append(("one by one, models warm", clock, processor))
            spent = [0.0, 0.0]
            for job in jobs[:commands]:
                flags = ["--seconds", str(job["seconds"]), "--seed", str(job["seed"]), "--device", "cpu"]
                flags += ["--pack", pack, "--out", str(folder / "one.npz"), "--json"]
                one = timed([*understudy, "generate", job["prompt"], *flags])
                spent = [spent[0] + one[0], spent[1] + one[1]]
            if commands:
                share = count / min(commands, count)
                rows.append(("one by one, a command each", spent[0] * share, spent[1] * share))
            for number in workers:
                out = folder / f"with-{number}"
                command = [
                    *understudy,
                    "batch",
                    str(file),
                    "--out",
                    str(out),
                    "--workers",
                    str(number),
                    "--json",
                ]
                clock, processor, _ = timed(command)
                rows.append((f"batch, {number} worker{'s' * (number > 1)}", clock, processor))
                notes.append(f"{number}: {apart(alone, out):.1e}")
        lines += [
            "",
            f"| {kind} each | clock, s | clips/s | processor, s | times as fast as warm | as a command each |",
            "|---|---|---|---|---|---|",
        ]
        warm = rows[0][1]
        cold = rows[1][1] if commands else float("nan")
        for what, clock, processor in rows:
            ratios = f"{warm / clock:.2f} | {cold / clock:.1f}"
            lines.append(f"| {what} | {clock:.1f} | {count / clock:.1f} | {processor:.1f} | {ratios} |")
        lines += [
            "",
            f"Clips of a batch and one by one differ by (workers: radians, metres) {', '.join(notes)}.",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pack", default="open")
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--commands", type=int, default=5, help="prompts that get a command of their own")
    parser.add_argument("--out", type=Path, metavar="FILE.md")
    parser.add_argument("--one-by-one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one_by_one:
        one_by_one(*arguments.one_by_one)
        return
    report = measure(arguments.jobs, arguments.workers, arguments.commands, arguments.pack)
    print(report, end="")
    if arguments.out:
        arguments.out.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
