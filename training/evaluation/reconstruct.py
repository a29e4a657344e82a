"""What a pack's tokenizers lose: captured motion through them and back, per part and for the body."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from ...backend.models.compact import restored
from ...backend.models.tokenizer import PartTokenizer
from ...backend.motion.features import FIELDS, FPS
from ...backend.motion.skeleton import PARTS
from ...backend.packs.config import read_config
from ..corpus.dataset import Motion
from ..stages.geometry import chain_positions, integrate_root, matrix_from_6d

WINDOW = round(10 * FPS)
"""Frames over which the root's drift is counted."""
SHORTEST = 16
BODY = ("lower_trans", "upper")


def pack_tokenizers(folder: Path) -> dict[str, PartTokenizer]:
    """The tokenizers inside a pack, by part."""
    result = {}
    for part, sizes in read_config(folder).tokenizers.items():
        model = PartTokenizer(sizes)
        model.load_state_dict(restored(load_file(folder / f"tokenizer_{part}.safetensors")))
        result[part] = model.eval()
    return result


def rotation_degrees(a: Tensor, b: Tensor) -> Tensor:
    """Angles (..., J) in degrees between rotations (..., 6 J) in the columns layout."""
    turn = matrix_from_6d(a.unflatten(-1, (-1, 6))).mT @ matrix_from_6d(b.unflatten(-1, (-1, 6)))
    cosine = (turn.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    skew = torch.stack(
        [
            turn[..., 2, 1] - turn[..., 1, 2],
            turn[..., 0, 2] - turn[..., 2, 0],
            turn[..., 1, 0] - turn[..., 0, 1],
        ],
        dim=-1,
    )
    # The sine keeps its precision where the cosine has none: near zero.
    return torch.rad2deg(torch.atan2(skew.norm(dim=-1) / 2, cosine))


def joint_errors(a: Tensor, b: Tensor, joints: tuple[int, ...]) -> Tensor:
    """Distances (..., J), metres, of the joints that two sets of local rotations (..., 6 J) lead to."""
    ours, theirs = (chain_positions(rotations, joints)[..., : len(joints), :] for rotations in (a, b))
    return (ours - theirs).norm(dim=-1)


def drifts(decoded: Tensor, target: Tensor) -> list[float]:
    """Centimetres between two pelvis paths of ``lower_trans`` features (T, F) after each ten seconds that
    begin together; of a shorter motion after all of it, none where that is under half."""
    frames = len(target)
    if frames < WINDOW:
        starts = [0] if frames >= WINDOW // 2 else []
    else:
        starts = list(range(0, frames - WINDOW + 1, WINDOW))
    result = []
    for start in starts:
        ours, theirs = (integrate_root(x[None, start : start + WINDOW])[0, -1] for x in (decoded, target))
        result.append(100 * float((ours - theirs).norm()))
    return result


@torch.inference_mode()
def reconstruction(
    tokenizers: dict[str, PartTokenizer], motions: Sequence[Motion]
) -> dict[str, dict[str, float]]:
    """Errors of whole motions, by part: ``{part: {mpjpe_mm, rotation_deg[, root_drift_10s_cm_mean, ..]}}``.

    Joints are compared in the heading frame, each part hung on the joint it grows from; ``body`` puts legs
    and upper body together. A part that no motion knows is left out.
    """
    joints: dict[str, list[Tensor]] = {}
    turns: dict[str, list[Tensor]] = {}
    drift: list[float] = []
    for motion in motions:
        done: dict[str, tuple[Tensor, Tensor]] = {}
        for part, model in tokenizers.items():
            frames = len(motion) // model.config.stride * model.config.stride
            if not motion.known.get(part) or frames < SHORTEST:
                continue
            target = torch.from_numpy(motion.features[part][:frames])[None]
            decoded = model.decode(model.quantize(model.encode(target)).latents)
            columns = FIELDS[part]["rotations"].slice
            done[part] = decoded[0, :, columns], target[0, :, columns]
            if part == "lower_trans":
                drift += drifts(decoded[0], target[0])
        chains = {part: (*pair, PARTS[part]) for part, pair in done.items()}
        if all(part in done for part in BODY):
            ours, theirs = (torch.cat([done[part][i] for part in BODY], dim=-1) for i in (0, 1))
            chains["body"] = (ours, theirs, PARTS[BODY[0]] + PARTS[BODY[1]])
        for name, (ours, theirs, chain) in chains.items():
            joints.setdefault(name, []).append(joint_errors(ours, theirs, chain).flatten())
            turns.setdefault(name, []).append(rotation_degrees(ours, theirs).flatten())
    result = {
        name: {
            "mpjpe_mm": 1000 * torch.cat(joints[name]).mean().item(),
            "rotation_deg": torch.cat(turns[name]).mean().item(),
        }
        for name in joints
    }
    if drift:
        result["lower_trans"] |= {
            "root_drift_10s_cm_mean": float(np.mean(drift)),
            "root_drift_10s_cm_median": float(np.median(drift)),
            "root_drift_windows": float(len(drift)),
        }
    return result
