"""Batches of conversations for the language model: what was said and done so far, and the answer that must come out.

One turn is one sequence::

    chat | persona self, persona other | each earlier turn: who, emotion, words, seconds, [voice], motion of both
         | self, emotion, words, seconds, [voice], [directed, words] | moves, task, length, motion
         | reacts, delay, task, length, motion of who listens

Emotion, words and voice, the speaker's motion, the delay and the listener's motion are predicted. Words that are to come out are
word pieces; words that are given (earlier turns, or a line that somebody else wrote) are embedded as captions are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from tokenizers import Tokenizer

from ...backend.models.language_config import LanguageConfig, Vocabulary, delayed_grid
from ..corpus.chat_turns import LEAST, Codes, Exchange, Performances, Voices, emotion_index, mirrors
from .latents import CaptionEmbeddings

TEXT, WORD, FRAME, PIECE = 1, 2, 3, 4
"""Kinds of positions; 0 is none."""
LONGEST_TEXT = 48
"""Word pieces of a line, or of a direction, that are read or written at most."""
LONGEST_VOICE = 48
"""Codes of a voice of a turn, at most; some six seconds."""


class ChatMix(BaseModel):
    """Keys under ``chat`` of the stage that say what training shows of conversations."""

    model_config = ConfigDict(extra="forbid")

    history: int = Field(3, ge=0)
    """Earlier turns that are told at most."""
    remembered: int = Field(6, ge=0)
    """Latent frames, evenly spaced, of each body's motion in an earlier turn."""
    motion: int = Field(48, ge=LEAST)
    """Latent frames of a speaker's motion at most."""
    reaction: int = Field(24, ge=LEAST)
    """Latent frames of a listener's motion at most."""
    spelled: float = Field(0.35, ge=0, le=1)
    """Share of turns whose words must come out; the others are given."""
    directed: float = Field(0.4, ge=0, le=1)
    """Share of turns that are told in words what the speaker does."""
    persona: float = Field(0.8, ge=0, le=1)
    """Share that is told who the characters are."""
    forgets: int = Field(4, ge=1)
    """Of the voice of an earlier turn every so many-th code is told."""
    forgotten: float = Field(0.1, ge=0, le=1)
    """Share without anything said before."""
    voiced: float = Field(0.5, ge=0, le=1)
    """Share of turns with their voice, of those that have one: given with words that are given, else to come out."""
    length: float = Field(0.6, ge=0, le=1)
    """Share that is told how long the motion is."""
    corrupt: float = Field(0.08, ge=0, le=1)
    """Share of motion tokens replaced at random, so that the model recovers from its own slips."""


class Told(NamedTuple):
    """What a sequence tells, where it is not drawn: whether the words must come out, whether the motion is asked for
    in words, and whether there is a voice."""

    spelled: bool
    directed: bool
    voiced: bool = True


class Chats(NamedTuple):
    """A batch of B conversations of N positions, the shorter ones filled up on the right.

    kind (B, N): TEXT with its vector in text (B, N, 384), WORD with its row of the table in words, FRAME with its
    tokens in frames (B, N, P), PIECE with its number in words. What each position must give: tokens motion_out
    (B, N, P) of whom (B, N; 1 speaks, 2 listens), a piece in piece_out, a word counted from the first of a
    conversation in word_out; -1 where nothing.
    """

    kind: np.ndarray
    text: np.ndarray
    words: np.ndarray
    frames: np.ndarray
    motion_out: np.ndarray
    whom: np.ndarray
    piece_out: np.ndarray
    word_out: np.ndarray


