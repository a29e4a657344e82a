"""How long a clip takes onto a rig, what a batch of rigs leaves behind, and how feet slide on other legs.

    .venv/bin/python benchmarks/retarget.py
    .venv/bin/python benchmarks/retarget.py --batch 100           in a Python that has bpy
    .venv/bin/python benchmarks/retarget.py --clips DIR           feet of .npz clips on legs 0.6 to 1.6 times as long

Times: ten seconds at 30 fps onto an Unreal mannequin (UE5 names, 5 spine and 2 neck bones, twist bones, fingers):
recognition, study, transfer without keying, and back. Target: transfer <= 0.3 s on two cores.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.motion.rigs import build_rig, pose, rest_points  # noqa: E402
from understudy.backend.motion.clip import Clip, resample  # noqa: E402
from understudy.backend.motion.contacts import detect_contacts  # noqa: E402
from understudy.backend.motion.npz import read_clip  # noqa: E402
from understudy.backend.motion.recognise import recognise  # noqa: E402
from understudy.backend.motion.retarget import Retargeter  # noqa: E402
from understudy.backend.motion.retarget_fit import fit_to_rig  # noqa: E402
from understudy.backend.motion.rig_families import built_in  # noqa: E402
from understudy.backend.motion.skeleton import CONTACT_JOINTS  # noqa: E402

LEGS = (0.6, 0.8, 1.0, 1.3, 1.6)
_FEET = [f"mixamorig:{side}{bone}" for side in ("Left", "Right") for bone in ("Foot", "ToeBase")]
_Y_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def median(call: Callable[[], object], times: int = 9) -> float:
    """Milliseconds."""
    call()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return 1000 * statistics.median(taken)


def made_up(rng: np.random.Generator) -> Clip:
    return Clip(rng.normal(0, 0.4, (300, 55, 3)), rng.normal(0, 0.2, (300, 3)), 30.0)


def print_times() -> None:
    rng = np.random.default_rng(0)
    clip = made_up(rng)
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


def print_batch(count: int) -> None:
    """Build, key and remove rigs of five families; twice, since the first round fills caches."""
    import bpy

    from tests.addon.rigs import build
    from understudy.addon.retarget import stored
    from understudy.addon.retarget.armature import read_rig
    from understudy.addon.retarget.key import key_on_rig

    bpy.ops.wm.read_factory_settings(use_empty=True)
    stored.ensure()
    families = ("mixamo", "unreal (UE5)", "daz (Genesis 8)", "mmd", "plain")
    clip = made_up(np.random.default_rng(0))
    for attempt in ("first", "second"):
        taken = []
        before = _data_blocks(bpy), _resident()
        for i in range(count):
            obj = build(families[i % len(families)])
            start = time.perf_counter()
            mapping = stored.mapping_of(obj, read_rig(obj))
            keyed = key_on_rig(obj, clip, mapping, name="take", start_frame=1, scene_fps=30.0)
            taken.append(time.perf_counter() - start)
            bpy.data.batch_remove([keyed.action, obj.data, obj])
        gc.collect()
        after = _data_blocks(bpy), _resident()
        print(
            f"{attempt} batch of {count} rigs: {1000 * statistics.median(taken):.0f} ms each with recognition, "
            f"contacts and keying; data-blocks {before[0]} to {after[0]}, memory {before[1]:.0f} to {after[1]:.0f} MB"
        )


def _data_blocks(bpy) -> int:  # type: ignore[no-untyped-def]
    kinds = (getattr(bpy.data, name) for name in ("objects", "armatures", "actions", "meshes", "collections"))
    return sum(len(kind) for kind in kinds)


def _resident() -> float:
    """Megabytes of memory; 0 where the system does not say."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * 4096 / 1e6 if status.is_file() else 0.0


def print_skate(folder: Path, count: int) -> None:
    """Feet on longer and shorter legs against the source's, by two measures.

    *contact*: cm/s of the frames that the source's feet stand. *low*: of the frames that the toes of each are low,
    3 cm in proportion, in lengths of its legs: a foot that drags through the swing counts as well.
    """
    files = sorted(folder.glob("**/*.npz"))
    chosen = np.random.default_rng(0).permutation(len(files))[:count]
    print("| legs | contact, mean | worst | low, mean | worst |\n|---|---|---|---|---|")
    rigs = {legs: build_rig("mixamo", rest_points(arms=30, thighs=legs)) for legs in LEGS}
    for legs, rig in rigs.items():
        retargeter = Retargeter(rig, recognise(rig, built_in()))
        rows = []
        for i in chosen:
            clip = resample(read_clip(files[i]), 30.0)
            if len(clip) < 40:
                continue
            contacts = detect_contacts(clip)
            posed = pose(rig, retargeter.perform(fit_to_rig(retargeter, clip)))
            feet = posed[..., :3, 3][:, [rig.index[bone] for bone in _FEET]] @ _Y_UP
            source = clip.joints()[:, list(CONTACT_JOINTS)]
            rows.append(
                (
                    _standing(feet, contacts) / _standing(source, contacts),
                    _low(feet, legs) / _low(source, 1.0),
                )
            )
        found = np.array(rows)
        found = np.where(np.isfinite(found), found, np.nan)
        mean, worst = np.nanmean(found, axis=0), np.nanmax(found, axis=0)
        print(f"| {legs} | {mean[0]:.2f} | {worst[0]:.2f} | {mean[1]:.2f} | {worst[1]:.2f} |")


def _speeds(feet: np.ndarray) -> np.ndarray:
    return 30.0 * np.linalg.norm(np.diff(feet[..., [0, 2]], axis=0), axis=-1)


def _standing(feet: np.ndarray, contacts: np.ndarray) -> float:
    held = (contacts[1:] > 0.5) & (contacts[:-1] > 0.5)
    return float(_speeds(feet)[held].mean()) if held.any() else float("nan")


def _low(feet: np.ndarray, legs: float) -> float:
    toes = feet[:, [1, 3]]
    low = toes[..., 1] < 0.028 + 0.03 * legs
    both = low[1:] & low[:-1]
    return float(_speeds(toes)[both].mean()) / legs if both.any() else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", type=int, default=0, metavar="N", help="rigs to key in one Blender")
    parser.add_argument("--clips", type=Path, metavar="DIR", help="clips whose feet shall be judged")
    parser.add_argument("--count", type=int, default=25, help="how many of them")
    args = parser.parse_args()
    print_times()
    if args.clips:
        print_skate(args.clips, args.count)
    if args.batch:
        print_batch(args.batch)


if __name__ == "__main__":
    main()
