"""Stage 2: the motion language model learns to plan motion tokens, and to tell them in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from ...backend.engines.torch_planner import TorchPlanner
from ...backend.errors import BadInput
from ...backend.models.chat_words import ChatConfig
from ...backend.models.language import TASKS, LanguageConfig, MotionLanguageModel
from ...backend.performance.describing import LONGEST, tell
from ...backend.performance.pieces import FILE, learn_pieces, read_pieces
from ...backend.text import WIDTH, TextEncoder
from ..corpus.dataset import Corpus, Segment, load_corpus
from ..corpus.styles import SegmentStyles
from ..corpus.weights import Chooser, Weighting
from ..evaluation.captioning import bleu, similarity
from ..words.instructions import instructions
from ..words.paraphrase import some_paraphrases
from .base_model import Base, Lora, OwnWords, add_lora, frozen, load_base
from .common import StageConfig, main_first, send, set_up, train
from .latents import Latents, load_tokenizers
from .plans import PlanBatch, Plans, TaskMix, caption_words
from .wording import Captions, Wording


class LanguageStage(StageConfig):
    """Keys of ``stage language``."""

    tokenizers: dict[str, Path]
    model: dict[str, Any] = {}
    mix: TaskMix = TaskMix()
    """What is trained how often, and what is told of it."""
    pieces: int = Field(1000, ge=0)
    """Word pieces to tell motion in, learnt from the training captions; 0: motion is not told in words."""
    base_model: str = ""
    """A causal language model of transformers to begin with: a folder, or a name in the local cache. Its own
    words and sizes then take the place of the sentence encoder, of ``pieces`` and of the sizes of ``model``."""
    download: bool = False
    """Whether transformers may fetch ``base_model`` from the hub."""
    lora: Lora | None = None
    """Train low-rank changes to the base in place of all of it; they are merged into the weights that are
    written."""
    caption_weight: float = 0.2
    """Of the loss of motion told in words, beside that of planned motion."""
    told: int = Field(32, ge=0)
    """Validation clips that each evaluation tells in words and compares with their captions (BLEU, cosine of
    sentence embeddings)."""
    label_smoothing: float = 0.05
    weights: Weighting = Weighting()
    """Which segments are drawn oftener."""
    wording: Wording = Wording()
    """Other words and emotion tokens for captions."""
    speeds: list[Annotated[float, Field(gt=0)]] = []
    """Training motion is also shown played so many times as fast."""


def embed_plans(model: MotionLanguageModel, plans: Plans) -> tuple[Tensor, Tensor]:
    """The whole sequence of a batch (B, N, width) and which positions exist (B, N)."""
    device = model.embedding.weight.device
    order = send(plans.order, device) if plans.ends.shape[1] else None  # text alone is in order already
    prefix = model.prefix(
        send(plans.text, device),
        send(plans.lengths, device),
        send(plans.tasks, device),
        None if order is None else send(plans.ends, device),
        order,
    )
    body = model.embed(
        send(plans.inputs, device),
        send(plans.style, device) if model.config.style else None,
        send(plans.rhythm, device) if model.config.rhythm else None,
    )
    if model.config.pieces:
        pieces = send(plans.pieces_in, device)
        body = torch.where((pieces >= 0)[..., None], model.embed_pieces(pieces.clamp(min=0)), body)
    rows, size = plans.targets.shape[:2]
    ones = np.ones((rows, size + 2), bool)  # the task, the length; what follows a motion nobody attends to
    mask = send(np.concatenate([plans.context_mask, ones], axis=1), device).long()
    return torch.cat([prefix, body], dim=1), mask


def plan_loss(
    model: MotionLanguageModel, plans: Plans, smoothing: float = 0.0, caption_weight: float = 1.0
) -> tuple[Tensor, dict[str, Tensor]]:
    """Cross-entropy over the motion positions and over the captions, and the shares of tokens predicted right."""
    embedded, mask = embed_plans(model, plans)
    size = plans.targets.shape[1]
    hidden = model.read(embedded, mask)[0][:, -size:]
    targets = send(plans.targets, hidden.device)
    losses, right, counts = [], [], []
    for i, (part, logits) in enumerate(model.motion_logits(hidden).items()):
        # Nothing here depends on values on the host: a GPU need not wait.
        scores = logits.float().flatten(0, 1)
        wanted = targets[..., i].flatten()
        wanted = wanted.masked_fill(wanted == model.config.parts[part] + 1, -100)
        losses.append(F.cross_entropy(scores, wanted, label_smoothing=smoothing, reduction="sum"))
        right.append((scores.argmax(-1) == wanted).sum())
        counts.append((wanted != -100).sum())
    count = torch.stack(counts)
    mean = torch.stack(losses) / count.clamp(min=1)
    loss = mean.sum() / (count > 0).sum().clamp(min=1)
    numbers = {"accuracy": torch.stack(right).sum() / count.sum().clamp(min=1)}
    told = np.flatnonzero((plans.pieces_out >= 0).any(axis=1))
    if len(told):
        caption_loss, numbers["caption_accuracy"] = _caption_loss(model, hidden, plans, told, smoothing)
        loss = loss + caption_weight * caption_loss
    return loss, numbers


def _caption_loss(
    model: MotionLanguageModel, hidden: Tensor, plans: Plans, rows: np.ndarray, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Cross-entropy and accuracy of the word pieces of the rows that have any."""
    scores = model.piece_logits(hidden[send(rows, hidden.device)]).float().flatten(0, 1)
    wanted = send(plans.pieces_out[rows], hidden.device).flatten()
    loss = F.cross_entropy(scores, wanted, label_smoothing=smoothing, ignore_index=-1)
    return loss, (scores.argmax(-1) == wanted).sum() / (wanted >= 0).sum()


