"""The one backend process of this Blender: started when first needed, kept warm, never waited for.

The main thread is the only one that touches it, by :meth:`Backend.poll` from a timer (a window) or
:meth:`Backend.wait` (background). Nothing of Blender's data is kept here, only names and numbers, so
that undo and loading a file cannot leave a dangling reference behind.
"""

from __future__ import annotations

import atexit
import time
from dataclasses import dataclass, field
from typing import Any

import bpy

from ...backend.errors import Cancelled, JobFailed, UnderstudyError
from ...backend.motion import npz
from ...backend.motion.clip import Clip
from ...backend.protocol.child import child_environment
from ...backend.protocol.wire import Client, Event, Request, backend_command, clips_of, warnings_of
from ..preferences import settings as preferences
from ..preferences.packs import packs

JOB_TIMEOUT = 900.0
"""Seconds after which a job is given up in background, where nobody could press Cancel."""

POLL_INTERVAL = 0.05
"""Seconds between two looks at the pipe while something is under way."""


@dataclass
class Job:
    """One generation, or another job that takes its time.

    Attributes:
        params: what was asked of the backend.
        method: of the protocol.
        state: ``running``, then ``done``, ``failed`` or ``cancelled`` for good.
        clips: the result, once ``done``.
        files: the same as the bytes of .npz files.
        answer: the result of another method than ``generate``, as it came.
        warnings: what the backend has to say about the result, in sentences.
        error: why it ``failed``.
        took: seconds from the request to the result.
    """

    params: dict[str, Any]
    method: str = "generate"
    state: str = "running"
    clips: list[Clip] = field(default_factory=list)
    files: list[bytes] = field(default_factory=list)
    answer: Any = None
    warnings: list[str] = field(default_factory=list)
    error: UnderstudyError | None = None
    took: float = 0.0
    request: Request | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def fraction(self) -> float:
        """Progress of the present stage, 0 to 1."""
        progress = self.request.progress if self.request is not None else {}
        total = _number(progress.get("total"))
        return min(max(_number(progress.get("step")) / total, 0.0), 1.0) if total > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        left = self.request.progress.get("seconds_left") if self.request is not None else None
        return None if left is None else max(_number(left), 0.0)

    @property
    def stage(self) -> str:
        """What the backend is doing, in its own word; empty before it said anything."""
        stage = self.request.progress.get("stage") if self.request is not None else None
        return str(stage or "")

    def take(self, result: Any) -> None:
        """Keep what the backend answered.

        Raises:
            UnderstudyError: it is no answer.
        """
        if self.method == "generate":
            self.files = clips_of(result)
            self.clips = [npz.clip_from_bytes(data) for data in self.files]
            if not self.clips:
                raise JobFailed("The backend's answer holds no clip.")
        else:
            self.answer = result
        self.warnings = warnings_of(result)

    def go_on(self, stage: str, step: int, total: int) -> None:
        """The backend is done and the window is not: from now on the rest counts as part of the job."""
        self.state = "running"
        if self.request is not None:
            self.request.progress = {"stage": stage, "step": step, "total": total}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


