"""HumanML3D features: clips a second on one core beside a bone-by-bone implementation; time and memory as data grows.

OMP_NUM_THREADS=1 .venv/bin/python benchmarks/features.py [--clips 10000] [--rows 2000] [--frames 100]

Times are processor seconds of this process, so that other programs on the machine do not count. ``--clips
100000`` is the size of the published claim; extraction and statistics then take about two minutes.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import itertools

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from understudy.backend.motion import npz
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.fitting.layouts import HUMANML3D, Layout
from understudy.backend.motion.fitting.recover import recover_from_ric
from understudy.training.data.item import Item
from understudy.training.features.export import export_store
from understudy.training.features.extract import extract
from understudy.training.features.skeletons import joints_for
from understudy.training.features.statistics import Moments, mean_and_std
from understudy.training.features.tasks import Settings


def motion(seed: int, frames: int) -> Clip:
    """Smooth motion of all joints along a bow, at 20 fps."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(frames)[:, None, None] / 20
    poses = 0.25 * rng.normal(size=(1, 55, 3)) * np.sin(3 * seconds + rng.uniform(0, 6, (1, 55, 3)))
    poses[:, 0, 1] += 0.3 * seconds[:, 0, 0]
    trans = np.concatenate([0.4 * seconds, 0.02 * np.sin(seconds), seconds], axis=2)[:, 0]
    return Clip(poses=poses, trans=trans, fps=20.0)


# ----- the way it is usually done: bone after bone, in and out of torch for every rotation ------------


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    p, q = torch.from_numpy(a).float(), torch.from_numpy(b).float()
    terms = torch.bmm(q.reshape(-1, 4, 1), p.reshape(-1, 1, 4))
    w = terms[:, 0, 0] - terms[:, 1, 1] - terms[:, 2, 2] - terms[:, 3, 3]
    x = terms[:, 0, 1] + terms[:, 1, 0] - terms[:, 2, 3] + terms[:, 3, 2]
    y = terms[:, 0, 2] + terms[:, 1, 3] + terms[:, 2, 0] - terms[:, 3, 1]
    z = terms[:, 0, 3] - terms[:, 1, 2] + terms[:, 2, 1] + terms[:, 3, 0]
    return torch.stack((w, x, y, z), dim=1).view(p.shape).numpy()


def _inverse(q: np.ndarray) -> np.ndarray:
    return (torch.from_numpy(q).float() * torch.tensor([1.0, -1.0, -1.0, -1.0])).numpy()


