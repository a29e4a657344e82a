"""Stage 3: the language model takes part in conversations, in words and with the body.

It begins with a trained stage 2 (``init_from``) and learns from multimodal scripts: what was said and done so far goes
in, the answer comes out. The other part of what is drawn is stage 2's own tasks, so that plain prompts stay as good.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from pydantic import Field
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from ...backend.dialogue.emotions import EMOTIONS
from ...backend.errors import BadInput
from ...backend.models.chat_words import ChatConfig
from ...backend.models.language import MotionLanguageModel
from ..corpus.chat_turns import Exchange, Performances, Voices, exchanges
from .base_model import OwnWords
from .chats import FRAME, PIECE, TEXT, ChatBatch, ChatMix, Chats, Told
from .common import main_first, send, train
from .language import LanguageStage, Learning, prepare_language
from .latents import CaptionEmbeddings
from .plans import Plans
from .wording import Wording


class ChatStage(LanguageStage):
    """Keys of ``stage chat``: those of ``stage language``, whose folder ``init_from`` names."""

    scripts: Path
    """What ``understudy-train multimodal`` wrote: ``scripts.jsonl``, or its folder."""
    speech: Path | None = None
    """How the turns sound: the folder that ``understudy-train speech-codes --scripts`` wrote. Without it, the model
    neither hears nor speaks."""
    conversations: float = Field(0.6, gt=0, le=1)
    """Share of batches that are conversations; the others are stage 2's."""
    chat: ChatMix = ChatMix()
    word_weight: float = 0.2
    """Of the loss of emotions and delays, beside that of motion."""
    text_weight: float = 0.2
    """Of the loss of what is said, and of how it sounds."""
    measured: int = Field(64, ge=1)
    """Turns of the validation scripts that each evaluation looks at."""
    learning_rate: float = 2e-4
    warmup: int = 50


def embed_chats(model: MotionLanguageModel, chats: Chats) -> tuple[Tensor, Tensor]:
    """The sequences of a batch (B, N, width) and which positions exist (B, N)."""
    device = model.embedding.weight.device
    kind, words = send(chats.kind, device), send(chats.words, device)

    def only(wanted: int) -> Tensor:
        return words.masked_fill(kind != wanted, 0)

    embedded = model.embedding(words.masked_fill((kind == PIECE) | (kind == 0), 0))
    embedded = torch.where((kind == FRAME)[..., None], model.embed(send(chats.frames, device)), embedded)
    if model.config.pieces:
        spelled = model.embed_pieces(only(PIECE)).to(embedded.dtype)
        embedded = torch.where((kind == PIECE)[..., None], spelled, embedded)
    if not model.config.backbone:
        text = model.text(send(chats.text, device)).to(embedded.dtype)
        embedded = torch.where((kind == TEXT)[..., None], text, embedded)
    return embedded, (kind > 0).long()


class Scored(NamedTuple):
    """Scores (K, classes), what is right (K,), and which row of the batch each belongs to (K,)."""

    scores: Tensor
    wanted: Tensor
    rows: np.ndarray

    def nats(self) -> Tensor:
        """(K,) nothing smoothed."""
        return F.cross_entropy(self.scores, self.wanted, reduction="none")


