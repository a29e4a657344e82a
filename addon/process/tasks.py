"""Short errands of the preferences, run by ``understudy`` in a thread: Blender's window never waits for them.

One errand at a time. In background, where no timer fires, :meth:`Errand.start` waits for the answer.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import bpy

from ...backend.errors import BadInput, JobFailed, UnderstudyError
from ...backend.protocol.child import module_command, run_quietly
from ..preferences import settings as preferences

_POLL = 0.1


class Errand:
    """The errand on its way, and how the last one ended."""

    title = ""
    """What is being done; empty when nothing is."""
    error: UnderstudyError | None = None
    _thread: threading.Thread | None = None
    _answer: list[Any] = []
    _done: Callable[[Any], None] | None = None

    @classmethod
    def start(
        cls, title: str, arguments: Sequence[str], done: Callable[[Any], None], *, timeout: float = 120.0
    ) -> None:
        """Run ``understudy ARGUMENTS --json`` and hand its answer to ``done`` in the main thread.

        Raises:
            UnderstudyError: there is no interpreter, an errand is under way, or (in background) it failed.
        """
        if cls.title:
            raise JobFailed("Something else is being done.", hint="Wait until it is finished.")
        python = preferences.find_python()
        command = module_command(
            python, "understudy.backend.cli.main", [*arguments, "--json"], preferences.PACKAGE_DIR
        )
        cls.title, cls.error, cls._done, cls._answer = title, None, done, []
        cls._thread = threading.Thread(
            target=cls._run, args=(command, timeout), name="understudy-errand", daemon=True
        )
        cls._thread.start()
        if bpy.app.background:
            cls._thread.join()
            tick()
            if cls.error is not None:
                raise cls.error
        elif not bpy.app.timers.is_registered(tick):
            bpy.app.timers.register(tick, first_interval=_POLL)

    @classmethod
    def running(cls) -> bool:
        return cls._thread is not None and cls._thread.is_alive()

    @classmethod
    def _run(cls, command: list[str], timeout: float) -> None:
        try:
            finished = run_quietly(command, timeout=timeout)
            cls._answer = [read(finished.returncode, finished.stdout, finished.stderr)]
        except Exception as error:  # a thread has nobody to raise to
            reason = str(error).strip() or type(error).__name__
            cls._answer = [JobFailed(f"The backend did not answer: {reason}")]

    @classmethod
    def finish(cls) -> None:
        """Take the answer in."""
        done, cls._done, cls.title = cls._done, None, ""
        answer = cls._answer[0] if cls._answer else JobFailed("The backend did not answer.")
        if isinstance(answer, UnderstudyError):
            cls.error = answer
        elif done is not None:
            done(answer)


def read(code: int, out: str, err: str) -> Any:
    """The JSON answer of a command, or the error that it reported."""
    try:
        return json.loads(out)
    except ValueError:
        pass
    lines = [line for line in err.splitlines() if line.strip()]
    try:
        said = json.loads(lines[-1])["error"]
        kind = BadInput if said["code"] == BadInput.code else JobFailed
        return kind(str(said["message"]), hint=str(said["hint"]), field=str(said["field"]))
    except (ValueError, KeyError, TypeError, IndexError):
        words = lines[-1] if lines else f"exit code {code}"
        return JobFailed(f"The backend failed: {words}", field="python")


def tick() -> float | None:
    """Look whether the errand has ended, and redraw the preferences."""
    if Errand.running():
        return _POLL
    if Errand.title:
        Errand.finish()
    redraw_preferences()
    return None


def redraw_preferences() -> None:
    manager = bpy.context.window_manager
    for window in manager.windows if manager else ():
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()


def unregister() -> None:
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    if Errand._thread is not None:
        Errand._thread.join(0.0)
    Errand.title, Errand.error, Errand._thread, Errand._done = "", None, None, None
