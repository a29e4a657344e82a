"""The onnx engine: the pack's graphs in onnxruntime, without torch; CPU, CUDA, DirectML or CoreML."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import JobFailed
from ..models.diffusion_config import HALVES
from ..models.eight_bits import restored
from ..packs.config import PackConfig
from ..performance.conditions import Conditions, Pair
from ..text import TextEmbedding
from .codes import first_codes
from .onnx_planner import OnnxPlanner
from .onnx_session import Session, pick_device
from .onnx_text import OnnxTextEncoder
from .onnx_weights import GRAPHS, read_index, read_weights


class OnnxEngine(OnnxPlanner):
    """A pack's graphs, loaded with its weights.

    Raises:
        JobFailed: a graph is missing or broken.
        BadInput: the device is not there.
    """

    name = "onnx"

    def __init__(self, folder: Path, config: PackConfig, device: str = "auto") -> None:
        chosen = pick_device(device)
        self._folder, self._config, self._asked = folder, config, chosen
        self._index = read_index(folder / GRAPHS)
        state = read_weights(folder / "language.safetensors")
        super().__init__(config.language, self._session_of("language", state, alone=True), state)
        state = read_weights(folder / "diffusion.safetensors")
        self._denoiser = self._session_of("denoiser", state)
        self.alphas = restored(state, "alphas").astype(np.float64)
        self._mean, self._std = restored(state, "mean"), restored(state, "std")
        self._codebooks: dict[str, np.ndarray] = {}
        self._decoders: dict[str, Session] = {}
        self._encoders: dict[str, Session] = {}
        for part in config.tokenizers:
            state = read_weights(folder / f"tokenizer_{part}.safetensors")
            self._codebooks[part] = restored(state, "codebooks")
            self._decoders[part] = self._session_of(f"decode_{part}", state)
        self._text = OnnxTextEncoder(chosen)
        sessions = (self._session, self._denoiser, *self._decoders.values())
        self.device = chosen if all(session.device == chosen for session in sessions) else "cpu"

    def _session_of(self, name: str, state: dict[str, np.ndarray], *, alone: bool = False) -> Session:
        if name not in self._index:
            raise JobFailed(
                f"The pack {self._folder.name} lacks the graph {name}.",
                hint=f"Write it with: understudy-train export-onnx {self._folder}",
            )
        path = self._folder / GRAPHS / f"{name}.onnx"
        return Session(path, self._index[name].expressions, state, self._asked, alone=alone)

    def encode_text(self, prompts: list[str]) -> TextEmbedding:
        return self._text.encode(prompts)

    def plan_text(self, prompts: list[str]) -> TextEmbedding:
        return self.encode_text(prompts)

    def _latents(self, part: str, features: np.ndarray) -> np.ndarray:
        """Features (T, F) -> latents before quantisation (T / stride, D). Encoders are loaded when first needed:
        a prompt needs none."""
        if part not in self._encoders:
            state = read_weights(self._folder / f"tokenizer_{part}.safetensors")
            self._encoders[part] = self._session_of(f"encode_{part}", state)
        stride = self._config.tokenizers[part].stride
        whole = features[: len(features) // stride * stride].astype(np.float32)
        latents: np.ndarray = self._encoders[part]({"features": whole[None]})[0][0]
        return latents

    def plan_codes(self, features: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {
            part: first_codes(self._latents(part, features[part]), self._codebooks[part], sizes)[None]
            for part, sizes in self._config.tokenizers.items()
            if part in features
        }

    def encode(self, features: dict[str, np.ndarray]) -> np.ndarray:
        columns = [self._latents(part, features[part]) for part in self._config.tokenizers]
        latents: np.ndarray = (np.concatenate(columns, axis=-1) - self._mean) / self._std
        return latents[None]

    def plan_vectors(self, codes: dict[str, np.ndarray]) -> np.ndarray:
        batch, length = next(iter(codes.values())).shape
        vectors = np.zeros((batch, length, len(self._mean)), np.float32)
        at = 0
        for part, sizes in self._config.tokenizers.items():
            here = slice(at, at + sizes.latent)
            if part in codes:
                found = self._codebooks[part][0][codes[part]]
                vectors[..., here] = (found - self._mean[here]) / self._std[here]
            at += sizes.latent
        return vectors

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
        sizes = self._config.diffusion
        values = {
            "noisy": noisy.astype(np.float32),
            "timesteps": np.full((batch, 1), timestep, np.float32),
            "positions": np.tile(np.arange(length), (batch, 1)),
            "plan": plan.astype(np.float32),
            "with_plan": with_plan,
            "known": known.astype(np.float32),
            "known_mask": known_mask,
            "text": conditions.text.tokens,
            "text_mask": conditions.text.mask,
            "with_text": conditions.with_text,
        }
        nothing = TextEmbedding(
            np.zeros((batch, 1, sizes.text_width), np.float32), np.zeros((batch, 1), bool)
        )
        for half in HALVES:
            own = conditions.halves.get(half, nothing)
            values |= {half: own.tokens, f"{half}_mask": own.mask}
        silent = (batch, length)
        values |= _pair("style", "style_known", conditions.style, (batch, sizes.style), (batch, sizes.style))
        values |= _pair("rhythm", "with_rhythm", conditions.rhythm, (*silent, sizes.rhythm), silent)
        values |= _pair("sound", "with_sound", conditions.sound, (*silent, sizes.sound), silent)
        values |= _pair("words", "with_words", conditions.words, (*silent, sizes.words), silent)
        clean: np.ndarray = self._denoiser(values)[0]
        return clean

    def decode(self, latents: np.ndarray) -> dict[str, np.ndarray]:
        columns = (latents * self._std + self._mean).astype(np.float32)
        result, at = {}, 0
        for part, sizes in self._config.tokenizers.items():
            result[part] = self._decoders[part]({"latents": columns[..., at : at + sizes.latent]})[0]
            at += sizes.latent
        return result


def _pair(
    name: str, mask: str, pair: Pair | None, shape: tuple[int, ...], mask_shape: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """A condition and what of it is given, all of it missing where there is none."""
    if pair is None:
        return {name: np.zeros(shape, np.float32), mask: np.zeros(mask_shape, bool)}
    return {name: pair[0].astype(np.float32), mask: pair[1].astype(bool)}
