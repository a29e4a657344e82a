"""What the clean-up costs and what it does: times of each step, physics before and after.

.venv/bin/python benchmarks/cleanup.py                                times on made-up motion
.venv/bin/python benchmarks/cleanup.py --pack DIR --store DIR         physics of generated and captured clips
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from understudy.backend.motion import limits
from understudy.backend.motion.cleanup import clean_up, clean_up_with_report
from understudy.backend.motion.clip import Clip, resample
from understudy.backend.motion.features import FPS
from understudy.backend.motion.join import join
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.loop import find_cycle, loop
from understudy.backend.motion.npz import read_clip
from understudy.backend.motion.quality import Quality, measure
from understudy.backend.motion.reduce import reduce_motion
from understudy.backend.motion.retarget_ik import fit_feet, fit_hands, legs_of
from understudy.backend.motion.rotations import axis_angle_to_quaternion
from understudy.backend.motion.skeleton import rest_joints

PROMPTS = (
    "a person walks forward",
    "a person runs forward",
    "a person kicks with the right leg",
    "a person throws a punch",
    "a person jumps forward",
    "a person sits down on a chair",
    "a person stands and waves with the right hand",
    "a person crawls on the floor",
    "a person dances",
    "a person turns around and walks back",
    "a person stands still",
    "a person does a cartwheel",
)


def stroll(seconds: float = 10.0) -> Clip:
    """Legs and arms that swing with noise, feet that slide: enough work for every step."""
    frames = round(seconds * FPS)
    rng = np.random.default_rng(0)
    time_s = np.arange(frames) / FPS
    poses = 0.01 * rng.normal(size=(frames, 55, 3))
    swing = np.sin(2 * np.pi * time_s)
    poses[:, 1, 0] += -0.4 * swing - 0.1
    poses[:, 2, 0] += 0.4 * swing - 0.1
    poses[:, [4, 5], 0] += 0.3 + 0.25 * np.stack([swing, -swing], axis=1)
    poses[:, 16, 2] -= 1.2
    poses[:, 17, 2] += 1.2
    trans = np.stack([0 * time_s, 1.27 + 0.01 * np.cos(4 * np.pi * time_s), 0.9 * time_s], axis=1)
    return Clip(poses=poses, trans=trans, fps=FPS)


def milliseconds(call: Callable[[], object], rounds: int) -> float:
    """Median processor time: what another process on the machine does counts less."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return 1000 * statistics.median(times)


def print_times(rounds: int) -> None:
    clip = stroll()
    clean = clean_up(clip)
    joints, world = forward_kinematics(clean.poses[:, :22], clean.trans)
    legs = legs_of(rest_joints()[:22])
    quaternions = axis_angle_to_quaternion(clean.poses)
    start, stop = find_cycle(clean)
    off = {"feet": False, "floor": False, "smooth": False, "limits": False}
    rows: list[tuple[str, Callable[[], object], int]] = [
        ("clean-up", lambda: clean_up(clip), rounds),
        ("clean-up at strength 0.5", lambda: clean_up(clip, strength=0.5), rounds),
        ("clean-up with report", lambda: clean_up_with_report(clip), rounds),
        ("  smoothing alone", lambda: clean_up(clip, **{**off, "smooth": True}), rounds),
        ("  feet and floor alone", lambda: clean_up(clip, **{**off, "feet": True, "floor": True}), rounds),
        ("  joint limits alone", lambda: limits.within_limits(clip.poses), rounds),
        ("feet on other proportions", lambda: fit_feet(joints, joints, world, legs, fps=FPS), rounds),
        ("hands on other proportions", lambda: fit_hands(joints, joints, world), rounds),
        ("find a cycle", lambda: find_cycle(clean), rounds),
        ("loop", lambda: loop(clean, start=start, stop=stop), rounds),
        ("join", lambda: join(clean, clean), rounds),
        ("curve reduction, Bezier", lambda: reduce_motion(quaternions, clean.trans), 1),
        (
            "curve reduction, lines",
            lambda: reduce_motion(quaternions, clean.trans, interpolation="linear"),
            1,
        ),
    ]
    print("| 10 s clip, 55 joints | ms of processor time, median |\n|---|---|")
    for name, call, count in rows:
        print(f"| {name} | {milliseconds(call, count):.1f} |")


def captured(store: Path, count: int) -> list[Clip]:
    """Clips of a store, drawn at random, at the models' frame rate."""
    files = sorted((store / "clips").glob("**/*.npz"))
    chosen = np.random.default_rng(0).permutation(len(files))[:count]
    clips = [resample(read_clip(files[i]), FPS) for i in chosen]
    return [clip for clip in clips if len(clip) > FPS]


def generated(pack: str) -> list[Clip]:
    from understudy.backend.pipeline import load_pipeline
    from understudy.backend.protocol.messages import GenerateParams

    pipeline = load_pipeline(pack, "cpu")
    clips: list[Clip] = []
    for prompt in PROMPTS:
        clips += pipeline.generate(
            GenerateParams(prompt=prompt, seconds=6.0, seed=3, samples=2, cleanup=False)
        )
    return clips


def print_physics(groups: Sequence[tuple[str, Sequence[Clip]]]) -> None:
    names = list(Quality.__dataclass_fields__)
    print(f"\n| mean of clips | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for label, clips in groups:
        found = [measure(clip) for clip in clips]
        means = [statistics.mean(getattr(quality, name) for quality in found) for name in names]
        print(f"| {label} ({len(clips)}) | {' | '.join(f'{value:.2f}' for value in means)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--pack")
    parser.add_argument("--store", type=Path)
    parser.add_argument("--clips", type=int, default=80, help="captured clips to draw from the store")
    args = parser.parse_args()
    print_times(args.rounds)
    groups: list[tuple[str, Sequence[Clip]]] = []
    if args.store:
        clips = captured(args.store, args.clips)
        groups += [("captured", clips), ("captured, cleaned", [clean_up(clip) for clip in clips])]
    if args.pack:
        clips = generated(args.pack)
        groups += [("generated", clips)]
        groups += [
            (f"generated, strength {strength:g}", [clean_up(clip, strength=strength) for clip in clips])
            for strength in (0.5, 1.0)
        ]
    if groups:
        print_physics(groups)


if __name__ == "__main__":
    main()
