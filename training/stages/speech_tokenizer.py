"""The speech tokenizer: mel spectra of many speakers as codes, from a manifest (``understudy-train manifest``)."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from ...backend.errors import BadInput
from ...backend.models.tokenizer_config import TokenizerConfig
from ...backend.speech.features import speech_features
from ...backend.speech.spectrum import MELS
from ..corpus.dataset import window
from ..speech.manifests import Utterance, read_manifest
from ..speech.model import STATISTICS, SpeechTokenizer, SpeechTokenizerConfig, voice_statistics
from .common import main_first, send, set_up, train, warm_start
from .tokenizer import Learner, TokenizerStage

DECIBEL = 10 / np.log(10)
"""Natural logs of energy to dB."""


class SpeechTokenizerStage(TokenizerStage):
    """Keys of ``stage speech_tokenizer``; those of ``stage tokenizer`` that are about bodies have no effect."""

    part: str = "speech"
    manifest: Path
    """What ``understudy-train manifest`` wrote."""
    cache: Path | None = None
    """Folder for mel spectra, five kilobytes a second; by default ``mel`` beside the manifest."""
    other_recording: float = Field(0.7, ge=0, le=1)
    """Share of windows whose speaker is told by another recording of the same, so that no recording's own statistics
    are needed."""
    speaker: int = 64
    """Width of what is made of a voice."""


@dataclass(frozen=True)
class Spoken:
    """A recording: mel (T, 80) in half precision, on disk until it is read; its voice; whether (T,) somebody speaks."""

    speaker: str
    mel: np.ndarray
    voice: np.ndarray
    heard: np.ndarray


def spoken(utterance: Utterance, cache: Path) -> Spoken:
    """A recording's mel and voice, kept in files of ``cache`` named after path, size and time.

    Raises:
        BadInput: the recording cannot be used.
    """
    path = Path(utterance.path)
    try:
        stat = path.stat()
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}).", field="manifest") from None
    key = hashlib.sha256(f"{path} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:24]
    kept = cache / key[:2] / f"{key}.npy"
    if not kept.exists():
        found = speech_features(path)
        kept.parent.mkdir(parents=True, exist_ok=True)
        # One array holds all: the voice as a first row of its own, and whether somebody speaks as a last column.
        rows = np.zeros((1 + STATISTICS // (MELS + 1) + 1 + len(found), MELS + 1), np.float16)
        voice = voice_statistics(found)
        head = rows[: len(rows) - len(found)].reshape(-1)
        head[:STATISTICS] = voice
        rows[len(rows) - len(found) :, :MELS] = found.mel
        rows[len(rows) - len(found) :, MELS] = found.activity > 0.5
        temporary = kept.with_suffix(f".{os.getpid()}.npy")
        np.save(temporary, rows)
        temporary.replace(kept)
    rows = np.load(kept, mmap_mode="r")
    first = 1 + STATISTICS // (MELS + 1) + 1
    voice = np.asarray(rows[:first]).reshape(-1)[:STATISTICS].astype(np.float32)
    return Spoken(utterance.speaker, rows[first:, :MELS], voice, np.asarray(rows[first:, MELS]) > 0.5)


class Speech:
    """The recordings of a split, by speaker."""

    def __init__(self, recordings: list[Spoken]) -> None:
        self.recordings = recordings
        self.by_speaker: dict[str, list[int]] = {}
        for i, one in enumerate(recordings):
            self.by_speaker.setdefault(one.speaker, []).append(i)
        lengths = np.array([len(one.mel) for one in recordings], float)
        self._chances = np.cumsum(lengths) / max(lengths.sum(), 1)

    def draw(
        self, rng: np.random.Generator, count: int, size: int, other: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Windows of mel (B, T, 80), and the voices (B, STATISTICS) of their speakers."""
        mels, voices = [], []
        for i in np.searchsorted(self._chances, rng.random(count)):
            one = self.recordings[int(i)]
            start = int(rng.integers(max(len(one.mel) - size, 0) + 1))
            mels.append(window(one.mel, start, size).astype(np.float32))
            rest = self.by_speaker[one.speaker]
            told = rest[int(rng.integers(len(rest)))] if rng.random() < other else int(i)
            voices.append(self.recordings[told].voice)
        return np.stack(mels), np.stack(voices)


