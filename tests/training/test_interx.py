"""Inter-X: two people of 120 fps in one world, who acts, texts of each from the annotations; faults named."""

from __future__ import annotations

import os
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
from understudy.training.data import interx
from understudy.training.data.interx_texts import Division, Judged
from understudy.training.data.job import Converted, Job
from understudy.training.data.raw import Raw

from .makers import interhuman as people
from .makers import interx as maker
from .makers.interx import SHAKE


def jobs(root: Path) -> dict[str, Job]:
    return {job.name: job for job in interx.jobs(Raw(root, root / "cache"))}


def run(job: Job) -> Converted:
    result = job.convert(job.path, **job.arguments)
    assert isinstance(result, Converted)
    return result


def pair(root: Path, scene: str = SHAKE) -> tuple[Clip, Clip]:
    found = jobs(root)
    return run(found[f"{scene}--0"]).clip, run(found[f"{scene}--1"]).clip


def facing_pair(seconds: float = 1.5, fps: float = 120.0) -> list[people.Truth]:
    a, b = (0.0, -0.5), (0.1, 0.6)
    return [
        people.person(seconds, fps, place=a, yaw=people.facing(a, b)),
        people.person(seconds, fps, place=b, yaw=people.facing(b, a), sway=0.1),
    ]


@settings(max_examples=10, deadline=None)
@given(
    up=st.sampled_from(["y", "z"]),
    first=st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3.1, 3.1)),
    second=st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3.1, 3.1)),
    raised=st.floats(-2, 2),
)
def test_the_placement_of_the_two_is_that_of_the_recording(
    up: str, first: tuple[float, ...], second: tuple[float, ...], raised: float
) -> None:
    truths = [people.person(1.0, 120, place=(x, z), yaw=yaw) for x, z, yaw in (first, second)]
    with TemporaryDirectory() as folder:
        home = Path(folder) / "Inter-X_Dataset"
        maker.write(home, SHAKE, *(maker.smplx(truth, up=up, raised=raised) for truth in truths))
        clips = pair(Path(folder))
    assert len(clips[0]) == len(clips[1]) == 30 and clips[0].fps == 30
    apart = clips[1].joints()[:, 0] - clips[0].joints()[:, 0]
    np.testing.assert_allclose(apart, np.tile(truths[1][1][0] - truths[0][1][0], (30, 1)), atol=1e-6)
    for clip, (poses, _) in zip(clips, truths, strict=True):
        turn = rot.geodesic_angle(
            rot.axis_angle_to_matrix(clip.poses[:, 0]), rot.axis_angle_to_matrix(poses[::4, 0])
        )
        assert turn.max() < 1e-4
        assert np.abs(foot_heights(clip)).max() < 0.01


def test_fingers_and_shape_are_kept(tmp_path: Path) -> None:
    truths = facing_pair()
    truths[0][0][:, 25:40, 2] = -0.4 * np.abs(np.sin(np.arange(180) / 20))[:, None]
    maker.write(
        tmp_path / "interx", SHAKE, maker.smplx(truths[0]), maker.smplx(truths[1], gender=np.array("female"))
    )
    one, two = pair(tmp_path)
    np.testing.assert_allclose(one.poses[:, 25:], truths[0][0][::4, 25:], atol=1e-6)
    assert one.known["hands"] and not two.known["hands"] and not one.known["face"]
    assert (one.gender, two.gender) == ("male", "female")
    assert one.meta["original_fps"] == 120 and one.meta["original_frames"] == 180


def test_rows_roles_and_splits(tmp_path: Path) -> None:
    home = tmp_path / "Inter-X_Dataset"
    hug, other = "G002T000A000R000", "G003T000A039R001"
    for scene in (SHAKE, hug, other):
        maker.write(
            home, scene, *map(maker.smplx, facing_pair()), captions=["Two people hug.", "they embrace"]
        )
    maker.annots(home, {SHAKE: 1, hug: np.int64(0), "G9": 7})
    (home / "splits").mkdir()
    (home / "splits/train.txt").write_text(f"{SHAKE}\n{other}\n")
    (home / "splits/test.txt").write_text(f"{hug}\n")
    found = jobs(tmp_path)
    assert list(found) == [f"{scene}--{k}" for scene in (SHAKE, hug, other) for k in (0, 1)]
    items = {name: job.items[0] for name, job in found.items()}
    assert [items[f"{SHAKE}--{k}"].actor for k in (0, 1)] == ["N", "Y"]
    assert [items[f"{hug}--{k}"].actor for k in (0, 1)] == ["Y", "N"]
    assert [items[f"{other}--{k}"].actor for k in (0, 1)] == ["Null", "Null"]
    assert items[f"{SHAKE}--1"].next_partner_motion_name == f"{SHAKE}--0"
    assert items[f"{SHAKE}--0"].last_partner_motion_name == f"{SHAKE}--1"
    assert items[f"{hug}--0"].split == "test" and items[f"{other}--0"].split == "train"
    assert (
        items[f"{hug}--0"].both_text == ["Two people hug", "they embrace"] and items[f"{hug}--0"].text == []
    )
    facts = {name: run(job).metadata.interaction for name, job in found.items()}  # type: ignore[union-attr]
    assert facts[f"{SHAKE}--0"].interaction_type == "handshake"  # type: ignore[union-attr]
    assert facts[f"{other}--0"].interaction_type == "hug"  # type: ignore[union-attr]
    assert [facts[f"{SHAKE}--{k}"].interaction_role for k in (0, 1)] == ["follower", "leader"]  # type: ignore[union-attr]
    assert facts[f"{other}--0"].interaction_role == "leader"  # type: ignore[union-attr]


