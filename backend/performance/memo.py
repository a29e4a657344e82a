"""What the models have made, kept for when they are asked for the same again.

A plan and a window of latents depend on what goes into them alone: prompts, style, random numbers, what came before. A
performance that differs from an earlier one in its last line therefore needs only that line's models; the rest is taken
from here, bit by bit what would be made again. A memo belongs to one pack on one engine.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

BYTES = 16 << 20
"""Kept at most: half an hour of motion."""
_OVERHEAD = 500
"""Bytes of an entry beside its arrays."""


def digest(*values: Any) -> bytes:
    """A name for values: arrays, numbers, texts, generators, and what is made of them."""
    state = hashlib.blake2b(digest_size=16)
    _feed(state.update, values)
    return state.digest()


def _feed(update: Callable[[bytes], None], value: Any) -> None:
    if isinstance(value, np.ndarray):
        update(f"array {value.dtype} {value.shape} ".encode())
        update(value.tobytes())
    elif isinstance(value, np.random.Generator):
        _feed(update, ("generator", state_of(value)))
    elif is_dataclass(value) and not isinstance(value, type):
        _feed(update, (type(value).__name__, [getattr(value, field.name) for field in fields(value)]))
    elif isinstance(value, Mapping):
        _feed(update, ("mapping", sorted((str(key), item) for key, item in value.items())))
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        items = list(value)
        update(f"items {len(items)} ".encode())
        for item in items:
            _feed(update, item)
    elif value is None or isinstance(value, str | bytes | bool | int | float | np.generic):
        update(f"{type(value).__name__} {value!r} ".encode())
    else:
        raise TypeError(f"A {type(value).__name__} has no name by its content.")


def state_of(rng: np.random.Generator) -> tuple[Any, ...]:
    """All that decides what a generator gives next, its children included."""
    seeds: Any = rng.bit_generator.seed_seq
    return rng.bit_generator.state, seeds.entropy, seeds.spawn_key, seeds.n_children_spawned


class Memo:
    """Results by the name of what they were made from; the oldest go first where they become too many."""

    def __init__(self, most: int = BYTES) -> None:
        self._most, self._held = most, 0
        self._known: OrderedDict[bytes, tuple[int, Any, list[tuple[Any, ...]]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def __call__(
        self,
        make: Callable[[], dict[str, np.ndarray]],
        rngs: list[np.random.Generator],
        *inputs: Any,
    ) -> tuple[dict[str, np.ndarray], bool]:
        """What ``make`` gives, and whether it was known; the generators stand where they would after it.

        Args:
            make: makes arrays out of the inputs and of random numbers.
            rngs: the generators it draws from.
            inputs: all else that the result depends on.
        """
        name = digest(inputs, rngs)
        if name in self._known:
            self._known.move_to_end(name)
            _, result, after = self._known[name]
            for rng, (state, _, _, children) in zip(rngs, after, strict=True):
                seeds: Any = rng.bit_generator.seed_seq
                seeds.spawn(children - seeds.n_children_spawned)
                rng.bit_generator.state = state
            return {key: array.copy() for key, array in result.items()}, True
        result = make()
        size = _OVERHEAD + sum(array.nbytes for array in result.values())
        if size <= self._most:
            kept = {key: array.copy() for key, array in result.items()}
            self._known[name] = size, kept, [state_of(rng) for rng in rngs]
            self._held += size
            while self._held > self._most:
                self._held -= self._known.popitem(last=False)[1][0]
        return result, False
