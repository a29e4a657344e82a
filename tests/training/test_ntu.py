"""NTU RGB+D: bodies tracked by id, people told from furniture, a tilted camera set right, two in one world."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion.skeleton import INDEX
from understudy.training.data import kinect, ntu_rgbd
from understudy.training.data.job import Converted, Job
from understudy.training.data.ntu_rgbd import Sample, actions
from understudy.training.data.raw import Raw
from understudy.training.formats import ntu
from understudy.training.retargeting.verify import left_is_left, standing_feet

from .makers import ntu as maker

WAVE, SHAKE, PUSH = "S001C001P001R001A023", "S002C002P003R002A058", "S003C003P041R001A052"
A, B, C, D = maker.IDS


def jobs(root: Path) -> dict[str, Job]:
    return {job.name: job for job in ntu_rgbd.jobs(Raw(root, root / "cache"))}


def run(job: Job) -> Converted:
    made = job.convert(job.path, **job.arguments)
    assert isinstance(made, Converted)
    return made


def one(tmp_path: Path, bodies: Mapping[str, np.ndarray], name: str = WAVE, **options: object) -> Path:
    frames = len(next(iter(bodies.values())))
    return maker.write(tmp_path, name, maker.text(bodies, frames, **options))  # type: ignore[arg-type]


def test_bodies_are_told_apart_by_ids_too_long_for_a_float(tmp_path: Path) -> None:
    still, waving = maker.camera(maker.person(amount=0.0)), maker.camera(maker.person(place=(1, 0)))
    path = one(tmp_path, {A: still, B: waving}, swapped=range(5, 20), visible={B: range(3, 30)})
    bodies = ntu.read_skeleton(path)
    assert [body.id for body in bodies] == [A, B]
    assert bodies[0].joints == pytest.approx(still, abs=1e-5)  # whatever the order of a frame
    assert bodies[1].joints[3:] == pytest.approx(waving[3:], abs=1e-5)
    assert bodies[1].present.tolist() == [False] * 3 + [True] * 27


def test_a_joint_that_is_not_tracked_is_missing_not_where_the_file_says(tmp_path: Path) -> None:
    path = one(tmp_path, {A: maker.camera(maker.person())}, untracked=[22, 11])
    joints = ntu.read_skeleton(path)[0].joints
    assert np.isnan(joints[:, [22, 11]]).all() and np.isfinite(joints[:, :11]).all()
    clip = run(jobs(tmp_path)[WAVE]).clip
    assert np.isfinite(clip.poses).all() and np.abs(clip.trans).max() < 2


@pytest.mark.parametrize("wave", ["left", "right"])
@pytest.mark.parametrize("pitch", [0.0, 15.0])
def test_left_stays_left_up_is_up_and_the_floor_is_level(tmp_path: Path, wave: str, pitch: float) -> None:
    world = maker.person(60, wave=wave, speed=0.7, yaw=0.3, size=1.1)
    one(tmp_path, {A: maker.camera(world, pitch=pitch)})
    clip = run(jobs(tmp_path)[WAVE]).clip
    assert left_is_left(clip) and len(clip) == 60 and clip.fps == 30
    joints = clip.joints()
    other = "right" if wave == "left" else "left"
    lifted = joints[:, INDEX[f"{wave}_wrist"], 1] - joints[:, INDEX[f"{other}_wrist"], 1]
    assert lifted.min() > 0.4
    travel = joints[-1, 0] - joints[0, 0]
    assert np.degrees(np.arctan2(travel[0], travel[2])) == pytest.approx(np.degrees(0.3), abs=2)
    assert abs(travel[1]) < 0.03  # with the camera's tilt left in, 0.7 m/s would sink by 0.3 m
    trunk = joints[:, INDEX["neck"]] - joints[:, 0]
    assert np.degrees(np.arccos(trunk[:, 1] / np.linalg.norm(trunk, axis=1))).max() < 6
    assert clip.meta["camera_tilt_deg"] == pytest.approx(pitch, abs=2.5)
    assert clip.meta["fit_error_mm"] < 10 and clip.meta["original_frames"] == 60
    assert clip.known == {"lower_trans": True, "upper": True, "hands": False, "face": False}


def test_standing_feet_are_on_the_floor_in_spite_of_noise(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.008, (60, 25, 3))
    one(tmp_path, {A: maker.camera(maker.person(60), pitch=10) + noise})
    feet = standing_feet(run(jobs(tmp_path)[WAVE]).clip)
    assert feet.frames > 60 and feet.within_2cm > 0.95


def test_the_main_actor_is_who_moves_and_furniture_is_nobody(tmp_path: Path) -> None:
    still = maker.camera(maker.person(amount=0.0, place=(0.8, 0)))
    waving = maker.camera(maker.person(amount=1.5, place=(-0.8, 0), wave="right"))
    one(tmp_path, {A: maker.chair(), B: still, C: waving, D: maker.chair() + 1}, visible={D: range(4)})
    clip = run(jobs(tmp_path)[WAVE]).clip
    wrists = clip.joints()[:, [INDEX["left_wrist"], INDEX["right_wrist"]], 1]
    assert np.ptp(wrists[:, 1]) > 0.3 > np.ptp(wrists[:, 0])
    assert clip.meta["fit_error_mm"] < 10


def test_a_body_found_again_under_another_id_is_the_same_person(tmp_path: Path) -> None:
    body = maker.camera(maker.person(60, speed=0.5))
    elsewhere = maker.camera(maker.person(60, place=(3, 0), amount=0.0))
    path = one(
        tmp_path, {A: body, B: body, C: elsewhere}, visible={A: range(30), B: range(33, 60), C: range(40, 60)}
    )
    found = kinect.people([b.joints for b in ntu.read_skeleton(path)])
    assert len(found) == 2 and np.isfinite(found[0]).all(axis=(1, 2)).sum() == 57
    clip = run(jobs(tmp_path)[WAVE]).clip
    assert len(clip) == 60
    assert np.abs(np.diff(clip.trans[:, 2])).max() < 0.05  # the gap is bridged, not jumped


def test_frames_before_and_after_the_body_are_cut(tmp_path: Path) -> None:
    one(tmp_path, {A: maker.camera(maker.person(60))}, visible={A: range(10, 50)})
    assert len(run(jobs(tmp_path)[WAVE]).clip) == 40


def test_two_people_stand_in_one_world_and_are_linked(tmp_path: Path) -> None:
    left = maker.camera(maker.person(60, place=(-0.6, 0), yaw=np.pi / 2, amount=1.5, wave="right"), pitch=12)
    right = maker.camera(maker.person(60, place=(0.6, 0.2), yaw=-np.pi / 2, size=0.85, amount=0.1), pitch=12)
    one(tmp_path, {B: right, A: left}, SHAKE, swapped=range(20, 40))
    found = jobs(tmp_path)
    assert list(found) == [f"{SHAKE}--0", f"{SHAKE}--1"]
    first, second = (run(found[name]) for name in found)
    scale = np.mean([first.clip.meta["scale"], second.clip.meta["scale"]])
    apart = second.clip.joints()[:, 0] - first.clip.joints()[:, 0]
    assert apart.mean(axis=0)[[0, 2]] == pytest.approx(np.array([1.2, 0.2]) * scale, abs=0.03)
    for made, ahead in ((first, 1.0), (second, -1.0)):  # they look at each other
        assert left_is_left(made.clip)
        hips = made.clip.joints()[:, INDEX["left_hip"]] - made.clip.joints()[:, INDEX["right_hip"]]
        assert (np.cross(hips, [0, 1, 0])[:, 0] * ahead).min() > 0.1
        feet = standing_feet(made.clip)
        assert feet.within_2cm > 0.95
        assert made.metadata is not None and made.metadata.interaction is not None
        assert made.metadata.interaction.interaction_role == "symmetric"
        assert made.metadata.interaction.interaction_type == "handshake"
    items = [found[name].items[0] for name in found]
    assert [item.actor for item in items] == ["Y", "N"]
    assert items[0].next_partner_motion_name == items[1].motion_name
    assert items[1].last_partner_motion_name == items[0].motion_name
    assert items[0].text == items[1].text and items[0].both_text == ["two people shake hands"]
    assert items[0].trial == items[1].trial == SHAKE


def test_who_moves_more_acts(tmp_path: Path) -> None:
    pushed = maker.camera(maker.person(place=(0.6, 0), amount=0.0))
    pushing = maker.camera(maker.person(place=(-0.6, 0), amount=1.5))
    one(tmp_path, {A: pushed, B: pushing}, PUSH)
    found = jobs(tmp_path)
    acting, other = found[f"{PUSH}--0"], found[f"{PUSH}--1"]
    assert run(acting).clip.joints()[0, 0, 0] < run(other).clip.joints()[0, 0, 0]
    assert acting.items[0].text == ["a person pushes somebody"] and other.items[0].text == [
        "a person is pushed"
    ]
    roles = [run(job).metadata.interaction.interaction_role for job in (acting, other)]  # type: ignore[union-attr]
    assert roles == ["leader", "follower"]


def test_the_other_person_of_a_file_that_shows_one_is_named_missing(tmp_path: Path) -> None:
    one(tmp_path, {A: maker.camera(maker.person())}, SHAKE)
    found = jobs(tmp_path)
    assert len(run(found[f"{SHAKE}--0"]).clip) == 30
    with pytest.raises(BadInput, match="only one person"):
        run(found[f"{SHAKE}--1"])


def test_splits_are_those_of_the_protocols() -> None:
    splits = {name: Sample.of(name).splits for name in (WAVE, SHAKE, PUSH)}  # type: ignore[union-attr]
    assert splits[WAVE] == {"cross_subject": "train", "cross_view": "test", "cross_setup": "test"}
    assert splits[SHAKE] == {"cross_subject": "test", "cross_view": "train", "cross_setup": "train"}
    assert len(ntu_rgbd.TRAIN_SUBJECTS) == 53 and sum(s <= 40 for s in ntu_rgbd.TRAIN_SUBJECTS) == 20
    assert Sample.of("someone") is None


def test_every_action_has_words_and_two_people_have_three(tmp_path: Path) -> None:
    words = actions(Raw(tmp_path, tmp_path))
    assert sorted(words) == list(range(1, 121))
    for number, told in words.items():
        mutual = Sample(1, 1, 1, 1, number).mutual
        assert told.text.startswith("a person") and bool(told.other) == bool(told.both) == mutual
        assert (told.text == told.other) == (number in ntu_rgbd.SYMMETRIC)


def test_samples_that_the_owners_list_are_left_out(tmp_path: Path) -> None:
    path = one(tmp_path, {A: maker.camera(maker.person())})
    one(tmp_path, {A: maker.camera(maker.person())}, "S001C002P001R001A023")
    (path.parent.parent / "NTU_RGBD120_samples_with_missing_skeletons.txt").write_text(
        f"names:\r\n{WAVE}\r\n"
    )
    found = jobs(tmp_path)
    assert "owners" in found[WAVE].left_out and found["S001C002P001R001A023"].left_out == ""


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda text: "", "damaged"),
        (lambda text: "0\n", "promises no frames"),
        (lambda text: text[: len(text) // 2], "ends within|damaged|holds 15"),
        (lambda text: text.replace("30\r\n", "31\r\n", 1), "holds 30"),
        (lambda text: text.replace("30\r\n", "29\r\n", 1), "goes on"),
        (lambda text: text.replace("\r\n25\r\n", "\r\n24\r\n"), "24"),
        (lambda text: text.replace(" 277.419", "", 1), "damaged"),
        (lambda text: "5\n" + "0\n" * 5, "no body"),
        (lambda text: text.replace("0.02764709", "x"), None),
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path: Path, change: object, word: str | None) -> None:
    path = one(tmp_path, {A: maker.camera(maker.person())})
    path.write_bytes(change(path.read_bytes().decode()).encode())  # type: ignore[operator]
    job = jobs(tmp_path)[WAVE]
    if word is None:  # what is not needed may be broken
        assert len(run(job).clip) == 30
        return
    with pytest.raises(BadInput, match=word):
        run(job)


CONTENT = maker.text({A: maker.camera(maker.person(3)), B: maker.camera(maker.person(3))}, 3).encode()


@given(st.integers(0, len(CONTENT) - 1), st.integers(0, 200), st.binary(max_size=12))
def test_damage_anywhere_is_read_or_refused(at: int, cut: int, put: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{WAVE}.skeleton"
        path.write_bytes(CONTENT[:at] + put + CONTENT[at + cut :])
        try:
            bodies = ntu.read_skeleton(path)
        except BadInput as error:
            assert path.name in error.message
        else:
            assert all(body.joints.shape[1:] == (25, 3) for body in bodies)


def test_nothing_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        jobs(tmp_path)
    assert error.value.field == "root"


def test_a_name_of_another_kind_is_kept_without_a_caption(tmp_path: Path) -> None:
    one(tmp_path, {A: maker.camera(maker.person())}, "walk_7")
    job = jobs(tmp_path)["walk_7"]
    assert job.items[0].text == [] and len(run(job).clip) == 30
