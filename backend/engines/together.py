"""Several requests performed together: the model calls that they wait for at the same time are made as one.

Each request is performed by a thread of its own, as if it were alone, with its own seeds; its engine is a
:class:`Seat`. When all seats wait, those whose calls come earliest in a performance are answered, as many in one
batch as agree in shape, so that requests which were apart meet again at the next stage. Requests may differ in prompt,
style, steps and length; those that agree share more.

Between the calls one request works at a time: threads that take turns every few milliseconds would only push each
other's arrays out of the processor's cache.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import Cancelled
from ..performance.conditions import Conditions, Pair
from ..performance.planning import aligned
from ..text import TextEmbedding
from .base import Engine

if TYPE_CHECKING:
    from ..motion.clip import Clip
    from ..pipeline import Pipeline
    from ..protocol.messages import GenerateParams

ORDER = ("plan_start", "plan_step", "denoise", "decode")
"""Calls that are made together, in the order in which a performance comes to them."""
COMPUTING = ("denoise", "decode")
CPU_ROWS = 8
"""Rows of one call of the denoiser or a decoder on a processor. A token's step gains by every row that shares the
weights; these compute all the time, and more rows only overflow the cache."""


@dataclass
class _Call:
    """What a seat waits for."""

    seat: Seat
    kind: str
    key: tuple[Any, ...]
    values: tuple[Any, ...]
    result: Any = None
    error: BaseException | None = None
    answered: bool = False


@dataclass
class _Plans:
    """Plans that are being written together: the engine's state, and the rows of it that each seat has, in order."""

    state: Any
    rows: dict[Seat, int]


