"""What every stage shares: configuration, the loop, checkpoints, logs."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from ...backend.errors import BadInput


class StageConfig(BaseModel):
    """Keys that every stage's YAML may set."""

    model_config = ConfigDict(extra="forbid")

    store: Path
    out: Path
    datasets: list[str] = []
    seed: int = 1
    steps: int = 4000
    minutes: float | None = None
    """Stop after this much wall time in one run, with a checkpoint; the schedule follows ``steps``."""
    batch_size: int = 32
    learning_rate: float = 3e-4
    warmup: int = 200
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    ema: float = 0.995
    clip_grad: float = 1.0
    precision: str = "fp32"
    device: str = "auto"
    threads: int | None = None
    log_every: int = 50
    evaluate_every: int = 500
    save_every: int = 250


Config = TypeVar("Config", bound=StageConfig)


def load_config(kind: type[Config], path: Path, overrides: list[str]) -> Config:
    """YAML plus ``a.b=c`` overrides.

    Raises:
        BadInput: the file or a key is wrong; the sentence names it.
    """
    try:
        values: Any = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise BadInput(f"The configuration {path} cannot be read: {error}.", field="config") from error
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise BadInput(f"--set needs KEY=VALUE, not {override!r}.", field="set")
        target = values
        *parents, last = key.split(".")
        for parent in parents:
            target = target.setdefault(parent, {})
        target[last] = yaml.safe_load(text)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"The configuration {path} is wrong at {where}: {first['msg']}.", field=where
        ) from error


def set_up(config: StageConfig) -> torch.device:
    """Seed torch, hold it to the threads asked for, and choose the device. Call before anything else."""
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    if config.device != "auto":
        return torch.device(config.device)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Ema:
    """Exponential moving average of the floating-point state, the weights that are used and shipped."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in model.state_dict().items():
            if value.is_floating_point() and "quantizer" not in key:
                self.state[key].lerp_(value, 1 - decay)
            else:  # codebooks have their own moving average
                self.state[key].copy_(value)


def train(
    config: StageConfig,
    model: nn.Module,
    loss: Callable[[np.random.Generator], tuple[Tensor, dict[str, float]]],
    evaluate: Callable[[nn.Module], dict[str, float]],
    *,
    name: str,
    description: dict[str, Any],
    shipped: Callable[[dict[str, Tensor]], dict[str, Tensor]] = lambda state: state,
) -> dict[str, float]:
    """Run the loop to ``config.steps``; resume from ``out/checkpoint.pt`` where there is one.

    Args:
        loss: draws a batch with the generator, runs ``model`` on it, returns loss and numbers to log.
        evaluate: validation numbers of the averaged weights.
        shipped: turns the trained state into the one that ``model.safetensors`` holds.
        description: written as ``config.json`` beside ``model.safetensors``.
    """
    from safetensors.torch import save_file

    device = next(model.parameters()).device
    out = config.out
    out.mkdir(parents=True, exist_ok=True)
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, betas=config.betas, weight_decay=config.weight_decay
    )
    ema = Ema(model, config.ema)
    step = 0
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        ema.state = state["ema"]
        step = int(state["step"])

    def save() -> None:
        temporary = checkpoint.with_suffix(".tmp")
        torch.save(
            {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "ema": ema.state,
                "step": step,
            },
            temporary,
        )
        temporary.replace(checkpoint)
        weights = out / "model.tmp.safetensors"
        save_file({k: v.contiguous().cpu() for k, v in shipped(ema.state).items()}, weights)
        weights.replace(out / "model.safetensors")
        (out / "config.json").write_text(json.dumps(description, indent=1))

    def validate() -> dict[str, float]:
        current = {k: v.clone() for k, v in model.state_dict().items()}
        model.load_state_dict(ema.state)
        model.eval()
        with torch.no_grad():
            numbers = evaluate(model)
        model.load_state_dict(current)
        model.train()
        return numbers

    log = SummaryWriter(str(out / "log"))
    started = time.monotonic()
    first = step
    numbers: dict[str, float] = {}
    model.train()
    while step < config.steps:
        # Each step has its own generator: a resumed run draws what an unbroken one would have drawn.
        rng = np.random.default_rng((config.seed, step))
        torch.manual_seed(config.seed * 1_000_003 + step)
        progress = step / config.steps
        rate = config.learning_rate * min(
            (step + 1) / config.warmup, 0.5 * (1 + math.cos(math.pi * progress)) * 0.98 + 0.02
        )
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            value, parts = loss(rng)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_grad)
        optimizer.step()
        step += 1
        ema.update(model, step)
        if step % config.log_every == 0:
            pace = (time.monotonic() - started) / (step - first)
            text = " ".join(f"{k} {v:.4f}" for k, v in {"loss": value.item(), **parts}.items())
            print(f"{name} {step}/{config.steps} {text} {pace:.3f} s/step", flush=True)
            for key, number in {"loss": value.item(), **parts}.items():
                log.add_scalar(f"train/{key}", number, step)
        out_of_time = config.minutes is not None and time.monotonic() - started > 60 * config.minutes
        if step % config.evaluate_every == 0 or step == config.steps or out_of_time:
            numbers = validate()
            print(
                f"{name} {step} validation " + " ".join(f"{k} {v:.4f}" for k, v in numbers.items()),
                flush=True,
            )
            for key, number in numbers.items():
                log.add_scalar(f"validation/{key}", number, step)
        if step % config.save_every == 0 or step == config.steps or out_of_time:
            save()
        if out_of_time:
            break
    log.close()
    return numbers
