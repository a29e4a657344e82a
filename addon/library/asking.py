"""Questions to the backend besides generating: one at a time, answered while the window goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import bpy

from ...backend.errors import Cancelled, JobFailed, UnderstudyError
from ..process import client
from ..process.client import backend

PATIENCE = 900.0
"""Seconds after which a question is given up in background, where nobody could press Cancel."""


class Asking:
    """The question on its way."""

    title = ""
    """What is being done; empty when nothing is."""
    _request: Any = None
    _done: Callable[[Any], None] | None = None
    _failed: Callable[[UnderstudyError], None] | None = None

    @classmethod
    def start(
        cls,
        title: str,
        method: str,
        params: dict[str, Any],
        done: Callable[[Any], None],
        failed: Callable[[UnderstudyError], None] | None = None,
    ) -> None:
        """Ask, and hand the answer to ``done`` in the main thread; in background, wait for it.

        Raises:
            UnderstudyError: the backend cannot be started, a question is on its way, or (in background) it failed.
        """
        if cls.title:
            raise JobFailed(f"{cls.title} is still under way.", hint="Wait for it, or cancel it.")
        backend.start()
        assert backend.client is not None
        cls._request = backend.client.request(method, params)
        cls.title, cls._done, cls._failed = title, done, failed
        if bpy.app.background:
            cls._wait()
        elif not bpy.app.timers.is_registered(_tick):
            bpy.app.timers.register(_tick, first_interval=client.POLL_INTERVAL)

    @classmethod
    def progress(cls) -> tuple[int, int]:
        """Files done, and files."""
        found = cls._request.progress if cls._request is not None else {}
        return int(found.get("step") or 0), int(found.get("total") or 0)

    @classmethod
    def cancel(cls) -> None:
        if cls._request is not None and backend.client is not None:
            backend.client.cancel(cls._request)
        cls._clear()

    @classmethod
    def poll(cls) -> bool:
        """Take in what the backend said; whether the question is still open."""
        request = cls._request
        if request is None:
            return False
        backend.poll()
        if request.state == "running":
            return True
        done, failed = cls._done, cls._failed
        cls._clear()
        if request.state == "done" and done is not None:
            done(request.result)
        elif request.state == "failed":
            error = request.error or JobFailed("The backend failed.")
            backend.error = error
            if failed is not None:
                failed(error)
        return False

    @classmethod
    def _wait(cls) -> None:
        request, deadline = cls._request, time.monotonic() + PATIENCE
        while cls.poll():
            if time.monotonic() > deadline:
                cls.cancel()
                raise JobFailed(f"The backend did not answer within {PATIENCE:g} seconds.")
            time.sleep(0.005)
        if request.state != "done":
            raise request.error or Cancelled("It was cancelled.")

    @classmethod
    def _clear(cls) -> None:
        cls.title, cls._request, cls._done, cls._failed = "", None, None, None


def _tick() -> float | None:
    going_on = Asking.poll()
    client.redraw()
    return client.POLL_INTERVAL if going_on else None


def unregister() -> None:
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    Asking.cancel()
