"""Bandai-Namco's stylised BVH: every layout of the download, limbs and sides, honest captions, a fixed split."""

from __future__ import annotations

import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from understudy.backend.errors import BadInput
from understudy.backend.motion.skeleton import INDEX
from understudy.training.data import bandai_namco
from understudy.training.data.bandai_namco import REPEATS, VAL, Phrases, convert
from understudy.training.data.job import Job
from understudy.training.data.raw import Raw
from understudy.training.retargeting.verify import bone_angles, left_is_left, standing_feet

from .makers import bandai_namco as maker

NAMES = ["dataset-1_bow_happy_001", "dataset-1_walk-left_normal_001", "dataset-2_walk_elderly_003"]


def jobs(root: Path) -> dict[str, Job]:
    return {job.name: job for job in bandai_namco.jobs(Raw(root, root / "cache"))}


def one(tmp_path: Path, **options: object) -> Path:
    home = maker.write(tmp_path, NAMES[2:], **options)  # type: ignore[arg-type]
    return home / f"dataset-2/{NAMES[2]}.bvh"


def test_every_layout_of_the_download_gives_the_same_jobs(tmp_path: Path) -> None:
    home = maker.write(tmp_path / "plain", NAMES)
    maker.write(tmp_path / "owners", NAMES, layout="owners")
    (tmp_path / "packed/bandai_namco").mkdir(parents=True)
    with tarfile.open(tmp_path / "packed/bandai_namco/bvh.tar.xz", "w:xz") as tar:
        for part in ("dataset-1", "dataset-2"):
            tar.add(home / part, part)
    for part in ("1", "2"):
        folder = tmp_path / f"zipped/bandai_namco/dataset/Bandai-Namco-Research-Motiondataset-{part}"
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / "data.zip", "w") as packed:
            for path in (home / f"dataset-{part}").glob("*.bvh"):
                packed.write(path, f"data/../../{path.name}")
    for root in ("plain", "owners", "packed", "zipped", "plain/bandai_namco", "packed/bandai_namco"):
        found = jobs(tmp_path / root)
        assert list(found) == NAMES, root
        assert all(len(job.convert(job.path)) == 40 for job in found.values())


def test_nothing_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        jobs(tmp_path)
    assert error.value.field == "root"
    (tmp_path / "bandai_namco").mkdir()
    (tmp_path / "bandai_namco/bvh.tar.xz").write_bytes(b"no archive")
    with pytest.raises(BadInput, match="cannot be unpacked"):
        jobs(tmp_path)


@pytest.mark.parametrize("heading", [0.0, 2.0])
@pytest.mark.parametrize("raised", ["L", "R"])
def test_limbs_point_where_the_actors_do(tmp_path: Path, raised: str, heading: float) -> None:
    path = one(tmp_path, raised=raised, heading=heading)
    clip = convert(path)
    motion, rig = bandai_namco.read_motion(path)
    angles = bone_angles(clip, motion, rig)
    assert (
        "joint_Root" not in motion.names and motion.parents[motion.index("Hips")] == -1
    )  # no bone of the body
    assert len(angles) == 8 and max(a.max() for a in angles.values()) < 0.01
    assert left_is_left(clip)
    joints = clip.joints()[10]
    ahead, left = (
        np.array([np.sin(heading), 0, np.cos(heading)]),
        np.array([np.cos(heading), 0, -np.sin(heading)]),
    )
    side, other = ("left", "right") if raised == "L" else ("right", "left")
    forearm = joints[INDEX[f"{side}_wrist"]] - joints[INDEX[f"{side}_elbow"]]
    hanging = joints[INDEX[f"{other}_wrist"]] - joints[INDEX[f"{other}_elbow"]]
    assert forearm @ ahead > 0.24 and hanging[1] < -0.24
    assert (
        joints[INDEX["left_ankle"]] - joints[INDEX["left_knee"]]
    ) @ ahead < -0.15  # a knee bends backwards
    assert (joints[INDEX["left_shoulder"]] - joints[INDEX["right_shoulder"]]) @ left > 0.25
    toes = joints[INDEX["right_foot"]] - joints[INDEX["right_ankle"]]
    assert toes @ ahead > 0.1


def test_palms_face_in_when_the_arms_hang(tmp_path: Path) -> None:
    """The thumb of a hanging hand is in front; of a forearm held ahead it is on the inner side or above."""
    clip = convert(one(tmp_path, raised="R"))
    joints = clip.joints()[0]
    thumb = joints[INDEX["left_thumb3"]] - joints[INDEX["left_wrist"]]
    assert thumb[2] > 0.03


def test_hips_go_where_their_position_says_not_their_offset(tmp_path: Path) -> None:
    clip = convert(one(tmp_path, speed=1.5, frames=61))
    assert len(clip) == 61  # 0.0333333 is 30 frames a second, the last one included
    assert clip.meta["original_frames"] == 61 and clip.meta["original_fps"] == 30
    path = clip.trans[-1] - clip.trans[0]
    assert path[2] == pytest.approx(3.0 * clip.meta["scale"], abs=1e-3) and abs(path[0]) < 1e-3


