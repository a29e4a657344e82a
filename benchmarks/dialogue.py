"""What a dialogue keeps, by seed and by where the bodies come from, and how long bodies stand.

OMP_NUM_THREADS=1 .venv/bin/python benchmarks/dialogue.py docs/examples/kitchen.fountain [--seeds N] [--library DIR]
    [--minutes M] [--plot FILE.png]

Measures are those of ``scene.json`` (backend/dialogue/acting.py). ``--minutes``: height of the pelvis of standing bodies
for as long, seed by seed, and its curves as a picture.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from understudy.backend.dialogue.fountain import read_screenplay
from understudy.backend.dialogue.making import Asked, make
from understudy.backend.dialogue.standing import TRIES, performed
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.features import FPS
from understudy.backend.motion.skeleton import INDEX
from understudy.backend.pipeline import Pipeline, load_pipeline
from understudy.backend.protocol.messages import GenerateParams


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("script", type=Path)
    parser.add_argument("--pack", default="open")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--library", type=Path, help="also by retrieval from these clips")
    parser.add_argument("--minutes", type=float, help="also how long bodies stand")
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    args = parser.parse_args()
    pipeline = load_pipeline(args.pack, "cpu")
    if args.minutes:
        stand(pipeline, args.seeds, round(60 * args.minutes * FPS), args.plot)
    asked = Asked(read_screenplay(args.script))
    heads: list[str] = []
    for library in (None, args.library) if args.library else (None,):
        for seed in range(args.seeds):
            began = time.process_time()
            mine = dataclasses.replace(asked, seed=seed, library=library)
            made = make(mine, lambda: pipeline, lambda stage, step, total: None)
            taken = time.process_time() - began
            if not heads:
                heads = list(made.acted.measures)
                print("| by | seed | s | processor, s | " + " | ".join(heads) + " |")
                print("|---|---|---|---|" + "---|" * len(heads))
            cells = [f"{made.acted.measures.get(name, float('nan')):g}" for name in heads]
            by = "generation" if library is None else "retrieval"
            print(
                f"| {by} | {seed} | {made.acted.clips[0].seconds:.1f} | {taken:.1f} | "
                + " | ".join(cells)
                + " |"
            )


def stand(pipeline: Pipeline, seeds: int, frames: int, plot: Path | None) -> None:
    """Print, and draw, how high the pelvis of standing bodies is."""

    def generate(prompt: str, seconds: float, seed: int) -> list[Clip]:
        return pipeline.generate(GenerateParams(prompt=prompt, seconds=seconds, samples=TRIES, seed=seed))

    curves = []
    print("| seed | pelvis, lowest, m | highest | knees, most, degrees | ankles move by, mm |")
    print("|---|---|---|---|---|")
    for seed in range(seeds):
        clip = performed(generate, frames, seed)
        joints = clip.joints()
        height = joints[:, 0, 1]
        knees = np.degrees(np.linalg.norm(clip.poses[:, [INDEX["left_knee"], INDEX["right_knee"]]], axis=-1))
        ankles = joints[:, [INDEX["left_ankle"], INDEX["right_ankle"]]]
        moved = 1000.0 * np.linalg.norm(np.ptp(ankles, axis=0), axis=-1).max()
        print(f"| {seed} | {height.min():.3f} | {height.max():.3f} | {knees.max():.0f} | {moved:.1f} |")
        curves.append(height)
    if plot is not None:
        draw(curves, plot)


def draw(curves: list[np.ndarray], plot: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 3))
    for seed, height in enumerate(curves):
        axes.plot(np.arange(len(height)) / FPS, height, linewidth=0.8, label=f"seed {seed}")
    axes.set_xlabel("seconds")
    axes.set_ylabel("height of the pelvis, m")
    axes.set_ylim(0.7, 1.0)
    axes.legend(ncols=4, fontsize=7, loc="lower right")
    figure.tight_layout()
    figure.savefig(plot, dpi=80)


if __name__ == "__main__":
    main()
