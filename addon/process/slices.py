"""Long work of Blender's main thread in slices, so that the window stays alive meanwhile.

Such work is a generator. It yields where the window may be drawn, ``yield from aside(function)`` lets a thread compute,
and its return value is the result. Blender's data may only be touched between the yields, not in threads. In background,
where nobody waits for a window, the same generator is run to its end at once.

Undo and loading a file take Blender's data from under a work that has begun: it is closed before, see :class:`Work`.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

import bpy

from ...backend.errors import JobFailed, UnderstudyError
from . import client
from .client import redraw
from .refusing import refuse

T = TypeVar("T")
Steps = Generator[object, None, T]

SLICE = 0.015
"""Seconds of one slice: with a step that takes longer than expected it stays far below the budget of 0.05."""
FIRST = 0.035
"""Seconds of the first slice, in which most work ends: then a click makes one undo step and needs no timer."""
PAUSE = 0.01
"""Seconds between two slices, for the window."""
PATIENCE = 0.015
"""Seconds that the main thread waits for another one before the window has its turn: most files are read by then."""
WAITING = object()
"""What a work yields while a thread computes for it."""


def in_window() -> bool:
    """Whether there is a window that must stay alive."""
    return not bpy.app.background


_begun: weakref.WeakSet[Work[Any]] = weakref.WeakSet()


class Work(Generic[T]):
    """A generator on its way.

    Attributes:
        result: what it returned.
        over: whether it has ended, one way or the other.
    """

    result: T

    def __init__(self, steps: Steps[T]) -> None:
        self.over = False
        self._steps = steps
        self._closed = False
        _begun.add(self)

    def advance(self, seconds: float = SLICE) -> bool:
        """Go on for a while; whether it is finished.

        Raises:
            UnderstudyError: what the work raises; or something was undone, or removed, that it needs.
        """
        if self._closed:
            raise _gone()
        end = time.perf_counter() + seconds
        while not self.over:
            if self._step() is WAITING or time.perf_counter() >= end:
                break
        return self.over

    def finish(self) -> T:
        """Run to the end without a pause.

        Raises:
            UnderstudyError: as :meth:`advance`.
        """
        while not self.over:
            if self._step() is WAITING:
                time.sleep(0.002)
        if self._closed:
            raise _gone()
        return self.result

    def close(self) -> None:
        """Stop; what is half done is removed by the work itself."""
        if not self.over:
            self.over = self._closed = True
            self._steps.close()

    def _step(self) -> object:
        try:
            return next(self._steps)
        except StopIteration as stop:
            self.result, self.over = stop.value, True
        except ReferenceError:
            self.over = True
            raise _gone() from None
        except BaseException:
            self.over = True
            raise
        return None

    @property
    def closed(self) -> bool:
        """Whether it was stopped before its end."""
        return self._closed


def _gone() -> JobFailed:
    return JobFailed("Something that this needs was undone or removed meanwhile.", hint="Do it again.")


def aside(function: Callable[..., T], *arguments: Any) -> Steps[T]:
    """Let a thread compute; it must not touch Blender's data. In background it is computed at once."""
    if not in_window():
        return function(*arguments)
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function(*arguments))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="understudy-aside", daemon=True)
    thread.start()
    thread.join(PATIENCE)
    while thread.is_alive():
        yield WAITING
    if errors:
        raise errors[0]
    return results[0]


class Sliced:
    """An operator whose ``work`` is a generator that returns what the operator returns.

    Short work is done at once, longer in slices while the window stays alive, and Esc stops it. Scripts, which go on
    with the result, get it when the operator returns.
    """

    _clicked = False
    _work: Work[set[str]] | None = None
    _timer: Any = None

    def work(self, context: bpy.types.Context) -> Steps[set[str]]:
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self._clicked = True
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        self._work = Work(self.work(context))
        try:
            if not (self._clicked and in_window()):
                return self._work.finish()
            if self._work.advance(FIRST):
                return self._work.result
        except UnderstudyError as error:
            return refuse(self, error)
        self._timer = Timer.add(context, PAUSE)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        assert self._work is not None
        if event.type == "ESC":
            self.cancel(context)
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            if not self._work.advance():
                return {"PASS_THROUGH"}
        except UnderstudyError as error:
            self.cancel(context)
            return refuse(self, error)
        Timer.remove(self._timer)
        redraw()
        return self._work.result

    def cancel(self, context: bpy.types.Context) -> None:
        """Over before its end: Esc, or the window closes."""
        Timer.remove(self._timer)
        if self._work is not None:
            self._work.close()


_shown: Work[Any] | None = None


def show_soon(steps: Steps[Any], message: str) -> None:
    """Work that a click on a row of a list begins, where no operator runs; a later click takes its place.

    What is quickly done is done when this returns.

    Args:
        steps: the work.
        message: name of the undo step where it takes longer: Blender makes that of the click itself too early.

    Raises:
        UnderstudyError: the work failed at its beginning.
    """
    global _shown
    if _shown is not None:
        _shown.close()
    _shown = work = Work(steps)
    if not in_window():
        work.finish()
    elif not work.advance(FIRST):
        bpy.app.timers.register(lambda: _go_on(work, message), first_interval=PAUSE)


def _go_on(work: Work[Any], message: str) -> float | None:
    if work.closed:
        return None
    try:
        if not work.advance():
            return PAUSE
        bpy.ops.ed.undo_push(message=message)
    except UnderstudyError as error:
        client.backend.error = error
    redraw()
    return None


class Timer:
    """The window timers of running operators: Blender does not remove those of a class that goes."""

    _alive: list[Any] = []

    @classmethod
    def add(cls, context: bpy.types.Context, seconds: float = client.POLL_INTERVAL) -> Any:
        timer = context.window_manager.event_timer_add(seconds, window=context.window)
        cls._alive.append(timer)
        return timer

    @classmethod
    def remove(cls, timer: Any) -> None:
        if timer in cls._alive:
            cls._alive.remove(timer)
            bpy.context.window_manager.event_timer_remove(timer)

    @classmethod
    def clear(cls) -> None:
        for timer in list(cls._alive):
            cls.remove(timer)


@bpy.app.handlers.persistent
def _before_data_goes(*_: Any) -> None:
    for work in list(_begun):
        work.close()


_EVENTS = ("undo_pre", "redo_pre", "load_pre")


def register() -> None:
    for event in _EVENTS:
        getattr(bpy.app.handlers, event).append(_before_data_goes)


def unregister() -> None:
    _before_data_goes()
    Timer.clear()
    for event in _EVENTS:
        handlers = getattr(bpy.app.handlers, event)
        if _before_data_goes in handlers:
            handlers.remove(_before_data_goes)
