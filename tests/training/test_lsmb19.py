"""LSMB19: actions cut out of large files, in whatever coordinates those are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.rotations import axis_angle_to_matrix
from understudy.backend.motion.skeleton import INDEX
from understudy.training.data import lsmb19
from understudy.training.data.job import Job
from understudy.training.data.kinect_frame import Frame, detect
from understudy.training.data.raw import Raw
from understudy.training.retargeting.verify import left_is_left, standing_feet

from .makers import lsmb19 as maker
from .makers.ntu import camera, person

WAVE, SHAKE, PUSH = "S001C001P001R001A023_0", "S001C001P001R001A058_120", "S001C001P002R001A052_300"


def jobs(root: Path) -> dict[str, Job]:
    return {job.name: job for job in lsmb19.jobs(Raw(root, root / "cache"))}


def run(job: Job) -> Clip:
    clip = job.convert(job.path, **job.arguments)
    assert isinstance(clip, Clip)
    return clip


def centred(joints: np.ndarray) -> np.ndarray:
    return joints - joints[:, :1]


COORDINATES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "camera": camera,
    "a tilted camera": lambda world: camera(world, pitch=14),
    "millimetres": lambda world: 1000 * camera(world),
    "centimetres": lambda world: 100 * camera(world),
    "no size": lambda world: camera(world) / 7,
    "an image's axes, Y down": lambda world: camera(world) * [-1, -1, 1] * [1, 1, 1],
    "Z up": lambda world: camera(world) @ axis_angle_to_matrix(np.array([np.pi / 2, 0, 0])).T,
    "a mirror image": lambda world: camera(world) * [-1, 1, 1],
    "mirrored, Y down, millimetres": lambda world: 1000 * camera(world) * [1, -1, 1],
}


@pytest.mark.parametrize("name", COORDINATES)
def test_left_and_up_come_out_right_whatever_the_coordinates(tmp_path: Path, name: str) -> None:
    world = person(40, wave="left", speed=0.8, yaw=0.2)
    maker.samples(tmp_path, "cs", {WAVE: COORDINATES[name](world)})
    clip = run(jobs(tmp_path)[f"cs/{WAVE}"])
    assert left_is_left(clip) and len(clip) == 40
    joints = clip.joints()
    wrists = joints[:, [INDEX["left_wrist"], INDEX["right_wrist"]], 1]
    assert (wrists[:, 0] - wrists[:, 1]).min() > 0.4
    assert (joints[:, INDEX["head"], 1] - joints[:, 0, 1]).min() > 0.5
    travel = joints[-1, 0] - joints[0, 0]
    assert travel == pytest.approx(np.array([np.sin(0.2), 0, np.cos(0.2)]) * 0.8 * 39 / 30, abs=0.06)
    assert clip.known["lower_trans"] and clip.meta["centred"] is False
    assert clip.meta["fit_error_mm"] < 10


def test_bodies_moved_to_the_origin_have_no_path(tmp_path: Path) -> None:
    world = person(40, speed=1.0)
    maker.samples(tmp_path, "cs", {WAVE: centred(camera(world)), PUSH: centred(camera(person(30)))})
    clip = run(jobs(tmp_path)[f"cs/{WAVE}"])
    assert clip.meta["centred"] is True
    assert clip.known == {"lower_trans": False, "upper": True, "hands": False, "face": False}
    assert left_is_left(clip) and standing_feet(clip).within_2cm == 1.0


@given(
    up=st.sampled_from([(0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1)]),
    turn=st.integers(0, 3), mirrored=st.booleans(), unit=st.sampled_from([1.0, 0.01, 0.001]),
)  # fmt: skip
def test_any_axes_are_found(up: tuple[int, int], turn: int, mirrored: bool, unit: float) -> None:
    world = person(12, yaw=0.1)
    quarter = np.rint(axis_angle_to_matrix(np.array([0, turn * np.pi / 2, 0])))
    axes = np.roll(np.eye(3), up[0] - 1, axis=0)  # a turn that brings Y to the wanted axis
    if up[1] < 0:
        axes = np.rint(axis_angle_to_matrix(np.pi * np.roll([0.0, 0.0, 1.0], up[0] - 1))) @ axes
    matrix = axes @ quarter @ (np.diag([-1.0, 1, 1]) if mirrored else np.eye(3))
    frame = detect([world @ matrix.T / unit])
    assert frame.unit == unit and not frame.centred
    back = frame.to_world(world @ matrix.T / unit)
    assert back == pytest.approx(world, abs=1e-6)  # who faces ahead on average faces +Z


def test_nothing_to_tell_by_is_taken_for_a_kinect() -> None:
    assert detect([]) == detect([np.full((3, 25, 3), np.nan)]) == detect([np.zeros((3, 25, 3))]) == Frame()


def test_samples_are_read_from_their_place_in_the_file_and_counted_once(tmp_path: Path) -> None:
    bodies = {WAVE: camera(person(20)), SHAKE: camera(person(30, wave="right")), PUSH: camera(person(25))}
    maker.samples(tmp_path, "cs", bodies, newline="\r\n")
    maker.samples(tmp_path, "cv", {SHAKE: bodies[SHAKE]})
    found = jobs(tmp_path)
    assert list(found) == [f"cs/{WAVE}", f"cs/{SHAKE}", f"cs/{PUSH}", f"cv/{SHAKE}"]
    assert [len(run(job)) for job in found.values()] == [20, 30, 25, 30]
    assert "cs" in found[f"cv/{SHAKE}"].left_out and not found[f"cs/{SHAKE}"].left_out
    wave, shake, push = (found[f"cs/{name}"].items[0] for name in bodies)
    assert wave.text == ["a person waves a hand"] and wave.both_text == []
    assert shake.text == ["a person shakes hands with somebody"]
    assert push.text == [] and push.both_text == ["one person pushes the other"]  # which of them is this?
    assert wave.split == "train" and not wave.commercial


def test_long_sequences_are_cut_by_their_ground_truth(tmp_path: Path) -> None:
    world = np.concatenate([person(40, wave="left"), person(50, wave="right"), person(30, wave="left")])
    truth = [
        "x_y_z_23_q\t40\t50",
        "x_y_z_A010_q\t100\t99",
        "S001C001P001R001A058\t0\t40",
        "x_y_z_7\t500\t5",
        "oops",
    ]
    maker.sequence(tmp_path, "cs", camera(world), truth)
    maker.samples(tmp_path, "cs", {WAVE: camera(person(20))})
    found = {name: job for name, job in jobs(tmp_path).items() if name.startswith("cs_test")}
    assert list(found) == ["cs_test/A058_0_40", "cs_test/A023_40_50", "cs_test/A010_100_99"]
    clips = [run(job) for job in found.values()]
    assert [len(clip) for clip in clips] == [40, 50, 20]  # the last one ends with the sequence
    lifted = [clip.joints()[:, INDEX["right_wrist"], 1].min() > 1.2 for clip in clips]
    assert lifted == [False, True, False]
    items = [job.items[0] for job in found.values()]
    assert all(item.split == "test" for item in items) and items[1].text == ["a person waves a hand"]


def test_frames_without_a_body_and_lines_of_words(tmp_path: Path) -> None:
    body = camera(person(30, speed=0.5))
    body[10:13] = 0.0
    path = maker.samples(tmp_path, "cs", {WAVE: body})
    path.write_text(path.read_text().replace(WAVE, f"#objectKey mocap {WAVE}\n#kind pose;25"))
    clip = run(jobs(tmp_path)[f"cs/{WAVE}"])
    assert len(clip) == 30 and np.abs(np.diff(clip.trans[:, 2])).max() < 0.05


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda line: line[: len(line) // 2], "no frame of 25"),
        (lambda line: line.replace(", ", ", x", 1), "no frame of 25"),
        (lambda line: line + "; 1, 2, 3", "no frame of 25"),
        (lambda line: "", "no frames"),
    ],
)
def test_a_broken_sample_is_one_sentence_and_stops_nothing(tmp_path: Path, change: object, word: str) -> None:
    path = maker.samples(tmp_path, "cs", {WAVE: camera(person(2)), SHAKE: camera(person(30))})
    lines = path.read_text().split("\n")
    lines[1:3] = [change(line) for line in lines[1:3]]  # type: ignore[operator]
    path.write_text("\n".join(lines))
    found = jobs(tmp_path)
    with pytest.raises(BadInput, match=word):
        run(found[f"cs/{WAVE}"])
    assert len(run(found[f"cs/{SHAKE}"])) == 30


def test_nothing_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        jobs(tmp_path)
    assert error.value.field == "root"
    (tmp_path / "lsmb19").mkdir()
    (tmp_path / "lsmb19/cs_training_samples.txt").write_text("")
    assert jobs(tmp_path) == {}
