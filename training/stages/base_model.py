"""A pretrained language model as the base of the motion language model, whole or with LoRA."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from tokenizers import Tokenizer
from torch import Tensor, nn

from ...backend.errors import BadInput
from ...backend.models.language import MotionLanguageModel
from ...backend.performance.pieces import word_ids
from ...backend.text import normalize_prompt
from .wording import Captions, Wording


class Lora(BaseModel):
    """Keys under ``lora``: low-rank changes to some matrices of the base (Hu et al. 2022), in place of all of
    it. Motion tokens, their heads and the conditions are trained whole. SOLAMI's sizes."""

    model_config = ConfigDict(extra="forbid")

    rank: int = Field(8, ge=1)
    alpha: float = 16.0
    dropout: float = Field(0.05, ge=0, lt=1)
    targets: list[str] = Field(["q_proj", "v_proj"], min_length=1)
    """Names that the base gives the matrices: q_proj and v_proj in Llama's family, c_attn in GPT-2."""


@dataclass(frozen=True)
class Base:
    """A causal language model of transformers with its tokenizer."""

    model: Any
    words: Tokenizer
    end: int
    """The word that begins and ends a caption."""

    @property
    def sizes(self) -> dict[str, Any]:
        """Keys of the motion language model's configuration that come from the base."""
        config = self.model.config
        backbone = {"model_type": config.model_type, **config.to_diff_dict()}
        for key in ("architectures", "transformers_version", "dtype", "torch_dtype", "_name_or_path"):
            backbone.pop(key, None)
        # Where it is the default it is left out, and versions differ in what the default is.
        backbone["tie_word_embeddings"] = bool(config.tie_word_embeddings)
        width, pieces = self.model.get_input_embeddings().weight.shape[::-1]
        return {
            "backbone": backbone,
            "model_type": config.model_type,
            "width": width,
            "text_width": width,
            "layers": config.num_hidden_layers,
            "heads": config.num_attention_heads,
            "pieces": pieces,
            "piece_end": self.end,
        }

    def give(self, model: MotionLanguageModel) -> None:
        """Copy the base's weights into a new motion language model."""
        model.backbone.load_state_dict(self.model.base_model.state_dict())
        if hasattr(model, "words_out"):
            model.words_out.load_state_dict(self.model.get_output_embeddings().state_dict())


def load_base(name: str, *, download: bool = False) -> Base:
    """A model from a folder, from the local cache, or, if allowed, from the hub.

    Raises:
        BadInput: there is none, it is no causal language model, or its tokenizer is of the slow kind.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    keys: dict[str, Any] = {"local_files_only": not download, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **keys)
        model = AutoModelForCausalLM.from_pretrained(name, use_safetensors=True, **keys).float()
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise BadInput(
            f"{name} cannot be loaded as a causal language model: {reason}.",
            hint="Name a folder that save_pretrained wrote with its tokenizer, or set download: true.",
            field="base_model",
        ) from error
    if not getattr(tokenizer, "is_fast", False):
        raise BadInput(f"{name} has no tokenizer.json.", field="base_model")
    end = tokenizer.eos_token_id
    if end is None:
        raise BadInput(f"The tokenizer of {name} has no word for the end.", field="base_model")
    words = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    words.no_padding()
    words.no_truncation()
    return Base(model, words, int(end))


class OwnWords(Captions):
    """Captions as the base's own words: nothing is embedded beforehand."""

    def __init__(self, words: Tokenizer, wording: Wording) -> None:
        self.wording = wording
        self.words = words

    def batch(self, captions: Sequence[str | None]) -> tuple[np.ndarray, np.ndarray]:
        """Left-padded words (B, W) and mask (B, W); ``None`` is an empty prompt."""
        ids, mask = word_ids(self.words, [None if c is None else normalize_prompt(c) for c in captions])
        return ids, mask


def add_lora(model: MotionLanguageModel, lora: Lora) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    """Freeze the base and lay low-rank changes beside the targets.

    Returns:
        What turns a trained state into that of the same model without LoRA, the changes merged in.

    Raises:
        BadInput: the base has no such matrices.
    """
    from peft import LoraConfig, get_peft_model

    keys = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=lora.targets, bias="none"
    )  # fmt: skip
    try:
        model.backbone = get_peft_model(model.backbone, keys)
    except ValueError as error:
        leaves = {
            name.rpartition(".")[2] for name, m in model.backbone.named_modules() if not list(m.children())
        }
        raise BadInput(
            f"The base model has no matrices named {' or '.join(lora.targets)}.",
            hint=f"Its modules are {', '.join(sorted(leaf for leaf in leaves if leaf))}.",
            field="lora.targets",
        ) from error

    def merged(state: dict[str, Tensor]) -> dict[str, Tensor]:
        whole = copy.deepcopy(model).cpu()
        whole.load_state_dict(state)
        whole.backbone = whole.backbone.merge_and_unload()
        return whole.state_dict()

    return merged


def frozen(model: nn.Module) -> float:
    """Share of the parameters that are not trained."""
    counts = torch.tensor([[p.numel(), p.numel() * (not p.requires_grad)] for p in model.parameters()])
    total, still = counts.sum(0).tolist()
    return still / total
