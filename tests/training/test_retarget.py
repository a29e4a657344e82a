"""Retargeting of real cuts: limbs point where the actor's pointed, left is left, copies of a trial agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from understudy.backend.motion.clip import Clip
from understudy.backend.motion.grounding import floor_height
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.rotations import axis_angle_to_matrix, geodesic_angle
from understudy.backend.motion.skeleton import INDEX, J0, NUM_JOINTS, rest_joints
from understudy.training.data import cmu
from understudy.training.data.job import Job
from understudy.training.data.raw import Raw
from understudy.training.data.sets import OPEN, jobs_of, source_of
from understudy.training.formats.source import SourceMotion
from understudy.training.retargeting.retarget import Drive, Foot, Rig, leg_length, retarget
from understudy.training.retargeting.verify import bone_angles, left_is_left, standing_feet

RAW = Path(__file__).parents[1] / "data" / "raw"


CAPTURED = [name for name in OPEN if name != "authored"]  # which is retargeted from nothing


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Job]:
    folder = tmp_path_factory.mktemp("store")
    found = [job for name in CAPTURED for job in jobs_of(name, RAW, folder)]
    return {f"{job.set}/{job.name}": job for job in found if not job.left_out}


@pytest.fixture(scope="module")
def clips(jobs: dict[str, Job]) -> dict[str, Clip]:
    return {name: job.convert(job.path, **job.arguments) for name, job in jobs.items()}


def test_every_set_has_a_cut(jobs: dict[str, Job]) -> None:
    assert {name.split("/")[0] for name in jobs} == set(CAPTURED)
    assert "jump_cmu/02_03" not in jobs  # the CMU set has a better copy of it
    assert not any("mirror" in name or "Idle" in name for name in jobs)


def test_limbs_point_where_the_source_points(jobs: dict[str, Job], clips: dict[str, Clip]) -> None:
    for name, clip in clips.items():
        motion, rig = source_of(jobs[name])
        assert len(motion) == len(clip)
        angles = bone_angles(clip, motion, rig)
        assert len(angles) >= 8, name
        for joint, degrees in angles.items():
            assert np.percentile(degrees, 95) < 2.0, (name, joint)


def test_left_is_left_and_nothing_is_crossed_or_upside_down(clips: dict[str, Clip]) -> None:
    for name, clip in clips.items():
        assert left_is_left(clip), name
        joints, world = forward_kinematics(clip.poses, clip.trans)
        head = joints[:, INDEX["head"], 1] - joints[:, 0, 1]
        assert head[0] > 0.3, name  # all of them start on their feet
        forward = world[:, 0, :, 2]
        for side in ("left", "right"):
            toes = joints[:, INDEX[f"{side}_foot"]] - joints[:, INDEX[f"{side}_ankle"]]
            shin_forward = world[:, INDEX[f"{side}_knee"], :, 2]
            assert np.sum(toes * shin_forward, axis=-1).min() > 0.03, (name, side)  # never folded to the back
            knee = joints[:, INDEX[f"{side}_knee"]]
            middle = 0.5 * (joints[:, INDEX[f"{side}_hip"]] + joints[:, INDEX[f"{side}_ankle"]])
            assert np.sum((knee - middle) * forward, axis=-1).min() > -0.03, (
                name,
                side,
            )  # knees bend forwards


def test_feet_stand_on_the_floor(clips: dict[str, Clip]) -> None:
    for name, clip in clips.items():
        feet = standing_feet(clip)
        assert feet.within_2cm > 0.8, (name, feet)
    assert sum(standing_feet(clip).frames for clip in clips.values()) > 100


def test_two_files_of_one_trial_agree(jobs: dict[str, Job], clips: dict[str, Clip]) -> None:
    folder = RAW / "cmu/amc"
    original = cmu.convert_amc(folder / "02/02_03.amc", fps=120, skip=0, skeleton=folder / "02/02.asf")
    assert clips["cmu/02_03"].joints() == pytest.approx(original.joints(), abs=2e-4)
    assert clips["cmu/02_03"].meta["floor"] == pytest.approx(original.meta["floor"], abs=1e-3)
    # The DAZ figure has other bones; its first five frames are blended and dropped in both.
    original = cmu.convert_amc(folder / "11/11_01.amc", fps=120, skip=5, skeleton=folder / "11/11.asf")
    daz = clips["cmu/11_01"]
    assert len(daz) == len(original)
    apart = np.linalg.norm(daz.joints() - original.joints(), axis=-1)[:, :22]
    assert apart.mean() < 0.03
    limbs = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("knee", "elbow", "wrist")]
    relative = np.linalg.norm(
        (daz.joints() - daz.joints()[:, :1]) - (original.joints() - original.joints()[:, :1]), axis=-1
    )
    assert relative[:, limbs].mean() < 0.03  # 0.06 when the figure's own bones are believed


def test_soles_lie_flat_when_a_foot_stands(clips: dict[str, Clip]) -> None:
    """Neither tipped nor rolled on an edge (CMU's rest pose has both feet rolled by 20 degrees)."""
    tilts = []
    for clip in clips.values():
        joints, world = forward_kinematics(clip.poses, clip.trans)
        for side in ("left", "right"):
            ankle, ball = (joints[:, INDEX[f"{side}_{part}"]] for part in ("ankle", "foot"))
            speed = (
                np.linalg.norm(np.gradient(np.stack([ankle, ball]), axis=1), axis=-1).max(axis=0) * clip.fps
            )
            flat = (speed < 0.3) & (ankle[:, 1] < 0.09)
            tilts += list(np.degrees(np.arccos(np.clip(world[flat, INDEX[f"{side}_ankle"], 1, 1], -1, 1))))
    assert len(tilts) > 50
    assert np.median(tilts) < 4.0 and np.percentile(tilts, 90) < 12.0


def test_fingers_are_known_only_where_the_source_has_them(clips: dict[str, Clip]) -> None:
    fist, run = clips["cc0/base_Punch_Jab"], clips["cmu/02_03"]
    assert fist.known["hands"] and not run.known["hands"] and not fist.known["face"]
    # A fist: the tips of the fingers come back to the wrist; relaxed hands do not.
    for clip, low, high in ((fist, 0.0, 0.13), (run, 0.13, 0.2)):
        joints = clip.joints()
        reach = np.linalg.norm(joints[:, INDEX["right_middle3"]] - joints[:, INDEX["right_wrist"]], axis=-1)
        assert low < np.median(reach) < high
    _, _world = forward_kinematics(run.poses, run.trans)
    curl = axis_angle_to_matrix(run.poses[0, INDEX["left_middle2"]])
    assert (curl @ np.array([1.0, 0, 0]))[1] < -0.2  # the left hand's fingers curl down, to the palm


def _rest_source(splay: float, arms: float, size: float) -> tuple[SourceMotion, Rig]:
    """Our own skeleton at another size, its rest pose with legs apart and arms lowered, standing as in our T-pose."""
    ours = rest_joints() * size
    names, legs, limbs = [], {}, {}
    order = ["pelvis", "left_hip", "left_knee", "left_ankle", "left_foot", "right_hip", "right_knee", "right_ankle", "right_foot",
             "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist"]  # fmt: skip
    parents = (-1, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 0, 12, 13)
    rest = np.zeros((len(order), 3))
    turns = np.zeros((len(order), 3, 3))
    for j, (name, parent) in enumerate(zip(order, parents, strict=True)):
        names.append(name)
        side = 1.0 if name.startswith("left") else -1.0
        angle = 0.0
        if any(part in name for part in ("hip", "knee", "ankle", "foot")):
            angle = side * splay
        elif any(part in name for part in ("shoulder", "elbow", "wrist")):
            angle = -side * arms
        turn = axis_angle_to_matrix(np.array([0.0, 0.0, angle]))
        turns[j] = turn.T  # what brings the rest pose back to our T-pose
        if parent < 0:
            rest[j] = ours[INDEX[name]]
            continue
        bone = ours[INDEX[name]] - ours[INDEX[order[parent]]]
        rest[j] = rest[parent] + turns[parent].T @ bone
    positions = np.stack([ours[INDEX[name]] for name in order])
    motion = SourceMotion(tuple(names), parents, rest, turns[None], positions[None], 30.0)
    legs = tuple(tuple(f"{side}_{part}" for part in ("hip", "knee", "ankle")) for side in ("left", "right"))
    limbs = {f"{side}_{a}": Drive(((f"{side}_{a}", 1.0),), (f"{side}_{b}", f"{side}_{a}", f"{side}_{b}"))
             for side in ("left", "right") for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))}  # fmt: skip
    rig = Rig(
        drives={"pelvis": Drive((("pelvis", 1.0),)), **limbs},
        hips=("left_hip", "right_hip"),
        legs=legs,  # type: ignore[arg-type]
        feet=(Foot("left_ankle", "left_foot", roll=-splay), Foot("right_ankle", "right_foot", roll=splay)),
        flat_rest=True,
        known={"lower_trans": True, "upper": True, "hands": True, "face": False},
    )
    return motion, rig