class Table:
    """Where the seats of one engine meet.

    Args:
        engine: makes the calls, one at a time.
        seats: how many requests there will be.
    """

    def __init__(self, engine: Engine, seats: int) -> None:
        self.engine = engine
        self._busy = seats
        self._waiting: list[_Call] = []
        self._changed = threading.Condition()
        self._stopped = False
        self.turn = threading.Lock()
        """Held by the request that is at work."""

    def ask(self, call: _Call) -> Any:
        """Wait until the call is answered, by the thread that comes last."""
        with self._changed:
            self._waiting.append(call)
            self._busy -= 1
            self._serve()
            waits = not call.answered
            if waits:
                self.turn.release()
                while not call.answered:
                    self._changed.wait()
        if waits:
            self.turn.acquire()
        if call.error is not None:
            raise call.error
        return call.result

    def leave(self) -> None:
        """A request is finished."""
        with self._changed:
            self._busy -= 1
            self._serve()

    def stop(self) -> None:
        """End all requests at their next call."""
        with self._changed:
            self._stopped = True
            self._serve()

    def alone(self, work: Callable[[], Any]) -> Any:
        """A call that is not shared, while no other is made."""
        with self._changed:
            return work()

    def _serve(self) -> None:
        """Where nobody is at work any more, answer the earliest calls."""
        if self._busy or not self._waiting:
            return
        kind = min((call.kind for call in self._waiting), key=ORDER.index)
        groups: dict[tuple[Any, ...], list[_Call]] = {}
        for call in self._waiting:
            if call.kind == kind:
                groups.setdefault(call.key, []).append(call)
        for calls in self._portions(kind, groups.values()):
            try:
                if self._stopped:
                    raise Cancelled("The batch was interrupted.")
                results = _ANSWERS[kind](self.engine, calls)
                for call, result in zip(calls, results, strict=True):
                    call.result = result
            except BaseException as error:  # each request fails by itself
                for call in calls:
                    call.error = error
            for call in calls:
                call.answered = True
                self._waiting.remove(call)
                self._busy += 1
        self._changed.notify_all()

    def _portions(self, kind: str, groups: Iterable[list[_Call]]) -> Iterator[list[_Call]]:
        """Calls that agree in shape, as many of them at once as the device likes."""
        for calls in groups:
            rows = len(calls[0].values[0 if kind == "decode" else 1])
            few = (
                max(CPU_ROWS // rows, 1) if self.engine.device == "cpu" and kind in COMPUTING else len(calls)
            )
            for first in range(0, len(calls), few):
                yield calls[first : first + few]


class Seat:
    """An :class:`~.base.Engine` for one request, whose calls are made together with others'."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._engine = table.engine
        self.name, self.device, self.alphas = self._engine.name, self._engine.device, self._engine.alphas

    def encode_text(self, prompts: list[str]) -> TextEmbedding:
        result: TextEmbedding = self._table.alone(lambda: self._engine.encode_text(prompts))
        return result

    def plan_text(self, prompts: list[str]) -> TextEmbedding:
        result: TextEmbedding = self._table.alone(lambda: self._engine.plan_text(prompts))
        return result

    def plan_codes(self, features: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        result: dict[str, np.ndarray] = self._table.alone(lambda: self._engine.plan_codes(features))
        return result

    def encode(self, features: dict[str, np.ndarray]) -> np.ndarray:
        result: np.ndarray = self._table.alone(lambda: self._engine.encode(features))
        return result

    def plan_vectors(self, codes: dict[str, np.ndarray]) -> np.ndarray:
        result: np.ndarray = self._table.alone(lambda: self._engine.plan_vectors(codes))
        return result

    def tell_step(self, state: Any, pieces: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        raise NotImplementedError("Clips are described one at a time.")

    def plan_keep(self, state: Any, rows: np.ndarray) -> None:
        raise NotImplementedError("The table keeps the rows of those who still write.")

    def plan_start(
        self,
        text: TextEmbedding,
        length: np.ndarray,
        task: np.ndarray,
        *,
        style: np.ndarray | None = None,
        ends: np.ndarray | None = None,
    ) -> _Plans:
        key = (style is None, None if ends is None else ends.shape[1])
        plans: _Plans = self._table.ask(_Call(self, "plan_start", key, (text, length, task, style, ends)))
        return plans

    def plan_step(
        self, state: _Plans, tokens: np.ndarray, rhythm: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        key = (id(state), tokens.shape[1], rhythm is None)
        logits: dict[str, np.ndarray] = self._table.ask(
            _Call(self, "plan_step", key, (state, tokens, rhythm))
        )
        return logits

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
        pairs = (conditions.style, conditions.rhythm, conditions.sound, conditions.words)
        key = (timestep, noisy.shape[1], tuple(sorted(conditions.halves)), *(pair is None for pair in pairs))
        values = (timestep, noisy, conditions, plan, with_plan, known, known_mask)
        clean: np.ndarray = self._table.ask(_Call(self, "denoise", key, values))
        return clean

    def decode(self, latents: np.ndarray) -> dict[str, np.ndarray]:
        features: dict[str, np.ndarray] = self._table.ask(
            _Call(self, "decode", (latents.shape[1],), (latents,))
        )
        return features


def _joined(calls: Sequence[_Call], at: int) -> np.ndarray | None:
    """Value ``at`` of all calls, one below the other; of none where they lack it."""
    if calls[0].values[at] is None:
        return None
    joined: np.ndarray = np.concatenate([call.values[at] for call in calls])
    return joined


def _divided(values: np.ndarray, counts: Sequence[int]) -> list[np.ndarray]:
    return np.split(values, np.cumsum(counts)[:-1])


def _start(engine: Engine, calls: list[_Call]) -> list[_Plans]:
    text = aligned([call.values[0] for call in calls])
    length, task = _joined(calls, 1), _joined(calls, 2)
    assert length is not None and task is not None
    more = {"style": _joined(calls, 3), "ends": _joined(calls, 4)}
    state = engine.plan_start(text, length, task, **{k: v for k, v in more.items() if v is not None})
    plans = _Plans(state, {call.seat: len(call.values[1]) for call in calls})
    return [plans] * len(calls)


def _step(engine: Engine, calls: list[_Call]) -> list[dict[str, np.ndarray]]:
    plans: _Plans = calls[0].values[0]
    by_seat = {call.seat: call for call in calls}
    if len(by_seat) < len(
        plans.rows
    ):  # who is missing has finished, for these calls are the earliest there are
        stays = np.repeat([seat in by_seat for seat in plans.rows], list(plans.rows.values()))
        engine.plan_keep(plans.state, np.flatnonzero(stays))
        plans.rows = {seat: count for seat, count in plans.rows.items() if seat in by_seat}
    ordered = [by_seat[seat] for seat in plans.rows]
    tokens, rhythm = _joined(ordered, 1), _joined(ordered, 2)
    assert tokens is not None
    scores = engine.plan_step(plans.state, tokens, *(() if rhythm is None else (rhythm,)))
    parts = {part: _divided(rows, list(plans.rows.values())) for part, rows in scores.items()}
    place = {seat: index for index, seat in enumerate(plans.rows)}
    return [{part: rows[place[call.seat]] for part, rows in parts.items()} for call in calls]


def _denoise(engine: Engine, calls: list[_Call]) -> list[np.ndarray]:
    noisy, plan, with_plan, known, known_mask = (_joined(calls, at) for at in (1, 3, 4, 5, 6))
    assert noisy is not None and plan is not None and with_plan is not None
    assert known is not None and known_mask is not None
    clean = engine.denoise(
        noisy,
        calls[0].values[0],
        conditions=_conditions([call.values[2] for call in calls]),
        plan=plan,
        with_plan=with_plan,
        known=known,
        known_mask=known_mask,
    )
    return _divided(clean, [len(call.values[1]) for call in calls])


def _decode(engine: Engine, calls: list[_Call]) -> list[dict[str, np.ndarray]]:
    latents = _joined(calls, 0)
    assert latents is not None
    counts = [len(call.values[0]) for call in calls]
    parts = {part: _divided(rows, counts) for part, rows in engine.decode(latents).items()}
    return [{part: rows[index] for part, rows in parts.items()} for index in range(len(calls))]


_ANSWERS: dict[str, Callable[[Engine, list[_Call]], Sequence[Any]]] = {
    "plan_start": _start,
    "plan_step": _step,
    "denoise": _denoise,
    "decode": _decode,
}


def _conditions(several: list[Conditions]) -> Conditions:
    """Conditions of several requests as of one batch; prompts are padded on the right to the longest."""

    def texts(own: list[TextEmbedding]) -> TextEmbedding:
        width = max(text.tokens.shape[1] for text in own)
        grown = [(text, width - text.tokens.shape[1]) for text in own]
        return TextEmbedding(
            np.concatenate([np.pad(text.tokens, ((0, 0), (0, more), (0, 0))) for text, more in grown]),
            np.concatenate([np.pad(text.mask, ((0, 0), (0, more))) for text, more in grown]),
        )

    def pairs(own: list[Pair | None]) -> Pair | None:
        there = [pair for pair in own if pair is not None]
        return tuple(map(np.concatenate, zip(*there, strict=True))) if there else None  # type: ignore[return-value]

    return Conditions(
        texts([one.text for one in several]),
        np.concatenate([one.with_text for one in several]),
        {half: texts([one.halves[half] for one in several]) for half in several[0].halves},
        *(pairs([getattr(one, name) for one in several]) for name in ("style", "rhythm", "sound", "words")),
    )


def _prompts(request: GenerateParams) -> list[str]:
    """What the sentence encoder will be asked to read; it remembers that, and reads several at once faster."""
    lines = [(line.prompt, line.lower, line.upper) for line in request.script or ()]
    return [
        text for texts in [(request.prompt, request.lower, request.upper), *lines] for text in texts if text
    ]


def perform_together(
    pipeline: Pipeline, requests: Sequence[GenerateParams]
) -> list[Sequence[Clip] | BaseException]:
    """The clips of each request, or why there are none; what each would be alone but for rounding."""
    table = Table(pipeline.engine, len(requests))
    prompts = [prompt for request in requests for prompt in _prompts(request)]
    if prompts:
        pipeline.engine.encode_text(prompts)
    results: list[Sequence[Clip] | BaseException] = [Cancelled("The batch was interrupted.")] * len(requests)

    def perform(index: int) -> None:
        own = copy.copy(pipeline)
        own.engine = Seat(table)
        with table.turn:
            try:
                results[index] = own.perform(requests[index])
            except BaseException as error:  # told by whoever asked
                results[index] = error
            finally:
                table.leave()

    threads = [threading.Thread(target=perform, args=(index,), daemon=True) for index in range(len(requests))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        table.stop()
        raise
    return results
