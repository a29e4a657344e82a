"""100STYLE: frames of the style only, whatever the channel order; captions of style and movement; the authors' split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from understudy.backend.errors import BadInput
from understudy.backend.motion.skeleton import INDEX
from understudy.training.data import style100
from understudy.training.data.job import Job
from understudy.training.data.raw import Raw
from understudy.training.data.style100 import HELD_OUT, MOVEMENTS, convert
from understudy.training.retargeting.verify import bone_angles, left_is_left, standing_feet

from .makers import style100 as maker


def jobs(root: Path) -> dict[str, Job]:
    return {job.name: job for job in style100.jobs(Raw(root, root / "cache"))}


def run(job: Job):  # type: ignore[no-untyped-def]
    return job.convert(job.path, **job.arguments)


def test_only_the_frames_of_the_style_are_kept_at_thirty_a_second(tmp_path: Path) -> None:
    maker.write(tmp_path, {"Angry": {"FW": (20, 100), "BW": (20, 9999), "TR2": None}})
    found = jobs(tmp_path)
    walk = run(found["Angry_FW"])
    assert len(walk) == 40 and walk.fps == 30
    assert walk.meta["original_fps"] == 60 and walk.meta["original_frames"] == 80
    arm = walk.joints()[:, INDEX["left_wrist"]] - walk.joints()[:, INDEX["left_shoulder"]]
    assert arm[:, 1].max() < -0.4  # no T-pose in it
    assert len(run(found["Angry_BW"])) == 50  # a stop beyond the end means the end
    assert "no frames" in found["Angry_TR2"].left_out
    assert found["Angry_FW"].left_out == ""


@pytest.mark.parametrize(
    "turns", [maker.TURNS, "Zrotation Xrotation Yrotation", "Xrotation Yrotation Zrotation"]
)
def test_limbs_point_where_the_actors_do_in_any_channel_order(tmp_path: Path, turns: str) -> None:
    maker.write(tmp_path, {"Neutral": {"FW": (20, 120)}}, turns=turns, heading=0.7)
    job = jobs(tmp_path)["Neutral_FW"]
    clip = run(job)
    motion, rig = style100.source_of(job)
    angles = bone_angles(clip, motion, rig)
    assert len(motion) == len(clip) and len(angles) == 8
    assert max(a.max() for a in angles.values()) < 0.01
    assert left_is_left(clip)
    ahead = np.array([np.sin(0.7), 0, np.cos(0.7)])
    joints = clip.joints()[0]
    assert (joints[INDEX["left_ankle"]] - joints[INDEX["left_knee"]]) @ ahead < -0.2
    assert (clip.trans[-1] - clip.trans[0]) @ ahead == pytest.approx(49 / 30 * clip.meta["scale"], abs=0.01)


def test_standing_feet_are_on_the_floor(tmp_path: Path) -> None:
    maker.write(tmp_path, {"Neutral": {"ID": (0, 20)}}, speed=0.0)
    feet = standing_feet(run(jobs(tmp_path)["Neutral_ID"]))
    assert feet.frames == 20 and feet.within_2cm == 1.0


def test_captions_split_symmetry_and_licence(tmp_path: Path) -> None:
    maker.write(
        tmp_path,
        {
            "LimpLeft": {"BW": (0, 60)},
            "Skip": {"FR": (0, 60)},
            "Depressed": {"ID": (0, 60)},
            "Moonwalk": {"FW": (0, 60)},
        },
        symmetric={"LimpLeft": "No"},
    )
    found = jobs(tmp_path)
    limp = found["LimpLeft_BW"].items[0]
    assert limp.text[0] == "a person walks backwards with a limp on the left leg"
    assert (limp.split, limp.commercial, limp.licence, limp.emotion) == ("train", True, "CC-BY-4.0", "")
    assert found["Skip_FR"].items[0].split == "test" and "Skip" in HELD_OUT
    sad = found["Depressed_ID"].items[0]
    assert sad.emotion == "sad" and sad.metadata.emotion is not None
    assert found["Moonwalk_FW"].items[0].text == []  # a style without words
    assert run(found["LimpLeft_BW"]).meta["symmetric"] is False
    assert run(found["Skip_FR"]).meta["symmetric"] is True


def test_every_style_and_movement_has_words(tmp_path: Path) -> None:
    styles = {row["style"]: row for row in Raw(tmp_path, tmp_path).table("100style/styles.csv")}
    assert len(styles) == 100 and set(MOVEMENTS) == set(maker.MOVEMENTS) and set(styles) > HELD_OUT
    assert all(row["how"] or name == "Neutral" for name, row in styles.items())
    for name, row in styles.items():
        for side, other in (("Left", "right"), ("Right", "left")):
            if side in name:
                assert side.lower() in row["how"] and other not in row["how"].split(), name


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda text: text[: text.rindex("\n", 0, len(text) // 2)], "promises"),
        (lambda text: text[: len(text) // 2], "promises|damaged"),
        (lambda text: text.replace("91.000000", "nan"), "finite"),
        (lambda text: text.replace("Frames:\t120", "Frames:\t5"), "promises"),
        (lambda text: text.replace("0.016667", "-1"), "frame time"),
        (lambda text: maker.motion(skip="LeftToe"), "LeftToe"),
        (lambda text: maker.motion(frames=10), "begins at 20"),
    ],
)
def test_a_broken_file_is_one_sentence_and_stops_nothing(tmp_path: Path, change: object, word: str) -> None:
    home = maker.write(tmp_path, {"Angry": {"FW": (20, 100), "BW": (20, 100)}})
    path = home / "Angry/Angry_FW.bvh"
    path.write_text(change(path.read_text()))  # type: ignore[operator]
    found = jobs(tmp_path)
    with pytest.raises(BadInput, match=word):
        run(found["Angry_FW"])
    assert len(run(found["Angry_BW"])) == 40


def test_damaged_side_files_are_survived(tmp_path: Path) -> None:
    home = maker.write(tmp_path, {"Angry": {"FW": (20, 100), "BW": (30, 10)}})
    (home / "Dataset_List.csv").write_bytes(b"\xff\xfe\x00,,,\r\nAngry")
    found = jobs(home)  # the folder itself is a root too
    assert "symmetric" not in run(found["Angry_FW"]).meta
    assert found["Angry_BW"].left_out  # stops before it starts
    (home / "Dataset_List.csv").unlink()
    (home / "Frame_Cuts.csv").write_text("nonsense\n1,2,3,4\n")
    assert all(job.left_out for job in jobs(tmp_path).values())
    (home / "Frame_Cuts.csv").unlink()
    with pytest.raises(BadInput) as error:
        jobs(tmp_path)
    assert error.value.field == "root"


def test_a_file_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.bvh"
    path.write_text(maker.motion(frames=61, lead=0))
    assert len(convert(path)) == 31
