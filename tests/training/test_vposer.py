"""VPoser's three stages: what is drawn, what is added, how it is recorded and continued."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from understudy.backend.errors import BadInput, JobFailed
from understudy.backend.motion.npz import read_clip
from understudy.training.cli import main
from understudy.training.data.item import Item
from understudy.training.vposer import stages
from understudy.training.vposer.augment import Noise, augmented
from understudy.training.vposer.columns import Columns, read_column
from understudy.training.vposer.parallel import ordered
from understudy.training.vposer.sources import amass_sequences, picked, store_sequences
from understudy.training.vposer.stages import Settings, run

from .makers import vposer as maker


@pytest.fixture(scope="module")
def amass(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return maker.write_amass(tmp_path_factory.mktemp("amass"))


@pytest.fixture(scope="module")
def made(amass: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("vposer")
    run(Settings(amass=amass), out)
    return out


def load(path: Path) -> np.ndarray:
    return torch.load(path, weights_only=True).numpy()


def test_splits_hold_old_and_new_names(amass: Path) -> None:
    found, left_out = amass_sequences(amass)
    splits = {s.name: s.split for s in found if "KIT" not in s.name}
    assert splits == {
        "CMU/01/01_01": "train", "CMU/01/01_02": "train", "PosePrior/03100/op7": "train",
        "BMLrub/rub001/0000_treadmill_norm": "train", "BML/rub002/0001_jog": "train",
        "HDM05/bk/HDM_bk_01-01_01_120": "vald", "MoSh/50002/misc": "vald",
        "SSM/20160330_03333/jump": "test", "Transitions/mazen/jump_kick": "test",
    }  # fmt: skip
    assert left_out == {"GRAB/s1/cup_drink_1": "GRAB is in no split."}
    kick = next(s for s in found if "kick" in s.name)
    assert kick.path.name == "jump kick_poses.npz"  # one sequence, from the release that has DMPLs


@given(st.integers(0, 5000), st.sampled_from([0.1, 0.3, 0.5, 1.0]), st.integers(0, 5))
def test_frames_are_central_and_drawn_once(frames: int, keep: float, seed: int) -> None:
    chosen = picked(frames, "CMU/01/01_01", seed, keep)
    assert len(set(chosen)) == len(chosen) == int(keep * 0.8 * frames)
    assert all(int(0.1 * frames) <= frame < int(0.9 * frames) for frame in chosen)


def test_the_seed_and_the_name_decide() -> None:
    chosen = picked(1000, "CMU/01/01_01", 1, 0.3)
    np.testing.assert_array_equal(chosen, picked(1000, "CMU/01/01_01", 1, 0.3))
    assert not np.array_equal(chosen, picked(1000, "CMU/01/01_01", 2, 0.3))
    assert not np.array_equal(chosen, picked(1000, "CMU/01/01_02", 1, 0.3))
    # Every central frame is as likely as another.
    counts = sum(np.bincount(picked(100, str(i), 0, 0.3), minlength=100) for i in range(400))
    assert counts[:10].sum() == counts[90:].sum() == 0
    assert counts[10:90].min() > 60 and counts[10:90].max() < 190


def test_stage_one_holds_the_numbers_of_the_files(amass: Path, made: Path) -> None:
    folder = made / "stage_I" / "train"
    table = {name: load(folder / f"{name}.pt") for name in ("pose", "betas", "trans", "gender", "dmpl")}
    assert [table[name].shape[1:] for name in ("pose", "betas", "trans", "gender", "dmpl")] == [
        (156,), (16,), (3,), (), (8,),
    ]  # fmt: skip
    expected = sum(int(0.3 * 0.8 * n) for n in (100, 57, 80, 60, 70))
    assert {len(rows) for rows in table.values()} == {expected}
    assert sorted(set(table["gender"])) == [-1, 0, 1] and table["gender"].dtype == np.int16

    with np.load(amass / "CMU" / "01" / "01_01_poses.npz") as file:
        frames = picked(100, "CMU/01/01_01", 100, 0.3)
        start = np.flatnonzero(np.isclose(table["pose"][:, 0], file["poses"][frames[0], 0]))[0]
        rows = slice(start, start + len(frames))
        np.testing.assert_allclose(table["pose"][rows], file["poses"][frames], rtol=1e-6)
        np.testing.assert_allclose(table["trans"][rows], file["trans"][frames], rtol=1e-6)
        np.testing.assert_allclose(table["dmpl"][rows], file["dmpls"][frames], rtol=1e-6)
        np.testing.assert_allclose(table["betas"][rows], np.tile(file["betas"], (len(frames), 1)), rtol=1e-6)
        assert set(table["gender"][rows]) == {-1}
    with np.load(amass / "PosePrior" / "03100" / "op7_stageii.npz") as file:
        frames = picked(70, "PosePrior/03100/op7", 100, 0.3)
        start = np.flatnonzero(np.isclose(table["pose"][:, 0], file["poses"][frames[0], 0]))[0]
        body_and_hands = np.delete(file["poses"][frames], np.s_[66:75], axis=1)  # no jaw, no eyes
        rows = slice(start, start + len(frames))
        np.testing.assert_allclose(table["pose"][rows], body_and_hands, rtol=1e-6)
        assert not table["dmpl"][rows].any() and set(table["gender"][rows]) == {0}


def test_no_sequence_is_drawn_twice(made: Path) -> None:
    """The authors' loop draws earlier subsets again for each later one."""
    pose = load(made / "stage_I" / "train" / "pose.pt")
    assert len(np.unique(pose, axis=0)) == len(pose)