def _words(
    config: LanguageStage,
    segments: list[Segment],
    base: Base | None,
    older: LanguageConfig | None,
    instructed: bool,
) -> tuple[Tokenizer | None, Captions]:
    """What motion is told in, and what asks for it: pieces of captions and embedded captions, or, of a
    pretrained base, its own words for both. The vocabulary is kept in the stage's folder."""
    kept = config.out / FILE
    earlier = config.init_from / FILE if config.init_from is not None else None
    own = base is not None or (older is not None and bool(older.backbone))
    captions = None if own else (Asked if instructed else Captions)(
        segments, config.wording, config.store / "features"
    )  # fmt: skip
    if not own and not config.pieces:
        assert captions is not None
        return None, captions
    if not kept.exists():
        config.out.mkdir(parents=True, exist_ok=True)
        if base is not None:
            pieces = base.words
        elif earlier is not None and earlier.exists():
            pieces = read_pieces(earlier)
        else:
            plain = {text for s in segments if s.motion.split == "train" for text in _told(s, config.wording)}
            pieces = learn_pieces(plain, config.pieces)
        temporary = kept.with_suffix(".tmp")
        temporary.write_text(pieces.to_str(), "utf-8")
        temporary.replace(kept)
    words = read_pieces(kept)
    return words, captions or OwnWords(words, config.wording)


def _told(segment: Segment, wording: Wording) -> set[str]:
    """The words that a training segment may be told in."""
    told = {caption_words(caption) for caption in segment.captions}
    if wording.paraphrase:
        told |= {other for text in told for other in some_paraphrases(text, wording.variants)}
    return told


