"""How the backend process is started: its command, its environment, the flags of its platform."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PACKAGE_DIR = Path(__file__).resolve().parents[2]
"""The root of the package that this file belongs to, whatever its folder is called."""

BLENDER_VARIABLE = "UNDERSTUDY_BLENDER"
"""Environment variable that names the Blender program; Blender sets it for the commands it runs."""

# The package must be importable as `understudy` whatever its folder is called (a checkout is often
# `main`, an extension lies beside others), so it is imported from its place instead of being looked up.
# The empty entry of sys.path is the working directory: a stray numpy.py there must not be imported.
BOOTSTRAP = """\
import importlib.util, runpy, sys
root, libraries, module = sys.argv[1:4]
del sys.argv[1:4]
sys.path[:] = [path for path in (libraries, *sys.path) if path]
spec = importlib.util.spec_from_file_location(
    "understudy", root + "/__init__.py", submodule_search_locations=[root])
package = importlib.util.module_from_spec(spec)
sys.modules["understudy"] = package
spec.loader.exec_module(package)
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""

_DROPPED = (
    # Blender's own settings for its own Python: another interpreter would look for its library there.
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONEXECUTABLE",
    "PYTHONINSPECT",
    "__PYVENV_LAUNCHER__",
)


def module_command(
    python: str | os.PathLike[str],
    module: str,
    arguments: Sequence[str] = (),
    package_dir: str | os.PathLike[str] = PACKAGE_DIR,
) -> list[str]:
    """The argument list that runs ``understudy.<...>`` with an interpreter, from any folder name."""
    start = [os.fspath(python), "-X", "utf8", "-c", BOOTSTRAP]
    return [*start, os.fspath(package_dir), own_libraries(python), module, *arguments]


def own_libraries(python: str | os.PathLike[str] = sys.executable) -> str:
    """Where this process has its libraries from, for a child of the same interpreter; empty where there are none.

    Blender unpacks an extension's wheels into a folder of its own, of which its Python knows nothing when it
    is started as a program.
    """
    try:
        if not sys.executable or not os.path.samefile(python, sys.executable):
            return ""
        found = importlib.util.find_spec("onnxruntime")
    except (OSError, ValueError):
        return ""
    if found is None or found.origin is None:
        return ""
    return str(Path(found.origin).parent.parent)


# Inside the Blender program the arguments stand behind "--", and a script's exit code only counts
# when the process is left by it.
_INSIDE_BLENDER = f"""\
import os, sys, traceback
sys.argv = ["understudy", *sys.argv[sys.argv.index("--") + 1:]]
code = 0
try:
    exec(compile({BOOTSTRAP!r}, "bootstrap", "exec"), {{"__name__": "bootstrap"}})
except SystemExit as error:
    code = error.code if isinstance(error.code, int) else int(error.code is not None)
except BaseException:
    traceback.print_exc()
    code = 1
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
"""


def inside_blender(
    program: str | os.PathLike[str],
    module: str,
    arguments: Sequence[str] = (),
    package_dir: str | os.PathLike[str] = PACKAGE_DIR,
) -> list[str]:
    """The argument list that runs ``understudy.<...>`` inside a Blender program, without a window."""
    start = ["--background", "--factory-startup", "--python-expr", _INSIDE_BLENDER]
    return [os.fspath(program), *start, "--", os.fspath(package_dir), "", module, *arguments]


def backend_command(
    python: str | os.PathLike[str], package_dir: str | os.PathLike[str] = PACKAGE_DIR
) -> list[str]:
    """The argument list that starts the backend with an interpreter. It never prints on stdout itself."""
    return module_command(python, "understudy.backend", ["serve"], package_dir)


def child_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what is meant for this process's Python only."""
    environment = dict(os.environ if base is None else base)
    for name in _DROPPED:
        environment.pop(name, None)
    environment["PYTHONUTF8"] = "1"
    return environment


def spawn_options() -> dict[str, Any]:
    """Keyword arguments of ``Popen`` that keep a child quiet and independent.

    No console window flashes on Windows; a Ctrl-C in the terminal that Blender was started from does not
    reach the child, whose end is in its parent's hands (it sees the end of its stdin).
    """
    if os.name == "nt":
        return {"creationflags": getattr(subprocess, "CREATE_NO_WINDOW", 0)}
    return {"start_new_session": True}


def run_quietly(command: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a short helper program to its end, without a console window and without its input."""
    return subprocess.run(
        list(command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
        env=child_environment(),
        check=False,
        **spawn_options(),
    )
