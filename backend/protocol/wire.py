"""The backend process as seen by its parent: start it, ask it, cancel, notice when it fails, end it.

Standard library only: Blender's own Python runs this. Nothing here blocks without a time-out. Three
threads serve the child's pipes, so that a child that floods stderr or does not read its stdin blocks
nobody; everything else happens in the thread that calls :meth:`Client.poll` or :meth:`Client.wait`.
"""

from __future__ import annotations

import itertools
import queue
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import Cancelled, JobFailed, UnderstudyError
from . import framing
from .calls import (
    RESTART,
    BackendError,
    Dialogue,
    Event,
    Request,
    clips_of,
    dialogue_of,
    error_of,
    warnings_of,
)
from .child import backend_command, child_environment, module_command
from .framing import PROTOCOL_VERSION
from .pipes import Pipes

__all__ = [
    "PROTOCOL_VERSION",
    "BackendError",
    "Client",
    "Dialogue",
    "Event",
    "Request",
    "backend_command",
    "child_environment",
    "clips_of",
    "dialogue_of",
    "module_command",
    "warnings_of",
]


class Client:
    """A backend process and the requests it works on. Use it from one thread.

    Args:
        command: the argument list of the child, see :func:`backend_command`.
        env: its environment; by default ours without what only concerns our own Python.
        start_timeout: seconds until the first answer.
        silence_timeout: seconds without any message from a child that owes an answer, after which it
            counts as hung and is ended.
        options: further parameters of ``initialize`` (``client``, ``warm``, ``pack``, ``device``).
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        start_timeout: float = 60.0,
        silence_timeout: float = 120.0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.state = "new"  # new, starting, ready, stopped
        self.info: dict[str, Any] = {}
        self.error: UnderstudyError | None = None
        self.start_timeout = start_timeout
        self.silence_timeout = silence_timeout
        self._command = list(command)
        self._env = child_environment() if env is None else dict(env)
        self._cwd = cwd
        self._options = dict(options or {})
        self._ids = itertools.count(1)
        self._waiting: dict[int, Request] = {}  # cancelled ones stay until the child has answered them
        self._pipes: Pipes | None = None
        self._hello: Request | None = None
        self._events: list[Event] = []

    # -- starting and ending ---------------------------------------------------------------------

    def open(self) -> None:
        """Start the child and greet it, without waiting for its answer (a ``ready`` event)."""
        if self.state != "new":
            raise ValueError("This backend was started before; make a new Client.")
        try:
            self._pipes = Pipes(self._command, self._env, self._cwd)
        except (OSError, ValueError) as error:
            self.state = "stopped"
            reason = getattr(error, "strerror", None) or error
            self.error = BackendError(
                "backend_missing",
                f"The backend could not be started with {self._command[0]}: {reason}.",
                "Check which Python interpreter is set for the backend.",
            )
            raise self.error from error
        self.state = "starting"
        self._hello = self.request("initialize", {**self._options, "protocol": PROTOCOL_VERSION})

    def start(self, timeout: float | None = None) -> dict[str, Any]:
        """Start the child and wait for its description of itself; raises :class:`BackendError`."""
        if timeout is not None:
            self.start_timeout = timeout
        if self.state == "new":
            self.open()
        while self.state == "starting":
            self._events += self._advance(0.1)
        if self.state != "ready":
            raise self.error or BackendError("backend_died", "The backend is not running.")
        return self.info

    def close(self, timeout: float = 2.0) -> None:
        """End the child: ask, then terminate, then kill. Requests on their way count as cancelled."""
        for request in self._waiting.values():
            if request.state == "running":
                request.state = "cancelled"
        self._waiting.clear()
        was_ready = self.state == "ready"
        self.state = "stopped"
        if self._pipes is not None:
            goodbye = framing.request(next(self._ids), "shutdown", {}) if was_ready else None
            self._pipes.close(None if goodbye is None else framing.encode(goodbye), timeout)

    def __enter__(self) -> Client:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        return None if self._pipes is None else self._pipes.process.pid

    def log_tail(self) -> list[str]:
        """The last lines the child wrote on stderr."""
        return [] if self._pipes is None else self._pipes.stderr_tail()

    # -- requests --------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
    ) -> Request:
        """Send a request, without waiting. ``on_progress`` is called from :meth:`poll` or :meth:`wait`."""
        if self._pipes is None or self.state == "stopped":
            raise self.error or BackendError("backend_died", "The backend is not running.")
        request = Request(next(self._ids), method, on_progress)
        frame = framing.encode(framing.request(request.id, method, dict(params or {})))
        self._waiting[request.id] = request
        self._pipes.send(frame)
        return request

    def cancel(self, request: Request) -> None:
        """Give a request up. From now on its result is dropped, even if it is already on its way."""
        if request.state != "running":
            return
        request.state = "cancelled"
        self._events.append(Event("cancelled", request))
        if self._pipes is not None and self.state != "stopped":
            number = next(self._ids)
            self._waiting[number] = Request(number, "cancel", state="cancelled")
            self._pipes.send(framing.encode(framing.request(number, "cancel", {"id": request.id})))

    def poll(self) -> list[Event]:
        """What happened since the last call, at once: for a timer of a window."""
        events, self._events = self._events, []
        return events + self._advance(0.0)

    def wait(self, request: Request, timeout: float = 600.0) -> Any:
        """The result of a request; raises its error, or :class:`Cancelled`.

        Where ``timeout`` seconds are not enough the request is cancelled and ``JobFailed`` raised.
        """
        deadline = time.monotonic() + timeout
        while request.state == "running":
            if time.monotonic() > deadline:
                self.cancel(request)
                raise JobFailed(f"The backend did not answer within {timeout:g} seconds.", hint=RESTART)
            self._events += self._advance(0.05)
        self._events = [e for e in self._events if e.request is not request]
        if request.state == "done":
            return request.result
        raise request.error or Cancelled("The job was cancelled.")

    # -- what the child does ---------------------------------------------------------------------

    def _advance(self, block: float) -> list[Event]:
        """Handle everything that arrived (waiting up to ``block`` seconds for the first) and the clocks."""
        events: list[Event] = []
        if self._pipes is None or self.state == "stopped":
            return events
        while self.state != "stopped":
            try:
                kind, data = self._pipes.inbox.get(timeout=block) if block else self._pipes.inbox.get_nowait()
            except queue.Empty:
                break
            block = 0.0
            if kind == "message":
                events += self._message(data)
            elif kind == "garbage":
                events += self._fail(
                    BackendError("backend_garbage", f"The backend is confused: {data.message}")
                )
            else:
                events += self._fail(self._death())
        if self.state != "stopped" and (error := self._overdue()) is not None:
            events += self._fail(error)
        return events

    def _message(self, message: dict[str, Any]) -> list[Event]:
        if "method" in message:
            return self._notified(message)
        request = self._waiting.pop(_number(message.get("id")), None)
        if request is None:
            return []
        error = error_of(message)
        if request is self._hello:
            return self._greeted(message.get("result"), error)
        if request.state != "running":  # cancelled: the late result goes nowhere
            return []
        if error is not None:
            request.state, request.error = ("cancelled" if error.code == "cancelled" else "failed"), error
            return [Event("cancelled" if request.state == "cancelled" else "error", request, error=error)]
        request.state, request.result = "done", message.get("result")
        return [Event("result", request, request.result)]

    def _notified(self, message: dict[str, Any]) -> list[Event]:
        params = message.get("params")
        if message["method"] != "progress" or not isinstance(params, dict):
            return []  # a later protocol may say more; what we do not know does not concern us
        request = self._waiting.get(_number(params.get("id")))
        if request is None or request.state != "running":
            return []
        request.progress = params
        if request.on_progress is not None:
            request.on_progress(params)
        return [Event("progress", request, params)]

    def _greeted(self, info: Any, error: UnderstudyError | None) -> list[Event]:
        assert self._hello is not None
        if error is not None:
            return self._fail(error)
        theirs = info.get("protocol") if isinstance(info, dict) else None
        if theirs != PROTOCOL_VERSION:
            return self._fail(
                BackendError(
                    "version_mismatch",
                    f"The backend speaks protocol {theirs}, this add-on speaks protocol {PROTOCOL_VERSION}.",
                    "Install the same version of Understudy on both sides.",
                )
            )
        self._hello.state, self._hello.result = "done", info
        self.state, self.info = "ready", info
        return [Event("ready", None, info)]

    def _overdue(self) -> BackendError | None:
        assert self._pipes is not None and self._hello is not None
        if self._pipes.dead_for() > 1.0:  # its grandchildren may hold the pipe open: no end of file then
            return self._death()
        now = time.monotonic()
        if self.state == "starting" and now - self._hello.sent_at > self.start_timeout:
            return BackendError(
                "backend_hung",
                f"The backend did not answer within {self.start_timeout:g} seconds of its start.",
            )
        if self.state == "ready" and self._waiting:
            newest = max(r.sent_at for r in self._waiting.values())
            if now - max(newest, self._pipes.last_heard) > self.silence_timeout:
                return BackendError(
                    "backend_hung",
                    f"The backend has not reported anything for {self.silence_timeout:g} seconds.",
                )
        return None

    def _death(self) -> BackendError:
        assert self._pipes is not None
        how = self._pipes.exit_words()
        lines = [line.strip() for line in self._pipes.stderr_tail() if line.strip()]
        last = f": {lines[-1]}" if lines else "."
        return BackendError("backend_died", f"The backend ended unexpectedly ({how}){last}")

    def _fail(self, error: UnderstudyError) -> list[Event]:
        """The process is of no use any more: end it, and tell everybody who waits."""
        assert self._pipes is not None
        self._pipes.kill()
        self.state, self.error = "stopped", error
        events = []
        for request in self._waiting.values():
            if request.state == "running":
                request.state, request.error = "failed", error
                if request is not self._hello:
                    events.append(Event("error", request, error=error))
        self._waiting.clear()
        return [*events, Event("stopped", None, error=error)]


def _number(value: Any) -> int:
    """A request's number, or one that no request has: a child may send anything."""
    return value if type(value) is int else -1