def older_config(folder: Path) -> LanguageConfig:
    """What the stage in a folder is made of.

    Raises:
        BadInput: the folder holds no trained language model.
    """
    try:
        return LanguageConfig.model_validate_json((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder} holds no trained language model.", field="init_from") from error


def start_from(model: MotionLanguageModel, folder: Path) -> None:
    """Let a new model begin with the weights of a trained stage as far as they fit.

    Raises:
        BadInput: the folder holds no trained language model.
    """
    config = older_config(folder)
    try:
        state = load_file(folder / "model.safetensors")
    except OSError as error:
        raise BadInput(f"{folder} holds no trained language model.", field="init_from") from error
    left = model.start_from(state, config)
    print(f"language starts from {folder}" + (f"; new: {', '.join(left)}" if left else ""), flush=True)


EVALUATIONS: dict[str, dict[str, Any]] = {
    "": {},
    "_reworded": {"use": "evaluation"},
    "_styled": {"styled": True},
    "_rhythm": {"in_rhythm": True},
    "_unprompted": {"task": "continuation"},
    "_between": {"task": "in_between"},
    "_told": {"task": "motion_to_text"},
}
"""What is measured on validation segments, by the ending of its name: what is shown of them."""


def tell_and_measure(
    model: MotionLanguageModel, pieces: Tokenizer, batch: PlanBatch, segments: list[Segment]
) -> dict[str, float]:
    """``val_bleu1``, ``val_bleu4`` and ``val_similarity`` of segments told in words, as ``describe`` does it."""
    planner = TorchPlanner(model, model.embedding.weight.device)
    rng = np.random.default_rng(7)
    told, references = [], []
    for segment in segments:
        drawn = batch.stretch(segment, rng, model.config.max_length - LONGEST // 2)
        if drawn is not None:
            told.append(pieces.decode(tell(planner, model.config, drawn[0])) or "nothing")
            references.append(segment.captions)
    if not told:
        return {}
    return {
        "val_bleu1": bleu(told, references, 1),
        "val_bleu4": bleu(told, references, 4),
        "val_similarity": float(similarity(told, references, TextEncoder()).mean()),
    }


class Asked(Captions):
    """Captions, also inside the instructions that ask for them, and the instructions without any."""

    def possible(self, segment: Segment) -> Iterable[str]:
        for text in super().possible(segment):
            yield text
            if segment.motion.split == "train":
                for task in TASKS:
                    yield from instructions(task, text)
        yield from instructions("in_between", None)


def run(config: LanguageStage) -> dict[str, float]:
    return train_language(config, name="language")


@dataclass
class Learning:
    """A language model with what it learns from: what the loop of a stage needs."""

    config: LanguageStage
    model: MotionLanguageModel
    corpus: Corpus
    latents: Latents
    batch: PlanBatch
    choose: Chooser
    pieces: Tokenizer | None
    shipped: dict[str, Any]
    """How the trained state becomes the one that is written, where they differ."""

    def draw(self, rng: np.random.Generator) -> Plans:
        """A batch of plans.

        Raises:
            BadInput: nothing in the store is long enough.
        """
        for _ in range(100):
            plans = self.batch(self.choose(rng, self.config.batch_size), rng)
            if plans is not None:
                return plans
        raise BadInput(f"The segments of {self.config.store} are too short to plan.", field="store")

    def loss(self, plans: Plans) -> tuple[Tensor, dict[str, Tensor]]:
        return plan_loss(self.model, plans, self.config.label_smoothing, self.config.caption_weight)

    def measure(self, segments: list[Segment], shown: dict[str, Any]) -> dict[str, float]:
        """Loss and accuracy of 64 segments, the same ones every time."""
        rng = np.random.default_rng(7)
        values = []
        for _repeat in range(2 if segments else 0):
            drawn = [segments[i] for i in rng.integers(len(segments), size=32)]
            plans = self.batch(drawn, rng, **{"use": "plain", **shown})
            if plans is not None:
                value, numbers = plan_loss(self.model, plans)
                told = shown.get("task") == "motion_to_text"
                values.append((value.item(), numbers["caption_accuracy" if told else "accuracy"].item()))
        return {
            name: float(np.mean([v[i] for v in values])) for i, name in enumerate(("loss", "accuracy")) if values
        }  # fmt: skip

    def evaluate(self, _: nn.Module) -> dict[str, float]:
        training, validation = (self.corpus.split(name).segments for name in ("train", "val"))
        found = {f"train_{k}": v for k, v in self.measure(training, {}).items()}
        for name, shown in EVALUATIONS.items():
            if shown.get("task", "continuation") in self.model.config.tasks:
                found |= {f"val{name}_{k}": v for k, v in self.measure(validation, shown).items()}
        tellable = [
            s
            for s in validation
            if not s.motion.mirrored and all(map(s.motion.known.get, self.latents.widths))
        ]
        if self.pieces is not None and tellable[: self.config.told]:
            found |= tell_and_measure(self.model, self.pieces, self.batch, tellable[: self.config.told])
        return found


def prepare_language(
    config: LanguageStage, *, name: str, instructed: float = 0.0, chat: ChatConfig | None = None
) -> Learning:
    """Read the store, code its motion, and make the model, trained before or new.

    Args:
        instructed: share that is asked for in instructions.
        chat: what the model is to know of conversations.

    Raises:
        BadInput: a folder or the base model is not what it should be.
    """
    device = set_up(config)
    base = load_base(config.base_model, download=config.download) if config.base_model else None
    older = older_config(config.init_from) if config.init_from is not None else None
    with main_first():
        corpus = load_corpus(config.store, datasets=tuple(config.datasets), speeds=tuple(config.speeds))
        pieces, captions = _words(config, corpus.segments, base, older, instructed > 0)
    tokenizers = load_tokenizers(config.tokenizers)
    latents = Latents(corpus, tokenizers, device=device)
    learnt: dict[str, Any] = {
        "parts": {part: t.config.codes for part, t in tokenizers.items()},
        "tasks": TASKS if pieces else tuple(task for task in TASKS if task != "motion_to_text"),
        "pieces": pieces.get_vocab_size() if pieces else 0,
        "style": True,
        "rhythm": True,
        "chat": chat,
    }
    sizes: dict[str, Any] = {}
    if base is not None:
        sizes = base.sizes
    elif older is not None and older.backbone:
        kept = ("backbone", "model_type", "width", "text_width", "layers", "heads", "pieces", "piece_end")
        sizes = {key: getattr(older, key) for key in kept}
    model_config = LanguageConfig(**{"text_width": WIDTH, **learnt, **config.model, **sizes})
    model = MotionLanguageModel(model_config).to(device)
    if base is not None:
        base.give(model)
        base = None
    if config.init_from is not None:
        start_from(model, config.init_from)
    shipped: dict[str, Any] = {}
    if config.lora is not None:
        if not model_config.backbone:
            raise BadInput("LoRA needs a pretrained base: set base_model.", field="lora")
        shipped["shipped"] = add_lora(model, config.lora)
        print(f"{name}: {frozen(model):.0%} of the weights stay as they are", flush=True)
    styles = SegmentStyles(corpus.segments)
    batch = PlanBatch(model_config, config.mix, latents, captions, styles, pieces, instructed)
    choose = Chooser(corpus.split("train").segments, config.weights)
    return Learning(config, model, corpus, latents, batch, choose, pieces, shipped)


def train_language(config: LanguageStage, *, name: str, instructed: float = 0.0) -> dict[str, float]:
    """Train the language model; ``instructed`` is the share that is asked for in instructions.

    Raises:
        BadInput: a folder or the base model is not what it should be.
    """
    learning = prepare_language(config, name=name, instructed=instructed)
    return train(
        config,
        learning.model,
        learning.loss,
        learning.evaluate,
        name=name,
        description=learning.model.config.model_dump(),
        draw=learning.draw,
        compiled=(learning.model.backbone,),
        **learning.shipped,
    )
