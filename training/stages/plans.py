"""Batches for the motion language model: which task a segment is shown as, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator
from tokenizers import Tokenizer

from ...backend.models.language_config import (
    RHYTHM_WIDTH,
    TASKS,
    LanguageConfig,
    delayed_grid,
    rhythm_input,
    style_input,
)
from ..corpus.dataset import Segment
from ..corpus.styles import SegmentStyles, StyleDropout
from ..words.instructions import instructions
from .latents import Encoded, Latents
from .wording import Captions, Use

LONGEST_END = 4
"""Latent frames (about half a second) at either end that in-betweening is given at most."""


class TaskMix(BaseModel):
    """Keys of the language stages that say what training shows."""

    model_config = ConfigDict(extra="forbid")

    shares: dict[str, float] = {
        "text_to_motion": 0.68, "continuation": 0.08, "in_between": 0.08, "motion_to_text": 0.1, "speech_to_motion": 0.06,
    }  # fmt: skip
    """How often each task of :data:`~understudy.backend.models.language_config.TASKS` is trained. Continuation knows
    neither text nor style: the model it trains is also the one that guidance leads away from."""
    text: float = Field(0.6, ge=0, le=1)
    """Share of in-betweens that are told in words, too."""
    rhythm: float = Field(0.4, ge=0, le=1)
    """Share of text-to-motion segments shown with their rhythm."""
    style: StyleDropout = StyleDropout()
    halves: float = Field(0.1, ge=0, le=1)
    """Share of text-to-motion segments of which all parts but one are another segment's, so that the words
    lead their part whatever the rest of the body does: prompts of the upper and lower half."""
    length_dropout: float = Field(0.4, ge=0, le=1)
    corrupt: float = Field(0.08, ge=0, le=1)
    """Share of input tokens replaced at random, so that the model recovers from its own slips."""

    @field_validator("shares")
    @classmethod
    def _tasks(cls, shares: dict[str, float]) -> dict[str, float]:
        for task, share in shares.items():
            if task not in TASKS:
                raise ValueError(f"{task} is none of the tasks {', '.join(TASKS)}")
            if not share >= 0:
                raise ValueError(f"the share of {task} is {share}, not 0 or more")
        if not sum(shares.values()) > 0:
            raise ValueError("no task has a share")
        return shares


class Plans(NamedTuple):
    """A batch for the language model.

    Before the motion: text (B, W, 384), frames to arrive at ``ends`` (B, E, P), in which ``order`` (B, W + E)
    they follow each other and which of them exist (``context_mask``), lengths (B,), tasks (B,). Then
    tokens that go in (B, S, P) and tokens that must come out (B, S, P); word pieces that go in and must come
    out (B, S), -1 where there is none. What is told of the motion: style (B, 10), rhythm (B, S, 13).
    """

    text: np.ndarray
    ends: np.ndarray
    order: np.ndarray
    context_mask: np.ndarray
    lengths: np.ndarray
    tasks: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray
    pieces_in: np.ndarray
    pieces_out: np.ndarray
    style: np.ndarray
    rhythm: np.ndarray


@dataclass
class Row:
    """One segment as one task."""

    task: str
    segment: Segment
    grid: np.ndarray
    """(L + 1, P) the motion's tokens."""
    targets: np.ndarray
    """(L + 1, P) of those, the ones that must come out."""
    length: int
    caption: str | None = None
    ends: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), int))
    rhythm: np.ndarray | None = None
    pieces: list[int] = field(default_factory=list)
    styled: bool = True
    asked: str | None = None
    """The instruction that asks for it, where there is one."""