def test_broken_files_are_named_with_the_reason(made: Path) -> None:
    skipped = json.loads((made / "settings.json").read_text())["stage_I"]["train"]["skipped"]
    assert {name.removeprefix("KIT/3/") for name in skipped} == set(maker.BROKEN)
    log = (made / "vposer.log").read_text()
    for name, word in maker.BROKEN.items():
        assert word in skipped[f"KIT/3/{name}"], name
        assert f"KIT/3/{name}: " in log
    assert "GRAB" in log and "noise" in log and torch.__version__ in log


def test_a_split_of_smplx_files_has_no_dmpls(made: Path) -> None:
    vald = made / "stage_I" / "vald"
    assert len(load(vald / "dmpl.pt")) == len(load(vald / "pose.pt"))
    out = made.parent / "only_smplx"
    source = made.parent / "smplx"
    maker.write_smplx(source / "CMU" / "01" / "01_01_stageii.npz")
    run(Settings(amass=source), out)
    assert not (out / "stage_I" / "train" / "dmpl.pt").exists()
    with h5py.File(out / "stage_II" / "train.h5") as file:
        assert sorted(file) == ["betas", "gender", "pose", "pose_matrot", "trans"]


def test_stage_two_adds_matrices(made: Path) -> None:
    with h5py.File(made / "stage_II" / "train.h5") as file:
        assert file["gender"].dtype == np.int16
        pose, matrices = file["pose"][:], file["pose_matrot"][:]
        assert matrices.shape == (len(pose), 52 * 9)
        expected = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(len(pose), -1)
        np.testing.assert_allclose(matrices, expected, atol=1e-6)
        for name in ("pose", "betas", "trans", "gender", "dmpl"):
            np.testing.assert_array_equal(file[name][:], load(made / "stage_I" / "train" / f"{name}.pt"))


def test_stage_three_is_stage_two(made: Path) -> None:
    for split in ("train", "vald", "test"):
        with h5py.File(made / "stage_II" / f"{split}.h5") as file:
            for name in file:
                np.testing.assert_array_equal(load(made / "stage_III" / split / f"{name}.pt"), file[name][:])


