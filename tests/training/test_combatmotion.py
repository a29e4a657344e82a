"""CombatMotion's broken files: the sound one of two serves, captions are made fit for a tokenizer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.training.data import combatmotion
from understudy.training.data.job import Job
from understudy.training.data.raw import Raw

from .makers import combatmotion as maker


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Job]:
    home = maker.make(tmp_path_factory.mktemp("raw"))
    return {job.name: job for job in combatmotion.jobs(Raw(home.parent, home.parent / "cache"))}


def test_all_releases_under_the_folder_are_found(jobs: dict[str, Job]) -> None:
    soul = {"soul_v1/ER000_004070", "soul_v1/MER000_004070", "soul_v1/MHW_001"}
    assert set(jobs) == {f"CMP/CMP00000{i}" for i in range(1, 6)} | soul
    assert not any(job.left_out for job in jobs.values())  # lists with .npy and Windows line ends


@pytest.mark.parametrize("name", ["CMP/CMP000001", "CMP/CMP000002", "CMP/CMP000003", "soul_v1/MHW_001"])
def test_motion_comes_out_of_the_sound_file(jobs: dict[str, Job], name: str) -> None:
    job = jobs[name]
    clip = job.convert(job.path, **job.arguments).clip
    assert len(clip) == 59 and clip.meta["original_frames"] == 40
    assert ("faults" in clip.meta) == (name in ("CMP/CMP000002", "CMP/CMP000003"))


def test_a_motion_without_frames_is_named(jobs: dict[str, Job]) -> None:
    job = jobs["CMP/CMP000004"]
    with pytest.raises(BadInput, match="single pose"):
        job.convert(job.path, **job.arguments)


def test_captions_once_each_in_ascii_with_sound_tokens(jobs: dict[str, Job]) -> None:
    (item,) = jobs["CMP/CMP000001"].items
    assert item.text == ["a fighter strikes", "a heavy strike", "a fighter slashes with a sword, slow"]
    (item,) = jobs["CMP/CMP000005"].items
    assert item.text == ["The character performs the pose, quickly", 'he "turns" to the left']
    assert item.tokens == ["The/DET perform/VERB pose/NOUN", ""]


def test_a_word_that_begins_with_m_is_no_mirror_image(jobs: dict[str, Job]) -> None:
    assert jobs["soul_v1/MHW_001"].items[0].text == ["jumps"]
    mirrored = jobs["soul_v1/MER000_004070"].items[0]
    assert mirrored.text == ["strikes right"] and mirrored.trial == "soul_v1/ER000_004070"


def test_it_is_not_for_commercial_use(jobs: dict[str, Job]) -> None:
    assert not any(item.commercial for job in jobs.values() for item in job.items)


@given(st.text(max_size=80))
def test_any_text_is_survived(content: str) -> None:
    for caption in combatmotion.read_captions(content):
        assert caption.text.isascii() and caption.tokens.isascii() and "\n" not in caption.text
        assert all(len(token.split("/")) == 2 and all(token.split("/")) for token in caption.tokens.split())
