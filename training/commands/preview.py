"""``understudy-train preview --store DIR --out DIR [--root DIR]``: contact sheets to be looked at.

With ``--root`` every clip is drawn under the skeleton it came from, and the numbers of
:mod:`..retargeting.verify` are printed and written to ``checks.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...backend.errors import BadInput
from ...backend.motion import npz
from ..data.job import Job
from ..data.sets import SETS, jobs_of, source_of
from ..data.store import iter_index
from ..evaluation import preview
from ..retargeting.verify import bone_angles, standing_feet

PER_SHEET = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, required=True, help="the store")
    parser.add_argument("--out", type=Path, required=True, help="folder for the PNG sheets")
    parser.add_argument("--root", type=Path, help="raw data: draw the source beside each clip and measure")
    parser.add_argument(
        "--clips", nargs="*", default=[], metavar="SET/NAME", help="clips to draw (default: evenly chosen)"
    )
    parser.add_argument("--count", type=int, default=20, help="how many to choose (default 20)")


def run(arguments: argparse.Namespace) -> int:
    paths = sorted({item.path for item in iter_index(arguments.store)})
    names = [path.removeprefix("clips/").removesuffix(".npz") for path in paths]
    unknown = [name for name in arguments.clips if name not in names]
    if unknown:
        raise BadInput(
            f"The store has no clip {unknown[0]!r}.",
            hint="Name clips as SET/NAME, e.g. cmu/01_01.",
            field="clips",
        )
    if arguments.count < 1:
        raise BadInput("--count must be at least 1.", field="count")
    chosen = arguments.clips or [
        names[i] for i in np.unique(np.linspace(0, len(names) - 1, arguments.count).astype(int))
    ]
    jobs: dict[str, Job] = {}
    for dataset in sorted({name.split("/")[0] for name in chosen}) if arguments.root else ():
        if dataset in SETS:
            named = {
                f"{job.set}/{job.name}": job for job in jobs_of(dataset, arguments.root, arguments.store)
            }
            jobs |= {name: named[name] for name in chosen if name in named}
    checks: dict[str, Any] = {}
    for page, first in enumerate(range(0, len(chosen), PER_SHEET), 1):
        rows: list[tuple[str, Image.Image]] = []
        for name in chosen[first : first + PER_SHEET]:
            rows += _rows(arguments.store, name, jobs.get(name), checks)
        preview.save(preview.sheet(rows), arguments.out / f"sheet{page:02d}.png")
    if checks:
        (arguments.out / "checks.json").write_text(json.dumps(checks, indent=2) + "\n", encoding="utf-8")
    for name, numbers in checks.items():
        print(f"{name}: {numbers}")
    print(f"{len(chosen)} clips on {-(-len(chosen) // PER_SHEET)} sheets in {arguments.out}")
    return 0


def _rows(store: Path, name: str, job: Job | None, checks: dict[str, Any]) -> list[tuple[str, Image.Image]]:
    clip = npz.read_clip(store / "clips" / f"{name}.npz")
    frames = preview.evenly(len(clip), 8)
    rows = []
    source = source_of(job) if job is not None else None
    if job is not None and source is not None:
        motion, rig = source
        world_roots = [n for n in motion.names if n in ("root", "Armature")] if job.set == "cc0" else []
        rows.append(
            (
                f"{name}  source",
                preview.draw_row(*preview.bones_of_source(motion, world_roots), frames=frames),
            )
        )
        angles = bone_angles(clip, motion, rig)
        worst = max(angles, key=lambda joint: np.percentile(angles[joint], 99)) if angles else ""
        feet = standing_feet(clip)
        checks[name] = {
            "worst_bone": worst,
            "worst_bone_degrees_p99": round(float(np.percentile(angles[worst], 99)), 3) if angles else 0.0,
            "standing_feet_within_2cm": round(feet.within_2cm, 3),
            "standing_feet_cm_p5_p50_p95": [round(100 * h, 2) for h in (feet.low, feet.median, feet.high)],
        }
    text = "; ".join(job.items[0].text[:1]) if job and job.items else ""
    rows.append((f"{name}  {len(clip)} frames  {text}", preview.clip_row(clip)))
    return rows