class SpeechLearner(nn.Module):
    """A speech tokenizer with the quantiser that learns its codebooks."""

    def __init__(self, model: SpeechTokenizer, stage: SpeechTokenizerStage) -> None:
        super().__init__()
        self.model = model
        self.learner = Learner(model.tokenizer, stage)

    def finished(self) -> SpeechTokenizer:
        """The tokenizer with the codebooks as they are now."""
        self.learner.finished()
        return self.model


def load_speech_tokenizer(folder: Path) -> SpeechTokenizer:
    """A trained speech tokenizer.

    Raises:
        BadInput: the folder holds none.
    """
    try:
        config = SpeechTokenizerConfig.model_validate_json((folder / "config.json").read_text("utf-8"))
        model = SpeechTokenizer(config)
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, ValueError, RuntimeError) as error:
        raise BadInput(
            f"{folder} holds no trained speech tokenizer; run 'stage speech_tokenizer' first.",
            field="tokenizer",
        ) from error
    return model.eval()


def _read(rows: list[Utterance], cache: Path) -> list[Spoken]:
    """What of the rows can be used; the others are counted and the first is named."""
    found, broken = [], []
    for row in rows:
        try:
            found.append(spoken(row, cache))
        except BadInput as error:
            broken.append(error.message)
    if broken:
        print(
            f"speech_tokenizer: {len(broken)} recordings left out, the first because: {broken[0]}", flush=True
        )
    return found


def run(config: SpeechTokenizerStage) -> dict[str, float]:
    """Train.

    Raises:
        BadInput: the manifest holds nothing to learn from.
    """
    device = set_up(config)
    rows = read_manifest(config.manifest)
    cache = config.cache or config.manifest.parent / "mel"
    with main_first():
        training = Speech(_read([row for row in rows if row.split == "train"], cache))
        validation = Speech(_read([row for row in rows if row.split == "val"], cache))
    if not training.recordings:
        raise BadInput(f"{config.manifest} holds no recording for training.", field="manifest")
    sizes = TokenizerConfig(**{"features": MELS, "norm": "frame", **config.model})
    model_config = SpeechTokenizerConfig(tokenizer=sizes, speaker=config.speaker)
    model = SpeechTokenizer(model_config).to(device)
    learner = SpeechLearner(model, config).to(device)
    if config.init_from is not None:
        warm_start(model, config)
        learner.learner.begin_with(model.tokenizer.codebooks)
    mean = _mean(training)

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return training.draw(rng, config.batch_size, config.window, config.other_recording)

    def loss(batch: tuple[np.ndarray, np.ndarray]) -> tuple[Tensor, dict[str, Tensor]]:
        mel, voice = (send(values, device) for values in batch)
        latents = model.encode(mel, voice)
        quantized, commitment = learner.learner.quantize(latents)
        skip = torch.rand(len(mel), 1, 1, device=device) < config.bypass
        decoded = model.decode(torch.where(skip, latents, quantized), voice).float()
        spread = voice[:, None, MELS : 2 * MELS]
        ours, theirs = decoded / spread, mel / spread
        close = F.smooth_l1_loss(ours, theirs)
        moving = F.smooth_l1_loss(ours.diff(dim=1), theirs.diff(dim=1))
        total = close + config.loss_velocity * moving + config.loss_commit * commitment.float()
        return total, {"mel_db": ((decoded - mel).abs().mean() * DECIBEL).detach()}

    def evaluate(_: nn.Module) -> dict[str, float]:
        return reconstruction(learner.finished(), validation if validation.recordings else training, mean)

    def exported(state: dict[str, Tensor]) -> dict[str, Tensor]:
        kept = {key.removeprefix("model."): value for key, value in state.items() if key.startswith("model.")}
        levels = range(sizes.quantizers)
        books = [state[f"learner.quantizer.layers.{i}._codebook.embed"][0] for i in levels]
        return {**kept, "tokenizer.codebooks": torch.stack(books)}

    return train(
        config,
        learner,
        loss,
        evaluate,
        name="speech_tokenizer",
        description=model_config.model_dump(),
        shipped=exported,
        draw=draw,
        compiled=(model.tokenizer.encoder, model.tokenizer.decoder),
    )


