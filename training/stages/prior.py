"""The pose prior, trained with the losses of VPoser v2 (Pavlakos et al., CVPR 2019; human_body_prior).

VPoser's main loss compares the vertices of the SMPL-X mesh, which needs a licence, and its losses of
angles and joints only help for the first 15 epochs. Without the mesh those two, on our own body, are the
reconstruction loss and stay; with it (``body_model``) everything is as in VPoser.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...backend.errors import BadInput, JobFailed
from ...backend.models.prior import JOINTS, PosePrior, PriorConfig, angles_between
from ...backend.motion import rotations as rot
from ...backend.motion.clip import mirror
from ...backend.motion.kinematics import forward_kinematics_torch
from ...backend.motion.npz import read_clip
from ..vposer.columns import read_column
from ..vposer.sources import store_sequences
from .common import StageConfig, set_up, train


class PriorStage(StageConfig):
    """Keys of ``stage prior``. The weights are VPoser v2's."""

    store: Path = Path("store")
    poses: Path | None = None
    """Folder that ``understudy-train vposer`` made, instead of the store."""
    model: dict[str, Any] = {}
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 1e-5
    keep: float = 1.0
    """Share of a store's frames that is drawn."""
    mirrored: bool = True
    """Whether every pose is learned with its mirror image."""
    loss_kl: float = 0.005
    loss_geodesic: float = 2.0
    loss_joints: float = 2.0
    loss_vertices: float = 4.0
    """Needs ``body_model``."""
    extra_epochs: int = 15
    """With vertices: epochs after which angles and joints count no more. Without, they always do."""
    body_model: Path | None = None
    """Folder of the user's own SMPL-X model files; read with the package smplx."""


# ---------------------------------------------------------------------------------------- data


def poses_of(config: PriorStage) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation poses, axis-angle float32 (N, 21, 3). Without any for validation, the first
    of the training poses stand in.

    Raises:
        BadInput: there are none to train on.
    """
    training, validation = (
        _folder_poses(config.poses, split) if config.poses else _store_poses(config, split)
        for split in ("train", "vald")
    )
    if not len(training):
        raise BadInput(f"{config.poses or config.store} has no body poses to train on.", field="store")
    return training, validation if len(validation) else training[:2000]


def _folder_poses(folder: Path, split: str) -> np.ndarray:
    """Poses of one split, from either layout: ``<split>/pose_body.pt``, ``stage_III/<split>/pose.pt``.

    Raises:
        BadInput: neither is there, or it has the wrong shape.
    """
    for place, column, body in (
        (folder / split, "pose_body", slice(0, 63)),
        (folder / split, "pose", slice(3, 66)),
        (folder / "stage_III" / split, "pose", slice(3, 66)),
    ):
        if (place / f"{column}.pt").is_file():
            rows = read_column(place, column)
            if rows.ndim != 2 or rows.shape[1] < body.stop:
                raise BadInput(f"{place / column}.pt has the shape {tuple(rows.shape)}.", field="poses")
            return rows[:, body].float().numpy().reshape(-1, len(JOINTS), 3)
    if split == "train":
        raise BadInput(
            f"{folder} has neither train/pose_body.pt nor stage_III/train/pose.pt.",
            hint="Run understudy-train vposer first.",
            field="poses",
        )
    return np.zeros((0, len(JOINTS), 3), np.float32)


def _store_poses(config: PriorStage, split: str) -> np.ndarray:
    """Frames of the clips that know the whole body; training poses mirrored too."""
    rows = []
    for number, sequence in enumerate(store_sequences(config.store)):
        if sequence.split != split or (config.datasets and sequence.subset not in config.datasets):
            continue
        clip = read_clip(sequence.path)
        if not (clip.known["lower_trans"] and clip.known["upper"]):
            continue
        rng = np.random.default_rng((config.seed, number))
        count = max(1, round(config.keep * len(clip))) if config.keep < 1 else len(clip)
        frames = np.sort(rng.choice(len(clip), count, replace=False))
        both = (clip, mirror(clip)) if config.mirrored and split == "train" else (clip,)
        rows += [one.poses[frames][:, JOINTS].astype(np.float32) for one in both]
    return np.concatenate(rows) if rows else np.zeros((0, len(JOINTS), 3), np.float32)


# -------------------------------------------------------------------------------------- losses


def joints_of(matrices: Tensor) -> Tensor:
    """Joints (N, 22, 3) in metres of our body, its pelvis upright at the origin."""
    pelvis = torch.eye(3, dtype=matrices.dtype, device=matrices.device).expand(len(matrices), 1, 3, 3)
    nowhere = matrices.new_zeros(len(matrices), 3)
    return forward_kinematics_torch(torch.cat([pelvis, matrices], dim=1), nowhere)


def smplx_vertices(folder: Path, device: torch.device) -> Callable[[Tensor], Tensor]:
    """A function from body rotations (N, 21, 3, 3) to the vertices of the user's own SMPL-X model.

    Raises:
        JobFailed: the package smplx is not installed.
        BadInput: the folder holds no model that it can read.
    """
    try:
        import smplx  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise JobFailed(
            "The vertex loss needs the package smplx.", hint="Install it with: pip install smplx"
        ) from None
    try:
        body = smplx.build_layer(str(folder), model_type="smplx", use_pca=False).to(device)
    except Exception as error:  # the package raises many kinds, asserts among them
        raise BadInput(
            f"{folder} holds no SMPL-X model that smplx can read ({type(error).__name__}).",
            field="body_model",
        ) from None
    for parameter in body.parameters():
        parameter.requires_grad_(False)

    def vertices(matrices: Tensor) -> Tensor:
        return body(body_pose=matrices).vertices

    return vertices


def pose_losses(
    model: PosePrior, matrices: Tensor, vertices: Callable[[Tensor], Tensor] | None = None
) -> dict[str, Tensor]:
    """VPoser's losses of a batch of rotations (N, 21, 3, 3), unweighted."""
    mu, logvar = model.encode(matrices)
    decoded = model.decode(mu + torch.randn_like(mu) * (0.5 * logvar).exp())
    losses = {
        "kl": 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(-1).mean(),
        "geodesic": angles_between(decoded, matrices).mean(),
        "joints": (joints_of(decoded) - joints_of(matrices)).abs().mean(),
    }
    if vertices is not None:
        losses["vertices"] = (vertices(decoded) - vertices(matrices)).abs().mean()
    return losses


