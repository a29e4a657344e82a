"""What the operators share that ask the backend and put its answer into the scene: blocking for scripts, modal in a
window, where panel and Cancel work until the last key is set."""

from __future__ import annotations

from typing import Any, Protocol

import bpy

from ...backend.errors import UnderstudyError
from ..process import client
from ..process.client import Job, backend
from ..process.refusing import refuse
from ..process.slices import PAUSE, Steps, Timer, Work
from ..translations import t


class Asked(Protocol):
    """A job, and what becomes of its answer."""

    @property
    def method(self) -> str: ...

    @property
    def params(self) -> dict[str, Any]: ...

    def delivered(self, job: Job) -> Steps[str]:
        """Put the answer into the scene; returns what is said of it."""
        ...


class Running:
    """The operators: :meth:`asked` says what is wanted."""

    bl_options = {"UNDO"}

    _timer: Any = None
    _asked: Asked | None = None
    _job: Job | None = None
    _work: Work[str] | None = None

    def asked(self, context: bpy.types.Context) -> Asked:
        raise NotImplementedError

    @classmethod
    def poll(cls: Any, context: bpy.types.Context) -> bool:
        if backend.busy:
            cls.poll_message_set("A generation is under way")
            return False
        return context.scene is not None

    def execute(self: Any, context: bpy.types.Context) -> set[str]:
        try:
            asked = self.asked(context)
            job = backend.submit(asked.params, asked.method)
            backend.wait(job)
            said = Work(asked.delivered(job)).finish()
        except UnderstudyError as error:
            return refuse(self, error)
        return self._done(said)

    def invoke(self: Any, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            self._asked = self.asked(context)
            self._job = backend.submit(self._asked.params, self._asked.method)
        except UnderstudyError as error:
            return refuse(self, error)
        self._timer = Timer.add(context)
        context.window_manager.modal_handler_add(self)
        client.redraw()
        return {"RUNNING_MODAL"}

    def modal(self: Any, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        job = self._job
        backend.poll()
        client.refresh()
        if job.state == "cancelled":
            self._stop()
            self.report({"INFO"}, t("Cancelled."))
            return {"CANCELLED"}
        if job.state == "running" and self._work is None:
            return {"PASS_THROUGH"}
        try:
            if job.state == "failed":
                raise job.error
            if self._work is None or self._work.closed:  # an undo in between: once more
                self._work = Work(self._asked.delivered(job))
                job.go_on("key", 0, 0)
                Timer.remove(self._timer)
                self._timer = Timer.add(context, PAUSE)
            if not self._work.advance():
                return {"PASS_THROUGH"}
        except UnderstudyError as error:
            job.state = "failed"
            self._stop()
            return refuse(self, error)
        job.state = "done"
        Timer.remove(self._timer)
        return self._done(self._work.result)

    def cancel(self: Any, context: bpy.types.Context) -> None:
        """Blender ends the operator: the window closes or another file is loaded."""
        self._stop()
        backend.cancel()

    def _stop(self) -> None:
        Timer.remove(self._timer)
        if self._work is not None:
            self._work.close()

    def _done(self: Any, said: str) -> set[str]:
        backend.news = said
        client.redraw()
        self.report({"INFO"}, said)
        if backend.warning:
            self.report({"WARNING"}, backend.warning)
        return {"FINISHED"}
