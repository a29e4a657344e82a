"""The pose prior: which body poses people take, learned as a variational autoencoder.

The network of VPoser v2 (Pavlakos et al., CVPR 2019; human_body_prior): 512 wide, 32 latent numbers, 21
joints as 6D rotations. It reads 6D rotations too, where VPoser reads axis-angle numbers, which jump at
half a turn.

Poses are local rotations of joints 1 to 21 of our skeleton (the body without the pelvis).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadInput
from ..motion import rotations as rot
from ..motion.clip import Clip
from ..motion.filters import gaussian
from ..motion.skeleton import PARTS

JOINTS = tuple(range(1, 22))


class PriorConfig(BaseModel):
    """Sizes; the defaults are VPoser v2's."""

    model_config = ConfigDict(extra="forbid")

    width: int = 512
    latent: int = 32
    dropout: float = 0.1


class Pose(NamedTuple):
    """What the encoder says: mean and logarithm of the variance, (N, latent) each."""

    mu: Tensor
    logvar: Tensor


def matrices_of(axis_angle: Tensor) -> Tensor:
    """(..., 3) -> (..., 3, 3), with gradients at zero too."""
    zero = torch.zeros_like(axis_angle[..., 0])
    x, y, z = axis_angle.unbind(-1)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    return torch.linalg.matrix_exp(skew)


def angles_between(a: Tensor, b: Tensor) -> Tensor:
    """Geodesic angle in radians of rotation matrices (..., 3, 3), with bounded gradients everywhere."""
    chord = ((a - b) ** 2).sum((-1, -2))
    return 2 * torch.asin(((chord + 1e-10).sqrt() / 8**0.5).clamp(max=1 - 1e-5))


def _matrix(sixd: Tensor) -> Tensor:
    """(..., 6), two columns -> (..., 3, 3) by Gram-Schmidt."""
    first = F.normalize(sixd[..., :3], dim=-1, eps=1e-6)
    second = sixd[..., 3:]
    second = F.normalize(second - (first * second).sum(-1, keepdim=True) * first, dim=-1, eps=1e-6)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)


