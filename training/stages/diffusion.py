"""Stage 3: latent diffusion learns how planned tokens and a prompt move."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from diffusers import DDPMScheduler
from pydantic import Field
from torch import Tensor, nn

from ...backend.errors import BadInput
from ...backend.models.diffusion import HALVES, Denoiser, DiffusionConfig, Words
from ...backend.models.style import FIELDS
from ...backend.motion.rhythm import CHANNELS, PER_LATENT
from ...backend.speech.hearing import HEARD
from ...backend.text import WIDTH
from ..corpus.dataset import Segment, load_corpus
from ..corpus.styles import SegmentStyles, StyleDropout
from ..corpus.voices import Voices
from ..corpus.weights import Chooser, Weighting
from ..words.actions import actions_of
from .common import StageConfig, main_first, send, set_up, train, warm_start
from .latents import Latents, load_tokenizers
from .windows import GIVEN, Drawn, Windows, not_as_heard
from .wording import Captions, Use, Wording


class DiffusionStage(StageConfig):
    """Keys of ``stage diffusion``."""

    tokenizers: dict[str, Path]
    planned: list[str] = ["lower_trans", "upper"]
    """The parts whose tokens the language model plans; none: the model reads no plan."""
    model: dict[str, Any] = {}
    text_dropout: float = 0.15
    plan_dropout: float = 0.15
    plan_corrupt: float = 0.1
    """Share of planned tokens replaced at random: the language model will not be perfect either."""
    known_share: float = 0.35
    """Share of windows in which some frames are given."""
    known_frames: tuple[int, int] = (1, 12)
    """How many of the first latent frames, at least and at most; SynTalker's seed pose is always 4."""
    halves: float = Field(0.0, ge=0, le=1)
    """Share of windows with a prompt for each half of the body: half of them are the legs of one clip and the
    upper body of another (after SINC, Athanasiou et al. 2023), the others one clip told twice."""
    rhythm: float = Field(0.0, ge=0, le=1)
    """Share of windows that are told their rhythm; half of these have no plan."""
    speech: float = Field(0.0, ge=0, le=1)
    """Share of windows with a recording that hear it; half of these have no plan."""
    words: float = Field(0.0, ge=0, le=1)
    """Share of windows with a transcript that are told the words."""
    style: StyleDropout | None = None
    """Condition on style; without it there is none."""
    speeds: list[Annotated[float, Field(gt=0)]] = []
    """Training motion is also shown played so many times as fast."""
    weights: Weighting = Weighting()
    """Which segments are drawn oftener."""
    wording: Wording = Wording()
    """Other words and emotion tokens for captions."""


RHYTHM = PER_LATENT * len(CHANNELS)
ACROBATIC = frozenset({"cartwheel", "flip", "crawl", "fall", "climb", "swim", "sit"})
"""Actions of the whole body: no half of them goes with another's."""


def training_alphas(steps: int) -> np.ndarray:
    """Cumulative alphas (steps,) of the cosine schedule (Nichol & Dhariwal 2021), from diffusers."""
    scheduler = DDPMScheduler(
        num_train_timesteps=steps, beta_schedule="squaredcos_cap_v2", prediction_type="sample"
    )
    return scheduler.alphas_cumprod.numpy().astype(np.float64)


