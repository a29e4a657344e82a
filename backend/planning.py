"""Planning: the language model writes motion tokens, one latent frame of all parts per step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .engines.base import Engine
from .models.language import TASKS, LanguageConfig
from .pack_config import Sampling
from .text import TextEmbedding

MIN_FREE_LENGTH = 8
"""Latent frames (about a second) before a motion of free length may end."""


def choose(logits: np.ndarray, rng: np.random.Generator, temperature: float, top_p: float) -> int:
    """Nucleus sampling (Holtzman et al. 2020) from logits (K,)."""
    scores = logits.astype(np.float64) / max(temperature, 1e-3)
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    order = np.argsort(-weights)
    kept = order[: int(np.searchsorted(np.cumsum(weights[order]), top_p)) + 1]
    return int(rng.choice(kept, p=weights[kept] / weights[kept].sum()))


def with_unconditional(text: TextEmbedding) -> TextEmbedding:
    """The prompts (B), then as many empty ones: both halves of guidance in one batch."""
    return TextEmbedding(
        np.concatenate([text.tokens, np.zeros_like(text.tokens)]),
        np.concatenate([text.mask, np.zeros_like(text.mask)]),
    )


class _Writer:
    """A batch of plans being written, with the model state that has read them."""

    def __init__(
        self, engine: Engine, config: LanguageConfig, text: TextEmbedding, length: int | None
    ) -> None:
        self.engine, self.config, self.text, self.length = engine, config, with_unconditional(text), length
        self.batch = len(text.tokens)
        self.codes: dict[str, list[np.ndarray]] = {part: [] for part in config.parts}
        self.state: object = None
        self.used = 0
        """Planned frames that the state has read."""

    @property
    def written(self) -> int:
        return len(self.codes[next(iter(self.config.parts))])

    def frame(self, at: int) -> np.ndarray:
        """Tokens (2 B, P) of planned frame ``at``: each part as far behind as its delay, both halves."""
        columns = []
        for part, delay in self.config.delays.items():
            lagged = at - delay
            absent = np.full(self.batch, self.config.parts[part] + 1)
            columns.append(self.codes[part][lagged] if lagged >= 0 else absent)
        return np.tile(np.stack(columns, axis=1), (2, 1))

    def read_prompt(self, context: int) -> dict[str, np.ndarray]:
        """Start afresh: the prompt and the last ``context`` planned frames. Returns the next logits."""
        left = 0 if self.length is None else self.length - self.written + context
        task = np.repeat([TASKS.index("text_to_motion"), TASKS.index("continuation")], self.batch)
        lengths = np.full(2 * self.batch, min(left, self.config.max_length))
        self.state = self.engine.plan_start(self.text, lengths, task)
        absent = np.tile([codes + 1 for codes in self.config.parts.values()], (2 * self.batch, 1))
        frames = [self.frame(at) for at in range(self.written - context, self.written)]
        self.used = context
        return self.engine.plan_step(self.state, np.stack([absent, *frames], axis=1))

    def read_last(self) -> dict[str, np.ndarray]:
        """Read the frame just written; a full context is replaced by its second half."""
        if self.used + 1 >= self.config.max_length:
            return self.read_prompt(self.config.max_length // 2)
        self.used += 1
        return self.engine.plan_step(self.state, self.frame(self.written - 1)[:, None])


def plan(
    engine: Engine,
    config: LanguageConfig,
    sampling: Sampling,
    text: TextEmbedding,
    length: int | None,
    rngs: list[np.random.Generator],
    on_step: Callable[[int, int], None],
) -> dict[str, np.ndarray]:
    """Codes ``{part: (B, L)}`` for prompts (B).

    Args:
        length: latent frames wanted; None lets the first sample of the batch end the motion.
        rngs: one generator per sample.
        on_step: called with (steps done, steps expected) after each; it may raise to cancel.
    """
    writer = _Writer(engine, config, text, length)
    first = next(iter(config.parts))
    expected = length or config.max_length
    logits = writer.read_prompt(0)

    def sample(part: str, *, may_end: bool) -> np.ndarray:
        scores = logits[part][writer.batch :]
        scores = scores + sampling.plan_guidance * (logits[part][: writer.batch] - scores)
        # Only the first sample may end the motion, so that all of the batch have one length.
        scores[1 if may_end else 0 :, config.parts[part]] = -np.inf
        return np.array(
            [
                choose(s, rng, sampling.temperature, sampling.top_p)
                for s, rng in zip(scores, rngs, strict=True)
            ]
        )

    while True:
        for part, delay in config.delays.items():
            if 0 < delay <= writer.written:
                writer.codes[part].append(sample(part, may_end=False))
        if writer.written == expected:
            break
        chosen = sample(first, may_end=length is None and writer.written >= MIN_FREE_LENGTH)
        if chosen[0] == config.parts[first]:
            break
        writer.codes[first].append(chosen)
        on_step(writer.written, expected)
        logits = writer.read_last()
    return {part: np.stack(values, axis=1) for part, values in writer.codes.items()}