class PosePrior(nn.Module):
    """Body poses <-> points of a space in which likely poses are normally distributed."""

    usual: Tensor
    """(21,) radians: an error of reconstruction that one pose in a hundred of the training data exceeds."""

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        self.config = config
        width, size = config.width, 6 * len(JOINTS)
        self.encoder = nn.Sequential(
            # Some columns hardly vary; what an odd pose has there must not be blown up a hundredfold.
            nn.BatchNorm1d(size, eps=1e-2),
            nn.Linear(size, width),
            nn.LeakyReLU(),
            nn.BatchNorm1d(width),
            nn.Dropout(config.dropout),
            nn.Linear(width, width),
            nn.Linear(width, width),
        )
        self.mu = nn.Linear(width, config.latent)
        self.logvar = nn.Linear(width, config.latent)
        self.decoder = nn.Sequential(
            nn.Linear(config.latent, width),
            nn.LeakyReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(width, width),
            nn.LeakyReLU(),
            nn.Linear(width, size),
        )
        self.register_buffer("usual", torch.full((len(JOINTS),), 0.3))

    def encode(self, matrices: Tensor) -> Pose:
        """(N, 21, 3, 3) -> a distribution."""
        hidden = self.encoder(matrices[..., :2].transpose(-1, -2).flatten(1))
        return Pose(self.mu(hidden), self.logvar(hidden).clamp(-20.0, 10.0))

    def decode(self, latents: Tensor) -> Tensor:
        """(N, latent) -> rotations (N, 21, 3, 3)."""
        return _matrix(self.decoder(latents).unflatten(-1, (len(JOINTS), 6)))

    def energy(self, poses: Tensor, *, rarity: float = 1e-3) -> Tensor:
        """How implausible poses are, differentiable, to be made small by an optimiser.

        Args:
            poses: (..., 21, 3) axis-angle, or (..., 21, 3, 3) matrices.
            rarity: weight of how far out in the space a pose lies, in square radians.

        Returns:
            (...): the mean squared angle to what the prior makes of the pose, plus that weight times the
            mean square of the latent numbers (about 1 for an ordinary pose).
        """
        matrices = matrices_of(poses) if poses.shape[-2:] == (len(JOINTS), 3) else poses
        flat = matrices.reshape(-1, len(JOINTS), 3, 3)
        latents = self.encode(flat).mu
        # The answer is held fixed, so that the slope leads to it: far from all training data the
        # encoder's own slope leads anywhere.
        away = (angles_between(self.decode(latents).detach(), flat) ** 2).mean(-1)
        return (away + rarity * (latents**2).mean(-1)).reshape(matrices.shape[:-3])

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator | None = None) -> np.ndarray:
        """Random plausible poses (count, 21, 3), axis-angle."""
        latents = torch.randn(count, self.config.latent, generator=generator).to(self.usual.device)
        return _axis_angle(self.decode(latents))

    def project(
        self, poses: np.ndarray, told: np.ndarray | None = None, *, steps: int = 60, rarity: float = 1e-3
    ) -> np.ndarray:
        """The plausible poses nearest to given ones, which is the pose prior that the fitting takes.

        Args:
            poses: (T, 21, 3) axis-angle.
            told: (T, 21) which rotations mean anything; all when left out. The others follow from them.
            steps: of the search in the space, that starts where the encoder points; 0 takes that.
            rarity: what it costs to lie far out, against square radians.

        Returns:
            (T, 21, 3) axis-angle.

        Raises:
            BadInput: wrong shapes.
        """
        poses = np.asarray(poses, dtype=np.float64)
        if poses.ndim != 3 or poses.shape[1:] != (len(JOINTS), 3):
            raise BadInput(f"Body poses have the shape (frames, 21, 3), not {poses.shape}.", field="poses")
        told = np.ones(poses.shape[:2], bool) if told is None else np.asarray(told, bool)
        if told.shape != poses.shape[:2]:
            raise BadInput(f"told must have the shape {poses.shape[:2]}, not {told.shape}.", field="told")
        return self._nearest(poses, told, steps, rarity)

    def _nearest(
        self,
        poses: np.ndarray,
        told: np.ndarray,
        steps: int = 60,
        rarity: float = 1e-3,
        doubt: Tensor | None = None,
    ) -> np.ndarray:
        """See :meth:`project`. ``doubt`` (21,), in radians: errors far above it lose their say, so that the
        majority of the joints decides (Geman & McClure's estimator)."""
        was = self.training
        self.eval()
        device = self.usual.device
        target = torch.from_numpy(rot.axis_angle_to_matrix(poses)).float().to(device)
        weight = torch.from_numpy(told).float().to(device)
        # What is not told must not mislead the encoder either: it sees the rest pose there.
        rest = torch.eye(3, device=device).expand_as(target)
        with torch.no_grad():
            latents = self.encode(torch.where(weight[..., None, None] > 0, target, rest)).mu
        latents.requires_grad_(True)
        optimizer = torch.optim.Adam([latents], lr=0.05)
        share = weight.sum(-1).clamp(min=1.0)
        for _ in range(steps):
            square = angles_between(self.decode(latents), target) ** 2
            if doubt is not None:
                square = square / (1 + square / doubt**2)
            cost = ((square * weight).sum(-1) / share + rarity * (latents**2).mean(-1)).sum()
            (latents.grad,) = torch.autograd.grad(cost, [latents])
            optimizer.step()
        with torch.no_grad():
            found = _axis_angle(self.decode(latents))
        self.train(was)
        return found

    @torch.no_grad()
    def errors(self, poses: np.ndarray) -> np.ndarray:
        """Angle (T, 21) in radians between poses (T, 21, 3) and what the prior makes of them at once."""
        was = self.training
        self.eval()
        target = torch.from_numpy(rot.axis_angle_to_matrix(poses)).float().to(self.usual.device)
        found = angles_between(self.decode(self.encode(target).mu), target).cpu().numpy()
        self.train(was)
        return found

    def repair(self, clip: Clip, *, tolerance: float = 1.5, blend: float = 0.1) -> Clip:
        """A clip whose implausible rotations are replaced by what the other joints suggest.

        A rotation is implausible when the prior misses it by more than ``tolerance`` times what is
        :attr:`usual` for its joint; all others stay as they are, bit for bit where nothing near in time is
        replaced. Parts that the clip does not know are left alone.

        Args:
            clip: any frame rate.
            tolerance: how tolerant; more leaves more alone.
            blend: seconds over which a replacement fades in and out.
        """
        joints = list(JOINTS)
        poses = np.asarray(clip.poses[:, joints], dtype=np.float64)
        known = np.array([any(clip.known[p] for p in PARTS if j in PARTS[p]) for j in joints])
        limit = tolerance * self.usual.cpu().numpy()
        odd = ((self.errors(poses) > limit) & known).any(1)
        if not odd.any():
            return clip
        # The encoder blames sound joints for broken ones, so in these frames the joints vote.
        proposed = poses.copy()
        proposed[odd] = self._nearest(
            poses[odd], np.tile(known, (odd.sum(), 1)), doubt=tolerance * self.usual
        )
        apart = rot.geodesic_angle(rot.axis_angle_to_matrix(poses), rot.axis_angle_to_matrix(proposed))
        wrong = (apart > limit) & known
        if not wrong.any():
            return clip
        near = gaussian(wrong.any(1).astype(np.float64), blend * clip.fps) > 1e-3
        fresh = near & ~odd
        proposed[fresh] = self._nearest(
            poses[fresh], np.tile(known, (fresh.sum(), 1)), doubt=tolerance * self.usual
        )
        sigma = blend * clip.fps
        weight = np.clip(2.0 * gaussian(wrong.astype(np.float64), sigma), 0.0, 1.0)
        weight = np.where(wrong, 1.0, np.where(weight < 1e-3, 0.0, weight))
        start, goal = (rot.axis_angle_to_quaternion(x) for x in (poses, proposed))
        mixed = rot.quaternion_to_axis_angle(rot.slerp(start, goal, weight[..., None]))
        result = np.array(clip.poses)
        result[:, joints] = np.where(weight[..., None] > 0, mixed, clip.poses[:, joints])
        return clip.replace(poses=result)


def _axis_angle(matrices: Tensor) -> np.ndarray:
    return rot.matrix_to_axis_angle(matrices.double().cpu().numpy())


def load_prior(folder: Path) -> PosePrior:
    """A trained pose prior.

    Raises:
        BadInput: the folder holds none.
    """
    from safetensors.torch import load_file

    weights = Path(folder) / "model.safetensors"
    if not weights.exists():
        raise BadInput(f"{folder} holds no trained pose prior; run 'stage prior' first.", field="prior")
    model = PosePrior(PriorConfig.model_validate_json((Path(folder) / "config.json").read_text("utf-8")))
    model.load_state_dict(load_file(weights))
    return model.eval()
