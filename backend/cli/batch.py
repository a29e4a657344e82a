"""``understudy batch``: many prompts, for render farms and CI; those that agree in their settings are made together.

Each line of the job file is a JSON object: the flags of ``generate``, a ``name`` for the files and, if it shall
be rendered, ``render``. A failed job does not stop the others. Run again, a batch does only what is missing or
changed. In the folder it leaves the files of each job, ``results.jsonl``, ``summary.json`` and ``junit.xml``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import tempfile
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import BadInput, JobFailed, UnderstudyError
from ..process.allocation import keep_freed_memory
from . import generate, render
from .batch_groups import grouped
from .batch_workers import Results, in_processes, in_ray, places
from .common import Bar, Staged, save_clip
from .jobs import BatchJob, arguments_of, read_jobs, render_arguments
from .junit import junit

WARM = 2
"""Packs kept in memory at a time."""


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("batch", help="generate, and render, many prompts")
    parser.add_argument("jobs", type=Path, metavar="JOBS.jsonl", help="one JSON object a line")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder of all files")
    parser.add_argument("--again", action="store_true", help="also do what an earlier run has done")
    parser.add_argument("--blender", metavar="PROGRAM", help="the Blender program, or a Python that has bpy")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: one per GPU, or up to 4 of the cores)"
    )
    parser.add_argument("--ray", metavar="ADDRESS", help="perform on a Ray cluster; 'local' starts one here")
    parser.add_argument("--json", action="store_true", help="print one JSON line a job")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    jobs = read_jobs(args.jobs)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"The folder {args.out} cannot be made: {error.strerror}.", field="out") from error
    out = args.out.resolve()
    batch = Batch(jobs, out, args.jobs.resolve().parent, blender=args.blender)
    batch.check()
    if args.workers is not None and args.workers < 1:
        raise BadInput("There must be at least one worker.", field="workers")
    began = time.monotonic()
    results: list[dict[str, Any]] = []
    known = {} if args.again else _earlier(out / "results.jsonl")
    interrupted = True

    def take(result: dict[str, Any]) -> None:
        results.append(result)
        state = "done" if result["state"] == "skipped" else result["state"]
        known[result["name"]] = {**result, "state": state}
        _write(out / "results.jsonl", "".join(_line(known[j.name]) for j in jobs if j.name in known))
        _tell(result, len(results), len(jobs), as_json=args.json)

    try:
        left = []
        for job in jobs:
            skipped = _skipped(job, known.get(job.name), out)
            if skipped is None:
                left.append(job)
            else:
                take(skipped)
        for result in batch.perform(left, args.workers, args.ray):
            take(result)
        interrupted = False
    finally:
        results.sort(key=lambda result: result["line"])  # they come as they are done
        summary = _summary(results, len(jobs), time.monotonic() - began)
        _write(out / "summary.json", json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
        _write(out / "junit.xml", junit(args.jobs.stem, results))
        if not args.json:
            print(_sentence(summary, interrupted), file=sys.stderr)
    return int(summary["failed"] > 0)


class Batch:
    """Does the jobs of one file.

    Args:
        jobs: all of them.
        out: the folder of their files.
        folder: of the job file.
        blender: the program that renders; None looks for one.
    """

    def __init__(self, jobs: list[BatchJob], out: Path, folder: Path, *, blender: str | None) -> None:
        self.jobs, self.out, self.folder, self.blender = jobs, out, folder, blender
        self._pipelines: OrderedDict[tuple[str, str, str], Any] = OrderedDict()

    def __reduce__(self) -> tuple[Any, ...]:
        """What goes to another process: all but the models."""
        return _again, (self.jobs, self.out, self.folder, self.blender)

    def check(self) -> None:
        """Refuse the whole file, with the line's number, where one job could never be done."""
        for job in self.jobs:
            try:
                with self._request(job) as (args, _):
                    if job.render is not None:
                        render.check(self._render_arguments(job, args, self._clips(job, args)[0]))
            except UnderstudyError as error:
                raise BadInput(
                    f"Line {job.line}: {error.message}", hint=error.hint, field=error.field
                ) from error

    def perform(self, jobs: list[BatchJob], workers: int | None, ray: str | None) -> Iterator[dict[str, Any]]:
        """The results of jobs, each as it is done.

        Args:
            jobs: those of the file that are to be done.
            workers: processes; None: as many as are worth it.
            ray: the address of a cluster that performs them instead.
        """
        devices = {job.flags.get("device", "auto") for job in jobs}
        where = [] if ray else places(workers, len(jobs), devices.pop() if len(devices) == 1 else "auto")
        groups = self._groups(jobs, max(len(where), 1))
        if ray and jobs:
            done: Iterable[Results] = in_ray(self, groups, ray)
        elif where:
            done = in_processes(self, groups, where)
        else:
            if len(groups) < len(jobs):
                keep_freed_memory()
            done = (self.do_together(group) for group in groups)  # type: ignore[misc]
        for results in done:
            yield from results

    def _groups(self, jobs: list[BatchJob], workers: int) -> list[list[BatchJob]]:
        """Jobs that are made together."""

        def asked() -> Iterator[tuple[BatchJob, Any]]:
            for job in jobs:
                with self._request(job) as (_, params):
                    yield job, params

        return grouped(asked(), workers)

    def do_together(self, jobs: list[BatchJob]) -> Iterator[dict[str, Any]]:
        """Jobs of one group, whatever becomes of each; the time of the models is divided among them."""
        began = time.monotonic()
        made: dict[str, Any] = {}
        if len(jobs) > 1:
            with contextlib.suppress(Exception, MemoryError):  # one by one each tells its own fault
                requests = []
                for job in jobs:
                    with self._request(job) as (_, params):
                        requests.append(params)
                pipeline = self._pipeline(requests[0].pack, requests[0].device, requests[0].engine)
                found = generate.perform_together(requests, pipeline)
                made = {job.name: clips for job, clips in zip(jobs, found, strict=True)}
        share = (time.monotonic() - began) / len(jobs)
        for job in jobs:
            yield self.do(job, made.get(job.name), share)

    def do(self, job: BatchJob, made: Any = None, spent: float = 0.0) -> dict[str, Any]:
        """One job, whatever becomes of it; ``made`` are its clips or its error, if it was performed with others, and
        ``spent`` the seconds that took."""
        began = time.monotonic() - spent
        result: dict[str, Any] = {"name": job.name, "line": job.line, "state": "done", "hash": job.digest}
        try:
            if isinstance(made, BaseException) and not isinstance(made, MemoryError):
                raise made
            result |= self._do(job, None if isinstance(made, MemoryError) else made)
        except UnderstudyError as error:
            result |= {"state": "failed", "code": error.code, "error": error.message, "hint": error.hint}
        except (Exception, MemoryError) as error:  # the others shall not suffer from a fault of ours
            reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
            result |= {"state": "failed", "code": JobFailed.code, "error": f"This went wrong: {reason}."}
        return {**result, "seconds": round(time.monotonic() - began, 3)}

    def _do(self, job: BatchJob, clips: Any) -> dict[str, Any]:
        from ..packs.known import warnings_of

        with self._request(job) as (args, params):
            targets = self._clips(job, args)
            if clips is None:
                with Bar(True) as bar:
                    clips = generate.perform(
                        params, lambda stage, *steps: bar(f"{job.name} {stage}", *steps), self._pipeline
                    )
            with Staged() as staged:
                for clip, target in zip(clips, targets, strict=True):
                    save_clip(clip, staged.path(target), generate.output_dialect(target, args.dialect))
                staged.commit()
            files = list(targets)
            if job.render is not None:
                for target in targets:
                    rendering = self._render_arguments(job, args, target)
                    with contextlib.redirect_stdout(io.StringIO()):  # the batch reports by itself
                        render.run(rendering)
                    files += [path for path in (rendering.out, rendering.blend) if path is not None]
        return {
            "files": [{"file": path.name, "bytes": path.stat().st_size} for path in files],
            "clip_seconds": round(clips[0].seconds, 3),
            "licence": clips[0].meta.get("licence"),
            "warnings": warnings_of(clips),
        }

    @contextlib.contextmanager
    def _request(self, job: BatchJob) -> Iterator[tuple[argparse.Namespace, Any]]:
        """The arguments of ``generate`` and the request they make; values given as files live in between."""
        with tempfile.TemporaryDirectory(prefix="understudy-batch-") as notes:
            suffix = "bvh" if job.flags.get("dialect") == "bvh" else "npz"
            out = self.out / f"{job.name}.{suffix}"
            args = arguments_of(job.flags, out, self.folder, Path(notes))
            yield args, generate.request_of(args)

    def _clips(self, job: BatchJob, args: argparse.Namespace) -> list[Path]:
        if job.render is not None and args.out.suffix != ".npz":
            raise BadInput("Only .npz clips can be rendered, leave the dialect bvh out.", field="dialect")
        return generate.targets_of(args.out, args.samples)

    def _render_arguments(self, job: BatchJob, args: argparse.Namespace, clip: Path) -> argparse.Namespace:
        assert job.render is not None
        out = clip.with_suffix("." + job.render.get("format", "mp4"))
        return render_arguments(job.render, clip, out, speech=args.speech, blender=self.blender)

    def _pipeline(self, pack: str, device: str, engine: str) -> Any:
        from ..process import worker

        key = (pack, device, engine)
        if key not in self._pipelines:
            self._pipelines[key] = worker.load_shipped(pack, device, engine)
        self._pipelines.move_to_end(key)
        while len(self._pipelines) > WARM:
            self._pipelines.popitem(last=False)
        return self._pipelines[key]