@pytest.mark.parametrize(("splay", "arms", "size"), [(0.0, 0.0, 1.0), (0.35, 0.8, 1.3), (0.1, 1.4, 0.7)])
def test_a_rest_pose_makes_no_difference(splay: float, arms: float, size: float) -> None:
    """Whatever pose and size a source rests in: standing in our T-pose it becomes our T-pose."""
    motion, rig = _rest_source(splay, arms, size)
    clip = retarget(motion, rig)
    driven = [INDEX[name] for name in rig.drives]
    matrices = axis_angle_to_matrix(clip.poses[0])
    assert np.degrees(geodesic_angle(matrices, np.eye(3))[driven]).max() < 0.5
    assert clip.trans[0] + J0 == pytest.approx(rest_joints()[0], abs=2e-3)
    assert clip.joints()[0, :12] == pytest.approx(rest_joints()[:12], abs=6e-3)
    assert clip.meta["scale"] == pytest.approx(1 / size, rel=1e-3)
    assert clip.poses.shape == (1, NUM_JOINTS, 3)


def test_steps_are_scaled_with_the_legs() -> None:
    small, rig = _rest_source(0.0, 0.0, 0.5)
    far = small.replace(positions=small.positions + np.array([1.0, 0.0, 2.0]))
    apart = retarget(far, rig).trans[0] - retarget(small, rig).trans[0]
    assert apart == pytest.approx([2.0, 0.0, 4.0], rel=1e-3)
    assert leg_length() == pytest.approx(0.806, abs=0.005)


