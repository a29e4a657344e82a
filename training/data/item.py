"""One row of the store's index: the unified item of a data set, with what the store adds."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .metadata import EnhancedMetadata

Split = Literal["train", "val", "test"]


class Item(BaseModel):
    """A captioned piece of a clip.

    The first block is the unified item shared with dialogue data sets (one item may follow another:
    ``last_partner_motion_name``); frames count at ``fps`` inside the clip file, half-open. The second
    block says where the motion lies and where it comes from.
    """

    model_config = ConfigDict(extra="forbid")

    dataset: str
    motion_name: str
    split: Split = "train"
    text: list[str] = Field(default_factory=list)
    tokens: list[str] = Field(default_factory=list)
    both_text: list[str] = Field(default_factory=list)
    emotion: str = ""
    start_frame: int = Field(0, ge=0)
    end_frame: int = Field(0, ge=0)
    fps: float = 30.0
    interactive_start_frame: int = -1
    interactive_end_frame: int = -1
    actor: str = ""
    last_partner_motion_name: str = ""
    next_partner_motion_name: str = ""

    path: str = ""
    trial: str = ""
    kind: Literal["segment", "whole"] = "segment"
    start: float = Field(0.0, ge=0)
    end: float | None = None
    caption_source: str = ""
    source: str = ""
    licence: str = ""
    commercial: bool = True
    known: list[str] = Field(default_factory=list)
    speech: str = ""
    """The recording, relative to the store; it starts with the clip."""
    words: str = ""
    """JSON beside the clip: ``words`` and ``semantics`` with their seconds in the clip."""
    metadata: EnhancedMetadata = Field(default_factory=EnhancedMetadata)

    @model_validator(mode="after")
    def _tokens_match(self) -> Item:
        if self.tokens and len(self.tokens) != len(self.text):
            raise ValueError("tokens must be empty or one entry per text")
        return self

    def placed(self, frames: int, fps: float, path: str, known: list[str]) -> Item | None:
        """This item in a converted clip of so many frames; ``None`` when nothing of it is there."""
        last = frames / fps
        start = max(self.start, 0.0)
        end = last if self.end is None else min(self.end, last)
        first, stop = round(start * fps), min(round(end * fps), frames)
        if stop - first < 2:
            return None
        return self.model_copy(
            update={
                "start": start, "end": end, "start_frame": first, "end_frame": stop, "fps": fps, "path": path, "known": known,
            }
        )  # fmt: skip
