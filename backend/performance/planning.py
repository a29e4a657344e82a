"""Planning: the language model writes motion tokens, one latent frame of all parts per step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..engines.base import Engine
from ..errors import BadInput
from ..models.language_config import LanguageConfig, rhythm_input, style_input
from ..packs.config import Sampling
from ..text import TextEmbedding

MIN_FREE_LENGTH = 8
"""Latent frames (about a second) before a motion of free length may end."""


def choose(logits: np.ndarray, rng: np.random.Generator, temperature: float, top_p: float) -> int:
    """Nucleus sampling (Holtzman et al. 2020) from logits (K,)."""
    scores = logits.astype(np.float64) / max(temperature, 1e-3)
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    order = np.argsort(-weights)
    weights = weights[order]
    kept = weights[: int(weights.cumsum().searchsorted(top_p)) + 1]
    # What Generator.choice does with the same chances, without its checks, which take longer than all the rest.
    chances = (kept / kept.sum()).cumsum()
    chances /= chances[-1]
    return int(order[chances.searchsorted(rng.random(), side="right")])


def aligned(texts: list[TextEmbedding]) -> TextEmbedding:
    """Prompts one below the other, each row's words at its end, as the model has been trained on."""
    width = max(text.tokens.shape[1] for text in texts)
    rows = sum(len(text.tokens) for text in texts)
    tokens = np.zeros((rows, width, *texts[0].tokens.shape[2:]), texts[0].tokens.dtype)
    mask = np.zeros((rows, width), bool)
    at = 0
    for text in texts:
        for words, there in zip(text.tokens, text.mask, strict=True):
            count = int(there.sum())
            if count:
                tokens[at, width - count :], mask[at, width - count :] = words[there], True
            at += 1
    return TextEmbedding(tokens, mask)


def no_text(config: LanguageConfig, rows: int) -> TextEmbedding:
    """So many empty prompts."""
    words: np.ndarray = (
        np.zeros((rows, 1), np.int64)
        if config.backbone
        else np.zeros((rows, 1, config.text_width), np.float32)
    )
    return TextEmbedding(words, np.zeros((rows, 1), bool))


Codes = dict[str, np.ndarray]
"""Codes ``{part: (B, L)}`` of latent frames."""


@dataclass(frozen=True)
class Wish:
    """What is asked of a batch of plans, each array with a row for each of them.

    Attributes:
        texts: the prompts (B) that lead each part; parts with the same prompts share the object.
        length: latent frames, those given included; ``None``: the model decides.
        style: (B, 10) of :func:`~..models.language_config.style_input`.
        rhythm: (B, L, 13) of :func:`~..models.language_config.rhythm_input`.
        start, end: the first and the last latent frames, where they are given.
    """

    texts: dict[str, TextEmbedding]
    length: int | None
    style: np.ndarray | None
    rhythm: np.ndarray | None
    start: Codes
    end: Codes

    def repeated(self, times: int) -> Wish:
        """Each row so many times, side by side."""

        def rows(array: np.ndarray) -> np.ndarray:
            return np.repeat(array, times, axis=0)

        several = {id(t): TextEmbedding(rows(t.tokens), rows(t.mask)) for t in self.texts.values()}
        return Wish(
            {part: several[id(text)] for part, text in self.texts.items()},
            self.length,
            None if self.style is None else rows(self.style),
            None if self.rhythm is None else rows(self.rhythm),
            {part: rows(codes) for part, codes in self.start.items()},
            {part: rows(codes) for part, codes in self.end.items()},
        )


