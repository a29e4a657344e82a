"""The backend's worker: one thread that loads packs, keeps them warm, and does one job at a time."""

from __future__ import annotations

import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

from pydantic import BaseModel

from ..errors import BadInput, Cancelled, JobFailed, UnderstudyError
from ..motion.clip import Clip
from ..packs.finding import find_pack
from ..protocol.messages import GenerateParams, Progress
from . import machine
from .log import logger
from .tasks import CALLED, Params, ReportStep, perform


class Pipeline(Protocol):
    """What turns a request into clips. It raises ``Cancelled`` at the first model step after a cancel."""

    def generate(
        self,
        params: GenerateParams,
        progress: ReportStep | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Sequence[Clip]: ...


LoadPipeline = Callable[[str, str, str], Pipeline]
"""``load_pipeline(pack, device, engine)``: ``pack`` is a name or a folder."""

WARM = 2
"""Pipelines kept in memory: enough to compare two packs, few enough for a laptop."""

_REPORT_EVERY = 0.03  # seconds between progress messages: a window draws no faster


class Job:
    """One request. It is answered exactly once, whoever comes first."""

    def __init__(
        self,
        number: int | str,
        params: Params,
        answer: Callable[[BaseModel | UnderstudyError], None],
        report: Callable[[Progress], None],
    ) -> None:
        self.number = number
        self.params = params
        self.running = False
        self._answer = answer
        self._report = report
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._answered = False

    def finish(self, outcome: BaseModel | UnderstudyError) -> None:
        with self._lock:
            if self._answered:
                return
            self._answered = True
        self._answer(outcome)

    def report(self, progress: Progress) -> None:
        with self._lock:
            if self._answered or self._cancelled.is_set():
                return
        self._report(progress)

    def cancel(self) -> None:
        """Stop at the next model step. A job that no model works on yet is answered at once."""
        self._cancelled.set()
        if not self.running:
            self.finish(Cancelled("The job was cancelled."))

    def cancelled(self) -> bool:
        return self._cancelled.is_set()


class Clock:
    """Estimates the seconds left from this stage's steps and from how long later stages took before."""

    def __init__(self, memory: dict[str, float]) -> None:
        self._memory = memory  # stage -> seconds, shared by all jobs
        self._stage = ""
        self._began = time.monotonic()
        self._passed: set[str] = set()

    def seconds_left(self, stage: str, step: int, total: int) -> float | None:
        now = time.monotonic()
        if stage != self._stage:
            self.end()
            self._stage, self._began = stage, now
        elapsed = now - self._began
        if step > 0:
            here = elapsed / step * max(total - step, 0)
        elif stage in self._memory:
            here = max(self._memory[stage] - elapsed, 0.0)
        else:
            return None
        later = (s for name, s in self._memory.items() if name != stage and name not in self._passed)
        return round(here + sum(later), 2)

    def end(self) -> None:
        """The current stage is over: remember how long it took."""
        if self._stage:
            self._memory[self._stage] = time.monotonic() - self._began
            self._passed.add(self._stage)
            self._stage = ""


class Worker:
    """Runs jobs in the order they came. ``load`` is called in the worker's thread, like everything slow."""

    def __init__(self, load: LoadPipeline) -> None:
        self._load = load
        self._queue: queue.Queue[Job | tuple[str, str, str]] = queue.Queue()
        self._jobs: dict[int | str, Job] = {}
        self._pipelines: OrderedDict[tuple[str, str, str], Pipeline] = OrderedDict()
        self._durations: dict[type, dict[str, float]] = {}  # of each kind of request, by stage
        self._busy = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="understudy_worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def warm(self, pack: str, device: str, engine: str) -> None:
        """Load a pipeline ahead of the first request."""
        self._queue.put((pack, device, engine))

    def add(self, job: Job) -> None:
        """Queue a job; :class:`BadInput` where another one of the same number waits."""
        with self._lock:
            if job.number in self._jobs:
                raise BadInput(f"A request with the id {job.number!r} is already on its way.", field="id")
            self._jobs[job.number] = job
        if self._busy:
            job.report(Progress(id=job.number, stage="wait", step=0, total=1))
        self._queue.put(job)

    def cancel(self, number: int | str) -> bool:
        """Cancel a job that waits or runs; False where there is none of that number (any more)."""
        with self._lock:
            job = self._jobs.get(number)
        if job is None:
            return False
        job.cancel()
        return True

    def cancel_all(self) -> None:
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.cancel()

    def _run(self) -> None:
        while True:
            item = self._queue.get()
            self._busy = True
            if isinstance(item, Job):
                self._do(item)
            else:
                self._warm(*item)
            self._busy = False

    def _warm(self, pack: str, device: str, engine: str) -> None:
        try:
            self._pipeline(pack, device, engine)
        except UnderstudyError as error:
            logger.warning("Not warmed up: %s", error.message)  # the first request gets the error
        except Exception:
            logger.exception("Not warmed up")

    def _do(self, job: Job) -> None:
        try:
            outcome: BaseModel | UnderstudyError = self._perform(job)
        except UnderstudyError as error:
            outcome = error
        except MemoryError:
            outcome = JobFailed(
                "There is not enough memory for this motion.", hint="Ask for fewer seconds or samples."
            )
        except Exception as error:
            logger.exception("Request %s failed", job.number)
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            outcome = JobFailed(
                f"{CALLED[type(job.params)]} failed: {reason}", hint="The log has the details."
            )
        with self._lock:
            self._jobs.pop(job.number, None)
        if job.cancelled():  # a result that is ready all the same is not wanted any more
            outcome = Cancelled("The job was cancelled.")
        job.finish(outcome)

    def _perform(self, job: Job) -> BaseModel:
        if job.cancelled():
            raise Cancelled("The job was cancelled.")
        last = time.monotonic()
        clock = Clock(self._durations.setdefault(type(job.params), {}))
        reported = ""

        def report(stage: str, step: int, total: int) -> None:
            nonlocal last, reported
            now = time.monotonic()
            left = clock.seconds_left(stage, step, total)
            if stage == reported and step < total and now - last < _REPORT_EVERY:
                return
            last, reported = now, stage
            job.report(Progress(id=job.number, stage=stage, step=step, total=total, seconds_left=left))

        params = job.params
        if (params.pack, params.device, params.engine) not in self._pipelines:
            job.report(Progress(id=job.number, stage="load", step=0, total=1))
        pipeline = self._pipeline(params.pack, params.device, params.engine)
        job.running = True
        if job.cancelled():
            raise Cancelled("The job was cancelled.")
        result = perform(params, pipeline, report, job.cancelled)
        clock.end()
        return result

    def _pipeline(self, pack: str, device: str, engine: str) -> Pipeline:
        key = (pack, device, engine)
        if key not in self._pipelines:
            began = time.monotonic()
            self._pipelines[key] = self._load(pack, device, engine)
            logger.info("Loaded pack %s for %s in %.2f s", pack, device, time.monotonic() - began)
        self._pipelines.move_to_end(key)
        while len(self._pipelines) > WARM:
            self._pipelines.popitem(last=False)
        return self._pipelines[key]


def load_shipped(pack: str, device: str, engine: str) -> Pipeline:
    """The real pipeline. A wrong pack or device is told before a model library is imported."""
    find_pack(pack)
    machine.require(device)
    from ..pipeline import load_pipeline

    return load_pipeline(pack, device, engine)