class Conversation:
    """One conversation being written."""

    def __init__(self, batch: ChatBatch) -> None:
        self.batch = batch
        self.rows: list[tuple[int, Any]] = []
        self.out: dict[int, tuple[str, Any]] = {}
        """By position, what it must give."""

    def word(self, mark: str | int, *, predicted: bool = False) -> None:
        """A word of conversations, which the position before must give where it is predicted."""
        known = self.batch.words
        index = known.marks[mark] if isinstance(mark, str) else mark
        if predicted:
            self.out[len(self.rows) - 1] = ("word", index)
        self.rows.append((WORD, self.batch.vocabulary.chat + index))

    def row(self, row: int) -> None:
        """Any row of the table."""
        self.rows.append((WORD, row))

    def say(self, text: str) -> None:
        """Words that are given."""
        if self.batch.config.backbone:
            self.rows += [(PIECE, piece) for piece in self.batch.spell(text)]
        else:
            vectors, _ = self.batch.captions.batch([text])
            self.rows += [(TEXT, vector) for vector in vectors[0][:LONGEST_TEXT]]

    def spell(self, text: str) -> None:
        """Words that must come out."""
        end = self.batch.config.piece_end
        pieces = [end, *self.batch.spell(text), end]
        for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
            if following is not None:
                self.out[len(self.rows)] = ("piece", following)
            self.rows.append((PIECE, piece))

    def speak(self, codes: np.ndarray, *, predicted: bool = False) -> None:
        """Codes (L,) of a voice."""
        for code in codes[:LONGEST_VOICE].tolist():
            self.word(self.batch.words.speech + code, predicted=predicted)

    def remember(self, codes: Codes) -> None:
        """A few frames of a motion."""
        length = len(next(iter(codes.values()))) if codes else 0
        count = min(self.batch.mix.remembered, length)
        for at in np.linspace(0, length - 1, count).round().astype(int) if count else ():
            self.rows.append((FRAME, self.batch.frame(codes, int(at))))

    def task(self, length: int) -> None:
        """What stands right before motion, as in stage 2."""
        self.row(self.batch.vocabulary.tasks["text_to_motion"])
        self.row(self.batch.vocabulary.lengths + min(length, self.batch.config.max_length))

    def perform(self, codes: Codes, whom: int, rng: np.random.Generator | None) -> None:
        """Motion that must come out, its end included."""
        config = self.batch.config
        grid = delayed_grid(config, codes)
        shown = grid if rng is None else self._slipped(grid, rng)
        for i, tokens in enumerate([config.absent, *shown]):
            if i < len(grid):
                self.out[len(self.rows)] = ("motion", (grid[i], whom))
            self.rows.append((FRAME, tokens))

    def _slipped(self, grid: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        config = self.batch.config
        random = np.stack([rng.integers(codes, size=len(grid)) for codes in config.parts.values()], axis=1)
        wrong = (rng.random(grid.shape) < self.batch.mix.corrupt) & (grid < config.absent - 1)
        return np.where(wrong, random, grid)


class ChatBatch:
    """Makes :class:`Chats` of turns.

    Args:
        captions: what scripts say, embedded; not needed by a pretrained base, which reads its own words.
        pieces: the vocabulary that answers are spelled in.
        voices: how turns sound, of a model that hears.
    """

    def __init__(
        self,
        config: LanguageConfig,
        mix: ChatMix,
        performances: Performances,
        captions: CaptionEmbeddings,
        pieces: Tokenizer,
        voices: Voices | None = None,
    ) -> None:
        assert config.chat is not None
        self.config, self.mix, self.performances = config, mix, performances
        self.captions, self.pieces = captions, pieces
        self.voices = voices if config.chat.speech else None
        self.chat, self.words = config.chat, config.chat.words
        self.vocabulary = Vocabulary.build(config)

    def spell(self, text: str) -> list[int]:
        """Word pieces of a line."""
        from .plans import caption_words

        return list(self.pieces.encode(caption_words(text), add_special_tokens=False).ids)[:LONGEST_TEXT]

    def frame(self, codes: Codes, at: int) -> np.ndarray:
        """Tokens (P,) of a latent frame, no part behind another."""
        absent = self.config.absent
        return np.array([codes[p][at] if p in codes else absent[i] for i, p in enumerate(self.config.parts)])

    def voice(self, exchange: Exchange, index: int) -> np.ndarray:
        """Codes (L,) of how a turn sounds; none where nothing is heard."""
        none = np.zeros(0, np.int64)
        return self.voices.codes(exchange.script, index) if self.voices is not None else none

    def emotion(self, name: str) -> int:
        return self.words.emotions + emotion_index(name, self.chat.emotions)

    # -- a conversation ----------------------------------------------------------------------------

    def beginning(
        self, exchange: Exchange, rng: np.random.Generator | None = None, *, mirrored: bool = False
    ) -> Conversation:
        """Everything before the turn, and whose turn it is."""
        mix, made = self.mix, Conversation(self)
        made.word("chat")
        me = exchange.turn.speaker
        if rng is None or rng.random() < mix.persona:
            for mark, character in (("self", me), ("other", 1 - me)):
                if words := exchange.persona(character):
                    made.word("persona")
                    made.word(mark)
                    made.say(words)
        history = exchange.history(mix.history)
        if rng is not None:
            kept = 0 if rng.random() < mix.forgotten else int(rng.integers(len(history) + 1))
            history = history[len(history) - kept :]
        for index, turn in enumerate(history, exchange.index - len(history)):
            made.word("self" if turn.speaker == me else "other")
            made.word(self.emotion(turn.emotion))
            made.say(turn.text)
            made.word(self.words.of_seconds(turn.seconds))
            made.speak(self.voice(exchange, index)[:: max(mix.forgets, 1)])
            for mark, performed, longest in (
                ("moves", turn.motion, mix.motion),
                ("reacts", turn.reaction, mix.reaction),
            ):
                codes = self.performances.codes(performed, longest, rng, mirrored=mirrored)
                if codes:
                    made.word(mark)
                    made.remember(codes)
        made.word("self")
        return made

    def line(self, made: Conversation, exchange: Exchange, told: Told) -> None:
        """The turn's emotion and words, and what its speaker is asked to do."""
        turn = exchange.turn
        made.word(self.emotion(turn.emotion), predicted=True)
        if told.spelled:
            made.spell(turn.text)
        else:
            made.say(turn.text)
        made.word(self.words.of_seconds(turn.seconds))
        if told.voiced:
            made.speak(self.voice(exchange, exchange.index), predicted=told.spelled)
        if told.directed and turn.motion.text:
            made.word("directed")
            made.say(turn.motion.text)

    def sequence(
        self, exchange: Exchange, rng: np.random.Generator | None = None, told: Told | None = None
    ) -> Conversation:
        """A whole turn; drawn as training shows it where there is a generator."""
        mix, turn = self.mix, exchange.turn
        mirrored = False
        if rng is not None:
            mirrored = bool(rng.random() < 0.5) and self._mirrors(exchange)
            shares = (mix.spelled, mix.directed, mix.voiced)
            told = told or Told(*(bool(rng.random() < share) for share in shares))
        told = told or Told(False, False)
        made = self.beginning(exchange, rng, mirrored=mirrored)
        self.line(made, exchange, told)

        def wanted(codes: Codes) -> int:
            known = rng is None or rng.random() < mix.length
            return len(next(iter(codes.values()))) if known else 0

        codes = self.performances.codes(turn.motion, mix.motion, rng, mirrored=mirrored)
        if codes:
            made.word("moves")
            made.task(wanted(codes))
            made.perform(codes, 1, rng)
        made.word("reacts")
        if turn.reaction is None:
            made.word("still", predicted=True)
            return made
        made.word(self.words.of_delay(turn.reaction.begins), predicted=True)
        codes = self.performances.codes(turn.reaction, mix.reaction, rng, mirrored=mirrored)
        if codes:
            made.task(wanted(codes))
            made.perform(codes, 2, rng)
        return made

    def _mirrors(self, exchange: Exchange) -> bool:
        """Whether everything in it may be seen in a mirror."""
        turns = [*exchange.history(self.mix.history), exchange.turn]
        return all(mirrors(each) for turn in turns for each in (turn.motion, turn.reaction))

    # -- a batch -----------------------------------------------------------------------------------

    def __call__(
        self,
        turns: Sequence[Exchange],
        rng: np.random.Generator | None = None,
        told: Told | None = None,
    ) -> Chats:
        """A batch: as training shows it with a generator, else whole and unchanged."""
        return self.collated([self.sequence(turn, rng, told) for turn in turns])

    def collated(self, made: Sequence[Conversation]) -> Chats:
        config = self.config
        size = max(len(one.rows) for one in made)
        shape = (len(made), size)
        width = 0 if config.backbone else config.text_width
        chats = Chats(
            np.zeros(shape, np.int64),
            np.zeros((*shape, width), np.float32),
            np.zeros(shape, np.int64),
            np.tile(config.absent, (*shape, 1)),
            np.tile(config.absent, (*shape, 1)),
            np.zeros(shape, np.int64),
            np.full(shape, -1),
            np.full(shape, -1),
        )
        for i, one in enumerate(made):
            for at, (kind, value) in enumerate(one.rows):
                chats.kind[i, at] = kind
                (chats.text if kind == TEXT else chats.frames if kind == FRAME else chats.words)[i, at] = (
                    value
                )
            for at, (what, wanted) in one.out.items():
                if what == "motion":
                    chats.motion_out[i, at], chats.whom[i, at] = wanted
                else:
                    (chats.piece_out if what == "piece" else chats.word_out)[i, at] = wanted
        return chats
