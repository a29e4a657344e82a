"""The speech tokenizer: a residual VQ-VAE of mel spectra that is told whose voice it is.

Codes are to say what is spoken, not by whom: a mel is taken relative to its speaker before it is coded, and the decoder
is told the speaker. A speaker is statistics of any recording (mean and spread of each band, and of the pitch), so that a
voice that no training heard needs no row of a table; decoded with another's statistics, a code is said in that voice.
The convolutions and the codes are those of the motion tokenizers.
"""

from __future__ import annotations

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from ...backend.models.tokenizer import PartTokenizer, Quantized
from ...backend.models.tokenizer_config import TokenizerConfig
from ...backend.speech.features import SpeechFeatures
from ...backend.speech.spectrum import MELS

STATISTICS = 2 * MELS + 3
"""Numbers of a voice: mean and spread of each band, mean and spread of the pitch, and whether it has one."""
LEAST_SPREAD = 0.3
"""Natural log of energy; a band that never changes is not blown up."""
USUAL_PITCH = 150.0


class SpeechTokenizerConfig(BaseModel):
    """Sizes of a speech tokenizer."""

    model_config = ConfigDict(extra="forbid")

    tokenizer: TokenizerConfig = TokenizerConfig(features=MELS, norm="frame")
    speaker: int = 64
    """Width of what is made of a voice's statistics."""


def voice_statistics(features: SpeechFeatures) -> np.ndarray:
    """What a voice is like (:data:`STATISTICS`,) float32, over the frames in which somebody speaks."""
    heard = features.activity > 0.5
    mel = np.asarray(features.mel[heard] if heard.any() else features.mel, np.float64)
    pitch = np.log2(features.pitch[features.pitch > 0] / USUAL_PITCH)
    told = [pitch.mean(), pitch.std(), 1.0] if len(pitch) else [0.0, 0.0, 0.0]
    spread = np.maximum(mel.std(0), LEAST_SPREAD)
    return np.concatenate([mel.mean(0), spread, told]).astype(np.float32)


class SpeechTokenizer(nn.Module):
    """Mel spectra of a speaker <-> latent frames <-> residual codes, 30 frames a second in."""

    def __init__(self, config: SpeechTokenizerConfig) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = PartTokenizer(config.tokenizer)
        self.speaker = nn.Sequential(
            nn.Linear(STATISTICS, config.speaker),
            nn.SiLU(),
            nn.Linear(config.speaker, config.tokenizer.latent),
        )

    @property
    def stride(self) -> int:
        """Frames per code."""
        return self.config.tokenizer.stride

    def encode(self, mel: Tensor, voice: Tensor) -> Tensor:
        """Mel (B, T, 80) of voices (B, :data:`STATISTICS`) -> latents (B, T / stride, D); T a multiple of the stride."""
        mean, spread = voice[:, None, :MELS], voice[:, None, MELS : 2 * MELS]
        return self.tokenizer.encode((mel - mean) / spread)

    def quantize(self, latents: Tensor) -> Quantized:
        """Latents (B, L, D) -> the nearest code of each level, and their sum."""
        return self.tokenizer.quantize(latents)

    def decode(self, latents: Tensor, voice: Tensor) -> Tensor:
        """Latents (B, L, D) -> mel (B, L * stride, 80) in a voice."""
        mean, spread = voice[:, None, :MELS], voice[:, None, MELS : 2 * MELS]
        relative = self.tokenizer.decode(latents + self.speaker(voice)[:, None])
        return relative * spread + mean

    def codes(self, features: SpeechFeatures) -> tuple[np.ndarray, np.ndarray]:
        """Codes (L, Q) of a recording of any speaker, its last frames that fill no code left out, and its voice."""
        voice = voice_statistics(features)
        device = self.tokenizer.mean.device
        frames = len(features) // self.stride * self.stride
        if not frames:
            return np.zeros((0, self.config.tokenizer.quantizers), np.int64), voice
        with torch.inference_mode():
            mel = torch.from_numpy(np.asarray(features.mel[:frames], np.float32)).to(device)[None]
            found = self.quantize(self.encode(mel, torch.from_numpy(voice).to(device)[None]))
        return found.codes[0].cpu().numpy(), voice

    def said(self, codes: np.ndarray, voice: np.ndarray) -> np.ndarray:
        """Mel (T, 80) of codes (L, Q) in a voice."""
        device = self.tokenizer.mean.device
        with torch.inference_mode():
            rows = torch.from_numpy(np.asarray(codes)).to(device)
            books = self.tokenizer.codebooks
            latents = torch.stack([books[i][rows[:, i]] for i in range(rows.shape[1])]).sum(0)
            told = torch.from_numpy(np.asarray(voice, np.float32)).to(device)
            mel: np.ndarray = self.decode(latents[None], told[None])[0].cpu().numpy()
        return mel