class PlanBatch:
    """Draws :class:`Plans` from captioned segments."""

    def __init__(
        self,
        config: LanguageConfig,
        mix: TaskMix,
        latents: Latents,
        captions: Captions,
        styles: SegmentStyles | None = None,
        pieces: Tokenizer | None = None,
        instructed: float = 0.0,
    ) -> None:
        """``instructed`` is the share of training segments that are asked for in an instruction."""
        self.instructed = instructed
        self.config, self.mix, self.latents, self.captions = config, mix, latents, captions
        self.styles = styles if config.style else None
        self.pieces = pieces if config.pieces else None
        shares = {
            task: share
            for task, share in mix.shares.items()
            if task in config.tasks and (task != "motion_to_text" or self.pieces is not None)
        }
        self.tasks = tuple(shares)
        self.chances = np.array(list(shares.values())) / sum(shares.values())

    def stretch(
        self, segment: Segment, rng: np.random.Generator, longest: int
    ) -> tuple[dict[str, np.ndarray], np.ndarray | None] | None:
        """Codes and rhythm of a random stretch of the segment, at most ``longest`` latent frames."""
        drawn = self.latents.draw(segment, rng)
        if drawn is None:
            return None
        encoded: Encoded
        encoded, first, last = drawn
        if last - first > longest:
            size = int(rng.integers(longest // 2, longest + 1))
            first = int(rng.integers(first, last - size + 1))
            last = first + size
        if last - first < 3:
            return None
        codes = {p: encoded.codes[p][first:last] for p in self.config.parts if p in encoded.codes}
        return codes, None if encoded.rhythm is None else encoded.rhythm[first:last]

    def _row(
        self, segment: Segment, rng: np.random.Generator, task: str, use: Use, others: Sequence[Segment]
    ) -> Row | None:
        augment = use == "training"
        mix, config = self.mix, self.config
        longest = config.max_length
        pieces: list[int] = []
        caption: str | None = None
        if task == "motion_to_text":
            assert self.pieces is not None
            caption = self.captions.choose(segment, rng, use)
            pieces = self.pieces.encode(caption_words(caption), add_special_tokens=False).ids
            pieces = pieces[: longest // 2]
            longest -= len(pieces) + 2  # so that no row is longer than a plan
        drawn = self.stretch(segment, rng, longest)
        if drawn is None:
            return None
        codes, rhythm = drawn
        if task != "motion_to_text":
            caption = self.captions.choose(segment, rng, use)
        length = len(next(iter(codes.values())))
        grid = delayed_grid(config, codes)
        row = Row(task, segment, grid, grid, length, caption, rhythm=rhythm, pieces=pieces)
        if task == "motion_to_text":
            row.targets = np.broadcast_to(config.absent, grid.shape)
            row.caption, row.length, row.rhythm, row.styled = None, 0, None, False
            if augment and self.instructed and rng.random() < self.instructed:
                self._ask(row, codes, rng)
            return row
        if task == "in_between" and length >= 6 and len(codes) == len(config.parts):
            start, end = rng.integers(1, min(LONGEST_END, length // 3) + 1, size=2)
            row.ends = np.stack([codes[part][length - end :] for part in config.parts], axis=1)
            told = np.zeros(length, bool)
            told[start : length - end] = True
            asked = {p: np.where(told, codes[p], config.parts[p] + 1) for p in codes}
            row.targets = delayed_grid(config, asked)
            if augment and rng.random() >= mix.text:
                row.caption = None
        elif task in ("continuation", "in_between"):
            row.task, row.caption, row.rhythm, row.styled = "continuation", None, None, False
        elif task == "speech_to_motion":
            row.caption = None
        if not augment:
            return row
        if task not in ("speech_to_motion", "continuation") and rng.random() >= mix.rhythm:
            row.rhythm = None
        if task == "text_to_motion" and rng.random() < mix.halves:
            self._mix(row, codes, others[int(rng.integers(len(others)))], rng)
        if row.task != "in_between" and rng.random() < mix.length_dropout:
            row.length = 0
        if self.instructed and rng.random() < self.instructed:
            self._ask(row, codes, rng)
        return row

    def _ask(self, row: Row, codes: dict[str, np.ndarray], rng: np.random.Generator) -> None:
        """Ask for the row in an instruction; a motion that is to go on gives its beginning."""
        sentences = instructions(row.task, row.caption)
        row.asked = sentences[int(rng.integers(len(sentences)))]
        length = len(row.grid) - 1
        if row.task == "continuation" and length >= 6:
            given = int(rng.integers(1, length // 2 + 1))
            told = np.arange(length) >= given
            asked = {p: np.where(told, codes[p], self.config.parts[p] + 1) for p in codes}
            row.targets = delayed_grid(self.config, asked)

    def _mix(self, row: Row, codes: dict[str, np.ndarray], other: Segment, rng: np.random.Generator) -> None:
        """Give all parts but one the motion of another segment; only that one must come out."""
        drawn = self.stretch(other, rng, self.config.max_length)
        kept = list(codes)[int(rng.integers(len(codes)))]
        if drawn is None or not set(codes) <= set(drawn[0]):
            return
        foreign, rhythm = drawn
        length, whole = len(next(iter(foreign.values()))), len(codes[kept])
        length = min(length, whole)
        if length < 6:
            return
        mixed = {part: (codes if part == kept else foreign)[part][:length] for part in codes}
        row.grid = delayed_grid(self.config, mixed)
        row.targets = delayed_grid(self.config, {kept: mixed[kept]})
        if length < whole or kept != next(iter(self.config.parts)):
            row.targets[length, 0] = self.config.absent[0]
        if row.rhythm is not None:
            owner = row.rhythm if kept == "upper" else rhythm
            row.rhythm = None if owner is None else owner[:length]
        row.length = length

    def __call__(
        self,
        segments: Sequence[Segment],
        rng: np.random.Generator,
        *,
        use: Use = "training",
        task: str = "text_to_motion",
        styled: bool = False,
        in_rhythm: bool = False,
    ) -> Plans | None:
        """A batch of what the segments hold; ``None`` if all are too short.

        Only training draws tasks, drops conditions and changes tokens. Any other use shows ``task``, with the
        style and the rhythm of the segments as asked.
        """
        augment = use == "training"
        config = self.config
        rows = []
        for segment in segments:
            shown = self.tasks[int(rng.choice(len(self.tasks), p=self.chances))] if augment else task
            row = self._row(segment, rng, shown, use, segments)
            if row is not None:
                rows.append(row)
        if not rows:
            return None
        size = max(len(row.grid) + (len(row.pieces) + 2 if row.pieces else 0) for row in rows)
        absent = config.absent
        inputs, targets = np.tile(absent, (2, len(rows), size, 1))
        pieces_in, pieces_out = np.full((2, len(rows), size), -1)
        rhythm = np.zeros((len(rows), size, RHYTHM_WIDTH + 1), np.float32)
        for i, row in enumerate(rows):
            length = len(row.grid)
            written = row.grid if row.pieces else row.grid[:-1]
            inputs[i, 1 : len(written) + 1] = written
            targets[i, :length] = row.targets
            if row.pieces:
                span = slice(length + 1, length + 2 + len(row.pieces))
                pieces_in[i, span] = [config.piece_end, *row.pieces]
                pieces_out[i, span] = [*row.pieces, config.piece_end]
            if row.rhythm is not None and (augment or in_rhythm):
                rhythm[i, : length - 1] = rhythm_input(row.rhythm)
        if augment:
            replaced = rng.random(inputs.shape) < self.mix.corrupt
            random = np.stack(
                [rng.integers(codes, size=inputs.shape[:2]) for codes in config.parts.values()], axis=-1
            )
            inputs = np.where(replaced & (inputs < absent - 1), random, inputs)
        style = np.zeros((len(rows), 10), np.float32)
        if self.styles is not None and (augment or styled):
            dropout = (rng, self.mix.style) if augment else ()
            values, known = self.styles.batch([row.segment for row in rows], *dropout)
            style = style_input(values, known & np.array([row.styled for row in rows])[:, None])
        tasks = [
            TASKS.index(row.task)
            if row.pieces or row.asked
            else config.task(
                text=row.caption is not None, rhythm=bool(rhythm[i].any()), end=len(row.ends) > 0
            )
            for i, row in enumerate(rows)
        ]
        return Plans(
            *self._context(rows),
            np.array([row.length for row in rows]),
            np.array(tasks),
            inputs,
            targets,
            pieces_in,
            pieces_out,
            style,
            rhythm,
        )

    def _context(self, rows: list[Row]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Text, ends, their order and mask: what there is stands right before the motion."""
        text, text_mask = self.captions.batch([row.asked or row.caption for row in rows])
        most = max(len(row.ends) for row in rows)
        ends = np.tile(self.config.absent, (len(rows), most, 1))
        ends_mask = np.zeros((len(rows), most), bool)
        for i, row in enumerate(rows):
            if len(row.ends):
                ends[i, most - len(row.ends) :], ends_mask[i, most - len(row.ends) :] = row.ends, True
        mask = np.concatenate([text_mask, ends_mask], axis=1)
        order = np.argsort(mask, axis=1, kind="stable")
        return text, ends, order, np.take_along_axis(mask, order, axis=1)


def caption_words(caption: str) -> str:
    """A caption as it is told: one spelling, without an emotion token before it."""
    from ...backend.text import normalize_prompt

    words = normalize_prompt(caption)
    return words.partition("> ")[2] if words.startswith("<") else words