def chat_scores(model: MotionLanguageModel, chats: Chats) -> dict[str, Scored]:
    """Scores and answers of everything that must come out: ``motion`` and ``reaction`` of each part
    (``motion.upper``), ``text``, ``words`` and the ``voice``; what the batch does not ask for is left out."""
    embedded, mask = embed_chats(model, chats)
    hidden = model.read(embedded, mask)[0].flatten(0, 1)
    found: dict[str, Scored] = {}
    size = chats.kind.shape[1]

    def at(places: np.ndarray) -> Tensor:
        return hidden[send(places, hidden.device)]

    for name, whom in (("motion", 1), ("reaction", 2)):
        places = np.flatnonzero(chats.whom.reshape(-1) == whom)
        if not len(places):
            continue
        wanted = chats.motion_out.reshape(-1, chats.motion_out.shape[-1])[places]
        for i, (part, scores) in enumerate(model.motion_logits(at(places)).items()):
            told = np.flatnonzero(wanted[:, i] != model.config.absent[i])
            if len(told):
                rows = send(told, hidden.device)
                found[f"{name}.{part}"] = Scored(
                    scores[rows].float(), send(wanted[told, i], hidden.device), places[told] // size
                )
    assert model.config.chat is not None
    heard = model.config.chat.words.speech
    words = chats.word_out.reshape(-1)
    for name, out, there, logits in (
        ("text", chats.piece_out.reshape(-1), chats.piece_out.reshape(-1) >= 0, model.piece_logits),
        ("words", words, (words >= 0) & (words < heard), model.chat_logits),
        ("voice", words, words >= heard, model.chat_logits),
    ):
        places = np.flatnonzero(there)
        if len(places):
            scores = logits(at(places)[None])[0].float()
            found[name] = Scored(scores, send(out[places], hidden.device), places // size)
    return found


SAID = ("text", "words", "voice")
"""What of the scores is no motion."""


def chat_loss(model: MotionLanguageModel, chats: Chats, config: ChatStage) -> Tensor:
    """Cross-entropy of motion, words and what is said."""
    found = chat_scores(model, chats)
    moved = [pair for name, pair in found.items() if name not in SAID]
    loss = torch.zeros((), device=model.embedding.weight.device)
    if moved:
        smoothing = config.label_smoothing
        losses = [
            F.cross_entropy(one.scores, one.wanted, label_smoothing=smoothing, reduction="sum")
            for one in moved
        ]
        loss = loss + torch.stack(losses).sum() / sum(len(one.wanted) for one in moved)
    for name in (name for name in SAID if name in found):
        weight = config.word_weight if name == "words" else config.text_weight
        loss = loss + weight * F.cross_entropy(found[name].scores, found[name].wanted)
    return loss


@torch.no_grad()
def turn_losses(
    model: MotionLanguageModel, batch: ChatBatch, turns: list[Exchange], told: Told, size: int = 16
) -> dict[str, np.ndarray]:
    """Of each turn the nats and the number of tokens (N, 2): ``motion``, ``reaction``, ``text``, ``words``."""
    found: dict[str, np.ndarray] = {}
    for at in range(0, len(turns), size):
        for name, scored in chat_scores(model, batch(turns[at : at + size], None, told)).items():
            total = found.setdefault(name.partition(".")[0], np.zeros((len(turns), 2)))
            np.add.at(total[:, 0], at + scored.rows, scored.nats().cpu().numpy())
            np.add.at(total[:, 1], at + scored.rows, 1)
    return found


def chat_config(voices: Voices | None = None) -> ChatConfig:
    """What a model learns of conversations: every emotion that a dialogue performs, and voices where there are any."""
    return ChatConfig(emotions=EMOTIONS, speech=voices.size if voices is not None else 0)


def script_words(
    turns: list[Exchange], pieces: Tokenizer, config: LanguageStage, *, own: bool
) -> CaptionEmbeddings:
    """What scripts say, embedded once; ``own``: by a pretrained base as it reads."""
    if own:
        return OwnWords(pieces, Wording())
    return CaptionEmbeddings({text for turn in turns for text in turn.texts}, config.store / "features")


def conversations(
    config: ChatStage, learning: Learning, turns: list[Exchange], voices: Voices | None
) -> ChatBatch:
    """What makes batches of turns, checked against the store.

    Raises:
        BadInput: the model cannot spell, or the scripts were made of another store.
    """
    if learning.pieces is None:
        raise BadInput("A model that takes part in conversations needs word pieces.", field="pieces")
    performances = Performances(learning.corpus, learning.latents)
    missing = performances.missing(turn.script for turn in turns)
    if missing:
        first = min(missing)
        raise BadInput(
            f"The scripts name {len(missing)} clips that {config.store} does not hold, the first is {first}.",
            hint="Name the store that the scripts were made of, and all of its datasets.",
            field="scripts",
        )
    own = bool(learning.model.config.backbone)
    captions = script_words(turns, learning.pieces, config, own=own)
    return ChatBatch(learning.model.config, config.chat, performances, captions, learning.pieces, voices)


def run(config: ChatStage) -> dict[str, float]:
    """Train.

    Raises:
        BadInput: a folder is not what it should be, or there is no script to learn from.
    """
    if config.init_from is None:
        raise BadInput("Stage chat needs init_from, a trained stage language.", field="init_from")
    everything = exchanges(config.scripts)
    training = [turn for turn in everything if turn.script.split == "train"]
    held_out = [turn for turn in everything if turn.script.split == "val"]
    if not training:
        raise BadInput(f"{config.scripts} holds no script of the split train.", field="scripts")
    voices = Voices(config.speech) if config.speech is not None else None
    learning = prepare_language(config, name="chat", chat=chat_config(voices))
    with main_first():
        batch = conversations(config, learning, everything, voices)
    model = learning.model
    rng = np.random.default_rng(config.seed)
    shown = [held_out[i] for i in rng.permutation(len(held_out))[: config.measured]]

    def draw(rng: np.random.Generator) -> Chats | Plans:
        if rng.random() < config.conversations:
            return batch([training[i] for i in rng.integers(len(training), size=config.batch_size)], rng)
        return learning.draw(rng)

    def loss(drawn: Any) -> tuple[Tensor, dict[str, Tensor]]:
        conversation = isinstance(drawn, Chats)
        value = chat_loss(model, drawn, config) if conversation else learning.loss(drawn)[0]
        # Processes draw different kinds, and log the same names.
        return value, {"conversation": torch.tensor(float(conversation))}

    def evaluate(network: nn.Module) -> dict[str, float]:
        found = learning.evaluate(network)
        for told, names in (
            (Told(False, False), ("motion", "reaction", "words")),
            (Told(True, False), ("text",)),
        ):
            losses = turn_losses(model, batch, shown, told) if shown else {}
            totals = {name: losses[name].sum(0) for name in names if name in losses}
            found |= {f"val_chat_{name}": float(nats / count) for name, (nats, count) in totals.items()}
        return found

    return train(
        config,
        model,
        loss,
        evaluate,
        name="chat",
        description=model.config.model_dump(),
        draw=draw,
        compiled=(model.backbone,),
        **learning.shipped,
    )