def _rotate(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    turn, vector = torch.from_numpy(q).float(), torch.from_numpy(v).float()
    axis = turn[..., 1:].reshape(-1, 3)
    flat = vector.reshape(-1, 3)
    once = torch.linalg.cross(axis, flat)
    twice = torch.linalg.cross(axis, once)
    return (flat + 2 * (turn[..., :1].reshape(-1, 1) * once + twice)).view(vector.shape).numpy()


def _between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    u, v = torch.from_numpy(a).float(), torch.from_numpy(b).float()
    w = torch.sqrt((u**2).sum(-1, keepdim=True) * (v**2).sum(-1, keepdim=True)) + (u * v).sum(
        -1, keepdim=True
    )
    q = torch.cat([w, torch.linalg.cross(u, v)], dim=-1)
    return (q / torch.norm(q, dim=-1, keepdim=True)).numpy()


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.sqrt((v**2).sum(-1, keepdims=True))


def _turns(joints: np.ndarray, layout: Layout, *, smooth: bool) -> np.ndarray:
    """Heading and bone rotations (T, J, 4)."""
    left_hip, right_hip, right_shoulder, left_shoulder = layout.facing
    across = _unit(
        joints[:, right_hip] - joints[:, left_hip] + joints[:, right_shoulder] - joints[:, left_shoulder]
    )
    forward = np.cross([[0, 1, 0]], across)
    if smooth:
        forward = gaussian_filter1d(forward, 20, axis=0, mode="nearest")
    heading = _between(_unit(forward), np.tile([[0.0, 0.0, 1.0]], (len(joints), 1)))
    heading[0] = [1, 0, 0, 0]
    turns = np.zeros((*joints.shape[:2], 4))
    turns[:, 0] = heading
    for chain in layout.chains:
        world = heading
        for parent, child in itertools.pairwise(chain):
            rest = np.tile(layout.raw_offsets[child][None], (len(joints), 1))
            bone = _between(rest, _unit(joints[:, child] - joints[:, parent]))
            local = _product(_inverse(world), bone)
            turns[:, child] = local
            world = _product(world, local)
    return turns


def bone_by_bone(joints: np.ndarray, layout: Layout) -> np.ndarray:
    """The same features as :func:`extract`."""
    size = sum(np.linalg.norm(joints[0, j] - joints[0, layout.parents[j]]) for j in layout.legs)
    turns = _turns(joints, layout, smooth=False)
    body = np.zeros_like(joints)
    body[:, 0] = joints[:, 0] * layout.leg_length / size
    for chain in layout.chains:
        world = turns[:, 0]
        for parent, child in itertools.pairwise(chain):
            world = _product(world, turns[:, child])
            bone = np.tile((layout.raw_offsets[child] * layout.lengths[child])[None], (len(joints), 1))
            body[:, child] = _rotate(world, bone) + body[:, parent]
    body[:, :, 1] -= body.min(axis=0).min(axis=0)[1]
    body = body - body[0, 0] * np.array([1, 0, 1])
    right_hip, left_hip, right_shoulder, left_shoulder = layout.facing
    first = body[0]
    across = _unit(first[right_hip] - first[left_hip] + first[right_shoulder] - first[left_shoulder])
    turn = _between(_unit(np.cross([[0, 1, 0]], across)), np.array([[0.0, 0.0, 1.0]]))
    body = _rotate(np.ones((*body.shape[:-1], 4)) * turn, body)

    turns = _turns(body, layout, smooth=True)
    heading = turns[:, 0].copy()
    w, x, y, z = np.moveaxis(turns[:, 1:], -1, 0)
    columns = [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)]
    columns += [2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)]
    rotations = np.stack(columns, axis=-1)
    step = _rotate(heading[1:], body[1:, 0] - body[:-1, 0])
    yaw = np.arcsin(_product(heading[1:], _inverse(heading[:-1]))[:, 2:3])
    local = body.copy()
    local[..., 0] -= body[:, 0:1, 0]
    local[..., 2] -= body[:, 0:1, 2]
    local = _rotate(np.repeat(heading[:, None], layout.joints, axis=1), local)
    moved = body[1:] - body[:-1]
    velocity = _rotate(np.repeat(heading[:-1, None], layout.joints, axis=1), moved)
    feet = [*layout.feet_left, *layout.feet_right]
    contacts = (moved[:, feet] ** 2).sum(-1) < layout.contact_threshold
    frames = len(joints) - 1
    parts = [yaw, step[:, [0, 2]], local[:-1, 0, 1:2], local[:-1, 1:].reshape(frames, -1)]
    parts += [rotations[:-1].reshape(frames, -1), velocity.reshape(frames, -1), contacts]
    return np.concatenate(parts, axis=-1)


# ----- measuring --------------------------------------------------------------------------------------


def clips_a_second(
    work: Callable[[np.ndarray], object], clips: list[np.ndarray], seconds: float = 3.0
) -> float:
    """Best of three runs, by this process's processor time."""
    work(clips[0])
    best = 0.0
    for _ in range(3):
        done, began = 0, time.process_time()
        while time.process_time() - began < seconds / 3:
            work(clips[done % len(clips)])
            done += 1
        best = max(best, done / (time.process_time() - began))
    return best


