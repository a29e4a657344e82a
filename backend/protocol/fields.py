"""What the requests' models share: the limits of their numbers, and faults told in a sentence of their own.

The limits here are the only place where they are written: the server announces them in ``initialize``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

MAX_PROMPT = 500
SECONDS = (0.5, 60.0)
"""Of one prompt."""
SCRIPT_SECONDS = 600.0
"""Of all lines of a script together, at most."""
SEED = (0, 2**31 - 1)
SAMPLES = (1, 8)
STEPS = (1, 50)
GUIDANCE = (0.0, 20.0)
STYLE = (0.0, 1.0)

StyleField = Literal["tempo", "energy", "smoothness", "valence", "arousal"]
StyleValue = Annotated[float, Field(ge=STYLE[0], le=STYLE[1])]
Prompt = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_PROMPT)]


class Strict(BaseModel):
    """What comes in: nothing is converted, nothing unknown is silently dropped."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


SAID = "said"
"""The kind of a fault whose sentence is written where it is found."""


def fault(field: str, sentence: str) -> PydanticCustomError:
    """A fault of a model as a whole, shown at one of its fields."""
    return PydanticCustomError(SAID, "{sentence}", {"sentence": sentence, "field": field})
