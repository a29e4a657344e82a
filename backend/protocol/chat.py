"""The messages of ``chat``: what a user says to a character, and how it answers. Nothing is kept between two requests:
the caller holds the memory and the last clip."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, StringConstraints, model_validator

from .direction import Place
from .fields import SEED, Strict, fault
from .messages import Device, Engine
from .replies import EMOTIONS, MOMENTS

MAX_SAID = 2000
"""Characters of what a user says at once, or a character."""
MAX_MEMORY = 400
"""Entries of a memory; the oldest go first."""
_MAX_LIST = 64

_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
_Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
_Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)]
_Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_SAID)]
_Path = Annotated[str, Field(min_length=1, max_length=4096)]


class Character(Strict):
    """Who answers; also what a character file holds."""

    name: _Name
    role: _Text = ""
    """For example ``lighthouse keeper``."""
    personality: _Text = ""
    """For example ``shy, precise, a little ironic``."""
    background: _Text = ""
    """Sentences about the character's life: first, second or third person."""
    scene: _Text = ""
    """Where it is, and what is around it."""
    likes: Annotated[list[_Line], Field(max_length=_MAX_LIST)] = []
    dislikes: Annotated[list[_Line], Field(max_length=_MAX_LIST)] = []
    knows: Annotated[list[_Line], Field(max_length=_MAX_LIST)] = []
    """Sentences as the character would say them."""
    places: dict[_Name, Place] = {}
    """What is where, ``[x, z]`` in metres: the character begins at the origin and looks along +Z."""
    gestures: dict[str, _Line] = {}
    """What the body does at a moment (:data:`.replies.MOMENTS`), where nothing else is asked of it."""
    emotion: str = "neutral"
    """Its usual one (:data:`.replies.EMOTIONS`)."""
    voice: _Text = ""
    """As espeak-ng or piper names it."""
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*$")] | None = None
    """As espeak-ng names it; without, that of the request."""

    @model_validator(mode="after")
    def _known(self) -> Character:
        if self.emotion not in EMOTIONS:
            raise fault("emotion", f"The emotion {self.emotion[:40]!r} is not known: {', '.join(EMOTIONS)}.")
        for moment in self.gestures:
            if moment not in MOMENTS:
                raise fault("gestures", f"There is no moment {moment[:40]!r}: {', '.join(MOMENTS)}.")
        return self


class Remembered(Strict):
    """Something that was said and done before, oldest first in a memory."""

    who: Literal["user", "character"]
    text: Annotated[str, Field(max_length=2 * MAX_SAID)]
    motion: Annotated[str, Field(max_length=500)] = ""
    emotion: Annotated[str, Field(max_length=60)] = ""


class Endpoint(Strict):
    """A server with OpenAI's chat completions that the user chose."""

    base_url: Annotated[str, Field(min_length=1, max_length=2000)]
    """For example ``http://localhost:11434/v1``."""
    model: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    api_key_env: Annotated[str, Field(max_length=200)] | None = None
    """The *name* of the environment variable that holds the key, on the backend's machine."""
    timeout: float = Field(default=60.0, ge=0.1, le=600.0)
    """Seconds to wait for an answer."""
    retries: int = Field(default=2, ge=0, le=5)
    temperature: float | None = Field(default=None, ge=0.0, le=2.0)

    @model_validator(mode="after")
    def _usable(self) -> Endpoint:
        try:
            parts = urlsplit(self.base_url)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            good = False
        if not good or not re.fullmatch(r"[\x21-\x7e]+", self.base_url):
            raise fault("base_url", "The endpoint must be an address that begins with http:// or https://.")
        if parts.username or parts.password or parts.query or parts.fragment:
            sentence = (
                "The endpoint's address must hold no key and no question mark: name the key by api_key_env."
            )
            raise fault("base_url", sentence)
        if self.api_key_env and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", self.api_key_env):
            # What was given may be the key itself: it is not repeated.
            sentence = "The api_key_env must be the name of an environment variable, not the key."
            raise fault("api_key_env", sentence)
        return self

    @property
    def local(self) -> bool:
        """Whether it is on this machine."""
        host = (urlsplit(self.base_url).hostname or "").lower()
        return host in ("localhost", "::1") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host))


class ChatParams(Strict):
    """One exchange: ``text`` or ``speech`` of the user, and who answers."""

    character: Character | None = None
    character_file: _Path | None = None
    """In place of ``character``: a YAML, JSON or TOML file on the backend's machine."""
    memory: Annotated[list[Remembered], Field(max_length=MAX_MEMORY)] = []
    text: _Said | None = None
    speech: _Path | None = None
    """A recording on the backend's machine; only where faster-whisper and a model of it are installed there."""
    previous: Annotated[str, Field(min_length=1)] | None = None
    """Base64 ``.npz`` of the last answer: the body goes on from its end, in the same world."""
    user: Place | None = None
    """Where the user stands, or the camera: ``[x, z]`` in the clips' world. None: 2.5 m in front of the origin."""
    seed: int = Field(default=0, ge=SEED[0], le=SEED[1])
    endpoint: Endpoint | None = None
    """Who writes the answers; None: the offline author."""
    allow_network: bool = False
    """Whether the endpoint may be on another machine."""
    fall_back: bool = False
    """Whether the offline author answers where the endpoint fails."""
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*$")] = "en"
    voice: bool = True
    """Whether the answer is spoken, where piper or espeak-ng is installed."""
    pack: str = Field(default="open", min_length=1)
    engine: Engine = "auto"
    device: Device = "auto"

    @model_validator(mode="after")
    def _whole(self) -> ChatParams:
        if (self.character is None) == (self.character_file is None):
            raise fault("character", "The request needs a character, or the file of one.")
        if (self.text is None) == (self.speech is None):
            raise fault("text", "The request needs a text of the user, or a recording.")
        return self


class ChatResult(BaseModel):
    """How the character answers."""

    text: str
    emotion: str
    motion: str
    """What the body does beyond talking, in words; empty where it only talks."""
    clip: str
    """Base64 of an AMASS SMPL-X file."""
    frames: int
    fps: float
    sound: str | None = None
    """Base64 of a WAV file as long as the clip; None where nothing on this machine can speak."""
    seconds: float
    """Length of the clip."""
    author: str
    """``offline``, or the name of the endpoint's model."""
    heard: str
    """What the user said."""
    memory: list[Remembered]
    """For the next request."""
    warnings: list[str] = []
    seconds_taken: float = 0.0