def judged(number: int, verdict: Any) -> Judged:
    return Judged(
        clip=SHAKE, caption=number, text="x", both=f"both {number}", actor=f"acts {number}", reactor=f"reacts {number}",
        verdict=verdict, votes={},
    )  # fmt: skip


def test_texts_of_each_come_from_the_annotations(tmp_path: Path) -> None:
    home = tmp_path / "interx"
    maker.write(home, SHAKE, *map(maker.smplx, facing_pair()), captions=["Two people shake hands."])
    maker.annots(home, {SHAKE: 1})
    folder = home / "annotations"
    folder.mkdir()
    split = [
        Division(clip=SHAKE, caption=0, text="x", both="b", actor="a", reactor="r"),
        Division(clip=SHAKE, caption=1, text="x", failed="why"),
    ]
    (folder / "split.0000_of_0001.jsonl").write_text("".join(row.model_dump_json() + "\n" for row in split))
    (folder / "split.0000_of_0001.journal.jsonl").write_text("{}\n")
    items = {name: job.items[0] for name, job in jobs(tmp_path).items()}
    assert items[f"{SHAKE}--1"].text == ["a"] and items[f"{SHAKE}--0"].text == ["r"]
    assert items[f"{SHAKE}--0"].both_text == ["Two people shake hands", "b"]
    rows = [judged(0, "keep"), judged(1, "drop"), judged(2, "swap"), judged(3, "skip")]
    for part in (0, 1):
        text = "".join(row.model_dump_json() + "\n" for row in rows[part::2])
        (folder / f"vote.{part:04d}_of_0002.jsonl").write_text(text)
    items = {name: job.items[0] for name, job in jobs(tmp_path).items()}
    assert items[f"{SHAKE}--1"].text == ["acts 0", "acts 2"]
    assert items[f"{SHAKE}--0"].text == ["reacts 0", "reacts 2"]
    assert items[f"{SHAKE}--0"].caption_source == "interx_annotations"


class _Hostile:
    def __reduce__(self) -> Any:
        return os.mkdir, ("hostile-was-run",)


@pytest.mark.parametrize("order", [b"", _Hostile(), [1, 2], b"\x80\x04K\x01"])
def test_a_broken_order_is_named_and_the_motion_is_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "interx"
    maker.write(home, SHAKE, *map(maker.smplx, facing_pair()))
    maker.annots(home, order)
    found = jobs(tmp_path)
    with pytest.raises(BadInput, match=r"interaction_order\.pkl"):
        run(found["interaction_order"])
    assert found[f"{SHAKE}--0"].items[0].actor == "Null" and len(run(found[f"{SHAKE}--0"]).clip) > 10
    assert not (tmp_path / "hostile-was-run").exists()


def test_broken_annotations_are_named(tmp_path: Path) -> None:
    home = tmp_path / "interx"
    maker.write(home, SHAKE, *map(maker.smplx, facing_pair()))
    (home / "annotations").mkdir()
    (home / "annotations/split.0000_of_0001.jsonl").write_text('{"clip": 1}\n')
    found = jobs(tmp_path)
    with pytest.raises(BadInput, match=r"Line 1 of split"):
        run(found["annotations"])
    assert f"{SHAKE}--0" in found


def test_the_longer_one_is_cut(tmp_path: Path) -> None:
    truths = [people.person(1.0, 120), people.person(0.8, 120, place=(1, 0))]
    maker.write(tmp_path / "interx", SHAKE, *map(maker.smplx, truths))
    one, two = pair(tmp_path)
    assert len(one) == len(two) == 24 and "cut from 120" in one.meta["notes"][-1]


GOOD = maker.smplx(people.person(0.5, 120))


@pytest.mark.parametrize(
    ("first", "second", "word"),
    [
        (GOOD, None, "P2.npz is missing"),
        (None, GOOD, "P1.npz is missing"),
        (GOOD, b"", "empty"),
        (GOOD, b"PK\x03\x04", "damaged"),
        (GOOD, {**GOOD, "trans": np.zeros((10, 3))}, r"trans has the shape \(10, 3\)"),
        (GOOD, {**GOOD, "pose_body": np.zeros((60, 20, 3))}, "pose_body"),
        ({key: value for key, value in GOOD.items() if key != "root_orient"}, GOOD, "root_orient"),
        (GOOD, {**GOOD, "trans": np.full((60, 3), np.nan)}, "finite"),
        (GOOD, {**GOOD, "trans": np.array([{}] * 60, dtype=object)}, "pickle"),
    ],
)
def test_broken_files_are_one_sentence(tmp_path: Path, first: Any, second: Any, word: str) -> None:
    maker.write(tmp_path / "interx", SHAKE, first, second, captions=["a"])
    with pytest.raises(BadInput, match=word):
        for job in jobs(tmp_path).values():
            run(job)


def test_nothing_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        jobs(tmp_path)
    assert error.value.field == "root"