def test_noise_is_added_to_training_poses_only(amass: Path, made: Path, tmp_path: Path) -> None:
    run(Settings(amass=amass, noise=0.1, copies=3), tmp_path)
    clean = load(made / "stage_I" / "train" / "pose.pt")
    with h5py.File(tmp_path / "stage_II" / "train.h5") as file:
        pose, matrices = file["pose"][:], file["pose_matrot"][:]
        assert (
            file.attrs["noise"] == 0.1
            and file.attrs["copies"] == 3
            and file.attrs["clean_rows"] == len(clean)
        )
        assert len(pose) == 3 * len(clean)
        np.testing.assert_array_equal(file["trans"][len(clean) : 2 * len(clean)], file["trans"][: len(clean)])
    np.testing.assert_array_equal(pose[: len(clean)], clean)
    one, two = pose[len(clean) : 2 * len(clean)], pose[2 * len(clean) :]
    turns = [
        (
            Rotation.from_rotvec(clean.reshape(-1, 3)).inv() * Rotation.from_rotvec(noisy.reshape(-1, 3))
        ).as_rotvec()
        for noisy in (one, two)
    ]
    for turn in turns:  # the standard deviation that was asked for, about each axis
        np.testing.assert_allclose(turn.std(axis=0), 0.1, rtol=0.05)
        np.testing.assert_allclose(turn.mean(axis=0), 0.0, atol=0.01)
    assert abs(np.corrcoef(turns[0].ravel(), turns[1].ravel())[0, 1]) < 0.05  # each copy its own noise
    expected = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(len(pose), -1)
    np.testing.assert_allclose(matrices, expected, atol=1e-5)
    for split in ("vald", "test"):
        np.testing.assert_array_equal(
            load(tmp_path / "stage_III" / split / "pose.pt"), load(made / "stage_III" / split / "pose.pt")
        )
    assert "noise 0.1 rad" in (tmp_path / "vposer.log").read_text()


def test_noise_near_half_a_turn_stays_a_small_turn() -> None:
    pose = np.tile([np.pi - 1e-3, 0, 0], (200, 52)).reshape(200, 156).astype(np.float32)
    noisy = augmented(pose, Noise(0.05, (1,)))["pose"]
    turn = Rotation.from_rotvec(pose.reshape(-1, 3)).inv() * Rotation.from_rotvec(noisy.reshape(-1, 3))
    assert turn.magnitude().max() < 0.05 * 6
    assert np.linalg.norm(noisy.reshape(-1, 3), axis=1).max() <= np.pi + 1e-5


def test_processes_and_blocks_change_nothing(
    amass: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "BLOCK", 50)
    run(Settings(amass=amass, noise=0.05), tmp_path / "one", stages=(1, 2))
    run(Settings(amass=amass, noise=0.05), tmp_path / "two", stages=(1, 2), workers=2)
    for path in sorted((tmp_path / "one").rglob("*.pt")):
        np.testing.assert_array_equal(load(path), load(tmp_path / "two" / path.relative_to(tmp_path / "one")))
    with (
        h5py.File(tmp_path / "one" / "stage_II" / "train.h5") as one,
        h5py.File(tmp_path / "two" / "stage_II" / "train.h5") as two,
    ):
        assert len(one["pose"]) > 50  # more than one block
        for name in one:
            np.testing.assert_array_equal(one[name][:], two[name][:])
    monkeypatch.setattr(stages, "BLOCK", 7)
    run(Settings(amass=amass), tmp_path / "three")
    pose = load(tmp_path / "three" / "stage_III" / "train" / "pose.pt")
    np.testing.assert_array_equal(pose, load(tmp_path / "three" / "stage_I" / "train" / "pose.pt"))
    assert not list(tmp_path.rglob(".*")), "temporary files are left"


