"""Where sentences and motions lie in the space of a pack's alignment model, computed with numpy alone.

The model is small (:mod:`..models.alignment` is its definition, and a test holds the two together), so a search
needs neither torch nor a graph of its own: words come from whatever engine encodes text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInput
from ..models.alignment_config import VIEWS, AlignmentConfig
from ..models.eight_bits import SCALE, restored
from ..motion.clip import Clip, place_at_origin, resample
from ..motion.contacts import detect_contacts
from ..motion.features import FPS, features_from_clip
from ..packs.config import read_config
from ..text import TextEmbedding

if TYPE_CHECKING:
    from ..packs.finding import Pack

FILE = "alignment.safetensors"


def stretches(frames: int, longest: int) -> list[tuple[int, int]]:
    """Equal, half overlapping stretches that cover a motion; one where it is short enough."""
    if frames <= longest:
        return [(0, frames)]
    count = math.ceil(2 * frames / longest) - 1
    starts = np.linspace(0, frames - longest, count).round().astype(int)
    return [(int(start), int(start) + longest) for start in starts]


class AlignmentSpace:
    """Both encoders of a trained alignment model.

    Args:
        config: its sizes.
        state: its weights by name, as :mod:`..models.alignment` names them; int8 with scales is restored.
    """

    def __init__(self, config: AlignmentConfig, state: Mapping[str, np.ndarray]) -> None:
        self.config = config
        self._weights = {key: restored(state, key) for key in state if not key.endswith(SCALE)}

    @classmethod
    def of(cls, pack: Pack) -> AlignmentSpace:
        """The space of a pack.

        Raises:
            BadInput: it has none, or a damaged one.
        """
        config = read_config(pack.path).alignment
        if config is None or FILE not in pack.files:
            raise BadInput(
                f"The pack {pack.name} cannot search by meaning: it has no alignment model.",
                hint="Choose another pack, or update this one.",
                field="pack",
            )
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            return cls(config, load_file(pack.path / FILE))
        except (OSError, SafetensorError, ValueError) as error:
            raise BadInput(
                f"The alignment model of the pack {pack.name} cannot be read.", field="pack"
            ) from error

    def embed_text(self, words: TextEmbedding, view: str = "whole") -> np.ndarray:
        """Sentences -> unit rows (B, D)."""
        at = 2 * list(VIEWS).index(view)
        rows = []
        for tokens, mask in zip(words.tokens, words.mask, strict=True):
            x = self._norm(tokens[mask].astype(np.float32), "text_tower.enter.0")
            x = self._linear(x, "text_tower.enter.1")
            rows.append(self._summary(x, "text_tower.summary", tuple(VIEWS), self.config.text_layers, at))
        return np.stack(rows)

    def embed_clip(self, clip: Clip, view: str = "whole") -> tuple[np.ndarray, list[tuple[float, float]]]:
        """A clip of any length and rate -> unit rows (N, D) of its stretches, and their (start, stop) in seconds."""
        shown = [part for part in VIEWS[view] if clip.known.get(part, False)]
        if not shown:
            raise BadInput("The clip knows nothing of the body.", field="clip")
        clip = place_at_origin(clip if abs(clip.fps - FPS) < 1e-6 else resample(clip, FPS))
        clip = clip if clip.contacts is not None else clip.replace(contacts=detect_contacts(clip))
        features = features_from_clip(clip)[0]
        places = stretches(len(clip), self.config.max_frames)
        rows = [self.embed_features({p: features[p][a:b] for p in shown}, view) for a, b in places]
        return np.stack(rows), [(a / FPS, b / FPS) for a, b in places]

    def embed_features(self, features: Mapping[str, np.ndarray], view: str = "whole") -> np.ndarray:
        """Features ``{part: (T, F)}`` of the parts that are known -> a unit row (D,)."""
        config = self.config
        frames = len(next(iter(features.values())))
        steps = -(-frames // config.stride)
        x = np.zeros((steps, config.width), np.float32)
        at = 0
        for part, size in config.parts.items():
            if part in VIEWS[view] and part in features:
                mean, std = (self._weights[key][at : at + size] for key in ("mean", "std"))
                x += self._stem((features[part] - mean) / std, part, steps)
            else:
                x += self._weights[f"motion_tower.missing.{part}"]
            at += size
        x += _sinusoids(steps, config.width)
        return self._summary(x, "motion_tower.summary", (view,), config.layers, 0)

    # -- the layers --------------------------------------------------------------------------------

    def _stem(self, values: np.ndarray, part: str, steps: int) -> np.ndarray:
        """Normalised features (T, F) -> steps (L, width), by strided convolutions."""
        down = self.config.down
        exists = len(values)
        x = np.zeros((steps * self.config.stride, values.shape[1]), np.float32)
        x[:exists] = values
        for level in range(down):
            x = _gelu(x) if level else x
            x[exists:] = 0.0  # what lies past the end is nothing on every level
            weight = self._weights[f"motion_tower.stems.{part}.{level}.weight"]  # (O, I, 4)
            padded = np.pad(x, ((1, 1), (0, 0)))
            windows = np.lib.stride_tricks.sliding_window_view(padded, 4, axis=0)[::2]  # (L, I, 4)
            x = windows.reshape(len(windows), -1) @ weight.reshape(len(weight), -1).T
            x += self._weights[f"motion_tower.stems.{part}.{level}.bias"]
            exists = -(-exists // 2)
        x = _gelu(x) if down else x
        weight = self._weights[f"motion_tower.stems.{part}.{down}.weight"]
        return x @ weight[..., 0].T + self._weights[f"motion_tower.stems.{part}.{down}.bias"]

    def _summary(self, x: np.ndarray, name: str, views: tuple[str, ...], layers: int, at: int) -> np.ndarray:
        """A sequence (L, width) -> the mean (D,) that the token ``at`` of the views' tokens tells, unit length."""
        tokens = [self._weights[f"{name}.tokens.{view}"] for view in views]
        x = np.concatenate([*tokens, x]).astype(np.float32)
        for i in range(layers):
            layer = f"{name}.transformer.layers.{i}"
            x = x + self._attention(self._norm(x, f"{layer}.norm1"), f"{layer}.self_attn")
            hidden = _gelu(self._linear(self._norm(x, f"{layer}.norm2"), f"{layer}.linear1"))
            x = x + self._linear(hidden, f"{layer}.linear2")
        row = self._linear(self._norm(x[at : at + 1], f"{name}.transformer.norm"), f"{name}.mu")[0]
        return row / max(float(np.linalg.norm(row)), 1e-12)

    def _attention(self, x: np.ndarray, name: str) -> np.ndarray:
        heads = self.config.heads
        both = x @ self._weights[f"{name}.in_proj_weight"].T + self._weights[f"{name}.in_proj_bias"]
        q, k, v = both.reshape(len(x), 3, heads, -1).transpose(1, 2, 0, 3)  # (heads, L, size)
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        found = (scores / scores.sum(-1, keepdims=True)) @ v
        return self._linear(found.transpose(1, 0, 2).reshape(len(x), -1), f"{name}.out_proj")

    def _linear(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def _sinusoids(length: int, width: int) -> np.ndarray:
    """Positions (L, width) as sines and cosines (Vaswani et al. 2017)."""
    frequencies = np.exp(-math.log(10000.0) * np.arange(0, width, 2) / width)
    angles = np.arange(length)[:, None] * frequencies
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, -1).astype(np.float32)


def _gelu(x: np.ndarray) -> np.ndarray:
    """The exact GELU; the error function to 2e-7 (Abramowitz and Stegun 7.1.26)."""
    z = np.abs(x) * np.float32(math.sqrt(0.5))
    t = 1.0 / (1.0 + 0.3275911 * z)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    erf = np.sign(x) * (1.0 - series * np.exp(-z * z))
    return (0.5 * x * (1.0 + erf)).astype(np.float32)