def peak_mb() -> float:
    """Most memory this process ever had, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def speed(frames: int) -> None:
    layout = HUMANML3D
    clips = [joints_for(motion(seed, frames), layout) for seed in range(32)]
    errors = [np.abs(extract(clip, layout) - bone_by_bone(clip, layout)).max() for clip in clips]
    rows: list[tuple[str, Callable[[np.ndarray], object], Callable[[np.ndarray], object]]] = [
        ("features", lambda clip: extract(clip, layout), lambda clip: bone_by_bone(clip, layout)),
        (
            "features and joints out of them",
            lambda clip: recover_from_ric(extract(clip, layout), layout),
            lambda clip: recover_from_ric(bone_by_bone(clip, layout), layout),
        ),
    ]
    print(f"clips of {frames} frames, 22 joints; greatest difference between the two: {max(errors):.1e}\n")
    print("| | ours, clips/s | bone by bone, clips/s | times |\n|---|---|---|---|")
    for name, ours, theirs in rows:
        fast, slow = clips_a_second(ours, clips), clips_a_second(theirs, clips)
        print(f"| {name} | {fast:.0f} | {slow:.0f} | {fast / slow:.1f} |", flush=True)


def synthetic(count: int, frames: int) -> Iterator[np.ndarray]:
    """Clips that are all different, made cheaply: one of 64 motions on a body of another size, cut elsewhere."""
    layout = HUMANML3D
    bases = [joints_for(motion(seed, 2 * frames), layout) for seed in range(64)]
    rng = np.random.default_rng(0)
    for number in range(count):
        start = int(rng.integers(0, frames))
        yield bases[number % 64][start : start + frames] * rng.uniform(0.8, 1.2)


def growth(count: int, frames: int) -> None:
    layout, moments = HUMANML3D, Moments()
    print("\n| clips | clips/s since the last line | peak memory, MB |\n|---|---|---|")
    since, began = 0, time.process_time()
    marks = {count * tenth // 10 for tenth in range(1, 11)}
    for done, joints in enumerate(synthetic(count, frames), 1):
        moments.add(extract(joints, layout))
        if done in marks:
            now = time.process_time()
            print(f"| {done} | {(done - since) / (now - began):.0f} | {peak_mb():.0f} |", flush=True)
            since, began = done, now
    mean, _ = mean_and_std(moments, layout)
    assert np.isfinite(mean).all()


def export(count: int, frames: int) -> None:
    """The whole way from a store's rows to the published folder, files included."""
    with tempfile.TemporaryDirectory() as folder:
        store, out = Path(folder) / "store", Path(folder) / "out"
        (store / "clips").mkdir(parents=True)
        for number in range(8):
            npz.write_clip(motion(number, 4 * frames).replace(fps=30.0), store / "clips" / f"{number}.npz")

        def items() -> Iterator[Item]:
            for number in range(count):
                start = number % (2 * frames)
                yield Item(
                    dataset="set", motion_name=f"{number:06d}", path=f"clips/{number * 8 // count}.npz",
                    text=["a person walks"], start_frame=start, end_frame=start + frames * 3 // 2,
                )  # fmt: skip

        marks = {count * fifth // 5 for fifth in range(1, 6)}
        last = [0.0, time.process_time()]
        print("\n| rows of a store written | rows/s since the last line | peak memory, MB |\n|---|---|---|")

        def progress(done: int, name: str) -> None:
            if done in marks:
                now = time.process_time()
                print(f"| {done} | {(done - last[0]) / (now - last[1]):.0f} | {peak_mb():.0f} |", flush=True)
                last[:] = [done, now]

        settings = Settings("humanml3d", HUMANML3D, HUMANML3D.contact_threshold)
        report = export_store(store, out, settings, items=items, progress=progress)
        assert report["made"] == count, report["skipped"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--clips", type=int, default=10_000, help="synthetic clips for growth (0: none)")
    parser.add_argument("--rows", type=int, default=2_000, help="rows of a store written as files (0: none)")
    parser.add_argument("--frames", type=int, default=100)
    args = parser.parse_args()
    torch.set_num_threads(1)
    speed(args.frames)
    if args.clips:
        growth(args.clips, args.frames)
    if args.rows:
        export(args.rows, args.frames)


if __name__ == "__main__":
    main()
