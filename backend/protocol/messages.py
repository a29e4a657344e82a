"""The messages of the backend protocol as pydantic models, and the sentences for what violates them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from ..errors import BadInput
from .direction import LINES, Constraints, Edit, Line
from .fields import (
    GUIDANCE,
    MAX_PROMPT,
    SAID,
    SAMPLES,
    SCRIPT_SECONDS,
    SECONDS,
    SEED,
    STEPS,
    Prompt,
    Strict,
    StyleField,
    StyleValue,
    fault,
)
from .framing import PROTOCOL_VERSION

Device = Literal["auto", "cpu", "cuda", "mps", "directml", "coreml"]
Engine = Literal["auto", "onnx", "torch"]

MAX_TRANSCRIPT = 4 << 20
"""Characters of a transcript; hours of talk with all their times are less."""


class InitializeParams(Strict):
    """``warm``: load the pack in the background at once, so that the first clip is quick too."""

    protocol: int
    client: str = ""
    warm: bool = True
    pack: str = "open"
    engine: Engine = "auto"
    device: Device = "auto"


class GenerateParams(Strict):
    """What is to be performed. ``None`` leaves the choice to the pack."""

    prompt: Prompt | None = None
    """Needed unless there is a voice or a script."""
    script: Annotated[list[Line], Field(min_length=1, max_length=LINES)] | None = None
    """Several prompts as one motion, in place of ``prompt`` and ``seconds``."""
    speech: Annotated[str, Field(min_length=1)] | None = None
    """A sound file on the backend's machine; the clip is as long as it."""
    transcript: Annotated[str, Field(min_length=1, max_length=MAX_TRANSCRIPT)] | None = None
    """What the voice says: a text, SRT, WebVTT or a TextGrid, or the path of such a file on the backend's machine."""
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
    constraints: Constraints = Constraints()
    """Where the body goes, what it holds, what it looks like."""
    edit: Edit | None = None
    """A clip of which a part is made anew."""
    loop: bool = False
    """A cycle that can be played over and over."""
    in_place: bool = False
    """Without the way over the floor."""
    cleanup: bool = True
    pack: str = Field(default="open", min_length=1)
    engine: Engine = "auto"
    device: Device = "auto"

    @model_validator(mode="after")
    def _performable(self) -> GenerateParams:
        if self.prompt is None and self.speech is None and self.script is None:
            raise fault("prompt", "There is neither a prompt nor a voice.")
        if self.speech is not None and self.seconds is not None:
            raise fault("seconds", "A voice decides the length: leave seconds out.")
        if self.transcript is not None and self.speech is None:
            raise fault("transcript", "A transcript says what a voice speaks, and there is no voice.")
        return self

    @model_validator(mode="after")
    def _scripted(self) -> GenerateParams:
        if self.script is None:
            return self
        for name in ("prompt", "seconds"):
            if getattr(self, name) is not None:
                raise fault(name, f"A script has its own prompts and lengths: leave {name} out.")
        total = sum(line.seconds for line in self.script)
        if total > SCRIPT_SECONDS:
            raise fault("script", f"A script may last {SCRIPT_SECONDS:g} seconds, this one lasts {total:g}.")
        return self

    @model_validator(mode="after")
    def _directed(self) -> GenerateParams:
        edit, constraints = self.edit, self.constraints
        if edit is not None and self.speech is not None:
            raise fault("edit", "A part of a clip is made anew without a voice: leave speech out.")
        if edit is not None and edit.end is not None and self.script is not None:
            raise fault("script", "A part of a clip is made anew from one prompt: leave the script out.")
        if self.loop and (edit is not None or self.speech is not None or constraints):
            other = "an edit" if edit is not None else "a voice" if self.speech is not None else "constraints"
            raise fault("loop", f"A loop is looked for in a motion of its own, not in one with {other}.")
        if self.in_place and (edit is not None or constraints.travels or constraints.pins):
            raise fault("in_place", "A motion in place cannot be at given places too.")
        return self


class CancelParams(Strict):
    id: int | str


class ShutdownParams(Strict):
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
        kind, context = first["type"], first.get("ctx", {})
        where = [*first["loc"], *([context["field"]] if kind == SAID else [])]
        field = ".".join(str(part) for part in where)
        raise BadInput(_sentence(model, first), hint=_hint(kind, field), field=field) from None


def _sentence(model: type[BaseModel], fault: Any) -> str:
    place = _Place(fault["loc"])
    name = place.name
    kind, context, value = fault["type"], fault.get("ctx", {}), fault.get("input")
    if kind == SAID:
        return str(context["sentence"])
    if kind in ("greater_than_equal", "less_than_equal"):
        low, high = _range(model, fault["loc"])
        form = "g" if abs(high) < 1e5 else ""
        return f"{name} must be between {low:{form}} and {high:{form}}, not {_short(value)}."
    if kind == "finite_number":
        return f"{name} must be a finite number."
    if kind == "string_too_short":
        return f"{place.named} is empty."
    if kind == "string_too_long":
        return f"{place.named} is longer than {context.get('max_length')} characters."
    if kind == "string_unicode":
        return f"{place.named} is not valid Unicode text."
    if kind == "missing":
        return f"{place.owner} lacks its {place.last}."
    if kind == "extra_forbidden":
        return f"Unknown setting {place.path!r}."
    if kind == "literal_error":
        return f"{name} must be {context.get('expected')}, not {_short(value)}."
    if kind in ("too_short", "too_long"):
        limit = context.get("min_length", context.get("max_length"))
        most = "at least" if kind == "too_short" else "at most"
        return f"{name} must have {most} {limit} entries, not {context.get('actual_length')}."
    if kind in _KINDS:
        return f"{name} must be {_KINDS[kind]}, not {_short(value)}."
    return f"{name or 'The request'} is not usable: {fault['msg']}."


class _Place:
    """Where in a request a fault is, for people: entries of lists count from 1."""

    def __init__(self, parts: Sequence[str | int]) -> None:
        self.path = ".".join(str(part) for part in parts)
        self.last = str(parts[-1]) if parts else ""
        words = [str(part + 1) if isinstance(part, int) else part for part in parts]
        self.name = " ".join(words).capitalize()
        self.named = f"The {self.last}" if len(parts) == 1 else self.name
        self.owner = " ".join(words[:-1]).capitalize() or "The request"


_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


def _hint(kind: str, field: str) -> str:
    if field == "prompt" and kind in ("string_too_short", SAID):
        return 'Say what the character does, for example "a person walks forward and waves".'
    return "The two sides may be of different versions." if kind == "extra_forbidden" else ""


def _range(model: type[BaseModel], loc: Sequence[str | int]) -> tuple[float, float]:
    """Lowest and highest value of the number at a place of a model, by its schema."""
    schema = model.model_json_schema()
    defined = schema.get("$defs", {})

    def found(node: dict[str, Any], rest: Sequence[str | int]) -> dict[str, Any] | None:
        if "$ref" in node:
            node = defined[node["$ref"].rpartition("/")[2]]
        for one in node.get("anyOf", ()):
            if (inside := found(one, rest)) is not None:
                return inside
        if not rest:
            return node if "minimum" in node else None
        head, *tail = rest
        if isinstance(head, int):
            return found(node["items"], tail) if "items" in node else None
        inner = node.get("properties", {}).get(head, node.get("additionalProperties"))
        return found(inner, tail) if isinstance(inner, dict) else None

    limits = found(schema, loc)
    assert limits is not None
    return limits["minimum"], limits["maximum"]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
