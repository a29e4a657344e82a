"""How an operator refuses: in one sentence, without an undo step."""

from __future__ import annotations

from typing import Any

from ...backend.errors import Cancelled, UnderstudyError
from ..translations import t
from .client import backend, redraw


def refuse(operator: Any, error: UnderstudyError) -> set[str]:
    """Report an error as a sentence, keep it for the panel, and end the operator without an undo step."""
    if isinstance(error, Cancelled):
        operator.report({"INFO"}, t(error.message))
        return {"CANCELLED"}
    backend.error = error
    operator.report({"ERROR"}, f"{t(error.message)} {t(error.hint)}".strip())
    redraw()
    return {"CANCELLED"}
