"""A folder of anybody's SMPL-X files: captions beside them, licence in dataset.toml, unknown means not commercial."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from understudy.backend.errors import BadInput
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.npz import write_clip
from understudy.training.data import smplx_folder
from understudy.training.data.job import Converted, Job
from understudy.training.data.raw import Raw

from .makers import amass as made


def jobs_of(root: Path) -> dict[str, Job]:
    return {job.name: job for job in smplx_folder.jobs(Raw(root, root / "cache"))}


def clip_of(job: Job) -> Clip:
    result = job.convert(job.path, **job.arguments)
    assert isinstance(result, Converted)
    return result.clip


def own_clip(seconds: float, fps: float = 30.0) -> Clip:
    poses, pelvis = made.motion(made.times(seconds, fps))
    known = {"lower_trans": True, "upper": True, "hands": False, "face": False}
    return Clip(poses=poses, trans=pelvis - made.SMPLX_J0, fps=fps, known=known, meta={"prompt": "wave"})


def test_every_dialect_gives_the_same_motion(tmp_path: Path) -> None:
    home = tmp_path / "smplx_folder"
    made.write(home / "smplh.npz", made.smplh(3, 120))
    made.write(home / "sub/smplx.npz", made.smplx(3, 60, tagged=60))
    for dialect in ("amass", "smplx"):
        write_clip(own_clip(3, 60), home / f"own_{dialect}.npz", dialect=dialect)
    jobs = jobs_of(tmp_path)
    assert set(jobs) == {"own_amass", "own_smplx", "smplh", "sub/smplx"}
    clips = {name: clip_of(job) for name, job in jobs.items()}
    reference = clips["own_amass"]
    for name, clip in clips.items():
        assert len(clip) == 90 and clip.fps == 30, name
        moved = clip.joints() - reference.joints()
        np.testing.assert_allclose(moved - moved[0, 0], 0, atol=2e-3, err_msg=name)
    assert clips["own_amass"].known["hands"] is False and clips["own_amass"].meta["prompt"] == "wave"
    assert clips["smplh"].known["hands"] is True
    assert clips["smplh"].meta["original_fps"] == 120 and clips["smplh"].meta["original_frames"] == 360


def test_a_file_of_ours_is_read_as_it_is(tmp_path: Path) -> None:
    """What a clip on the floor says is kept: converting it again moves nothing."""
    home = tmp_path / "smplx_folder"
    home.mkdir()
    write_clip(own_clip(3), home / "a.npz")
    once = clip_of(jobs_of(tmp_path)["a"])
    write_clip(once, home / "a.npz")
    twice = clip_of(jobs_of(tmp_path)["a"])
    np.testing.assert_allclose(twice.joints(), once.joints(), atol=1e-4)


def test_captions_from_side_files_and_a_table(tmp_path: Path) -> None:
    home = tmp_path / "smplx_folder"
    for name in ("wave", "walk", "deep/turn", "bare"):
        made.write(home / f"{name}.npz", made.smplx(3, 60, tagged=60))
    (home / "wave.txt").write_text("a person waves\n\nsomeone  greets #1\nhe nods#he/PRON nod/VERB#1.0#2.0\n")
    (home / "captions.csv").write_text(
        "file,caption,start,end,split\n"
        "walk.npz,a person walks,,,val\n"
        "walk,a step,0.5,1.5,\n"
        "deep/turn.npz,a turn,,,\n"
        "walk,nonsense,2,1,\n"
        "walk,nonsense,0,1,elsewhere\n"
    )
    (home / "deep/captions.csv").write_text("file,caption\nturn.npz,a quarter turn\n")
    jobs = jobs_of(tmp_path)
    whole, part = jobs["wave"].items
    assert whole.text == ["a person waves", "someone greets #1"] and whole.kind == "whole"
    assert (part.text, part.start, part.end, part.tokens) == (["he nods"], 1.0, 2.0, ["he/PRON nod/VERB"])
    walk, step = jobs["walk"].items
    assert (walk.text, walk.split) == (["a person walks"], "val")
    assert (step.text, step.start, step.end, step.motion_name) == (["a step"], 0.5, 1.5, "walk--1")
    assert jobs["deep/turn"].items[0].text == ["a turn", "a quarter turn"]
    assert jobs["bare"].items[0].text == [] and jobs["bare"].items[0].caption_source == ""
    faults = [job for name, job in jobs.items() if name.startswith("captions.csv")]
    assert len(faults) == 2
    with pytest.raises(BadInput, match=r"Line 5 of captions\.csv"):
        clip_of(faults[0])


def test_the_licence_is_unknown_until_it_is_told(tmp_path: Path) -> None:
    home = tmp_path / "smplx_folder"
    made.write(home / "a.npz", made.smplx(1, 60))
    made.write(home / "free/b.npz", made.smplx(1, 60))
    made.write(home / "free/deeper/c.npz", made.smplx(1, 60))
    (home / "free/dataset.toml").write_text(
        'name = "Studio"\nlicence = "CC BY 4.0"\ncommercial = true\nsource = "Studio X, 2026"\nsplit = "test"\n'
    )
    jobs = jobs_of(tmp_path)
    a, b, c = (jobs[name].items[0] for name in ("a", "free/b", "free/deeper/c"))
    assert (a.licence, a.commercial) == ("unknown", False)
    for item in (b, c):
        assert (item.licence, item.commercial, item.source, item.split) == (
            "CC BY 4.0",
            True,
            "Studio X, 2026",
            "test",
        )


@pytest.mark.parametrize(
    "content", ["name = ", 'licence = "x"\ncommercial = "perhaps"\n', "colour = 3\n", "\udcff"]
)
def test_an_unreadable_licence_is_no_licence(content: str, tmp_path: Path) -> None:
    home = tmp_path / "smplx_folder"
    made.write(home / "a.npz", made.smplx(1, 60))
    (home / "dataset.toml").write_bytes(content.encode("utf-8", "surrogateescape"))
    jobs = jobs_of(tmp_path)
    assert set(jobs) == {"a", "dataset.toml"}
    for job in jobs.values():
        assert not job.items
        with pytest.raises(BadInput, match=r"dataset\.toml") as error:
            clip_of(job)
        assert "\n" not in error.value.message


def test_the_dialect_settles_the_up_axis(tmp_path: Path) -> None:
    """A file that lies down all the time and has no key that tells."""
    home = tmp_path / "smplx_folder"
    t = made.times(1, 30)
    poses, pelvis = made.motion(t)
    poses[:, 0] = [np.pi / 2, 0, 0]
    keys = {"poses": poses.reshape(len(t), 165), "trans": pelvis - made.SMPLX_J0, "fps": np.array(30.0)}
    made.write(home / "lying.npz", keys)
    (home / "dataset.toml").write_text('dialect = "smplx"\n')
    clip = clip_of(jobs_of(tmp_path)["lying"])
    np.testing.assert_allclose(clip.poses, poses, atol=1e-9)


def test_bad_files_are_named_and_never_run(tmp_path: Path) -> None:
    home = tmp_path / "smplx_folder"
    trace = tmp_path / "trace"
    made.write(home / "hostile.npz", made.smplx(1, 60, poses=made.hostile(trace)))
    made.write(home / "shape.npz", {"betas": np.zeros(10)})
    made.write(home / "nan.npz", made.smplx(1, 60, trans=np.full((60, 3), np.nan)))
    (home / "empty.npz").write_bytes(b"")
    (home / "cut.npz").write_bytes((home / "nan.npz").read_bytes()[:400])
    (home / ".hidden.npz").write_bytes(b"")
    jobs = jobs_of(tmp_path)
    assert set(jobs) == {"hostile", "shape", "nan", "empty", "cut"}
    for name, job in jobs.items():
        with pytest.raises(BadInput, match=rf"{name}\.npz"):
            clip_of(job)
    assert not trace.exists()


def test_other_sets_under_the_root_are_not_taken(tmp_path: Path) -> None:
    made.write(tmp_path / "beat2/2_scott_0_1_1.npz", made.smplx(1, 60))
    with pytest.raises(BadInput):
        jobs_of(tmp_path)
    (tmp_path / "dataset.toml").write_text('name = "mine"\n')
    assert set(jobs_of(tmp_path)) == {"beat2/2_scott_0_1_1"}


def test_an_empty_folder_is_a_wrong_root(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        jobs_of(tmp_path)
    assert error.value.field == "root"
