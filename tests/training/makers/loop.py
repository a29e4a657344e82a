"""A training of next to nothing; as a program, one of two processes that train with DDP and then FSDP."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from understudy.training.stages import common
from understudy.training.stages.common import StageConfig, set_up, train
from understudy.training.stages.parallel import whole


def settings(out: Path, **keys: Any) -> StageConfig:
    base = {"steps": 4, "batch_size": 4, "warmup": 1, "log_every": 1, "evaluate_every": 4, "save_every": 2}
    return StageConfig(store=out, out=out, device="cpu", threads=1, **{**base, **keys})


class Net(nn.Module):
    """Something with normalisation statistics and a weight that no loss uses."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))
        self.idle = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def fit(config: StageConfig, *, seen: list[np.ndarray] | None = None, poison: float = 0.0) -> Net:
    """Train a net to sum its inputs; ``seen`` collects the batches."""
    device = set_up(config)
    torch.manual_seed(common._processes.rank)  # processes that start differently must end alike
    model = Net().to(device)

    def draw(rng: np.random.Generator) -> np.ndarray:
        batch = rng.standard_normal((config.batch_size, 3)).astype(np.float32)
        if seen is not None:
            seen.append(batch)
        return batch

    def loss(batch: np.ndarray) -> tuple[Tensor, dict[str, Tensor]]:
        x = common.send(batch, device)
        error = (model(x)[:, 0] - x.sum(1)).square().mean() + poison
        return error, {"error": error.detach()}

    def evaluate(_: nn.Module) -> dict[str, float]:
        return {"ones": model(torch.ones(2, 3, device=device)).mean().item()}

    numbers = train(config, model, loss, evaluate, name="net", description={}, draw=draw)
    assert all(math.isfinite(number) for number in numbers.values())
    return model


def main(folder: Path) -> None:
    """Train to step 1, resume to step 4; leave the weights and the batches seen."""
    for kind in ("ddp", "fsdp"):
        seen: list[np.ndarray] = []
        keys = {"parallel": kind, "batch_size": 2, "accumulate": 2}
        fit(settings(folder / kind, minutes=0.0, **keys), seen=seen)
        model = fit(settings(folder / kind, **keys), seen=seen)
        crew = common._processes
        torch.save(
            {
                "model": whole(model.state_dict()),
                "seen": torch.from_numpy(np.concatenate(seen)),
                "kind": crew.kind,
                "spread": sum(hasattr(p, "full_tensor") for p in model.parameters()),
            },
            folder / f"{kind}_{crew.rank}.pt",
        )
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
