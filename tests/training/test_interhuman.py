"""Two people of InterHuman: one world and one floor, whatever axis was up; faults named; pickles never run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion import rotations as rot
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.grounding import foot_heights
from understudy.backend.motion.skeleton import INDEX
from understudy.training.data import interhuman, two_people
from understudy.training.data.job import Converted, Job
from understudy.training.data.raw import Raw
from understudy.training.data.two_people import common_floor, contact_frames, interaction_type, roles

from .makers import interhuman as maker


def jobs(root: Path) -> dict[str, Job]:
    return {job.name: job for job in interhuman.jobs(Raw(root, root / "cache"))}


def run(job: Job) -> Converted:
    result = job.convert(job.path, **job.arguments)
    assert isinstance(result, Converted)
    return result


def pair(root: Path, number: str = "7") -> tuple[Clip, Clip]:
    found = jobs(root)
    return run(found[f"{number}--0"]).clip, run(found[f"{number}--1"]).clip


def two(
    seconds: float = 2.0, fps: float = 59.94, *, apart: float = 1.0, **changes: Any
) -> tuple[maker.Truth, maker.Truth]:
    a, b = (-apart / 2, 0.0), (apart / 2, 0.0)
    return (
        maker.person(seconds, fps, place=a, yaw=maker.facing(a, b), **changes),
        maker.person(seconds, fps, place=b, yaw=maker.facing(b, a), sway=0.1, **changes),
    )


def write_two(
    home: Path, number: str = "7", captions: bytes | None = b"two people hug\n", **changes: Any
) -> Path:
    first, second = two()
    return maker.write(home, number, maker.scene(maker.smpl(first), maker.smpl(second), **changes), captions)


@settings(max_examples=15, deadline=None)
@given(
    up=st.sampled_from(["y", "z"]),
    fps=st.sampled_from([59.94, 60.0, 30.0, 100.0]),
    first=st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3.1, 3.1)),
    second=st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3.1, 3.1)),
    raised=st.floats(-2, 2),
    model=st.sampled_from([maker.SMPLH_J0, maker.SMPLX_J0]),
)
def test_the_placement_of_the_two_is_that_of_the_recording(
    up: str, fps: float, first: tuple[float, ...], second: tuple[float, ...], raised: float, model: np.ndarray
) -> None:
    truths = [maker.person(1.5, fps, place=(x, z), yaw=yaw) for x, z, yaw in (first, second)]
    with TemporaryDirectory() as folder:
        home = Path(folder) / "interhuman"
        people = [maker.smpl(truth, up=up, raised=raised, j0=model) for truth in truths]
        maker.write(home, "7", maker.scene(*people, fps=fps))
        clips = pair(Path(folder))
    times = np.arange(len(clips[0])) / 30
    assert len(clips[0]) == len(clips[1]) and times[-1] <= 1.5 < times[-1] + 2 / 30 + 1 / fps
    expected = truths[1][1][0] - truths[0][1][0]
    apart = clips[1].joints()[:, 0] - clips[0].joints()[:, 0]
    np.testing.assert_allclose(apart, np.tile(expected, (len(times), 1)), atol=1e-6)
    for clip, (_, _, yaw) in zip(clips, (first, second), strict=True):
        # the truth's turn about the up axis, at the clip's times
        wanted = rot.yaw_matrix(yaw + 0.06 * np.sin(2 * times))
        got = rot.axis_angle_to_matrix(clip.poses[:, 0])
        assert rot.geodesic_angle(got, wanted).max() < 2e-3
        joints = clip.joints()
        assert (joints[:, INDEX["neck"], 1] - joints[:, 0, 1] > 0.3).all()
        assert np.abs(foot_heights(clip)).max() < 0.01
        assert clip.meta["source_up"] == up and clip.meta["original_fps"] == fps


def test_left_stays_left_and_what_is_unknown_is_said(tmp_path: Path) -> None:
    write_two(tmp_path / "interhuman")
    for clip in pair(tmp_path):
        joints = clip.joints()
        left = joints[:, INDEX["left_hip"]] - joints[:, INDEX["right_hip"]]
        ahead = np.cross(left, [0, 1, 0])
        other = joints[:, INDEX["left_foot"]] - joints[:, INDEX["left_ankle"]]
        assert (np.sum(ahead * other, axis=1) > 0).all()
        assert np.ptp(clip.poses[:, 16, 2]) > 0.1 and np.ptp(clip.poses[:, 17, 2]) < 1e-6
        assert clip.known == {"lower_trans": True, "upper": True, "hands": False, "face": False}
        assert clip.gender == "female" and clip.fps == 30


def test_the_axis_is_the_documented_one_where_both_lie(tmp_path: Path) -> None:
    lying = [maker.person(1, 60, place=(x, 0.0)) for x in (0.0, 1.0)]
    for poses, _ in lying:
        poses[:, 0] = [0, 0, np.pi / 2]  # the body's long axis along -X
    maker.write(tmp_path / "interhuman", "7", maker.scene(*(maker.smpl(truth) for truth in lying), fps=60))
    assert pair(tmp_path)[0].meta["source_up"] == "z"


def test_rows_say_what_is_known(tmp_path: Path) -> None:
    home = tmp_path / "interhuman"
    captions = "Two people hug each other.\n\ntwo people embrace — «tightly»\nTwo people hug each other.\n"
    write_two(home, "7", captions.encode())
    write_two(home, "12", "d\xe9j\xe0 vu \x96 they dance".encode("latin-1"))
    write_two(home, "3", None)
    (home / "split").mkdir()
    (home / "split/test.txt").write_text("7\r\n")
    (home / "split/train.txt").write_text("12\n3\n")
    (home / "ignore_list.txt").write_text("3\n")
    found = jobs(tmp_path)
    assert list(found) == ["3--0", "3--1", "7--0", "7--1", "12--0", "12--1"]
    first, second = (found[name].items[0] for name in ("7--0", "7--1"))
    assert (
        first.both_text == ["Two people hug each other", "two people embrace — «tightly»"]
        and first.text == []
    )
    assert (first.split, found["12--1"].items[0].split) == ("test", "train")
    assert first.next_partner_motion_name == second.motion_name and first.last_partner_motion_name == ""
    assert second.last_partner_motion_name == first.motion_name and second.next_partner_motion_name == ""
    assert first.actor == second.actor == "Null" and first.trial == second.trial == "7"
    assert not first.commercial and "NC" in first.licence
    assert found["12--0"].items[0].both_text == ["déjà vu – they dance"]
    assert "ignore" in found["3--0"].left_out and not found["7--0"].left_out
    facts = run(found["7--0"]).metadata
    assert facts is not None and facts.interaction is not None and facts.interaction.interaction_type == "hug"


def test_who_acts_is_taken_from_labels_and_a_broken_list_is_named(tmp_path: Path) -> None:
    home = tmp_path / "interhuman"
    write_two(home)
    (home / "interhuman_label.json").write_text('{"7": 1}')
    found = jobs(tmp_path)
    assert [found[f"7--{k}"].items[0].actor for k in (0, 1)] == ["N", "Y"]
    assert found["7--1"].items[0].next_partner_motion_name == "7--0"
    roles_of = [run(found[f"7--{k}"]).metadata.interaction.interaction_role for k in (0, 1)]  # type: ignore[union-attr]
    assert roles_of == ["follower", "leader"]
    (home / "interhuman_label.json").write_text("[1, 2")
    found = jobs(tmp_path)
    with pytest.raises(BadInput, match="interhuman_label"):
        run(found["interhuman_label"])
    assert found["7--0"].items[0].actor == "Null" and len(run(found["7--0"]).clip)


def test_the_longer_one_is_cut_and_it_is_said(tmp_path: Path) -> None:
    first, second = maker.person(2, 60), maker.person(1.5, 60, place=(1, 0))
    maker.write(tmp_path / "interhuman", "7", maker.scene(maker.smpl(first), maker.smpl(second), fps=60))
    one, two = pair(tmp_path)
    assert len(one) == len(two) == 45
    assert "120" in one.meta["notes"][0] and "90" in one.meta["notes"][0] and "notes" not in two.meta
    assert one.meta["original_frames"] == 120 and two.meta["original_frames"] == 90


def test_a_wrong_number_of_frames_is_noted(tmp_path: Path) -> None:
    write_two(tmp_path / "interhuman", frames=77)
    assert "77" in pair(tmp_path)[0].meta["notes"][0]


@pytest.mark.parametrize("layout", ["interleaved", "columns", "rows"])
@pytest.mark.parametrize("up", ["y", "z"])
def test_processed_files_serve_where_the_raw_one_is_missing(tmp_path: Path, layout: str, up: str) -> None:
    home = tmp_path / "interhuman"
    truths = two(2.0, 30.0)
    for poses, _ in truths:  # no symmetric pose, so that the layouts differ
        poses[:, 1, 0], poses[:, 4, 0], poses[:, 18, 1] = -0.5, 0.7, -0.8
    maker.write_processed(home, "7", *(maker.processed(truth, layout=layout, up=up) for truth in truths))
    clips = pair(tmp_path)
    apart = clips[1].joints()[:, 0] - clips[0].joints()[:, 0]
    np.testing.assert_allclose(apart, truths[1][1] - truths[0][1], atol=1e-5)
    for clip, (poses, _) in zip(clips, truths, strict=True):
        got = rot.axis_angle_to_matrix(clip.poses[:, :22])
        assert rot.geodesic_angle(got, rot.axis_angle_to_matrix(poses[:, :22])).max() < 2e-3
        assert clip.meta["rotation_layout"] == layout and clip.meta["fit_error_mm"] < 0.1


def test_the_raw_file_goes_before_the_processed_one(tmp_path: Path) -> None:
    write_two(tmp_path / "interhuman")
    truth = maker.processed(maker.person(1, 30))
    maker.write_processed(tmp_path / "interhuman", "7", truth, truth)
    assert pair(tmp_path)[0].meta["original_fps"] == 59.94


@pytest.mark.parametrize(
    ("first", "second", "word"),
    [
        (np.zeros((30, 492), np.float32), None, "missing"),
        (np.zeros((30, 262), np.float32), np.zeros((30, 492), np.float32), "262"),
        (np.full((30, 492), np.nan, np.float32), np.zeros((30, 492), np.float32), "finite"),
        (np.random.default_rng(0).normal(size=(30, 492)), np.zeros((30, 492)), "do not belong"),
        (np.array([{}], dtype=object), np.zeros((30, 492)), "cannot be read"),
    ],
)
def test_broken_processed_files_are_one_sentence(tmp_path: Path, first: Any, second: Any, word: str) -> None:
    maker.write_processed(tmp_path / "interhuman", "7", first, second)
    with pytest.raises(BadInput, match=word):
        run(jobs(tmp_path)["7--0"])


class _Hostile:
    def __reduce__(self) -> Any:
        return os.mkdir, ("hostile-was-run",)


GOOD = maker.smpl(maker.person(1, 60))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "damaged"),
        (pickle.dumps(maker.scene(GOOD, GOOD))[:2000], "damaged"),
        (_Hostile(), "not data"),
        ([1, 2], "no dictionary"),
        (maker.scene(GOOD, None), "no person2"),
        (maker.scene(GOOD, [1]), "no person2"),
        (maker.scene(GOOD, GOOD, mocap_framerate=None), "no mocap_framerate"),
        (maker.scene(GOOD, GOOD, fps="fast"), "no frame rate"),
        (maker.scene(GOOD, GOOD, fps=float("nan")), "no frame rate"),
        (maker.scene(GOOD, {**GOOD, "trans": GOOD["trans"][:-1]}), "59 frames of trans"),
        (maker.scene(GOOD, {**GOOD, "pose_body": np.zeros((60, 69))}), "pose_body of person2"),
        (maker.scene(GOOD, {**GOOD, "trans": np.full((60, 3), np.nan)}), "not finite in 60 of 60"),
        (maker.scene(GOOD, {**GOOD, "trans": np.array([["x"]])}), "trans of person2"),
        (maker.scene({**GOOD, "trans": np.zeros((0, 3))}, GOOD), "trans of person1"),
        (maker.scene(maker.smpl(maker.person(1, 60), root_orient=None), GOOD), "no root_orient"),
    ],
)
def test_broken_files_are_one_sentence_and_nothing_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, word: str
) -> None:
    monkeypatch.chdir(tmp_path)
    maker.write(tmp_path / "interhuman", "7", content)
    with pytest.raises(BadInput, match=word):
        run(jobs(tmp_path)["7--1"])
    assert not (tmp_path / "hostile-was-run").exists()


def test_nothing_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        jobs(tmp_path)
    assert error.value.field == "root"


# ----------------------------------------------------------------------------------- what they do


def clip_of(truth: maker.Truth) -> Clip:
    return Clip(poses=truth[0], trans=truth[1] - maker.SMPLX_J0, fps=30.0)


@pytest.mark.parametrize(("apart", "touching"), [(2.5, False), (1.5, False), (0.8, True), (0.35, True)])
def test_people_touch_where_their_skins_meet(apart: float, touching: bool) -> None:
    """Arms reach 0.75 m to the front of each: hands meet hands, then chests."""
    first, second = (clip_of(truth) for truth in two(1.0, 30.0, apart=apart, reach=np.pi / 2))
    assert (len(contact_frames(first, second)) == len(first)) is touching
    assert contact_frames(first, second) == contact_frames(second, first)


def test_distances_are_those_of_capsules() -> None:
    """Against the plain definition, point by point and bone by bone, of two random tangles."""
    rng = np.random.default_rng(0)
    mine, other = rng.normal(size=(2, 55, 3)), rng.normal(size=(2, 55, 3)) + 1.5
    start, end, radius = two_people._START, two_people._END, two_people._RADIUS
    for frame, got in enumerate(two_people._one_way(mine, other)):
        gaps = []
        for k, thickness in enumerate(radius):
            for point in (mine[frame, end[k]], 0.5 * (mine[frame, start[k]] + mine[frame, end[k]])):
                for a, b, r in zip(other[frame, start], other[frame, end], radius, strict=True):
                    share = np.clip((point - a) @ (b - a) / max((b - a) @ (b - a), 1e-12), 0, 1)
                    gaps.append(np.linalg.norm(point - a - share * (b - a)) - r - thickness)
        assert got == pytest.approx(min(gaps), abs=1e-9)


def test_contacts_count_frames_of_the_clip() -> None:
    first, (poses, pelvis) = two(20.0, 30.0, apart=3.0, reach=np.pi / 2)
    pelvis[300:320, 0] -= 1.8
    assert contact_frames(clip_of(first), clip_of((poses, pelvis))) == list(range(300, 320))


def test_whose_speed_varies_more_leads() -> None:
    lively, calm = clip_of(maker.person(3, 30, sway=0.9)), clip_of(maker.person(3, 30, sway=0.1))
    assert roles(lively, calm) == ("leader", "follower") and roles(calm, lively) == ("follower", "leader")
    assert roles(calm, calm) == ("symmetric", "symmetric")


def test_a_carried_person_is_not_on_the_floor() -> None:
    assert common_floor([0.01, 0.05]) == pytest.approx(0.03)
    assert common_floor([0.9, 0.02]) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("captions", "kind"),
    [
        (["two people shake their hands", "they greet and shake hands"], "handshake"),
        (["one hugs the other", "they embrace", "one waves"], "hug"),
        (["the first kicks at the second's leg"], "kick"),
        (["they carry on talking"], "talk"),
        (["one hands a cup over to the other"], "give"),
        (["the boxes are spatially spread"], None),
        ([], None),
    ],
)
def test_the_kind_is_in_the_words(captions: list[str], kind: str | None) -> None:
    assert interaction_type(captions) == kind


def test_captions_of_any_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone.\r\n\x00two  words \n")
    assert two_people.captions_of(path) == ["one", "two words"]
    path.write_bytes(b"\x81\x8d")
    assert len(two_people.captions_of(path)) <= 1
    assert two_people.captions_of(tmp_path / "no.txt") == []