class _Writer:
    """A batch of plans being written, with the model state that has read them.

    The model reads every plan with each of the prompts, and once without any, for guidance. Where there is a
    style or a rhythm, it also reads the prompts without it, so that its strength is apart from theirs.
    """

    def __init__(self, engine: Engine, config: LanguageConfig, wish: Wish) -> None:
        self.engine, self.config, self.wish = engine, config, wish
        texts = list({id(text): text for text in wish.texts.values()}.values())
        self.groups = len(texts)
        self.group = {
            part: next(i for i, one in enumerate(texts) if one is text) for part, text in wish.texts.items()
        }
        self.batch = len(texts[0].tokens)
        self.manner = wish.style is not None or wish.rhythm is not None
        self.passes = self.groups * (1 + self.manner) + 1
        self.text = aligned([*texts * (1 + self.manner), no_text(config, self.batch)])
        self.codes: dict[str, list[np.ndarray]] = {
            part: list(wish.start[part].T) if wish.start else [] for part in config.parts
        }
        self.state: object = None
        self.used = 0
        """Planned frames that the state has read."""

    @property
    def written(self) -> int:
        return len(self.codes[next(iter(self.config.parts))])

    def frame(self, at: int) -> np.ndarray:
        """Tokens (B, P) of planned frame ``at``: each part as far behind as its delay."""
        columns = []
        for part, delay in self.config.delays.items():
            lagged = at - delay
            absent = np.full(self.batch, self.config.parts[part] + 1)
            columns.append(self.codes[part][lagged] if lagged >= 0 else absent)
        return np.stack(columns, axis=1)

    def _step(self, frames: list[np.ndarray]) -> dict[str, np.ndarray]:
        """Read frames, the last of them the last one written; scores of the next, ``{part: (rows, K)}``."""
        tokens = np.tile(np.stack(frames, axis=1), (self.passes, 1, 1))
        if self.wish.rhythm is None:
            return self.engine.plan_step(self.state, tokens)
        rhythm = np.zeros((self.batch, len(frames), self.wish.rhythm.shape[2]), np.float32)
        first = self.written - len(frames) + 1  # each position is told the rhythm of the frame after it
        given = self.wish.rhythm[:, first : self.written + 1]
        rhythm[:, : given.shape[1]] = given
        return self.engine.plan_step(self.state, tokens, self._told(rhythm))

    def _told(self, manner: np.ndarray) -> np.ndarray:
        """A style or a rhythm (B, ...) for the passes that are told it, zeros for the others."""
        told = np.tile(manner, (self.passes, *[1] * (manner.ndim - 1)))
        told[self.groups * self.batch :] = 0
        return told

    def read_prompt(self, context: int) -> dict[str, np.ndarray]:
        """Start afresh: the prompt and the last ``context`` planned frames. Returns the next logits."""
        wish, config = self.wish, self.config
        left = 0 if wish.length is None else wish.length - self.written + context
        rows = len(self.text.tokens)
        more: dict[str, np.ndarray] = {}
        if wish.style is not None:
            more["style"] = self._told(wish.style)
        arrives = bool(wish.end) and "in_between" in config.tasks and left <= config.max_length
        if arrives:
            ends = np.stack([wish.end[part] for part in config.parts], axis=2)
            more["ends"] = np.tile(ends, (self.passes, 1, 1))
        hears = wish.rhythm is not None
        task = [
            config.task(text=bool(there), rhythm=hears and row < self.groups * self.batch, end=arrives)
            for row, there in enumerate(self.text.mask.any(axis=1))
        ]
        lengths = np.full(rows, min(left, config.max_length))
        self.state = self.engine.plan_start(self.text, lengths, np.array(task), **more)
        absent = np.tile(config.absent, (self.batch, 1))
        self.used = context
        return self._step([absent, *(self.frame(at) for at in range(self.written - context, self.written))])

    def read_last(self) -> dict[str, np.ndarray]:
        """Read the frame just written; a full context is replaced by its second half."""
        if self.used + 1 >= self.config.max_length:
            return self.read_prompt(self.config.max_length // 2)
        self.used += 1
        return self._step([self.frame(self.written - 1)])

    def scores(self, logits: dict[str, np.ndarray], part: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scores (B, K) of a part with everything, with its prompt alone, and without any."""
        at = self.group[part] * self.batch
        plain = at + self.groups * self.batch * self.manner
        rows = logits[part]
        return rows[at : at + self.batch], rows[plain : plain + self.batch], rows[-self.batch :]

    def given(self, part: str) -> np.ndarray | None:
        """The next code (B,) of a part, where it is among the last that are given."""
        if not self.wish.end or self.wish.length is None:
            return None
        codes = self.wish.end[part]
        at = len(self.codes[part]) - (self.wish.length - codes.shape[1])
        return codes[:, at] if at >= 0 else None


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """Logarithms of probabilities over the last axis."""
    shifted = scores.astype(np.float64) - scores.max(axis=-1, keepdims=True)
    result: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def _write(
    engine: Engine,
    config: LanguageConfig,
    sampling: Sampling,
    wish: Wish,
    rngs: list[np.random.Generator],
    on_step: Callable[[int, int], None],
) -> tuple[Codes, np.ndarray]:
    """Plans, and how much more likely each is with its prompt than without: (B,) nats per token."""
    writer = _Writer(engine, config, wish)
    # What one half does must not be read off the other half, as it is in motion that was captured whole.
    strength = sampling.plan_half_guidance if writer.groups > 1 else sampling.plan_guidance
    first = next(iter(config.parts))
    length = wish.length
    expected = length or config.max_length
    gains: list[np.ndarray] = []

    def sample(part: str, *, may_end: bool) -> np.ndarray:
        given = writer.given(part)
        if given is not None:
            return given
        wanted, prompted, free = writer.scores(logits, part)
        scores = free + strength * (prompted - free)
        scores = scores + sampling.manner_guidance * (wanted - prompted)
        # Only the first sample may end the motion, so that all of the batch have one length.
        scores[1 if may_end else 0 :, config.parts[part]] = -np.inf
        chosen = np.array(
            [
                choose(s, rng, sampling.temperature, sampling.top_p)
                for s, rng in zip(scores, rngs, strict=True)
            ]
        )
        if sampling.candidates > 1:  # otherwise there is nothing to compare
            gain = log_softmax(wanted) - log_softmax(free)
            gains.append(gain[np.arange(len(chosen)), chosen])
        return chosen

    context = writer.written if writer.written < config.max_length else config.max_length // 2
    logits = writer.read_prompt(context)
    while True:
        for part, delay in config.delays.items():
            if 0 < delay <= writer.written and len(writer.codes[part]) < writer.written:
                writer.codes[part].append(sample(part, may_end=False))
        if writer.written == expected:
            break
        chosen = sample(first, may_end=length is None and writer.written >= MIN_FREE_LENGTH)
        if chosen[0] == config.parts[first]:
            break
        writer.codes[first].append(chosen)
        on_step(writer.written, expected)
        logits = writer.read_last()
    codes = {part: np.stack(values, axis=1) for part, values in writer.codes.items()}
    return codes, np.mean(gains, axis=0) if gains else np.zeros(writer.batch)


def _rows(codes: Codes | None, config: LanguageConfig, batch: int, field: str) -> Codes:
    """Given codes ``{part: (L,) or (B, L)}`` as a row for each plan."""
    if codes is None or not next(iter(codes.values())).shape[-1]:
        return {}
    missing = [part for part in config.parts if part not in codes]
    if missing:
        raise BadInput(f"The given motion has no {' and no '.join(missing)}.", field=field)
    return {part: np.broadcast_to(codes[part], (batch, codes[part].shape[-1])) for part in config.parts}


def plan(
    engine: Engine,
    config: LanguageConfig,
    sampling: Sampling,
    text: TextEmbedding,
    length: int | None,
    rngs: list[np.random.Generator],
    on_step: Callable[[int, int], None],
    *,
    style: tuple[np.ndarray, np.ndarray] | None = None,
    rhythm: np.ndarray | None = None,
    part_text: dict[str, TextEmbedding] | None = None,
    start: Codes | None = None,
    end: Codes | None = None,
) -> Codes:
    """Codes ``{part: (B, L)}`` for prompts (B); of ``sampling.candidates`` plans for each, the one whose
    tokens its prompt explains best (the mean of log p(plan | text, style) - log p(plan)).

    Args:
        length: latent frames wanted, with those given; None lets the first sample of the batch end the motion.
        rngs: one generator per sample.
        on_step: called with (steps done, steps expected) after each; it may raise to cancel.
        style: values 0 to 1 (B, 5) and which of them are given (B, 5).
        rhythm: (L, 12) or (B, L, 12) of each latent frame.
        part_text: prompts (B) for single parts, in place of ``text``.
        start: codes ``{part: (S,) or (B, S)}`` that the plan begins with and goes on from.
        end: codes ``{part: (E,) or (B, E)}`` that it ends with; needs a length.

    Raises:
        BadInput: the model takes no style or no rhythm, or what is given does not fit into the length.
    """
    batch = len(rngs)
    if style is not None and style[1].any() and not config.style:
        raise BadInput("This pack's language model takes no style.", field="style")
    if rhythm is not None and not config.rhythm:
        raise BadInput("This pack's language model takes no rhythm.", field="speech")
    wish = Wish(
        {part: (part_text or {}).get(part, text) for part in config.parts},
        length,
        style_input(*style) if style is not None and style[1].any() else None,
        None if rhythm is None else rhythm_input(np.broadcast_to(rhythm, (batch, *rhythm.shape[-2:]))),
        _rows(start, config, batch, "start"),
        _rows(end, config, batch, "end"),
    )
    given = sum(next(iter(codes.values())).shape[1] for codes in (wish.start, wish.end) if codes)
    if wish.end and length is None:
        raise BadInput("A motion that is to end in a given way needs a length.", field="seconds")
    if length is not None and given >= length > 0 and given:
        raise BadInput("The given motion leaves no room for a new one in this length.", field="seconds")
    count = sampling.candidates
    if count == 1:
        return _write(engine, config, sampling, wish, rngs, on_step)[0]
    many = [candidate for rng in rngs for candidate in rng.spawn(count)]
    codes, gain = _write(engine, config, sampling, wish.repeated(count), many, on_step)
    best = gain.reshape(batch, count).argmax(axis=1) + np.arange(batch) * count
    return {part: values[best] for part, values in codes.items()}
