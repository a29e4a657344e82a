"""An engine on a device whose memory may not suffice: calls are made with fewer samples at once until they fit.

A graphics card is shared with Blender, which may just be rendering. The denoiser and the decoders take the most room and
compute every row by itself, so that they can be asked for half of the rows at a time. A call that fails with a single
row, or a plan that does not fit, is :class:`~.base.OutOfMemory`: the pipeline turns to the processor then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ..performance.conditions import Conditions, Pair
from ..process.log import logger
from ..text import TextEmbedding
from .base import Engine, OutOfMemory

_SAID = ("out of memory", "failed to allocate memory", "alloc_failed", "not enough gpu memory")
"""How the libraries put it: CUDA, MPS, cuBLAS, onnxruntime, DirectML."""
_T = TypeVar("_T")


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether an error of torch or onnxruntime says that a device is full."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    # torch's errors and onnxruntime's are RuntimeErrors; their words are all that tells them apart.
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _SAID)


def forget_freed() -> None:
    """Give what torch keeps for later back to the device."""
    import sys

    torch = sys.modules.get("torch")
    if torch is None:
        return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()


class Frugal:
    """An :class:`~.base.Engine` that makes large calls in halves where they do not fit."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name, self.device, self.alphas = engine.name, engine.device, engine.alphas

    def __getattr__(self, name: str) -> Any:
        """The calls that cannot be divided."""
        made = getattr(self._engine, name)
        if not callable(made):
            return made

        def guarded(*values: Any, **more: Any) -> Any:
            return _tried(lambda: made(*values, **more))

        return guarded

    def denoise(
        self,
        noisy: np.ndarray,
        timestep: int,
        *,
        conditions: Conditions,
        plan: np.ndarray,
        with_plan: np.ndarray,
        known: np.ndarray,
        known_mask: np.ndarray,
    ) -> np.ndarray:
        def part(rows: slice) -> np.ndarray:
            return self._engine.denoise(
                noisy[rows],
                timestep,
                conditions=_rows(conditions, rows),
                plan=plan[rows],
                with_plan=with_plan[rows],
                known=known[rows],
                known_mask=known_mask[rows],
            )

        return np.concatenate(_in_portions(part, len(noisy)))

    def decode(self, latents: np.ndarray) -> dict[str, np.ndarray]:
        pieces = _in_portions(lambda rows: self._engine.decode(latents[rows]), len(latents))
        return {part: np.concatenate([piece[part] for piece in pieces]) for part in pieces[0]}


def _tried(call: Callable[[], _T]) -> _T:
    """A call; :class:`OutOfMemory` where the device is full."""
    try:
        return call()
    except Exception as error:
        if not is_lack_of_memory(error):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    # Outside of the handler, whose traceback holds on to what the call had on the device.
    forget_freed()
    raise OutOfMemory(reason)


def _in_portions(call: Callable[[slice], _T], rows: int) -> list[_T]:
    """The results of all rows, made at once or in halves of halves."""
    done: list[_T] = []
    left = [slice(0, rows)]
    while left:
        here = left.pop(0)
        try:
            done.append(_tried(lambda here=here: call(here)))  # type: ignore[misc]
        except OutOfMemory:
            count = here.stop - here.start
            if count == 1:
                raise
            logger.warning("The device has not enough memory for %d rows at once: halves are tried.", count)
            middle = here.start + count // 2
            left[:0] = [slice(here.start, middle), slice(middle, here.stop)]
    return done


def _rows(conditions: Conditions, rows: slice) -> Conditions:
    """The conditions of some of a batch."""

    def text(one: TextEmbedding) -> TextEmbedding:
        return TextEmbedding(one.tokens[rows], one.mask[rows])

    def pair(one: Pair | None) -> Pair | None:
        return None if one is None else (one[0][rows], one[1][rows])

    return Conditions(
        text(conditions.text),
        conditions.with_text[rows],
        {half: text(own) for half, own in conditions.halves.items()},
        pair(conditions.style),
        pair(conditions.rhythm),
        pair(conditions.sound),
        pair(conditions.words),
    )
