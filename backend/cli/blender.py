"""Finding a Python that has ``bpy``, and the argument list that runs one of our modules in it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import BadInput, JobFailed
from ..process.machine import has_module
from ..protocol.child import BLENDER_VARIABLE, inside_blender, module_command


def find_blender(asked: str | None) -> list[str]:
    """How Blender can be run here: ``["python", PATH]`` (a Python with bpy) or ``["blender", PATH]``.

    Args:
        asked: a Blender program or a Python that has bpy, as the user named it; None looks for one:
            in the environment variable UNDERSTUDY_BLENDER, in this Python, on the PATH.

    Raises:
        BadInput: what the user named is not there.
        JobFailed: nothing was named and nothing was found.
    """
    asked = asked or os.environ.get(BLENDER_VARIABLE) or None
    if asked is not None:
        program = shutil.which(asked)
        if program is None:
            raise BadInput(f"There is no program {asked}.", field="blender")
        return ["python" if Path(program).stem.lower().startswith("python") else "blender", program]
    if has_module("bpy"):
        return ["python", sys.executable]
    program = shutil.which("blender")
    if program is None:
        raise JobFailed(
            "Blender was not found.",
            hint="Install it as a module (pip install bpy), or name the program with --blender.",
        )
    return ["blender", program]


def blender_command(found: Sequence[str], module: str, arguments: Sequence[str]) -> list[str]:
    """The argument list that runs ``understudy.<...>`` where :func:`find_blender` found Blender."""
    kind, program = found
    if kind == "python":
        return module_command(program, module, arguments)
    return inside_blender(program, module, arguments)