def test_a_stopped_run_continues(
    amass: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    real = stages.draw

    def stopping(sequence: stages.Sequence, seed: int, keep: float) -> dict[str, np.ndarray]:
        if len(drawn) == 3:
            raise KeyboardInterrupt
        drawn.append(sequence.name)
        return real(sequence, seed, keep)

    monkeypatch.setattr(stages, "draw", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(Settings(amass=amass), tmp_path)
    assert not (tmp_path / "stage_I" / "train" / "pose.pt").exists()
    first = list(drawn)
    monkeypatch.setattr(stages, "draw", lambda s, *a: (drawn.append(s.name), real(s, *a))[1])
    run(Settings(amass=amass), tmp_path)
    assert not set(drawn[len(first) :]) & set(first), "drawn before, drawn again"
    for path in sorted(made.rglob("*.pt")):
        np.testing.assert_array_equal(load(path), load(tmp_path / path.relative_to(made)))

    monkeypatch.setattr(stages, "draw", None)  # nothing is drawn when everything is there
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pt")}
    run(Settings(amass=amass), tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pt")}


def test_other_settings_or_files_are_made_again(amass: Path, tmp_path: Path) -> None:
    source = shutil.copytree(amass, tmp_path / "amass")
    out = tmp_path / "out"
    run(Settings(amass=source), out)
    pose = load(out / "stage_III" / "train" / "pose.pt")
    run(Settings(amass=source, seed=7), out)
    other = load(out / "stage_III" / "train" / "pose.pt")
    assert pose.shape == other.shape and not np.array_equal(pose, other)
    maker.write_smplh(source / "ACCAD" / "s001" / "walk_poses.npz", 100, seed=77)
    run(Settings(amass=source, seed=7), out)
    assert len(load(out / "stage_III" / "train" / "pose.pt")) == len(other) + 24


def test_damaged_stages_are_named(made: Path, tmp_path: Path) -> None:
    out = shutil.copytree(made, tmp_path / "out")
    (out / "stage_I" / "train" / "pose.pt").write_bytes(b"PK\x03\x04 rubbish")
    with pytest.raises(BadInput, match=r"pose\.pt is damaged"):
        run(Settings(copies=2), out, stages=(2,))
    (out / "stage_II" / "train.h5").write_bytes(b"rubbish")
    (out / "stage_III" / "train" / "pose.pt").unlink()
    with pytest.raises(BadInput, match=r"train\.h5 is missing or damaged"):
        run(Settings(), out, stages=(3,))
    for number in (2, 3):
        with pytest.raises(BadInput, match="has not been made"):
            run(Settings(), tmp_path / "new", stages=(number,))


def test_a_store_is_read_as_amass_is(tmp_path: Path) -> None:
    pieces = [
        ("bvh/a", "train"), ("bvh/b", "val"), ("bvh/c", "test"), ("walks/d", "train"),
        ("walks/e", "train"), ("walks/e", "test"), ("walks/e", "val"),
    ]  # fmt: skip
    items = [
        Item(dataset=name.split("/")[0], motion_name=f"{name}{i}", split=split, path=f"clips/{name}.npz")
        for i, (name, split) in enumerate(pieces)
    ]
    store = maker.write_store(tmp_path / "store", items)
    found = {(s.name, s.subset, s.split) for s in store_sequences(store)}
    assert found == {
        ("bvh/a", "bvh", "train"), ("bvh/b", "bvh", "vald"), ("bvh/c", "bvh", "test"),
        ("walks/d", "walks", "train"), ("walks/e", "walks", "test"),
    }  # fmt: skip
    record = run(Settings(store=store), tmp_path / "out")
    assert [record["stage_III"][split]["rows"] for split in ("train", "vald", "test")] == [18, 9, 18]
    assert record["stage_I"]["train"]["frames_of_subset"] == {"bvh": 9, "walks": 9}
    clip = read_clip(store / "clips/bvh/b.npz")
    frames = picked(len(clip), "bvh/b", 100, 0.3)
    pose = load(tmp_path / "out" / "stage_III" / "vald" / "pose.pt")
    joints = [*range(1, 22), *range(25, 55)]  # the root is turned: the file's world is Z up, as AMASS's
    np.testing.assert_allclose(pose.reshape(-1, 52, 3)[:, 1:], clip.poses[frames][:, joints], atol=1e-5)
    root = Rotation.from_rotvec(pose[:, :3]).as_matrix()
    y_up = Rotation.from_rotvec(clip.poses[frames, 0]).as_matrix()
    np.testing.assert_allclose(root[:, 2], y_up[:, 1], atol=1e-5)
    assert set(load(tmp_path / "out" / "stage_III" / "vald" / "gender.pt")) == {1}


def test_package_layout(amass: Path, tmp_path: Path) -> None:
    run(Settings(amass=amass, package_layout=True), tmp_path)
    pose = load(tmp_path / "stage_III" / "train" / "pose.pt")
    np.testing.assert_array_equal(load(tmp_path / "train" / "root_orient.pt"), pose[:, :3])
    np.testing.assert_array_equal(load(tmp_path / "train" / "pose_body.pt"), pose[:, 3:66])


def test_columns_larger_than_what_is_held(tmp_path: Path) -> None:
    columns = Columns(tmp_path)
    columns.add({"a": np.ones((2, 3), np.float32)})
    columns.add({"a": np.ones((1, 3), np.float32), "b": np.full(1, 7, np.int16)})
    columns.add({"a": np.zeros((1, 3), np.float32)})
    assert columns.save() == ["a", "b"]
    np.testing.assert_array_equal(load(tmp_path / "b.pt"), [0, 0, 7, 0])
    assert read_column(tmp_path, "a").shape == (4, 3)
    # Memory does not grow with the table: 80 MB pass through with blocks of 0.4 MB.
    import tracemalloc

    tracemalloc.start()
    columns = Columns(tmp_path / "large")
    block = np.ones((100, 1000), np.float32)
    for _ in range(200):
        columns.add({"x": block})
    columns.save()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000
    assert read_column(tmp_path / "large", "x").sum() == 20_000_000


def test_ordered_work() -> None:
    assert list(ordered(math.isqrt, ((n * n,) for n in range(20)), 2)) == list(range(20))
    with pytest.raises(ValueError):
        list(ordered(math.isqrt, iter([(4,), (-1,)]), 2))


def test_command(amass: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["vposer", "--out", str(tmp_path / "out"), "--workers", "1"]
    assert main([*words, "--amass", str(amass), "--stage", "1", "--keep", "0.5"]) == 0
    assert "stage I: train" in capsys.readouterr().out
    assert not (tmp_path / "out" / "stage_II").exists()
    assert main([*words, "--stage", "2", "--noise", "0.02", "--copies", "2"]) == 0
    assert main([*words, "--stage", "3", "--json"]) == 0
    record = json.loads(capsys.readouterr().out.split("\n", 1)[1])
    assert record["stage_III"]["train"]["rows"] == 2 * record["stage_I"]["train"]["rows"]
    for bad, sentence in (
        (["--amass", str(tmp_path / "none")], "not there"),
        ([], "Say where"),
        (["--amass", str(tmp_path / "out")], "no AMASS sequence"),
        (["--amass", str(amass), "--keep", "2"], "--keep"),
        (["--amass", str(amass), "--noise", "-1"], "--noise"),
        (["--amass", str(amass), "--copies", "0"], "--copies"),
        (["--store", str(tmp_path)], "no store"),
    ):
        assert main([*words, *bad]) == 2, bad
        assert sentence in capsys.readouterr().err
    empty = tmp_path / "only_broken"
    maker.write_smplh(empty / "CMU" / "01" / "01_01_poses.npz", 3)
    with pytest.raises(JobFailed, match="Not one frame"):
        run(Settings(amass=empty), tmp_path / "none")
