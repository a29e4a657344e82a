"""``blender --command understudy ...``: the command line, run by the backend's interpreter."""

from __future__ import annotations

import subprocess
import sys

import bpy

from ...backend.errors import UnderstudyError
from ...backend.protocol.child import BLENDER_VARIABLE
from ...backend.protocol.wire import child_environment, module_command
from ..preferences import settings as preferences

NAME = "understudy"

_handle = None


def run(arguments: list[str]) -> int:
    """Hand the arguments to ``understudy`` and return its exit code; it speaks for itself."""
    try:
        python = preferences.find_python()
        command = module_command(python, "understudy.backend.cli.main", arguments, preferences.PACKAGE_DIR)
        environment = child_environment()
        if bpy.app.binary_path:  # what `render` and `batch` render with, unless told otherwise
            environment.setdefault(BLENDER_VARIABLE, bpy.app.binary_path)
        return subprocess.run(command, env=environment, check=False).returncode
    except UnderstudyError as error:
        print(f"understudy: {error.message} {error.hint}".rstrip(), file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"understudy: {python} cannot be run: {error.strerror or error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def register() -> None:
    global _handle
    _handle = bpy.utils.register_cli_command(NAME, run)


def unregister() -> None:
    global _handle
    if _handle is not None:
        bpy.utils.unregister_cli_command(_handle)
        _handle = None
