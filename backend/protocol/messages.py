"""The messages of the backend protocol as pydantic models, and the sentences for what violates them.

The limits here are the only place where they are written: the server announces them in ``initialize``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from ..errors import BadInput
from .framing import PROTOCOL_VERSION

MAX_PROMPT = 500
SECONDS = (0.5, 60.0)
SEED = (0, 2**31 - 1)
SAMPLES = (1, 8)
STEPS = (1, 50)
GUIDANCE = (0.0, 20.0)
STYLE = (0.0, 1.0)

Device = Literal["auto", "cpu", "cuda", "mps"]
Engine = Literal["auto", "torch"]
StyleField = Literal["tempo", "energy", "smoothness", "valence", "arousal"]
StyleValue = Annotated[float, Field(ge=STYLE[0], le=STYLE[1])]
Prompt = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_PROMPT)]


class _Strict(BaseModel):
    """What comes in: nothing is converted, nothing unknown is silently dropped."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class InitializeParams(_Strict):
    """``warm``: load the pack in the background at once, so that the first clip is quick too."""

    protocol: int
    client: str = ""
    warm: bool = True
    pack: str = "open"
    device: Device = "auto"


class GenerateParams(_Strict):
    """What is to be performed. ``None`` leaves the choice to the pack."""

    prompt: Prompt | None = None
    """Needed unless there is a voice."""
    speech: Annotated[str, Field(min_length=1)] | None = None
    """A sound file on the backend's machine; the clip is as long as it."""
    seconds: float | None = Field(default=None, ge=SECONDS[0], le=SECONDS[1])
    seed: int = Field(default=0, ge=SEED[0], le=SEED[1])
    samples: int = Field(default=1, ge=SAMPLES[0], le=SAMPLES[1])
    steps: int | None = Field(default=None, ge=STEPS[0], le=STEPS[1])
    guidance: float | None = Field(default=None, ge=GUIDANCE[0], le=GUIDANCE[1])
    guidances: dict[str, Annotated[float, Field(ge=GUIDANCE[0], le=GUIDANCE[1])]] = {}
    """Strength of single conditions, and of conditions on single parts: ``style``, ``upper``, ``text.hands``."""
    lower: Prompt | None = None
    """What legs and path do, where it is not the prompt."""
    upper: Prompt | None = None
    """What arms, back and head do, where it is not the prompt."""
    style: dict[StyleField, StyleValue] = {}
    """How it is performed, each as a share of the motion that the pack knows: 0.8 is more than 80 % of it."""
    cleanup: bool = True
    pack: str = Field(default="open", min_length=1)
    engine: Engine = "auto"
    device: Device = "auto"

    @model_validator(mode="after")
    def _performable(self) -> GenerateParams:
        if self.prompt is None and self.speech is None:
            raise PydanticCustomError("nothing", "There is neither a prompt nor a voice.")
        if self.speech is not None and self.seconds is not None:
            raise PydanticCustomError("length", "A voice decides the length: leave seconds out.")
        return self


class CancelParams(_Strict):
    id: int | str


class ShutdownParams(_Strict):
    pass


class Progress(BaseModel):
    """``seconds_left`` is None as long as nothing is known to estimate it from."""

    id: int | str
    stage: str
    step: int
    total: int
    seconds_left: float | None = None


class ClipMessage(BaseModel):
    """One clip; ``npz`` is the base64 of an AMASS SMPL-X file."""

    npz: str
    frames: int
    fps: float
    seconds: float
    meta: dict[str, Any]


class GenerateResult(BaseModel):
    """``warnings``: sentences for the user, above all about a prompt that the pack hardly knows."""

    clips: list[ClipMessage]
    seconds_taken: float
    warnings: list[str] = []


class EngineInfo(BaseModel):
    name: str
    version: str


class DataInfo(BaseModel):
    """A data set that a pack was trained on."""

    name: str
    licence: str
    attribution: str = ""
    url: str = ""


class PackInfo(BaseModel):
    name: str
    version: str
    licence: str
    licence_note: str = ""
    description: str = ""
    path: str
    bytes: int
    data: list[DataInfo]


class Limits(BaseModel):
    """Lowest and highest allowed value of each number in :class:`GenerateParams`."""

    prompt_length: int = MAX_PROMPT
    seconds: tuple[float, float] = SECONDS
    seed: tuple[int, int] = SEED
    samples: tuple[int, int] = SAMPLES
    steps: tuple[int, int] = STEPS
    guidance: tuple[float, float] = GUIDANCE


class InitializeResult(BaseModel):
    """What this backend is and can do. ``methods`` lists the requests that it answers."""

    protocol: int = PROTOCOL_VERSION
    version: str
    python: str
    pid: int
    methods: list[str]
    engines: list[EngineInfo]
    devices: list[str]
    packs: list[PackInfo]
    limits: Limits = Limits()
    log_file: str | None = None


class ErrorData(BaseModel):
    """``data`` of every JSON-RPC error: what is wrong, what to do about it, where."""

    code: str
    message: str
    hint: str = ""
    field: str = ""


Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model], params: Mapping[str, Any]) -> Model:
    """Check a request; raises :class:`BadInput` with one sentence about its first fault."""
    try:
        return model.model_validate(params)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or _WHOLE.get(first["type"], "")
        raise BadInput(_sentence(field, model, first), hint=_hint(first["type"]), field=field) from None


def _sentence(field: str, model: type[BaseModel], fault: Any) -> str:
    name = " ".join(field.split(".")).capitalize()
    kind, context, value = fault["type"], fault.get("ctx", {}), fault.get("input")
    if kind in _WHOLE:
        return str(fault["msg"])
    if kind in ("greater_than_equal", "less_than_equal"):
        low, high = _range(model, field)
        return (
            f"{name} must be between {low:g} and {high:g}, not {_short(value)}."
            if abs(high) < 1e5
            else (f"{name} must be between {low} and {high}, not {_short(value)}.")
        )
    if kind == "finite_number":
        return f"{name} must be a finite number."
    if kind == "string_too_short":
        return f"The {field} is empty."
    if kind == "string_too_long":
        return f"The {field} is longer than {context.get('max_length')} characters."
    if kind == "string_unicode":
        return f"The {field} is not valid Unicode text."
    if kind == "missing":
        return f"The request lacks its {field}."
    if kind == "extra_forbidden":
        return f"Unknown setting {field!r}."
    if kind == "literal_error":
        return f"{name} must be {context.get('expected')}, not {_short(value)}."
    if kind in _KINDS:
        return f"{name} must be {_KINDS[kind]}, not {_short(value)}."
    return f"{name or 'The request'} is not usable: {fault['msg']}."


_WHOLE = {"nothing": "prompt", "length": "seconds"}
"""Faults of a request as a whole, and the field they are shown at."""
_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
}


def _hint(kind: str) -> str:
    if kind in ("string_too_short", "nothing"):
        return 'Say what the character does, for example "a person walks forward and waves".'
    return "The two sides may be of different versions." if kind == "extra_forbidden" else ""


def _range(model: type[BaseModel], field: str) -> tuple[float, float]:
    limits: dict[str, float] = {}
    info = model.model_fields[field.partition(".")[0]]
    rules = list(info.metadata)
    if "." in field:  # a value of a dictionary
        value = get_args(info.annotation)[1]
        rules = [rule for found in value.__metadata__ for rule in found.metadata]
    for rule in rules:
        limits |= {key: getattr(rule, key) for key in ("ge", "le") if hasattr(rule, key)}
    return limits["ge"], limits["le"]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
