"""Does preparing stay flat? Time and memory of a store of N synthetic clips, at doubling N.

    python benchmarks/prepare.py --clips 16000 --workers 2

Prints clips per second and the peak memory of the parent and of its largest worker; both must not grow with N.
A second run over the same store shows what resuming costs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from understudy.backend.motion.clip import Clip
from understudy.training.data.item import Item
from understudy.training.data.job import Job
from understudy.training.data.prepare import prepare


def synthetic(path: Path, *, seed: int) -> Clip:
    """Two seconds of a body that sways."""
    rng = np.random.default_rng(seed)
    time_ = np.arange(60)[:, None, None] / 30
    poses = 0.3 * np.sin(time_ * rng.uniform(1, 6, (1, 55, 3)) + rng.uniform(0, 6, (1, 55, 3)))
    return Clip(poses, np.zeros((60, 3)), fps=30.0)


def jobs(source: Path, count: int) -> Iterator[Job]:
    for i in range(count):
        item = Item(dataset="toy", motion_name=f"clip{i}", text=["a person sways"])
        yield Job("toy", f"{i // 1000:03d}/clip{i}", synthetic, source, {"seed": i}, [item])


def _measure(count: int, workers: int, report: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.write_bytes(b"")
        times = []
        for _ in range(2):
            begun = time.monotonic()
            prepare("toy", jobs(source, count), Path(folder) / "store", workers=workers)
            times.append(time.monotonic() - begun)
    parent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    report.put((times[0], times[1], parent, children))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=4000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    print("   clips   clips/s  again/s  parent MB  worker MB")
    count = max(arguments.clips // 8, 1)
    while count <= arguments.clips:
        # A process of its own for each size: the peak of one must not hide the next.
        context = multiprocessing.get_context("spawn")
        report = context.Queue()
        child = context.Process(target=_measure, args=(count, arguments.workers, report))
        child.start()
        first, again, parent, worker = report.get()
        child.join()
        print(f"{count:8d} {count / first:9.0f} {count / again:8.0f} {parent:10.0f} {worker:10.0f}")
        count *= 2


if __name__ == "__main__":
    main()