class Backend:
    """The process, the job on its way and what the panel says about both."""

    def __init__(self) -> None:
        self.client: Client | None = None
        self.job: Job | None = None
        self.error: UnderstudyError | None = None
        """The last failure, until it is dismissed or a new job starts."""
        self.news = ""
        """The last success in a few words."""
        self.warning = ""
        """What the backend had to say about it, one line."""
        self.python = ""
        """The interpreter in use."""

    # -- what the panel shows: no I/O here, draw() reads these -------------------------------------

    @property
    def state(self) -> str:
        """``off``, ``starting``, ``ready`` or ``stopped``."""
        if self.client is None:
            return "off"
        return {"new": "off"}.get(self.client.state, self.client.state)

    @property
    def busy(self) -> bool:
        return self.job is not None and self.job.state == "running"

    @property
    def info(self) -> dict[str, Any]:
        """The backend's description of itself, empty before it is ready."""
        return self.client.info if self.client is not None and self.client.state == "ready" else {}

    # -- the process -------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the process unless it runs; its answer arrives by :meth:`poll`.

        Raises:
            UnderstudyError: there is no interpreter, or it cannot be executed.
        """
        if self.client is not None:
            self._advance()
            if self.client.state in ("starting", "ready"):
                return
            self.stop()
        self.python = preferences.find_python()
        options = {"client": "blender", **preferences.machine()}
        client = Client(backend_command(self.python), env=environment(), options=options)
        self.client = client
        client.open()

    def stop(self) -> None:
        """End the process; a job on its way counts as cancelled."""
        if self.busy:
            self.cancel()
        client, self.client = self.client, None
        if client is not None:
            client.close()

    def restart(self) -> None:
        """A fresh process, whatever state the old one is in."""
        self.stop()
        self.error = None
        self.start()

    # -- jobs --------------------------------------------------------------------------------------

    def submit(self, params: dict[str, Any], method: str = "generate") -> Job:
        """Ask for a clip, or what ``method`` gives, without waiting; one job at a time.

        Raises:
            UnderstudyError: the backend cannot be started, or a job is on its way.
        """
        if self.busy:
            raise JobFailed("A generation is under way already.", hint="Cancel it first.")
        self.error, self.news, self.warning = None, "", ""
        try:
            self.start()
            assert self.client is not None
            job = Job(params, method)
            job.request = self.client.request(method, params)
        except UnderstudyError as error:
            self.error = error
            raise
        self.job = job
        return job

    def cancel(self) -> None:
        """Give the job up. The backend stays warm; a result already on its way is dropped."""
        job = self.job
        if job is None or job.state != "running":
            return
        job.state = "cancelled"
        if self.client is not None and job.request is not None:
            self.client.cancel(job.request)

    def poll(self) -> None:
        """Take in what the backend said since the last call; never blocks, never raises."""
        self._advance()

    def wait(self, job: Job, timeout: float = JOB_TIMEOUT) -> list[Clip]:
        """The clips of a job, for background use; raises its error."""
        deadline = time.monotonic() + timeout
        while job.state == "running":
            if time.monotonic() > deadline:
                self.cancel()
                raise JobFailed(f"The backend did not finish within {timeout:g} seconds.")
            self._advance()
            if job.state == "running":
                time.sleep(0.005)
        if job.state == "done":
            return job.clips
        raise job.error or Cancelled("The generation was cancelled.")

    def _advance(self) -> None:
        if self.client is None:
            return
        for event in self.client.poll():
            self._handle(event)

    def _handle(self, event: Event) -> None:
        job = self.job
        if event.kind == "stopped" and not (job is not None and job.error is event.error):
            self.error = event.error
        if event.kind == "ready":
            packs.learn(event.data)
        if job is None or event.request is not job.request or job.state != "running":
            return
        if event.kind == "result":
            try:
                job.take(event.data)
                job.state = "done"
            except UnderstudyError as error:
                job.state, job.error = "failed", error
        elif event.kind == "error":
            job.state, job.error = "failed", event.error
        elif event.kind == "cancelled":
            job.state = "cancelled"
        if job.state != "running":
            job.took = time.monotonic() - job.started
        if job.state == "failed":
            self.error = job.error


def environment() -> dict[str, str]:
    """The backend's environment. What may not go online is told so, whatever library it uses."""
    found = child_environment()
    if not getattr(bpy.app, "online_access", False):
        found |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    return found


backend = Backend()


# -- Blender's side: a timer while something is under way, and a clean end ---------------------------


def watch() -> None:
    """Poll until the backend is idle, so that the panel keeps up."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=POLL_INTERVAL)


def _tick() -> float | None:
    backend.poll()
    refresh()
    return POLL_INTERVAL if backend.busy or backend.state == "starting" else None


_shown: tuple[object, ...] = ()


def refresh() -> None:
    """Redraw if what the panel shows has changed; a window that redraws all the time loses clicks."""
    global _shown
    job = backend.job
    now: tuple[object, ...] = (backend.state, backend.news, backend.warning, id(backend.error))
    if job is not None:
        now += (job.state, job.stage, round(100 * job.fraction), round(job.seconds_left or 0))
    if now != _shown:
        _shown = now
        redraw()


def redraw() -> None:
    """Redraw the sidebars that may show our panel, and nothing else."""
    manager = bpy.context.window_manager
    for window in manager.windows if manager else ():
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


@bpy.app.handlers.persistent
def _before_load(*_: Any) -> None:
    backend.cancel()  # its body belongs to the file that is about to go


def register() -> None:
    packs.read()
    bpy.app.handlers.load_pre.append(_before_load)
    atexit.register(backend.stop)


def unregister() -> None:
    atexit.unregister(backend.stop)
    if _before_load in bpy.app.handlers.load_pre:
        bpy.app.handlers.load_pre.remove(_before_load)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    backend.stop()
    backend.job, backend.error, backend.news, backend.warning = None, None, "", ""
