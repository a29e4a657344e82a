"""The messages of ``dialogue``: a screenplay, or lines, for two characters; two clips in one world and their sound."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints, model_validator

from .fields import MAX_PROMPT, SEED, Strict, fault
from .messages import Device, Engine

MOST_LINES = 500
LONGEST_LINE = 5000
"""Characters of what is said in one go."""
LONGEST_SCRIPT = 1 << 20
DISTANCE = (0.8, 2.5)
"""Metres from pelvis to pelvis: Hall's personal and near social distance ("The Hidden Dimension", 1966)."""

_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
_Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_LINE)]
_Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_PROMPT)]
_Path = Annotated[str, Field(min_length=1, max_length=4096)]


class DialogueLine(Strict):
    """What one of the two says in one go."""

    speaker: _Name
    """Capitals and small letters are the same."""
    text: _Said
    direction: _Note = ""
    """As between the parentheses of a screenplay: how it is said, what the speaker does."""
    emotion: _Note = ""
    """A word of :data:`...dialogue.emotions.EMOTIONS`, or another that directions know."""
    recording: _Path | None = None
    """A sound file on the backend's machine; without, the line is synthesised."""
    performs: _Note = ""
    """What the speaker's body does meanwhile, as a prompt."""


class DialogueParams(Strict):
    """A dialogue of two."""

    script: Annotated[str, Field(min_length=1, max_length=LONGEST_SCRIPT)] | None = None
    """A screenplay in Fountain, its text and not its path."""
    lines: Annotated[list[DialogueLine], Field(min_length=1, max_length=MOST_LINES)] | None = None
    """In place of ``script``."""
    seed: int = Field(default=0, ge=SEED[0], le=SEED[1])
    distance: float = Field(default=1.4, ge=DISTANCE[0], le=DISTANCE[1])
    """Metres between the two."""
    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,30}$")] = "en"
    """Of the synthesised voices, as espeak-ng names it."""
    voices: dict[_Name, _Name] = {}
    """The voice of a speaker, as espeak-ng or piper names it."""
    by: Literal["generation", "retrieval"] = "generation"
    """Where the body below the talk comes from: made by the pack, or found in ``library``."""
    library: _Path | None = None
    """A folder of clips, or a store with captions, on the backend's machine."""
    touches: bool = True
    """Whether handshakes, high fives and hugs are performed."""
    pack: str = Field(default="open", min_length=1)
    engine: Engine = "auto"
    device: Device = "auto"

    @model_validator(mode="after")
    def _something(self) -> DialogueParams:
        if (self.script is None) == (self.lines is None):
            raise fault("script", "A dialogue needs either a script or lines, not both and not none.")
        if self.by == "retrieval" and self.library is None:
            raise fault("library", "To retrieve clips there must be a library: name a folder of clips.")
        return self


class DialogueTurn(BaseModel):
    """When a line is heard, seconds from the scene's beginning."""

    number: int
    speaker: str
    text: str
    start: float
    end: float


class DialogueResult(BaseModel):
    """Both characters, the first on -X, facing each other.

    Attributes:
        clips: base64 of an AMASS SMPL-X file for each, of the same length.
        names: of the two, in capitals.
        sound: base64 of a WAV file with everything that is said, 24 kHz, as long as the clips.
        turns: in the order in which they were written.
        distance: metres between the two, as placed.
        measures: what was measured, by name.
        warnings: sentences for the user.
    """

    clips: list[str]
    names: list[str]
    sound: str
    turns: list[DialogueTurn]
    distance: float
    measures: dict[str, float]
    warnings: list[str]
    seconds_taken: float
