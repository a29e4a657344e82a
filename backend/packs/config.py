"""``config.json`` of a pack: the sizes of its models and how they are sampled."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import BadInput
from ..models.alignment_config import AlignmentConfig
from ..models.diffusion_config import DiffusionConfig
from ..models.language_config import LanguageConfig
from ..models.tokenizer_config import TokenizerConfig


class Sampling(BaseModel):
    """Settings that a request may leave open."""

    model_config = ConfigDict(extra="forbid")

    temperature: float = 0.9
    top_p: float = 0.9
    plan_guidance: float = 2.0
    """Guidance of the language model's logits towards the prompt."""
    plan_half_guidance: float = 5.0
    """The same where the halves of the body have prompts of their own."""
    manner_guidance: float = 3.0
    """Towards a style and a rhythm."""
    candidates: int = Field(1, ge=1, le=16)
    """Plans written at once for every sample; the one that its prompt explains best is kept."""
    guidance: float = 2.0
    """Guidance of the diffusion model towards the prompt."""
    half_guidance: float = 1.25
    """Towards the prompt of a half of the body."""
    style_guidance: float = 2.0
    speech_guidance: float = 2.0
    guidances: dict[str, float] = {}
    """More strengths, by condition, or by condition and part of the body (``speech.hands``), which goes before."""
    performances: int = Field(4, ge=1, le=8)
    """Performances made at once of a prompt with style sliders; the one that lies nearest to them is kept."""
    steps: int = 8
    overlap: int = 12
    """Latent frames that neighbouring windows share."""


class PackConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tokenizers: dict[str, TokenizerConfig]
    """By part, in the order in which latents are concatenated."""
    language: LanguageConfig
    diffusion: DiffusionConfig
    sampling: Sampling = Sampling()
    style_ranks: dict[str, list[float]] = {}
    """What the measured style of the training motion is at equally spaced ranks, by field."""
    alignment: AlignmentConfig | None = None
    """Of the space in which clips are searched by meaning; a pack can do without."""

    @property
    def stride(self) -> int:
        """Frames per latent frame, the same for all parts."""
        return next(iter(self.tokenizers.values())).stride


def read_config(folder: Path) -> PackConfig:
    """Read a pack's ``config.json``.

    Raises:
        BadInput: it is missing or wrong.
    """
    path = folder / "config.json"
    try:
        return PackConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadInput(f"The pack {folder.name} has no readable config.json.", field="pack") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"The pack {folder.name} has a wrong config.json at {where}: {first['msg']}.", field="pack"
        ) from error
