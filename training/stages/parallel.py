"""Several processes train one model: each on its own batches, with common weights.

``accelerate`` (or ``torchrun``, or the key ``processes``) starts the processes and accelerate joins them;
the model is then copied to each (DDP) or spread over all (FSDP, fully_shard of torch). accelerate shards
on accelerators only, so the sharding is done here, in the same way on every device.

A stage's loss calls whatever methods of its model it likes. :class:`Step` lets the wrappers see those
calls as one forward pass.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...backend.errors import JobFailed

Kind = Literal["single", "ddp", "fsdp"]

PATIENCE = timedelta(hours=3)
"""How long processes wait for each other: the main one evaluates and saves while the others wait."""


class Step(nn.Module):
    """A model whose forward pass is any function that uses it."""

    def __init__(self, model: nn.Module, *, sharded: bool = False) -> None:
        super().__init__()
        self.model = model
        self.sharded = sharded

    def forward(self, call: Callable[[], Any]) -> Any:
        result = call()
        if self.sharded and self.training:
            # Processes that sum up gradients must all have the same ones, used in this step or not.
            loss, *rest = result
            whole = [p for p in self.model.parameters() if p.requires_grad and not hasattr(p, "full_tensor")]
            return (loss + 0.0 * torch.stack([p.sum() for p in whole]).sum() if whole else loss, *rest)
        return result


class Processes:
    """The processes that train together, and this one's place among them; alone until it joins others."""

    def __init__(self, device: str = "cpu") -> None:
        self.rank, self.count = 0, 1
        self.kind: Kind = "single"
        self.device = torch.device(device)
        self._accelerator: Any = None

    @classmethod
    def join(cls, device: str = "auto", *, shard: bool = False) -> Processes:
        """Meet the other processes where a launcher has started several.

        Args:
            device: ``auto`` or a torch device; with several processes each takes its own GPU.
            shard: spread weights, gradients and optimiser over the processes (FSDP) instead of copying
                them; so does ``accelerate launch --use_fsdp``.
        """
        result = cls(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        if launched() > 1:
            from accelerate import Accelerator
            from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs

            # Tokenizers that train their decoder alone, and views that take turns, leave weights unused.
            copying = DistributedDataParallelKwargs(find_unused_parameters=True)
            waiting = InitProcessGroupKwargs(timeout=PATIENCE)
            accelerator = Accelerator(
                cpu=result.device.type == "cpu", kwargs_handlers=[copying, waiting], mixed_precision="no"
            )
            result._accelerator = accelerator
            result.rank, result.count = accelerator.process_index, accelerator.num_processes
            result.device = accelerator.device
            result.kind = "fsdp" if shard or sharding_asked() else "ddp"
        return result

    @property
    def main(self) -> bool:
        """Whether this process logs, evaluates and saves."""
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model as a :class:`Step` whose gradients are shared; its parameters may be replaced."""
        if self.kind == "single":
            return Step(model)
        if self.kind == "ddp":
            return self._accelerator.prepare_model(Step(model))  # type: ignore[no-any-return]
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        with torch.no_grad():  # one beginning for all, as DDP makes it too
            for parameter in model.parameters():
                torch.distributed.broadcast(parameter, 0)
        self.same_buffers(model)
        mesh = init_device_mesh(self.device.type, (self.count,))
        for block in blocks(model):
            fully_shard(block, mesh=mesh)
        step: Any = fully_shard(Step(model, sharded=True), mesh=mesh)
        return step  # type: ignore[no-any-return]

    def unsynchronised(self, step: nn.Module) -> AbstractContextManager[Any]:
        """While gradients are only accumulated, nothing is sent."""
        if self.kind == "fsdp":
            return _local_gradients(step)
        return step.no_sync() if self.kind == "ddp" else nullcontext()  # type: ignore[no-any-return,operator]

    def mean(self, values: Mapping[str, float | Tensor]) -> dict[str, float]:
        """Each number's mean over the processes; all must call with the same names."""
        numbers = torch.stack(
            [torch.as_tensor(v, dtype=torch.float32, device=self.device).detach() for v in values.values()]
        )
        if self.count > 1:
            torch.distributed.all_reduce(numbers)
            numbers /= self.count
        return dict(zip(values, numbers.tolist(), strict=True))

    def agree(self, decision: bool) -> bool:
        """What the main process decides."""
        if self.count == 1:
            return decision
        flag = torch.tensor([int(decision)], device=self.device)
        torch.distributed.broadcast(flag, 0)
        return bool(flag.item())

    def same_buffers(self, model: nn.Module) -> None:
        """Statistics that each process takes of its own batches become the main one's."""
        if self.count > 1:
            for buffer in model.buffers():
                torch.distributed.broadcast(
                    buffer.view(torch.uint8) if buffer.dtype == torch.bool else buffer, 0
                )

    def wait(self) -> None:
        if self._accelerator is not None:
            self._accelerator.wait_for_everyone()

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """The main process goes through alone (and fills caches), then the others."""
        if not self.main:
            self.wait()
        yield
        if self.main:
            self.wait()


@contextmanager
def _local_gradients(step: Any) -> Iterator[None]:
    step.set_requires_gradient_sync(False)
    try:
        yield
    finally:
        step.set_requires_gradient_sync(True)


def launched() -> int:
    """How many processes the launcher (accelerate, torchrun, MPI) says there are; 1 without one."""
    names = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
    return max(int(os.environ.get(name) or 1) for name in names)


def start(count: int, words: list[str]) -> None:
    """Run ``understudy-train`` with these words in so many processes of this machine.

    Raises:
        JobFailed: one of them failed (it has said why).
    """
    cli = f"{__package__.rpartition('.')[0]}.cli"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    # The cores are shared out, or every process would start a thread for each of them.
    threads = str(max((os.cpu_count() or 1) // count, 1))
    environment = {"OMP_NUM_THREADS": threads, **os.environ}
    if subprocess.run([*launcher, "-m", cli, *words], env=environment, check=False).returncode:
        raise JobFailed(f"One of the {count} processes failed; its message stands above.")


def sharding_asked() -> bool:
    """Whether ``accelerate launch --use_fsdp`` (or its configuration file) asks for FSDP."""
    return os.environ.get("ACCELERATE_USE_FSDP", "").lower() in ("1", "true", "yes")


def blocks(model: nn.Module) -> list[nn.Module]:
    """The repeated blocks of a model, which are gathered one at a time: members of its outermost lists."""
    found: list[nn.Module] = []
    for child in model.children():
        if isinstance(child, nn.ModuleList):
            found += [block for block in child if next(block.parameters(), None) is not None]
        else:
            found += blocks(child)
    return found


def whole(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state with every spread tensor gathered; every process must call it."""
    return {key: gathered(value) for key, value in state.items()}


def gathered(value: Any) -> Any:
    """The whole of a spread tensor; anything else as it is."""
    return value.full_tensor() if hasattr(value, "full_tensor") else value


def local(value: Tensor) -> Tensor:
    """This process's part of a spread tensor; any other tensor as it is."""
    return value.to_local() if hasattr(value, "to_local") else value  # type: ignore[no-any-return]


def spread_like(value: Any, like: Any) -> Any:
    """This process's part of a whole tensor, spread as ``like`` is; anything else as it is."""
    if not hasattr(like, "full_tensor") or not isinstance(value, Tensor) or not value.ndim:
        return value
    from torch.distributed.tensor import distribute_tensor

    # Every process has read the same file: nothing needs sending.
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