def _mean(speech: Speech) -> np.ndarray:
    """The mean mel (80,) of the frames in which somebody speaks."""
    total, count = np.zeros(MELS), 0
    for one in speech.recordings:
        total += np.asarray(one.mel[one.heard], np.float64).sum(0)
        count += int(one.heard.sum())
    return total / max(count, 1)


@torch.no_grad()
def reconstruction(model: SpeechTokenizer, speech: Speech, mean: np.ndarray) -> dict[str, float]:
    """Mean error of a band in dB where somebody speaks, of recordings (of speakers that training has not heard).

    Returns:
        ``mel_db`` of the codes; ``unquantised_db`` of the latents; ``first_db`` of the first level alone;
        ``other_recording_db`` where the voice is told by another recording of the speaker, ``other_voice_db`` of the
        codes said in the voice of another speaker, as far as there are others; of baselines, ``mean_db`` the mean of training and
        ``speaker_mean_db`` the speaker's own; ``perplexity`` of the first level's codes.
    """
    device = model.tokenizer.mean.device
    errors: dict[str, list[Any]] = {}
    used = []
    speakers = list(speech.by_speaker)
    for i, one in enumerate(speech.recordings):
        frames = len(one.mel) // model.stride * model.stride
        if not frames or not one.heard[:frames].any():
            continue
        mel = np.asarray(one.mel[:frames], np.float32)
        told = [one.voice]
        own = speech.by_speaker[one.speaker]
        # Always the same others: the next recording, and the first of the next speaker.
        told.append(speech.recordings[own[(own.index(i) + 1) % len(own)]].voice)
        after = speakers[(speakers.index(one.speaker) + 1) % len(speakers)]
        told.append(speech.recordings[speech.by_speaker[after][0]].voice)
        voice, again, foreign = (torch.from_numpy(v).to(device)[None] for v in told)
        latents = model.encode(torch.from_numpy(mel).to(device)[None], voice)
        found = model.quantize(latents)
        used.append(found.codes[0, :, 0])
        answers = {
            "mel_db": model.decode(found.latents, voice),
            "unquantised_db": model.decode(latents, voice),
            "first_db": model.decode(model.tokenizer.embed(found.codes[..., 0]), voice),
        }
        if len(own) > 1:
            coded_again = model.quantize(model.encode(torch.from_numpy(mel).to(device)[None], again))
            answers["other_recording_db"] = model.decode(coded_again.latents, again)
        if len(speakers) > 1:
            answers["other_voice_db"] = model.decode(found.latents, foreign)
        decoded = {name: value[0].cpu().numpy() for name, value in answers.items()}
        decoded |= {"mean_db": mean[None], "speaker_mean_db": one.voice[None, :MELS]}
        heard = one.heard[:frames]
        for name, guess in decoded.items():
            apart = np.abs(np.broadcast_to(guess, mel.shape) - mel)[heard].mean(axis=1)
            errors.setdefault(name, []).append(apart * DECIBEL)
    if not errors:
        raise BadInput("Nobody speaks in the recordings that are held out.", field="manifest")
    numbers = {name: float(np.concatenate(rows).mean()) for name, rows in errors.items()}
    share = torch.cat(used).bincount(minlength=model.config.tokenizer.codes).float()
    share = share / share.sum()
    numbers["perplexity"] = torch.exp(-(share * (share + 1e-9).log()).sum()).item()
    return numbers