def loss_weights(config: PriorStage, epoch: float) -> dict[str, float]:
    """Weight of each loss; what is not the divergence is scaled by the rest of its weight, as in VPoser."""
    mesh = config.body_model is not None and config.loss_vertices > 0
    extra = not mesh or epoch < config.extra_epochs
    rest = 1 - config.loss_kl
    return {
        "kl": config.loss_kl,
        "geodesic": rest * config.loss_geodesic * extra,
        "joints": rest * config.loss_joints * extra,
        "vertices": rest * config.loss_vertices * mesh,
    }


# --------------------------------------------------------------------------------------- stage


def run(config: PriorStage) -> dict[str, float]:
    device = set_up(config)
    training, validation = poses_of(config)
    vertices = None
    if config.body_model is not None and config.loss_vertices > 0:
        vertices = smplx_vertices(config.body_model, device)
    model_config = PriorConfig(**config.model)
    model = PosePrior(model_config).to(device)
    step = _steps_done(config.out)
    sample = training[np.random.default_rng(config.seed).integers(len(training), size=4096)]

    def loss(rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        nonlocal step
        chosen = training[rng.integers(len(training), size=config.batch_size)]
        losses = pose_losses(model, _matrices(chosen, device), vertices)
        weights = loss_weights(config, step * config.batch_size / len(training))
        step += 1
        total = torch.stack([weights[name] * value for name, value in losses.items()]).sum()
        return total, {name: value.item() for name, value in losses.items()}

    def evaluate(_: nn.Module) -> dict[str, float]:
        return measured(model, validation, training, seed=config.seed)

    def shipped(state: dict[str, Tensor]) -> dict[str, Tensor]:
        averaged = PosePrior(model_config).to(device).eval()
        averaged.load_state_dict(state)
        usual = np.quantile(averaged.errors(sample), 0.99, axis=0)
        return {**state, "usual": torch.from_numpy(usual).float()}

    return train(
        config, model, loss, evaluate, name="prior", description=model_config.model_dump(), shipped=shipped
    )


def _steps_done(out: Path) -> int:
    checkpoint = out / "checkpoint.pt"
    return int(torch.load(checkpoint, weights_only=True)["step"]) if checkpoint.exists() else 0


def _matrices(poses: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(rot.axis_angle_to_matrix(poses)).float().to(device)


@torch.no_grad()
def measured(
    model: PosePrior, poses: np.ndarray, training: np.ndarray, *, seed: int = 0, most: int = 4000
) -> dict[str, float]:
    """Reconstruction of held-out poses, and how random poses compare with them.

    ``degrees`` and ``joints_mm``: mean error of a rotation, and of a joint of our body. ``sample_mm`` and
    ``real_mm``: mean joint distance from a random pose, and from a held-out one, to the nearest of the
    training poses; ``sample_spread``: mean distance between two random poses, against two held-out ones.
    """
    rng = np.random.default_rng(seed)
    device = model.usual.device
    held = _matrices(poses[rng.permutation(len(poses))[:most]], device)
    decoded = model.decode(model.encode(held).mu)
    numbers = {
        "degrees": float(angles_between(decoded, held).mean().rad2deg()),
        "joints_mm": 1000 * float((joints_of(decoded) - joints_of(held)).norm(dim=-1).mean()),
    }
    generator = torch.Generator().manual_seed(seed)
    count = min(500, len(held))
    random = joints_of(_matrices(model.sample(count, generator), device)).flatten(1)
    real = joints_of(held[:count]).flatten(1)
    near = joints_of(_matrices(training[rng.integers(len(training), size=most)], device)).flatten(1)
    for name, rows in (("sample_mm", random), ("real_mm", real)):
        closest = near[torch.cdist(rows, near).argmin(1)]
        numbers[name] = 1000 * float((rows - closest).unflatten(1, (-1, 3)).norm(dim=-1).mean())
    half = count // 2
    apart = [(rows[:half] - rows[half : 2 * half]).norm(dim=1).mean() for rows in (random, real)]
    numbers["sample_spread"] = float(apart[0] / apart[1]) if half else float("nan")
    return numbers
