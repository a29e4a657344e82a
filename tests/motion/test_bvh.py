"""BVH: what another program reads from the text is the clip's motion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from understudy.backend.motion import rotations
from understudy.backend.motion.bvh import clip_to_bvh
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.npz import write_clip
from understudy.backend.motion.skeleton import JOINT_NAMES

from .synthetic import random_clip, walk


def read_bvh(text: str) -> tuple[list[str], float, np.ndarray, np.ndarray]:
    """An independent reader: joint names, frame time, world positions (T, J, 3), channel table."""
    words = iter(text.split())
    names, parents, offsets, channels, stack = [], [], [], [], []
    for word in words:
        if word in ("ROOT", "JOINT"):
            names.append(next(words))
            parents.append(stack[-1] if stack else -1)
            channels.append([])
        elif word == "End":
            next(words)
            names.append("")
            parents.append(stack[-1])
            channels.append([])
        elif word == "{":
            stack.append(len(names) - 1)
        elif word == "}":
            stack.pop()
        elif word == "OFFSET":
            offsets.append([float(next(words)) for _ in range(3)])
        elif word == "CHANNELS":
            channels[-1] = [next(words) for _ in range(int(next(words)))]
        elif word == "MOTION":
            break
    assert next(words) == "Frames:"
    frames = int(next(words))
    assert [next(words), next(words)] == ["Frame", "Time:"]
    frame_time = float(next(words))
    table = np.array([float(word) for word in words]).reshape(frames, -1)
    positions = np.zeros((frames, len(names), 3))
    world = np.zeros((frames, len(names), 3, 3))
    column = 0
    for j, (parent, offset, kinds) in enumerate(zip(parents, offsets, channels, strict=True)):
        place, local = np.broadcast_to(np.array(offset), (frames, 3)).copy(), np.eye(3)
        for kind in kinds:
            value, axis = table[:, column], "XYZ".index(kind[0])
            column += 1
            if kind.endswith("position"):
                place[:, axis] += value
            else:
                vector = np.zeros((frames, 3))
                vector[:, axis] = np.radians(value)
                local = local @ rotations.axis_angle_to_matrix(vector)
        up = world[:, parent] if parent >= 0 else np.eye(3)
        positions[:, j] = (positions[:, parent] if parent >= 0 else 0) + np.squeeze(up @ place[..., None], -1)
        world[:, j] = up @ local
    assert column == table.shape[1]
    joints = [j for j, name in enumerate(names) if name]
    return [names[j] for j in joints], frame_time, positions[:, joints], table


@pytest.mark.parametrize("scale", [100.0, 1.0])
def test_joints_come_out_where_they_were(scale: float) -> None:
    clip = random_clip(15, 30.0)
    names, frame_time, positions, _ = read_bvh(clip_to_bvh(clip, scale=scale))
    assert sorted(names) == sorted(JOINT_NAMES)
    assert frame_time == pytest.approx(1 / 30)
    expected = clip.joints()[:, [JOINT_NAMES.index(name) for name in names]]
    np.testing.assert_allclose(positions / scale, expected, atol=2e-5)


def test_angles_never_jump() -> None:
    """A body turning on and on: no channel may leap by a turn."""
    clip, _ = walk(6.0)
    poses = np.array(clip.poses)
    poses[:, 0, 1] = np.linspace(0, 20, len(clip))
    poses[:, 18, 1] = np.linspace(0, -2.5, len(clip))  # an elbow beyond a right angle
    _, _, _, table = read_bvh(clip_to_bvh(clip.replace(poses=poses)))
    assert np.abs(np.diff(table[:, 3:], axis=0)).max() < 60
    assert table[:, 5].max() - table[:, 5].min() > np.degrees(19)


def test_every_joint_has_an_end() -> None:
    text = clip_to_bvh(random_clip(2))
    leaves = 2 + 3 + 10  # feet, jaw and eyes, fingertips
    assert text.count("End Site") == leaves
    assert text.count("{") == text.count("}") == 55 + leaves
    assert "-0.000000" not in text.split("MOTION")[1]


def test_written_through_the_dialect(tmp_path: Path) -> None:
    clip = Clip(poses=np.zeros((2, 55, 3)), trans=np.zeros((2, 3)), fps=120.0)
    write_clip(clip, tmp_path / "a.bvh", dialect="bvh")
    assert (tmp_path / "a.bvh").read_text() == clip_to_bvh(clip)