def _standing_at(heights: list[float], speed: float = 0.0) -> Clip:
    """The rest pose with its soles at the given heights, one per frame."""
    lowest = rest_joints()[INDEX["left_ankle"], 1] - 0.08
    trans = np.stack([[i * speed / 30, h - lowest, 0.0] for i, h in enumerate(heights)])
    return Clip(poses=np.zeros((len(heights), NUM_JOINTS, 3)), trans=trans, fps=30.0)


def test_the_floor_is_where_most_feet_stand_not_the_lowest_point() -> None:
    climbing = [0.02] * 60 + [0.5] * 40 + [1.1] * 50
    assert floor_height(_standing_at(climbing)) == pytest.approx(0.02, abs=0.01)
    glitch = [-0.3] * 2 + [0.02] * 100
    assert floor_height(_standing_at(glitch)) == pytest.approx(0.02, abs=0.01)
    assert abs(floor_height(_standing_at([0.4] * 90), within=0.075)) <= 0.075
    running = _standing_at([0.03] * 50, speed=3.0)
    assert floor_height(running) == pytest.approx(0.03, abs=0.01)


def test_raw_archives_are_unpacked_once(tmp_path: Path) -> None:
    import tarfile

    root = tmp_path / "root"
    (root / "cmu").mkdir(parents=True)
    with tarfile.open(root / "cmu/amc.tar.xz", "w:xz") as tar:
        tar.add(RAW / "cmu/amc", "amc")
    raw = Raw(root, tmp_path / "cache")
    folder = raw.folder("cmu/amc", "cmu/amc.tar.xz")
    assert (folder / "02/02.asf").is_file()
    stamp = folder.stat().st_mtime_ns
    assert raw.folder("cmu/amc", "cmu/amc.tar.xz").stat().st_mtime_ns == stamp