def _again(jobs: list[BatchJob], out: Path, folder: Path, blender: str | None) -> Batch:
    return Batch(jobs, out, folder, blender=blender)


def _earlier(path: Path) -> dict[str, dict[str, Any]]:
    """The results of an earlier run by name; what cannot be read counts as not done."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    found = {}
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            found[value["name"]] = value
    return found


def _skipped(job: BatchJob, earlier: dict[str, Any] | None, out: Path) -> dict[str, Any] | None:
    """The earlier result where it is the same job and all its files are whole; else None."""
    if earlier is None or earlier.get("state") != "done" or earlier.get("hash") != job.digest:
        return None
    files = earlier.get("files")
    try:
        whole = bool(files) and all((out / f["file"]).stat().st_size == f["bytes"] for f in files or ())
    except (OSError, KeyError, TypeError):
        whole = False
    return {**earlier, "line": job.line, "state": "skipped", "seconds": 0.0} if whole else None


def _line(result: dict[str, Any]) -> str:
    return json.dumps(result, ensure_ascii=False, default=str) + "\n"


def _tell(result: dict[str, Any], number: int, total: int, *, as_json: bool) -> None:
    if as_json:
        print(_line(result), end="", flush=True)
        return
    told = {"done": f"{result['seconds']:.1f} s", "skipped": "done before"}.get(result["state"])
    print(f"{number}/{total}  {result['name']}  {told or 'FAILED: ' + result['error']}", flush=True)
    for warning in result.get("warnings", ()):
        print(f"Warning: {warning}", file=sys.stderr)


def _summary(results: Iterable[dict[str, Any]], asked: int, seconds: float) -> dict[str, Any]:
    results = list(results)
    counts = {state: sum(r["state"] == state for r in results) for state in ("done", "skipped", "failed")}
    return {"jobs": asked, **counts, "seconds": round(seconds, 3), "results": results}


def _sentence(summary: dict[str, Any], interrupted: bool) -> str:
    parts = [f"{summary['done']} done", f"{summary['skipped']} done before", f"{summary['failed']} failed"]
    words = "Interrupted" if interrupted else "Finished"
    return f"{words}: {', '.join(parts)}, of {summary['jobs']}."


def _write(path: Path, text: str) -> None:
    """Replace a file of the report at once."""
    with Staged() as staged:
        staged.path(path).write_text(text, encoding="utf-8")
        staged.commit()