def run(config: DiffusionStage) -> dict[str, float]:
    device = set_up(config)
    with main_first():
        corpus = load_corpus(config.store, datasets=tuple(config.datasets), speeds=tuple(config.speeds))
        captions = Captions(corpus.segments, config.wording, config.store / "features")
        voices = Voices(
            corpus.motions if config.speech or config.words else (),
            config.store / "features",
            words=config.words > 0,
        )
    if (config.speech or config.words) and not voices:
        raise BadInput(
            f"Nothing in {config.store} has a recording to hear.",
            hint="Prepare a set with speech, such as beat2, or leave speech and words out.",
            field="speech",
        )
    tokenizers = load_tokenizers(config.tokenizers)
    latents = Latents(corpus, tokenizers, device=device)
    conditions = {
        "halves": config.halves > 0,
        "style": len(FIELDS) if config.style is not None else 0,
        "rhythm": RHYTHM if config.rhythm else 0,
        "sound": HEARD if config.speech else 0,
        "words": WIDTH if config.words else 0,
        "plan": bool(config.planned),
    }
    model_config = DiffusionConfig(parts=latents.widths, text_width=WIDTH, **conditions, **config.model)
    model = Denoiser(model_config).to(device)
    if config.init_from is None:
        for buffer, values in zip((model.mean, model.std), latents.statistics(), strict=True):
            buffer.copy_(torch.from_numpy(values))
    warm_start(model, config)
    mean, std = model.mean.cpu().numpy(), model.std.cpu().numpy()
    codebooks = {part: t.codebooks[0].numpy() for part, t in tokenizers.items()}
    model.alphas.copy_(torch.from_numpy(training_alphas(model_config.train_steps)))
    size, stride = model_config.window, latents.stride
    styles = SegmentStyles(corpus.segments) if config.style is not None else None

    def sample(segment: Segment, rng: np.random.Generator, augment: bool) -> Drawn | None:
        drawn = latents.draw(segment, rng)
        if drawn is None:
            return None
        encoded, first, last = drawn
        if last - first > size:
            first = int(rng.integers(first, last - size + 1))
        last = min(last, first + size)
        if last - first < 3:
            return None
        columns = []
        for part, codebook in codebooks.items():
            if part in config.planned and part in encoded.codes:
                codes = encoded.codes[part][first:last]
                if augment:
                    wrong = rng.random(len(codes)) < config.plan_corrupt
                    codes = np.where(wrong, rng.integers(len(codebook), size=len(codes)), codes)
                columns.append((codebook[codes] - mean_of(part)) / std_of(part))
            else:
                columns.append(np.zeros((last - first, codebook.shape[1])))
        clean = (encoded.latents[first:last] - mean) / std * encoded.known
        rhythm = None if encoded.rhythm is None else encoded.rhythm[first:last]
        heard = segment.motion, encoded.phase + first * stride, last - first
        sound = voices.sound(*heard) if config.speech else None
        words = voices.words(*heard) if config.words else None
        return Drawn(clean, np.concatenate(columns, axis=1), encoded.known, rhythm, sound, words)

    places = dict(zip(latents.widths, np.cumsum([0, *latents.widths.values()])[:-1], strict=True))

    def mean_of(part: str) -> np.ndarray:
        return mean[places[part] : places[part] + latents.widths[part]]

    def std_of(part: str) -> np.ndarray:
        return std[places[part] : places[part] + latents.widths[part]]

    legs = np.arange(model_config.latent) < latents.widths[next(iter(latents.widths))]
    upright = [
        s
        for s in corpus.split("train").segments
        if s.motion.known["upper"] and not actions_of(s.captions) & ACROBATIC
    ]

    def composed(segment: Segment, below: Drawn, rng: np.random.Generator) -> tuple[Drawn, Segment] | None:
        """The legs of a window with the upper body of another segment."""
        if not upright or actions_of(segment.captions) & ACROBATIC:
            return None
        other = upright[int(rng.integers(len(upright)))]
        above = sample(other, rng, True)
        if above is None or (length := min(len(below.clean), len(above.clean))) < 8:
            return None
        clean = np.where(legs, below.clean[:length], above.clean[:length])
        plan = np.where(legs, below.plan[:length], above.plan[:length])
        heard = [None if one is None else one[:length] for one in (above.rhythm, above.sound, above.words)]
        return Drawn(clean, plan, np.where(legs, below.known, above.known), *heard), other

    def windows(segments: list[Segment], rng: np.random.Generator, use: Use = "training") -> Windows:
        augment = use == "training"
        count, width = len(segments), model_config.latent
        clean, plan = np.zeros((2, count, size, width), np.float32)
        known_columns = np.zeros((count, 1, width), np.float32)
        rhythm = np.zeros((count, size, RHYTHM), np.float32)
        sound = np.zeros((count, size, model_config.sound), np.float32)
        words = np.zeros((count, size, model_config.words), np.float32)
        mask, with_plan, known_mask, with_rhythm, with_sound, with_words = np.zeros((6, count, size), bool)
        with_text = rng.random(count) >= (config.text_dropout if augment else 0.0)
        prompts: list[str | None] = []
        lower: list[str | None] = [None] * count
        upper: list[str | None] = [None] * count
        style, style_known = np.zeros((2, count, len(FIELDS)), np.float32)
        if styles is not None:
            style, style_known = styles.batch(segments, rng if augment else None, config.style)
        for i, segment in enumerate(segments):
            drawn = sample(segment, rng, augment)
            prompts.append(captions.choose(segment, rng, use))
            if drawn is None:
                mask[i, 0] = True  # attention needs one frame; nothing of it counts
                continue
            if augment and rng.random() < config.halves:
                lower[i] = upper[i] = prompts[i]
                with_text[i] = False
                both = composed(segment, drawn, rng) if rng.random() < 0.5 else None
                if both is not None:
                    drawn, other = both
                    upper[i], style_known[i] = captions.choose(other, rng, use), False
                if rng.random() < config.text_dropout:
                    lower[i] = None
                if rng.random() < config.text_dropout:
                    upper[i] = None
            length = len(drawn.clean)
            clean[i, :length], plan[i, :length] = drawn.clean, drawn.plan
            known_columns[i, 0] = drawn.known
            mask[i, :length] = True
            with_plan[i, :length] = not (augment and rng.random() < config.plan_dropout)
            if drawn.rhythm is not None and augment and rng.random() < config.rhythm:
                rhythm[i, :length], with_rhythm[i, :length] = drawn.rhythm, True
                with_plan[i] &= rng.random() < 0.5
            if drawn.sound is not None and (not augment or rng.random() < config.speech):
                sound[i, :length], with_sound[i, :length] = drawn.sound, True
                with_plan[i] &= not augment or rng.random() < 0.5
            if drawn.words is not None and (not augment or rng.random() < config.words):
                words[i, :length], with_words[i, :length] = drawn.words, True
            if rng.random() < config.known_share:
                known_mask[i, : int(rng.integers(config.known_frames[0], config.known_frames[1] + 1))] = True
                if rng.random() < 0.3:
                    known_mask[i, max(length - int(rng.integers(1, 5)), 0) : length] = True
            known_mask[i] &= mask[i]
        text, text_mask = captions.batch(prompts)
        # The first half of the steps decides little at few sampling steps; the noisy half gets more draws.
        timesteps = (model_config.train_steps * rng.random(count) ** 0.8).astype(int)
        noise = rng.standard_normal(clean.shape, dtype=np.float32)
        return Windows(
            clean, plan, noise, timesteps, text, text_mask, with_text, with_plan, known_mask, mask, known_columns,
            *captions.batch(lower), *captions.batch(upper), style, style_known, rhythm, with_rhythm,
            sound, with_sound, words, with_words,
        )  # fmt: skip

    def denoising_loss(batch: Windows) -> Tensor:
        on = {name: send(array, device) for name, array in batch._asdict().items()}
        x0, timesteps = on["clean"], on["timesteps"]
        alpha = model.alphas[timesteps][:, None, None]
        noisy = alpha.sqrt() * x0 + (1 - alpha).sqrt() * on["noise"]
        predicted = model(
            noisy,
            timesteps,
            known=x0,
            halves={half: Words(on[half], on[f"{half}_mask"]) for half in HALVES},
            **{name: on[name] for name in GIVEN},
        ).float()
        weight = on["mask"].float()[..., None] * on["known_columns"]
        error = (predicted - x0) ** 2
        change = (predicted.diff(dim=1) - x0.diff(dim=1)) ** 2
        both = weight[:, 1:] * weight[:, :-1]
        return (error * weight).sum() / weight.sum() + 0.5 * (change * both).sum() / both.sum()

    training, validation = corpus.split("train").segments, corpus.split("val").segments

    choose = Chooser(training, config.weights)

    def draw(rng: np.random.Generator) -> Windows:
        return windows(choose(rng, config.batch_size), rng)

    def loss(batch: Windows) -> tuple[Tensor, dict[str, float]]:
        return denoising_loss(batch), {}

    def evaluate(_: nn.Module) -> dict[str, float]:
        numbers = {}
        for name, segments in (("train", training), ("val", validation)):
            if segments:
                rng = np.random.default_rng(7)
                chosen = [segments[i] for i in rng.integers(len(segments), size=64)]
                batch = windows(chosen, rng, "plain")
                numbers[name] = denoising_loss(batch).item()
                if batch.with_sound.any():
                    for heard, changed in not_as_heard(batch).items():
                        numbers[f"{name}_{heard}"] = denoising_loss(changed).item()
        return numbers

    return train(
        config,
        model,
        loss,
        evaluate,
        name="diffusion",
        description=model_config.model_dump(),
        draw=draw,
    )
