"""The messages of ``search`` and ``describe``."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from .fields import Prompt, Strict, fault
from .messages import Device, Engine

LIMIT = (1, 1000)
_Path = Annotated[str, Field(min_length=1, max_length=4096)]


class SearchParams(Strict):
    """Which clips of some folders show what ``query`` says. The folders lie on the backend's machine."""

    query: Prompt
    folder: _Path | None = None
    folders: list[_Path] = []
    """In place of ``folder``, or besides."""
    limit: int = Field(default=20, ge=LIMIT[0], le=LIMIT[1])
    pack: str = Field(default="open", min_length=1)
    engine: Engine = "auto"
    device: Device = "auto"

    @model_validator(mode="after")
    def _somewhere(self) -> SearchParams:
        if not self.all_folders:
            raise fault("folder", "The request lacks its folder.")
        return self

    @property
    def all_folders(self) -> list[str]:
        return [*([self.folder] if self.folder else []), *self.folders]


class FoundClip(BaseModel):
    """A clip that was found; ``start`` and ``stop``, seconds, are where it fits best."""

    path: str
    score: float
    text: str
    """What the file itself says that it shows; empty where it says nothing."""
    seconds: float
    frames: int
    fps: float
    layout: str
    start: float
    stop: float


class SkippedFile(BaseModel):
    path: str
    why: str


class SearchResult(BaseModel):
    """``read`` counts the clips that were searched."""

    results: list[FoundClip]
    skipped: list[SkippedFile]
    read: int
    seconds_taken: float


class DescribeParams(Strict):
    """``npz`` is the base64 of a clip."""

    npz: Annotated[str, Field(min_length=1)]
    pack: str = Field(default="open", min_length=1)
    engine: Engine = "auto"
    device: Device = "auto"


class Told(BaseModel):
    """What happens in a stretch of a clip, times in seconds."""

    start: float
    stop: float
    text: str


class DescribeResult(BaseModel):
    texts: list[str]
    sentences: list[Told]
    seconds_taken: float
