"""The pose prior: its losses, what it reads, what it makes of poses that nobody takes."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from understudy.backend.errors import BadInput, JobFailed
from understudy.backend.models.prior import (
    JOINTS,
    PosePrior,
    PriorConfig,
    angles_between,
    load_prior,
    matrices_of,
)
from understudy.backend.motion import rotations as rot
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.npz import write_clip
from understudy.training.data.item import Item
from understudy.training.data.prepare import write_index
from understudy.training.stages import common, prior
from understudy.training.stages.common import load_config

KNEE, ELBOW = 3, 17
"""Left knee and left elbow (joints 4 and 18) among the 21."""


def people(count: int, seed: int = 0) -> np.ndarray:
    """Poses (count, 21, 3) with a rule: both knees bend alike, and the left elbow as much again."""
    bend = np.random.default_rng(seed).uniform(0, 1.2, count)
    poses = np.zeros((count, 21, 3), np.float32)
    poses[:, KNEE, 0] = poses[:, KNEE + 1, 0] = bend
    poses[:, ELBOW, 1] = -bend
    return poses


def a_clip(poses: np.ndarray, **known: bool) -> Clip:
    full = np.zeros((len(poses), 55, 3))
    full[:, JOINTS] = poses
    flags = {"lower_trans": True, "upper": True, "hands": False, "face": False, **known}
    return Clip(full, np.zeros((len(poses), 3)), 30.0, known=flags)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    items = []
    for name, split, known in (("a", "train", {}), ("b", "val", {}), ("legs", "train", {"upper": False})):
        poses = people(300, seed=len(items)) if name != "legs" else people(300) + 2.0
        path = f"clips/made/{name}.npz"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        clip = a_clip(poses, **known)
        write_clip(clip, folder / path)
        items.append(Item(dataset="made", motion_name=name, split=split, path=path, end_frame=len(clip)))
    write_index(folder, items)
    return folder


def config(folder: Path, **changes: object) -> prior.PriorStage:
    keys = {
        "out": folder / "out", "steps": 4, "batch_size": 32, "warmup": 1, "ema": 0.9, "save_every": 2, "evaluate_every": 4,
        "log_every": 4, "mirrored": "false", "model": "{width: 32, latent: 4, dropout: 0.0}", **changes,
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    path = folder / "config.yaml"
    path.write_text("\n".join(f"{key}: {value}" for key, value in keys.items()))
    return load_config(prior.PriorStage, path, [])


@pytest.fixture(scope="module")
def trained(store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[PosePrior, dict[str, float]]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("prior")
    numbers = prior.run(
        config(
            folder,
            store=store,
            steps=400,
            learning_rate=0.003,
            evaluate_every=400,
            save_every=400,
            log_every=400,
        )
    )
    return load_prior(folder / "out"), numbers


# ---------------------------------------------------------------------------------- rotations


@given(seed=st.integers(0, 1000), size=st.floats(0, 3.1))
@settings(max_examples=25, deadline=None)
def test_rotations_and_angles_agree_with_numpy(seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, 5, 3))
    a *= size / np.linalg.norm(a, axis=-1, keepdims=True)
    ours = matrices_of(torch.from_numpy(a))
    assert np.allclose(ours, rot.axis_angle_to_matrix(a), atol=1e-9)
    other = rot.axis_angle_to_matrix(b)
    found = angles_between(ours, torch.from_numpy(other))
    assert np.allclose(found, rot.geodesic_angle(ours.numpy(), other), atol=0.01)


def test_energy_has_gradients_everywhere() -> None:
    torch.manual_seed(0)
    model = PosePrior(PriorConfig(width=16, latent=4)).eval()
    half_a_turn = torch.zeros(2, 21, 3)
    half_a_turn[1, :, 0] = np.pi
    poses = half_a_turn.requires_grad_(True)
    energy = model.energy(poses)
    assert energy.shape == (2,)
    energy.sum().backward()
    assert torch.isfinite(poses.grad).all() and poses.grad.abs().sum() > 0
    assert torch.allclose(model.energy(matrices_of(poses)), energy, atol=1e-5)
    assert model.energy(torch.zeros(3, 2, 21, 3)).shape == (3, 2)


# ------------------------------------------------------------------------------------- losses


def test_losses_of_a_perfect_and_of_a_wrong_answer() -> None:
    matrices = torch.from_numpy(rot.axis_angle_to_matrix(people(8))).float()

    class Oracle(PosePrior):
        def decode(self, latents: torch.Tensor) -> torch.Tensor:
            return matrices if self.right else torch.eye(3).expand_as(matrices)

    model = Oracle(PriorConfig(width=8, latent=2)).eval()
    model.right = True
    perfect = prior.pose_losses(model, matrices)
    assert perfect["geodesic"] < 1e-4 and perfect["joints"] == 0 and "vertices" not in perfect
    model.right = False
    wrong = prior.pose_losses(model, matrices)
    bend = people(8)[:, KNEE, 0].mean()
    assert wrong["geodesic"].item() == pytest.approx(3 * bend / 21, abs=0.01)
    assert wrong["joints"] > 0.001


def test_angles_and_joints_end_at_epoch_15_only_where_there_is_a_mesh(tmp_path: Path) -> None:
    plain, mesh = config(tmp_path / "a"), config(tmp_path / "b", body_model=tmp_path)
    late = prior.loss_weights(plain, 99)
    assert late == prior.loss_weights(plain, 0) and late["vertices"] == 0
    assert late["geodesic"] == late["joints"] == pytest.approx(2 * 0.995) and late["kl"] == 0.005
    early, late = prior.loss_weights(mesh, 14.9), prior.loss_weights(mesh, 15)
    assert early["geodesic"] > 0 and late["geodesic"] == late["joints"] == 0
    assert early["vertices"] == late["vertices"] == pytest.approx(4 * 0.995)


def test_the_users_own_mesh_is_used(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Layer(torch.nn.Module):
        def forward(self, body_pose: torch.Tensor) -> SimpleNamespace:
            return SimpleNamespace(vertices=body_pose.flatten(2)[..., :3])

    def build_layer(path: str, **_: object) -> Layer:
        if not Path(path).is_dir():
            raise AssertionError(path)
        return Layer()

    monkeypatch.setitem(sys.modules, "smplx", SimpleNamespace(build_layer=build_layer))
    numbers = prior.run(config(tmp_path, store=store, body_model=tmp_path))
    assert np.isfinite(numbers["degrees"])
    with pytest.raises(BadInput, match="no SMPL-X model"):
        prior.run(config(tmp_path, store=store, body_model=tmp_path / "none"))
    monkeypatch.setitem(sys.modules, "smplx", None)
    with pytest.raises(JobFailed, match="smplx"):
        prior.run(config(tmp_path, store=store, body_model=tmp_path))


# --------------------------------------------------------------------------------------- data


def test_only_whole_bodies_of_the_right_split_are_read(store: Path, tmp_path: Path) -> None:
    training, validation = prior.poses_of(config(tmp_path, store=store))
    assert training.shape == validation.shape == (300, 21, 3) and training.max() < 1.3
    assert np.allclose(training[:, KNEE, 0], -training[:, ELBOW, 1], atol=1e-5)
    both, _ = prior.poses_of(config(tmp_path, store=store, mirrored="true"))
    right = both[300:, ELBOW + 1]
    assert len(both) == 600 and np.allclose(right[:, 1], both[:300, KNEE, 0], atol=1e-5)
    some, _ = prior.poses_of(config(tmp_path, store=store, keep=0.1))
    assert len(some) == 30


@pytest.mark.parametrize("layout", ["pose_body", "stage_III"])
def test_both_layouts_of_vposer_data_are_read(tmp_path: Path, layout: str) -> None:
    poses = torch.from_numpy(people(50)).flatten(1)
    for split, count in (("train", 50), ("vald", 10)):
        folder = tmp_path / "data" / (split if layout == "pose_body" else f"stage_III/{split}")
        folder.mkdir(parents=True)
        if layout == "pose_body":
            torch.save(poses[:count], folder / "pose_body.pt")
        else:
            whole = torch.full((count, 156), 9.0)
            whole[:, 3:66] = poses[:count]
            torch.save(whole, folder / "pose.pt")
    training, validation = prior.poses_of(config(tmp_path, poses=tmp_path / "data"))
    assert np.allclose(training, people(50)) and np.allclose(validation, people(50)[:10])


def test_what_cannot_be_read_is_said_in_one_sentence(store: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="neither"):
        prior.run(config(tmp_path, poses=tmp_path))
    (tmp_path / "train").mkdir()
    torch.save(torch.zeros(5, 60), tmp_path / "train" / "pose_body.pt")
    with pytest.raises(BadInput, match="shape"):
        prior.run(config(tmp_path, poses=tmp_path))
    with pytest.raises(BadInput, match="no body poses"):
        prior.run(config(tmp_path, store=store, datasets="[nothing]"))
    with pytest.raises(BadInput, match="no trained pose prior"):
        load_prior(tmp_path)
    with pytest.raises(BadInput, match="21"):
        PosePrior(PriorConfig(width=8)).project(np.zeros((5, 20, 3)))


# -------------------------------------------------------------------------------- what it does


def test_it_reconstructs_and_samples_the_poses_it_knows(
    trained: tuple[PosePrior, dict[str, float]],
) -> None:
    model, numbers = trained
    assert numbers["degrees"] < 2.5 and numbers["joints_mm"] < 25
    assert numbers["sample_mm"] < 40 and 0.3 < numbers["sample_spread"] < 2
    samples = model.sample(200)
    assert samples.shape == (200, 21, 3)
    assert np.corrcoef(samples[:, KNEE, 0], -samples[:, ELBOW, 1])[0, 1] > 0.8


def test_energy_tells_a_broken_pose_and_leads_away_from_it(
    trained: tuple[PosePrior, dict[str, float]],
) -> None:
    model, _ = trained
    good = torch.from_numpy(people(20, seed=5))
    bad = good.clone()
    bad[:, 8, 2] += 1.5
    assert (model.energy(bad) > 3 * model.energy(good)).all()
    poses = bad.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([poses], lr=0.05)
    for _ in range(80):
        optimizer.zero_grad()
        model.energy(poses).sum().backward()
        optimizer.step()
    assert (poses[:, 8, 2] - good[:, 8, 2]).abs().mean() < 0.8


def test_rotations_that_are_not_told_follow_from_those_that_are(
    trained: tuple[PosePrior, dict[str, float]],
) -> None:
    model, _ = trained
    truth = people(30, seed=6)
    given_poses, told = truth.copy(), np.ones((30, 21), bool)
    given_poses[:, ELBOW] = np.random.default_rng(0).standard_normal((30, 3))
    told[:, ELBOW] = False
    found = model.project(given_poses, told)
    assert np.abs(found[:, ELBOW, 1] - truth[:, ELBOW, 1]).mean() < 0.15
    assert np.array_equal(found, model.project(given_poses, told))  # and always the same


def test_the_fitting_takes_it_as_its_prior(trained: tuple[PosePrior, dict[str, float]]) -> None:
    from understudy.backend.motion.fitting.fit import fit_joints
    from understudy.backend.motion.skeleton import INDEX

    truth = a_clip(people(12, seed=7))
    names = [name for name in INDEX if INDEX[name] < 22 and name not in ("left_wrist", "left_elbow")]
    fitted = fit_joints(
        truth.joints()[:, [INDEX[name] for name in names]], names, fps=30, prior=trained[0].project, steps=0
    )
    elbow = JOINTS[ELBOW]
    bare = fit_joints(truth.joints()[:, [INDEX[name] for name in names]], names, fps=30, steps=0)

    def error(clip: Clip) -> float:
        return float(np.abs(clip.poses[:, elbow] - truth.poses[:, elbow]).mean())

    assert error(fitted) < 0.5 * error(bare)


def test_a_repair_touches_only_what_is_broken(trained: tuple[PosePrior, dict[str, float]]) -> None:
    model, _ = trained
    bend = 0.6 + 0.3 * np.sin(np.arange(90) / 10)
    poses = np.zeros((90, 21, 3))
    poses[:, KNEE, 0] = poses[:, KNEE + 1, 0] = bend
    poses[:, ELBOW, 1] = -bend
    clip = a_clip(poses)
    whole = model.repair(clip, tolerance=3.0)
    assert whole is clip
    broken = poses.copy()
    broken[40:44, ELBOW, 1] += 2.0
    repaired = model.repair(a_clip(broken), tolerance=3.0)
    before = np.abs(broken - poses)[:, ELBOW].max()
    after = np.abs(repaired.poses[:, JOINTS] - poses)[:, ELBOW].max()
    assert after < 0.25 * before
    assert np.array_equal(repaired.poses[:20], a_clip(broken).poses[:20])
    assert np.allclose(repaired.poses[:, JOINTS][:, KNEE], broken[:, KNEE], atol=1e-12)
    legs_only = model.repair(a_clip(broken, upper=False), tolerance=3.0)
    assert np.array_equal(legs_only.poses[:, JOINTS][:, ELBOW], broken[:, ELBOW])


def test_a_resumed_run_equals_an_unbroken_one(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    prior.run(config(tmp_path / "a", store=store))
    original = common.Ema.update

    def stop(self: common.Ema, model: torch.nn.Module, step: int) -> None:
        if step == 3:
            raise KeyboardInterrupt
        original(self, model, step)

    with monkeypatch.context() as patch:
        patch.setattr(common.Ema, "update", stop)
        with pytest.raises(KeyboardInterrupt):
            prior.run(config(tmp_path / "b", store=store))
    prior.run(config(tmp_path / "b", store=store))
    a, b = (load_file(tmp_path / name / "out" / "model.safetensors") for name in "ab")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert (a["usual"] > 0).all()
