"""What every stage shares: configuration, the loop, checkpoints, logs."""

from __future__ import annotations

import json
import math
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from ...backend.errors import BadInput, JobFailed
from .parallel import Processes, blocks, gathered, local, spread_like, whole


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
    """Of one process; a step sees this times ``accumulate`` times the processes."""
    accumulate: int = Field(1, ge=1)
    """Batches whose gradients are averaged before a step."""
    learning_rate: float = 3e-4
    warmup: int = 200
    schedule: Literal["cosine", "constant", "steps"] = "cosine"
    """After the warm-up: falling over all ``steps``, constant, or multiplied by ``decay`` at ``decay_at``."""
    final: float = 0.02
    """Share of the learning rate that the cosine ends with."""
    decay: float = 0.05
    decay_at: list[int] = []
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    ema: float = 0.995
    clip_grad: float = 1.0
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16: matrix products in bfloat16 (autocast); weights and optimiser stay in fp32."""
    tf32: bool = True
    """On a GPU, fp32 products in TF32: ten bits of mantissa, several times faster."""
    compile: bool = False
    """Compile the network (torch.compile): a minute at the start, then faster steps on a GPU."""
    compile_backend: str = "inductor"
    init_from: Path | None = None
    """A trained stage of the same kind, perhaps with fewer conditions, whose weights a new run begins with."""
    device: str = "auto"
    threads: int | None = None
    ahead: int | None = None
    """Threads that draw the coming batches; by default 2 on a GPU and none on the CPU."""
    processes: int = Field(1, ge=1)
    """Processes to start on this machine, one per GPU; or start them yourself with accelerate launch."""
    parallel: Literal["ddp", "fsdp"] = "ddp"
    """With several processes: a copy of the model in each, or weights and optimiser spread over all."""
    log_every: int = 50
    evaluate_every: int = 500
    save_every: int = 250

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        warm = min((step + 1) / max(self.warmup, 1), 1.0)
        if self.schedule == "cosine":
            fallen = 0.5 * (1 + math.cos(math.pi * step / self.steps)) * (1 - self.final) + self.final
            return self.learning_rate * min(warm, fallen)
        passed = sum(step >= at for at in self.decay_at) if self.schedule == "steps" else 0
        return self.learning_rate * warm * self.decay**passed


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


_processes = Processes()
"""Who trains in this process; :func:`set_up` finds out."""


def set_up(config: StageConfig) -> torch.device:
    """Join the other processes, seed torch, hold it to the threads asked for, and choose the device.

    Call before anything else: caches are filled by the main process first, and codebooks are synchronised
    only if they are made after this.
    """
    global _processes
    if config.threads:
        torch.set_num_threads(config.threads)
    _processes = Processes.join(config.device, shard=config.parallel == "fsdp")
    if _processes.device.type == "cuda":
        torch.set_float32_matmul_precision("high" if config.tf32 else "highest")
    torch.manual_seed(config.seed)
    return _processes.device


def main_first() -> Any:
    """Context in which the main process reads and caches before the others."""
    return _processes.main_first()


def warm_start(model: nn.Module, config: StageConfig) -> list[str]:
    """Give a new model the weights of ``config.init_from`` that fit it by name and shape.

    Returns:
        What the other model does not have, and begins as it was made.

    Raises:
        BadInput: there is no trained stage, or nothing in it fits.
    """
    if config.init_from is None:
        return []
    weights = config.init_from / "model.safetensors"
    if not weights.exists():
        raise BadInput(f"{config.init_from} holds no trained stage to begin with.", field="init_from")
    state, mine = load_file(weights), model.state_dict()
    fitting = {key: value for key, value in state.items() if key in mine and mine[key].shape == value.shape}
    if not fitting:
        raise BadInput(f"Nothing in {config.init_from} fits this model.", field="init_from")
    model.load_state_dict(fitting, strict=False)
    return [key for key in mine if key not in fitting]


def send(array: np.ndarray, device: torch.device) -> Tensor:
    """An array as a tensor on the device; to a GPU from pinned memory, without waiting."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class Ema:
    """Exponential moving average of the floating-point state, the weights that are used and shipped."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        averaged: list[tuple[Tensor, Tensor]] = []
        for key, value in model.state_dict().items():
            # Of spread weights each process averages its own part.
            mine, theirs = local(self.state[key]), local(value)
            if value.is_floating_point() and "quantizer" not in key:
                averaged.append((mine, theirs))
            else:  # codebooks have their own moving average
                mine.copy_(theirs)
        if averaged:
            torch._foreach_lerp_([a for a, _ in averaged], [b for _, b in averaged], 1 - decay)


def _generators(config: StageConfig, step: int, micro: int) -> tuple[Any, int]:
    """Seeds of numpy and torch for one batch of one process.

    Each batch has its own, so that a resumed run draws what an unbroken one would have drawn, and N
    processes draw N different batches.
    """
    part = _processes.rank * config.accumulate + micro
    numpy_seed = (config.seed, step, part) if part else (config.seed, step)
    return numpy_seed, config.seed * 1_000_003 + step + part * 1_000_000_007


def _batches(config: StageConfig, draw: Callable[[Any], Any], first: int) -> Generator[Any, None, None]:
    """What ``draw`` gives for every batch of every step from ``first`` on, drawn ahead in threads."""

    def keys() -> Iterator[tuple[int, int]]:
        for step in range(first, config.steps):
            for micro in range(config.accumulate):
                yield step, micro

    def one(key: tuple[int, int]) -> Any:
        return draw(np.random.default_rng(_generators(config, *key)[0]))

    threads = config.ahead if config.ahead is not None else 2 * (_processes.device.type == "cuda")
    if not threads:
        yield from map(one, keys())
        return
    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[Any]] = deque()
    try:
        for key in keys():
            waiting.append(pool.submit(one, key))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


PLANNED = ("steps", "learning_rate", "warmup", "schedule", "final", "decay", "decay_at")
"""Keys that decide the learning rate of a step."""


def _plan(config: StageConfig) -> dict[str, Any]:
    """What a resumed run should not change unawares, as kept in the checkpoint."""
    plan = {key: getattr(config, key) for key in PLANNED}
    return {**plan, "batch": config.batch_size * config.accumulate * _processes.count}


def _warn_of_changes(config: StageConfig, before: dict[str, Any], step: int, name: str) -> None:
    """One line on stderr for each change of the plan in the middle of a run."""
    now = _plan(config)
    changed = [key for key in PLANNED if key in before and before[key] != now[key]]
    if changed:
        was = config.model_copy(update={key: before[key] for key in PLANNED if key in before})
        keys = ", ".join(f"{key} {before[key]} -> {now[key]}" for key in changed)
        print(
            f"{name}: this run was planned otherwise ({keys}); its learning rate goes on at "
            f"{config.rate(step):.3g} instead of {was.rate(step):.3g} at step {step}.",
            file=sys.stderr,
        )
    if before.get("batch", now["batch"]) != now["batch"]:
        print(
            f"{name}: the steps so far saw {before['batch']} samples each, the next ones see {now['batch']}.",
            file=sys.stderr,
        )


class Checkpoint:
    """``checkpoint.pt``: everything a run goes on from, whole tensors whatever the processes share.

    Every process calls both methods; the main one writes.
    """

    def __init__(self, config: StageConfig, model: nn.Module, optimizer: torch.optim.Optimizer, ema: Ema):
        self.path = config.out / "checkpoint.pt"
        self.config, self.model, self.optimizer, self.ema = config, model, optimizer, ema

    def load(self, name: str) -> int:
        """Go on from the file where there is one; the steps done.

        Raises:
            BadInput: the file belongs to another model, or is broken.
        """
        if not self.path.exists():
            return 0
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            current = self.model.state_dict()
            self.model.load_state_dict({k: spread_like(v, current[k]) for k, v in state["model"].items()})
            groups, optimizer = self.optimizer.param_groups, state["optimizer"]
            parameters = [parameter for group in groups for parameter in group["params"]]
            # This run's options count: its configuration, and the fused optimiser of a GPU.
            for kept, group in zip(optimizer["param_groups"], groups, strict=True):
                kept.update({key: value for key, value in group.items() if key != "params"})
            optimizer["state"] = {
                index: {key: spread_like(value, parameters[index]) for key, value in values.items()}
                for index, values in optimizer["state"].items()
            }
            self.optimizer.load_state_dict(optimizer)
            for key, value in state["ema"].items():
                self.ema.state[key].copy_(spread_like(value, self.ema.state[key]))
            step = int(state["step"])
        except (RuntimeError, KeyError, ValueError, EOFError, OSError) as error:
            # torch tells the first difference in its second line.
            reason = [line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()][:2][-1:]
            raise BadInput(
                f"{self.path} cannot be resumed with this configuration ({' '.join(reason)}).",
                hint="Choose another out, or remove the file to start anew.",
                field="out",
            ) from error
        if _processes.main:
            _warn_of_changes(self.config, state.get("plan", {}), step, name)
        return step

    def save(self, step: int) -> dict[str, Tensor]:
        """Write the file; the whole averaged state, for the shipped weights."""
        model, averaged = whole(self.model.state_dict()), whole(self.ema.state)
        optimizer = self.optimizer.state_dict()
        optimizer["state"] = {
            index: {key: gathered(value) for key, value in values.items()}
            for index, values in optimizer["state"].items()
        }
        if _processes.main:
            temporary = self.path.with_suffix(".tmp")
            torch.save(
                {
                    "model": model,
                    "optimizer": optimizer,
                    "ema": averaged,
                    "step": step,
                    "plan": _plan(self.config),
                },
                temporary,
            )
            temporary.replace(self.path)
        return averaged


def train(
    config: StageConfig,
    model: nn.Module,
    loss: Callable[[Any], tuple[Tensor, dict[str, Any]]],
    evaluate: Callable[[nn.Module], dict[str, float]],
    *,
    name: str,
    description: dict[str, Any],
    shipped: Callable[[dict[str, Tensor]], dict[str, Tensor]] = lambda state: state,
    draw: Callable[[np.random.Generator], Any] | None = None,
    compiled: Sequence[nn.Module] | None = None,
) -> dict[str, float]:
    """Run the loop to ``config.steps``; resume from ``out/checkpoint.pt`` where there is one.

    Args:
        loss: runs ``model`` on a batch, returns loss and numbers to log (floats, or tensors that are read
            only when logged). Without ``draw`` it gets the generator and draws the batch itself.
        evaluate: validation numbers of the averaged weights.
        shipped: turns the trained state into the one that ``model.safetensors`` holds.
        description: written as ``config.json`` beside ``model.safetensors``.
        draw: makes a batch of arrays with the generator alone, perhaps in another thread, steps ahead.
        compiled: the networks that ``config.compile`` compiles, called as modules by ``loss``; by default
            the model itself.

    Returns:
        The last validation numbers; of several processes, only the main one gets them.

    Raises:
        BadInput: the checkpoint is of another model.
        JobFailed: the loss is no longer a number.
    """
    from safetensors.torch import save_file

    crew = _processes
    device = next(model.parameters()).device
    out = config.out
    out.mkdir(parents=True, exist_ok=True)
    if config.compile:
        # A spread model is compiled block by block: between the blocks weights come and go.
        for network in (blocks(model) if crew.kind == "fsdp" else ()) or compiled or (model,):
            network.compile(backend=config.compile_backend)
    step_of = crew.wrap(model)
    optimizer = torch.optim.AdamW(
        model.parameters(),
        config.learning_rate,
        betas=config.betas,
        weight_decay=config.weight_decay,
        fused=device.type == "cuda" or None,
    )
    ema = Ema(model, config.ema)
    checkpoint = Checkpoint(config, model, optimizer, ema)
    step = checkpoint.load(name)

    def save() -> None:
        averaged = checkpoint.save(step)
        if crew.main:
            weights = out / "model.tmp.safetensors"
            save_file({k: v.contiguous().cpu() for k, v in shipped(averaged).items()}, weights)
            weights.replace(out / "model.safetensors")
            (out / "config.json").write_text(json.dumps(description, indent=1))
        crew.wait()

    def validate() -> dict[str, float]:
        """Of the averaged weights; where they are spread, all processes must take part."""
        crew.same_buffers(model)
        found: dict[str, float] = {}
        if crew.main or crew.kind == "fsdp":
            current = {k: v.clone() for k, v in model.state_dict().items()}
            model.load_state_dict(ema.state)
            step_of.eval()
            with torch.no_grad():
                found = step_of(lambda: evaluate(model)) if crew.kind == "fsdp" else evaluate(model)
            model.load_state_dict(current)
            step_of.train()
        crew.wait()
        return found

    log = SummaryWriter(str(out / "log")) if crew.main else None

    def report(kind: str, numbers: dict[str, float], pace: float | None = None) -> None:
        if log is None:
            return
        text = " ".join(f"{key} {number:.4f}" for key, number in numbers.items())
        if pace is None:
            print(f"{name} {step} {kind} {text}", flush=True)
        else:
            print(f"{name} {step}/{config.steps} {text} {pace:.3f} s/step", flush=True)
        for key, number in numbers.items():
            log.add_scalar(f"{kind}/{key}", number, step)

    started = time.monotonic()
    first = step
    numbers: dict[str, float] = {}
    step_of.train()
    if step >= config.steps:  # nothing left to do but to say how good it is
        numbers = validate()
        report("validation", numbers)
    batches = _batches(config, draw or (lambda rng: rng), step)
    try:
        while step < config.steps:
            for group in optimizer.param_groups:
                group["lr"] = config.rate(step)
            optimizer.zero_grad(set_to_none=True)
            value, parts = torch.zeros((), device=device), {}
            for micro in range(config.accumulate):
                batch = next(batches)
                torch.manual_seed(_generators(config, step, micro)[1])
                last = micro == config.accumulate - 1
                with nullcontext() if last else crew.unsynchronised(step_of):
                    with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
                        one, parts = step_of(lambda batch=batch: loss(batch))
                    (one / config.accumulate).backward()
                value += one.detach() / config.accumulate
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_grad)
            optimizer.step()
            step += 1
            ema.update(model, step)
            logged = step % config.log_every == 0
            out_of_time = config.minutes is not None and crew.agree(
                time.monotonic() - started > 60 * config.minutes
            )
            saved = step % config.save_every == 0 or step == config.steps or out_of_time
            if logged or saved:
                means = crew.mean({"loss": value, **parts})
                if not math.isfinite(means["loss"]):
                    raise JobFailed(
                        f"The loss of {name} is {means['loss']} at step {step}.",
                        hint="Go on from the checkpoint with a lower learning_rate, or with precision fp32.",
                    )
                if logged:
                    report("train", means, (time.monotonic() - started) / (step - first))
            if step % config.evaluate_every == 0 or step == config.steps or out_of_time:
                numbers = validate()
                report("validation", numbers)
            if saved:
                crew.same_buffers(model)
                save()
            if out_of_time:
                break
    finally:
        batches.close()
        if log is not None:
            log.close()
    return numbers if crew.main else {}
