"""The torch engine: the training modules themselves, on CUDA, MPS or the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from ..errors import BadInput
from ..models.compact import restored
from ..models.diffusion import Denoiser, Words
from ..models.language import MotionLanguageModel
from ..models.tokenizer import PartTokenizer
from ..packs.config import PackConfig
from ..performance.conditions import Conditions
from ..performance.pieces import FILE, read_pieces, word_ids
from ..text import TextEmbedding, TextEncoder, normalize_prompt
from .torch_planner import TorchPlanner


def pick_device(name: str) -> torch.device:
    """``auto`` takes CUDA, then MPS, then the CPU.

    Raises:
        BadInput: the named device is not there.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, there in available.items() if there)
    if not available.get(name, False):
        raise BadInput(
            f"This machine has no {name} device.", hint="Choose the device 'auto' or 'cpu'.", field="device"
        )
    return torch.device(name)


def _load(module: torch.nn.Module, path: Path, device: torch.device) -> None:
    module.load_state_dict(restored(load_file(path)))
    module.to(device).eval()


class TorchEngine(TorchPlanner):
    name = "torch"

    def __init__(self, folder: Path, config: PackConfig, device: str = "auto") -> None:
        chosen = pick_device(device)
        super().__init__(MotionLanguageModel(config.language), chosen)
        self.device = chosen.type
        if self.device == "cpu":
            # The models are small and Blender keeps cores busy: measured on two cores, a second thread saves a
            # tenth of the time when the machine is idle and costs seven times as much when it is not.
            torch.set_num_threads(1)
        self._text = TextEncoder(rounded=True)
        self._tokenizers: dict[str, PartTokenizer] = {}
        for part, sizes in config.tokenizers.items():
            tokenizer = PartTokenizer(sizes)
            _load(tokenizer, folder / f"tokenizer_{part}.safetensors", self._device)
            self._tokenizers[part] = tokenizer
        _load(self._language, folder / "language.safetensors", self._device)
        self._words = read_pieces(folder / FILE) if config.language.backbone else None
        self._denoiser = Denoiser(config.diffusion)
        _load(self._denoiser, folder / "diffusion.safetensors", self._device)
        self.alphas = self._denoiser.alphas.cpu().numpy().astype(np.float64)

    def _send_pair(
        self, pair: tuple[np.ndarray, np.ndarray] | None
    ) -> tuple[Tensor, Tensor] | tuple[None, None]:
        """Values and which of them are given."""
        if pair is None:
            return None, None
        return self._send(pair[0].astype(np.float32)), self._send(pair[1].astype(bool))

    def encode_text(self, prompts: list[str]) -> TextEmbedding:
        return self._text.encode(prompts)

    def plan_text(self, prompts: list[str]) -> TextEmbedding:
        if self._words is None:
            return self.encode_text(prompts)
        return word_ids(self._words, [normalize_prompt(prompt) for prompt in prompts])

    @torch.inference_mode()
    def plan_codes(self, features: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        codes = {}
        for part, tokenizer in self._tokenizers.items():
            if part in features:
                stride = tokenizer.config.stride
                whole = features[part][: len(features[part]) // stride * stride]
                latents = tokenizer.encode(self._send(whole.astype(np.float32))[None])
                codes[part] = tokenizer.quantize(latents).codes[..., 0].cpu().numpy()
        return codes

    @torch.inference_mode()
    def encode(self, features: dict[str, np.ndarray]) -> np.ndarray:
        columns = []
        for part, tokenizer in self._tokenizers.items():
            whole = features[part][: len(features[part]) // tokenizer.config.stride * tokenizer.config.stride]
            columns.append(tokenizer.encode(self._send(whole.astype(np.float32))[None]))
        return self._denoiser.normalize(torch.cat(columns, dim=-1)).cpu().numpy()

    @torch.inference_mode()
    def plan_vectors(self, codes: dict[str, np.ndarray]) -> np.ndarray:
        batch, length = next(iter(codes.values())).shape
        columns = []
        at = 0
        for part, tokenizer in self._tokenizers.items():
            width = tokenizer.config.latent
            if part in codes:
                vectors = tokenizer.embed(self._send(codes[part]))
                columns.append(
                    (vectors - self._denoiser.mean[at : at + width]) / self._denoiser.std[at : at + width]
                )
            else:
                columns.append(torch.zeros(batch, length, width, device=self._device))
            at += width
        return torch.cat(columns, dim=-1).cpu().numpy()

    @torch.inference_mode()
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
        batch, length, _ = noisy.shape
        style, style_known = self._send_pair(conditions.style)
        rhythm, with_rhythm = self._send_pair(conditions.rhythm)
        sound, with_sound = self._send_pair(conditions.sound)
        words, with_words = self._send_pair(conditions.words)
        clean = self._denoiser(
            self._send(noisy.astype(np.float32)),
            torch.full((batch,), timestep, device=self._device),
            text=self._send(conditions.text.tokens),
            text_mask=self._send(conditions.text.mask),
            with_text=self._send(conditions.with_text),
            halves={
                half: Words(self._send(own.tokens), self._send(own.mask))
                for half, own in conditions.halves.items()
            },
            style=style,
            style_known=style_known,
            rhythm=rhythm,
            with_rhythm=with_rhythm,
            sound=sound,
            with_sound=with_sound,
            words=words,
            with_words=with_words,
            plan=self._send(plan),
            with_plan=self._send(with_plan),
            known=self._send(known.astype(np.float32)),
            known_mask=self._send(known_mask),
            mask=torch.ones(batch, length, dtype=torch.bool, device=self._device),
        )
        return clean.float().cpu().numpy()

    @torch.inference_mode()
    def decode(self, latents: np.ndarray) -> dict[str, np.ndarray]:
        columns = self._denoiser.denormalize(self._send(latents.astype(np.float32)))
        result, at = {}, 0
        for part, tokenizer in self._tokenizers.items():
            width = tokenizer.config.latent
            result[part] = tokenizer.decode(columns[..., at : at + width]).float().cpu().numpy()
            at += width
        return result
