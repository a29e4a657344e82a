"""How long a clip takes onto a rig.

    .venv/bin/python benchmarks/retarget.py

Ten seconds at 30 fps onto an Unreal mannequin (UE5 names, 5 spine and 2 neck bones, twist bones, fingers):
recognition, study, transfer without keying, and back. Target: transfer <= 0.3 s on two cores.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "motion"))

from rigs import build_rig, pose, rest_points  # noqa: E402

from understudy.addon.retarget.tables import built_in  # noqa: E402
from understudy.backend.motion.clip import Clip  # noqa: E402
from understudy.backend.motion.recognise import recognise  # noqa: E402
from understudy.backend.motion.retarget import Retargeter  # noqa: E402
from understudy.backend.motion.retarget_fit import fit_to_rig  # noqa: E402


def median(call: Callable[[], object], times: int = 9) -> float:
    """Milliseconds."""
    call()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return 1000 * statistics.median(taken)


def main() -> None:
    rng = np.random.default_rng(0)
    clip = Clip(rng.normal(0, 0.4, (300, 55, 3)), rng.normal(0, 0.2, (300, 3)), 30.0)
    rig = build_rig("unreal (UE5)", rest_points(arms=45), rng=rng)
    families = built_in()
    mapping = recognise(rig, families)
    retargeter = Retargeter(rig, mapping)
    motion = retargeter.perform(clip)
    posed = pose(rig, motion)[:, [rig.index[bone] for bone in retargeter.sources]]
    print(f"{len(rig)} bones, {len(motion.bones)} keyed, {len(clip)} frames; medians")
    for name, call in (
        ("recognise", lambda: recognise(rig, families)),
        ("study", lambda: Retargeter(rig, mapping)),
        ("onto the rig", lambda: retargeter.perform(clip)),
        ("with the root bone", lambda: retargeter.perform(clip, root="root")),
        ("fitting contacts", lambda: fit_to_rig(retargeter, clip)),
        ("back to a clip", lambda: retargeter.read(posed, 30.0)),
    ):
        print(f"{name:>20}: {median(call):7.1f} ms")


if __name__ == "__main__":
    main()