def test_standing_feet_are_on_the_floor(tmp_path: Path) -> None:
    clip = convert(one(tmp_path, speed=0.0, knee=0.0))
    feet = standing_feet(clip)
    assert feet.frames == 80 and feet.within_2cm == 1.0 and abs(feet.median) < 2e-3
    trunk = clip.joints()[0, INDEX["head"]] - clip.joints()[0, 0]
    assert trunk[1] > 0.45 and abs(trunk[2]) < 0.12


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda text: text[: len(text) // 2], "promises"),
        (lambda text: text.replace("Frames:\t40", "Frames:\t41"), "promises"),
        (lambda text: text.replace("0.0333333", "0"), "frame time"),
        (lambda text: text.replace("0.0333333", "nan"), "frame time"),
        (lambda text: "", "HIERARCHY"),
        (lambda text: maker.motion(skip="Toes_R"), "Toes_R"),
    ],
)
def test_a_broken_file_is_one_sentence_and_stops_nothing(tmp_path: Path, change: object, word: str) -> None:
    home = maker.write(tmp_path, NAMES)
    path = home / f"dataset-1/{NAMES[0]}.bvh"
    path.write_text(change(path.read_text()))  # type: ignore[operator]
    found = jobs(tmp_path)
    with pytest.raises(BadInput, match=word):
        found[NAMES[0]].convert(found[NAMES[0]].path)
    assert len(found[NAMES[1]].convert(found[NAMES[1]].path)) == 40


def test_captions_tell_content_and_style_and_stay_the_same(tmp_path: Path) -> None:
    maker.write(tmp_path, [*NAMES, "dataset-1_dance-long_normal_001", "dataset-3_juggle_happy_001"])
    found = jobs(tmp_path)
    bow = found[NAMES[0]].items[0]
    assert len(bow.text) == 3 and all("bow" in text or "waist" in text for text in bow.text)
    happy = ("happy", "cheerful", "happily", "joy")
    assert all(sum(word in text for word in happy) == 1 for text in bow.text)
    assert bow.text == jobs(tmp_path)[NAMES[0]].items[0].text
    assert (bow.emotion, bow.commercial, bow.licence, bow.actor) == ("happy", False, "CC-BY-NC-4.0", "Null")
    assert bow.metadata.emotion is not None and bow.metadata.emotion.emotion_label == "happy"
    assert bow.trial == NAMES[0] and "Bandai Namco" in bow.source
    assert found[NAMES[2]].items[0].emotion == "elderly"
    assert found[NAMES[2]].items[0].metadata.emotion is None  # no emotion: no label
    assert "dance" in found["dataset-1_dance-long_normal_001"].items[0].text[0]
    assert found["dataset-3_juggle_happy_001"].items[0].text == []  # a content without words


def test_a_direction_across_the_stage_is_no_direction_of_the_walk(tmp_path: Path) -> None:
    phrases = Phrases.of(Raw(tmp_path, tmp_path))
    for side, other in (("left", "right"), ("right", "left")):
        for style in phrases.styles:
            texts = phrases.captions(f"x{style}", f"walk-{side}", style)
            assert all(side in text and other not in text for text in texts)
            assert not any(word in text for text in texts for word in ("leftward", "rightward", "sideways"))


def test_every_published_label_has_captions(tmp_path: Path) -> None:
    phrases = Phrases.of(Raw(tmp_path, tmp_path))
    assert len(phrases.contents) == 24 and len(phrases.styles) == 19
    for content in phrases.contents:
        for style in phrases.styles:
            texts = phrases.captions("some clip", content, style)
            assert len(texts) == 3 and not any("{" in t or "  " in t or t != t.strip() for t in texts)


def test_a_users_damaged_phrases_are_named(tmp_path: Path) -> None:
    home = maker.write(tmp_path, NAMES)
    (home / "phrases.json").write_text('{"contents": []}')
    with pytest.raises(BadInput, match="phrases"):
        jobs(tmp_path)


def test_the_validation_split_is_fixed_fair_and_apart(tmp_path: Path) -> None:
    assert 0.045 < len(VAL) / 2922 < 0.055
    assert not VAL & (set(REPEATS) | set(REPEATS.values()))
    second = [name.split("_") for name in VAL if name.startswith("dataset-2")]
    assert len({(content, style) for _, content, style, _ in second}) == 70  # every content in every style
    assert len(Counter(name.split("_")[1] for name in VAL if name.startswith("dataset-1"))) == 10
    name = min(VAL)
    maker.write(tmp_path, [name, NAMES[0]])
    assert {n: job.items[0].split for n, job in jobs(tmp_path).items()} == {name: "val", NAMES[0]: "train"}


def test_repeated_stretches_count_once(tmp_path: Path) -> None:
    pair = ["dataset-2_walk-turn-right_normal_028", "dataset-2_walk-turn-right_normal_032"]
    maker.write(tmp_path, pair)
    found = jobs(tmp_path)
    assert len(REPEATS) == 8 and not set(REPEATS) & set(REPEATS.values())
    assert found[pair[0]].left_out == "" and pair[0] in found[pair[1]].left_out
