"""BABEL in: every variant of its JSON, actions as items with their seconds, motion from either AMASS release."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.training.data import babel, babel_files
from understudy.training.data.job import Job
from understudy.training.data.raw import Raw

from .makers import amass as made_amass
from .makers import babel as made

WALK = "CMU/141/141_05_poses.npz"


def jobs_of(root: Path) -> dict[str, Job]:
    return {job.name: job for job in babel.jobs(Raw(root, root / "cache"))}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    amass = tmp_path / "amass"
    made_amass.write(amass / "CMU/141/141_05_poses.npz", made_amass.smplh(4, 60))
    made_amass.write(amass / "CMU/141/141_06_poses.npz", made_amass.smplh(2, 60))
    made_amass.write(amass / "SMPLX/Transitions/mazen_c3d/jump_stand_stageii.npz", made_amass.smplx(3, 120))
    made_amass.write(amass / "KIT/3/walk_poses.npz", made_amass.smplh(2, 100))
    return tmp_path


def write(root: Path) -> None:
    made.write(
        root / "babel",
        train=[
            made.entry(
                7692,
                WALK,
                4.0,
                seq_ann=made.annotation(made.label("jump", ["jump"])),
                frame_ann=made.annotation(
                    made.label("hopping right", ["hop", "foot movements"], 2, 3),
                    made.label("hopping left", ["hop"], 1, 2.5),
                    made.label("transition", ["transition"], 3, 4.034),
                    made.label("nothing", None, 3.5, 3.5),
                ),
            ),
            made.entry(12, "CMU/141/141_99_poses.npz", 2.0, seq_ann=None, frame_ann=None),
        ],
        val=[
            made.entry(
                3,
                "Transitions_mocap/mazen_c3d/jump stand_poses.npz",
                3.0,
                seq_ann=made.annotation(made.label("jump to stand", None)),
                frame_ann=None,
            )
        ],
        test=[
            made.entry(
                5,
                "KIT/3/walk_poses.npz",
                2.0,
                seq_ann=made.annotation(made.label(None, None)),
                frame_ann=None,
            )
        ],
        extra_train=[
            made.entry(
                20,
                "CMU/141/141_06_poses.npz",
                2.0,
                seq_anns=[
                    made.annotation(made.label("wave", ["wave"])),
                    made.annotation(made.label("wave", ["wave"])),
                ],
                frame_anns=None,
            ),
            made.entry(
                7692,
                WALK,
                4.0,
                seq_anns=None,
                frame_anns=[made.annotation(made.label("hop about", ["hop"], 0, 4))],
            ),
        ],
        extra_val=[],
    )


def test_actions_become_items_with_their_seconds(root: Path) -> None:
    write(root)
    job = jobs_of(root)["07692"]
    whole, right, left, change, extra = job.items
    assert (whole.kind, whole.start, whole.end, whole.text) == ("whole", 0.0, None, ["jump"])
    assert whole.tokens == ["jump/ACT"]
    assert (right.kind, right.start, right.end, right.text) == ("segment", 2.0, 3.0, ["hopping right"])
    assert babel.categories_of(right.tokens[0]) == ("hop", "foot movements")
    assert (left.start, left.end) == (1.0, 2.5)
    assert (extra.start, extra.end, extra.text) == (0.0, 4.0, ["hop about"])
    assert [item.motion_name for item in job.items] == [f"babel--07692--{k}" for k in range(5)]
    assert all(item.trial == "CMU/141/141_05" and not item.commercial for item in job.items)
    clip = job.convert(job.path, **job.arguments).clip
    assert len(clip) == 120
    placed = change.placed(len(clip), clip.fps, "p", [])  # ends after the motion
    assert placed is not None and (placed.start_frame, placed.end_frame) == (90, 120)


def test_every_variant_of_nothing(root: Path) -> None:
    write(root)
    jobs = jobs_of(root)
    (bare,) = jobs["00005"].items
    assert (bare.split, bare.text, bare.tokens, bare.kind) == ("test", [], [], "whole")
    (once,) = jobs["00020"].items  # two annotators said the same
    assert (once.text, once.split) == (["wave"], "train")
    (uncategorised,) = jobs["00003"].items
    assert (uncategorised.text, uncategorised.tokens, uncategorised.split) == (["jump to stand"], [], "val")


def test_the_motion_is_found_in_either_release(root: Path) -> None:
    write(root)
    job = jobs_of(root)["00003"]
    assert job.path.name == "jump_stand_stageii.npz"
    assert len(job.convert(job.path, **job.arguments).clip) == 90


def test_missing_motion_and_wrong_durations_are_named(root: Path) -> None:
    write(root)
    job = jobs_of(root)["00012"]
    with pytest.raises(BadInput, match="CMU/141/141_99 is not among the AMASS files"):
        job.convert(job.path, **job.arguments)
    made.write(root / "babel", train=[made.entry(1, WALK, 7.0, seq_ann=None, frame_ann=None)])
    job = jobs_of(root)["00001"]
    with pytest.raises(BadInput, match=r"BABEL says 7\.00 s"):
        job.convert(job.path, **job.arguments)


def test_broken_files_do_not_stop_the_others(root: Path) -> None:
    write(root)
    home = root / "babel" / "babel_v1.0_release"
    (home / "val.json").write_text('{"3": {"babel_sid"')
    (home / "extra_train.json").write_bytes(b"\xff\xfe\x00")
    (home / "test.json").write_text("[1, 2]")
    jobs = jobs_of(root)
    assert set(jobs) == {"val.json", "extra_train.json", "test.json", "07692", "00012"}
    for name in ("val.json", "extra_train.json", "test.json"):
        with pytest.raises(BadInput, match=name):
            jobs[name].convert(jobs[name].path, **jobs[name].arguments)


def test_without_babel_or_amass_the_root_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        jobs_of(tmp_path)
    assert error.value.field == "root"
    made.write(tmp_path / "babel", train=[])
    with pytest.raises(BadInput) as error:
        jobs_of(tmp_path)
    assert error.value.field == "root"


anything = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "seq_ann",
                    "frame_ann",
                    "seq_anns",
                    "labels",
                    "raw_label",
                    "act_cat",
                    "start_t",
                    "end_t",
                    "dur",
                    "feat_p",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(anything)
def test_no_annotation_whatever_stops_the_reading(value: object) -> None:
    entries: dict[str, babel_files.Entry] = {}
    babel_files._add(entries, "1", value, "train")
    base = {"feat_p": "CMU/CMU/1/1_poses.npz", **(value if isinstance(value, dict) else {})}
    babel_files._add(entries, "2", base, "train")
    for entry in entries.values():
        assert babel.items_of(entry)
