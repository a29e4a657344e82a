"""What a run is told: the configuration (how scripts are made) and the profiles (about what, and whom)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ....backend.errors import BadInput
from ...words.llm import Endpoint
from .motions import Kind
from .scenarios import Content
from .script import Character, Line

Method = Literal["rounds", "whole", "rules"]
Share = Annotated[float, Field(ge=0)]


class Splits(BaseModel):
    """How the scripts are divided; only the proportions count."""

    model_config = ConfigDict(extra="forbid")

    train: Share = 0.8
    val: Share = 0.1
    test: Share = 0.1

    @model_validator(mode="after")
    def _something(self) -> Splits:
        if self.train + self.val + self.test <= 0:
            raise ValueError("one of the three must be above zero")
        return self


class ScriptSettings(BaseModel):
    """The configuration of ``understudy-train multimodal scripts``."""

    model_config = ConfigDict(extra="forbid")

    llm: Endpoint = Field(default_factory=Endpoint)
    method: Method = "rules"
    """``rounds``: turn by turn, the language model picks a clip and rewrites to fit it; ``whole``: one question
    for the conversation, the nearest clips are taken; ``rules``: no language model."""
    store: Path | None = None
    """``--store`` goes before it."""
    embeddings: Path | None = None
    """Of the store's captions (``understudy-train embeddings``); made in the folder of the run when missing."""
    content: list[Content] = Field(default_factory=list)
    """Kinds of conversation; all when empty."""
    interaction: list[Kind] = Field(default_factory=list)
    """Kinds of motion that characters may perform; all when empty."""
    datasets: list[str] = Field(default_factory=list)
    """Sets of the store to take clips from; all when empty."""
    least_turns: int = Field(6, ge=2, le=40)
    most_turns: int = Field(8, ge=2, le=40)
    """Of a conversation that a language model writes; plots of the rules have their own length."""
    candidates: int = Field(5, ge=1, le=20)
    """Clips shown to the language model for each motion."""
    attempts: int = Field(3, ge=1)
    """How often a question is asked until its answer can be used."""
    give_up: int = Field(5, ge=1)
    """Scripts that may fail one after the other before the run stops."""
    longest_speech: int = Field(60, ge=5)
    """Words of one turn."""
    longest_motion: float = Field(10.0, gt=0.5)
    """Seconds; of longer clips the beginning is taken."""
    nearest: float = Field(0.5, ge=-1, le=1)
    """Cosine of a caption to the motion asked for below which a clip does not count as found."""
    splits: Splits = Field(default_factory=Splits)

    @model_validator(mode="after")
    def _ordered(self) -> ScriptSettings:
        if self.most_turns < self.least_turns:
            raise ValueError("most_turns is below least_turns")
        return self


class Profile(BaseModel):
    """Topics and people that belong together; scripts take profiles in turn."""

    model_config = ConfigDict(extra="forbid")

    name: Line = ""
    topics: list[Line] = Field(default_factory=list)
    """More come with ``--topics``."""
    characters: list[Character] = Field(default_factory=list)
    """Two of them are drawn for a script; where there are fewer, others join."""
    place: Line = ""
    relation: Line = ""
    user: Line = ""
    """Whoever the first character stands for: tastes, habits, the way to talk."""


def read_profiles(path: Path) -> list[Profile]:
    """Profiles of a YAML file (one, or a list of them) or of a JSONL file (one a line).

    Raises:
        BadInput: the file or one of its profiles is wrong; the sentence names it.
    """
    import yaml

    path = Path(path)
    values: Any
    try:
        text = path.read_text("utf-8")
        if path.suffix.lower() == ".jsonl":
            values = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            values = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise BadInput(f"The profiles {path} cannot be read: {error}.", field="profile") from None
    values = values if isinstance(values, list) else [values]
    profiles = []
    for number, value in enumerate(values, 1):
        try:
            profiles.append(Profile.model_validate(value))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            place = f" at {where}" if where else ""
            raise BadInput(
                f"Profile {number} of {path} is wrong{place}: {first['msg']}.", field="profile"
            ) from None
    if not profiles:
        raise BadInput(f"There are no profiles in {path}.", field="profile")
    return profiles
