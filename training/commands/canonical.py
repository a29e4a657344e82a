"""``understudy-train canonical build|joints|curate|embed|export|import|validate``: stick figures out of a store.

``build`` writes ``canonical.pt`` (schema v3, 48 numbers a frame) and a report beside it, ``joints`` does the same
of bare joint arrays, ``curate`` picks what to train on, ``embed`` adds sentence embeddings (``train_data.pt``), ``export`` and ``import`` speak the
renderers' ``.motion``, ``validate`` checks files.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.errors import BadInput, JobFailed
from ..canonical import files
from ..canonical.build import Report, samples_of
from ..canonical.cleaning import upright
from ..canonical.curation import PRETRAIN, SFT, curate
from ..canonical.embed import INSTALLED, MODEL, embed, find_model
from ..canonical.samples import Options, Sample, sample_of_joints
from ..canonical.skeleton import JOINT_SETS, from_joints

SHOWN = 8
"""Names printed; the report has them all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _build_arguments(actions.add_parser("build", help="canonical.pt out of a store"))

    _joints_arguments(actions.add_parser("joints", help="samples out of arrays of joints (T, J, D)"))

    picked = actions.add_parser("curate", help="keep what is good enough, no source above its share")
    _file(picked)
    picked.add_argument("--out", type=Path, required=True, help="file of the samples kept")
    stage = picked.add_mutually_exclusive_group(required=True)
    stage.add_argument(
        "--pretrain", action="store_true", help="25 to 500 frames, quality 0.5, a source 40 %%"
    )
    stage.add_argument("--sft", action="store_true", help="the same with quality 0.8 and a steady camera")
    picked.add_argument("--shard", type=int, default=0, help="samples per file (default: one file)")

    embedding = actions.add_parser("embed", help="train_data.pt: samples with sentence embeddings")
    _file(embedding)
    embedding.add_argument("--out", type=Path, help="file to write (default: train_data.pt beside it)")
    embedding.add_argument(
        "--model", default=MODEL,
        help=f"name or folder of a sentence-transformers model (default {MODEL}, 1024 numbers; "
        f"{INSTALLED}, 384 numbers, is installed already)",
    )  # fmt: skip
    embedding.add_argument(
        "--download", action="store_true", help="fetch the model from huggingface.co if it is not here"
    )

    exported = actions.add_parser("export", help=".motion files for renderers, or figures of schema v1")
    _file(exported)
    exported.add_argument(
        "--out", type=Path, required=True, help="folder of the .motion files; or a .pt file"
    )
    exported.add_argument("--schema", choices=("v1", "v3"), default="v1", help="20 or 48 numbers a frame")
    exported.add_argument("--names", nargs="*", default=[], help="only these samples (default: all)")

    imported = actions.add_parser("import", help="samples out of .motion files")
    imported.add_argument("files", nargs="+", type=Path, metavar="FILE.motion")
    imported.add_argument("--out", type=Path, required=True, help="file of samples to write")

    checked = actions.add_parser("validate", help="check every sample of a file")
    _file(checked)
    for subparser in actions.choices.values():
        subparser.add_argument("--json", action="store_true", help="print the result as JSON")


def _build_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, required=True, help="the store")
    parser.add_argument("--out", type=Path, required=True, help="file to write, canonical.pt")
    parser.add_argument("--datasets", nargs="*", default=[], metavar="SET", help="only these sets")
    parser.add_argument("--splits", nargs="*", default=[], choices=("train", "val", "test"), metavar="SPLIT")
    parser.add_argument("--fps", type=float, help="frames per second (default: the store's)")
    parser.add_argument("--target-frames", type=int, help="give every sample so many frames")
    parser.add_argument(
        "--fit", choices=("cut", "stretch"), default="cut",
        help="how: cut the longer and hold the last pose of the shorter (default), or play slower or faster",
    )  # fmt: skip
    parser.add_argument(
        "--view", type=float, default=0.0, metavar="DEGREES",
        help="where the viewer stands: 0 in front, on the world's +Z (default); 90 on its +X",
    )  # fmt: skip
    parser.add_argument(
        "--camera", choices=("none", "follow"), default="none", help="zeros, or a camera that follows"
    )
    parser.add_argument(
        "--shard",
        type=int,
        default=0,
        help="samples per file, for stores larger than memory (default: one file)",
    )
    parser.add_argument("--uncaptioned", action="store_true", help="keep items without a caption too")
    parser.add_argument(
        "--physics-tolerance", type=float, default=1.0, metavar="FACTOR",
        help="factor on the limits of speed (20 units/s) and acceleration (100 units/s2); a figure is 1.8 units",
    )  # fmt: skip


def _joints_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.npy", help="(T, J, D) or (T, A, J, D)")
    parser.add_argument("--layout", choices=tuple(JOINT_SETS), required=True, help="which joints they are")
    parser.add_argument("--fps", type=float, required=True, help="their frames per second")
    parser.add_argument("--text", action="append", default=[], help="a caption; may be given again")
    parser.add_argument(
        "--level", action="store_true", help="the camera was tilted: turn the mean spine upright"
    )
    parser.add_argument("--source", default="joints", help="name of the data set")
    parser.add_argument("--out", type=Path, required=True, help="file of samples to write")


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="canonical.pt, or what its shards are named after")


def run(arguments: argparse.Namespace) -> int:
    actions: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
        "build": _build, "joints": _joints, "curate": _curate, "embed": _embed, "export": _export, "import": _import,
        "validate": _validate,
    }  # fmt: skip
    result = actions[arguments.action](arguments)
    if arguments.json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        _print(result)
    return 1 if arguments.action == "validate" and result["invalid_count"] else 0


def _build(arguments: argparse.Namespace) -> dict[str, Any]:
    for name in ("fps", "physics_tolerance"):
        value = getattr(arguments, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise BadInput(f"--{name.replace('_', '-')} must be above zero.", field=name)
    if arguments.target_frames is not None and arguments.target_frames < 2:
        raise BadInput("--target-frames must be at least 2.", field="target_frames")
    if not math.isfinite(arguments.view):
        raise BadInput("--view is an angle in degrees.", field="view")
    options = Options(
        fps=arguments.fps, target_frames=arguments.target_frames, fit=arguments.fit,
        view=math.radians(arguments.view), camera=arguments.camera,
    )  # fmt: skip
    report = Report()
    with _bar("rows", show=not arguments.json) as progress:
        samples = samples_of(
            arguments.store, options, report, datasets=arguments.datasets, splits=arguments.splits,
            uncaptioned=arguments.uncaptioned, physics_tolerance=arguments.physics_tolerance, progress=progress,
        )  # fmt: skip
        written = files.write(_some(samples, arguments.store), arguments.out, shard=_shard(arguments))
    result = {"files": [str(path) for path in written], **report.dump()}
    _write_json(result, arguments.out.with_suffix(".report.json"))
    return result


def _joints(arguments: argparse.Namespace) -> dict[str, Any]:
    from ..canonical.validator import DataValidator

    if not (math.isfinite(arguments.fps) and arguments.fps > 0):
        raise BadInput("--fps must be above zero.", field="fps")
    validator, dropped = DataValidator(), {}

    def samples() -> Iterator[Sample]:
        for path in arguments.files:
            points = _read_joints(path, arguments.layout, level=arguments.level)
            sample = sample_of_joints(
                points, arguments.fps, name=path.stem, text=arguments.text, source=arguments.source
            )
            verdict = validator.validate(sample)
            if verdict.valid:
                yield sample
            else:
                dropped[str(path)] = verdict.reason

    written = files.write(samples(), arguments.out)
    return {
        "files": [str(path) for path in written],
        "samples": len(arguments.files) - len(dropped),
        "dropped": dropped,
    }


def _read_joints(path: Path, layout: str, *, level: bool) -> np.ndarray:
    try:
        positions = np.load(path, allow_pickle=False)
        points = from_joints(np.asarray(positions, dtype=np.float64), layout)
    except (OSError, ValueError, EOFError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise BadInput(f"{path} cannot be read as joints ({why}).", field="file") from None
    if not level:
        return points
    if points.ndim == 3:
        return upright(points)
    # One turn for all: the actors stand on one floor.
    actors = points.shape[1]
    return upright(points.reshape(-1, *points.shape[2:])).reshape(-1, actors, *points.shape[2:])


def _some(samples: Iterator[Sample], store: Path) -> Iterator[Sample]:
    """The samples; nothing is written when there is none."""
    empty = True
    for sample in samples:
        empty = False
        yield sample
    if empty:
        raise JobFailed(f"No item of {store} makes a valid sample.", hint="Are there captions in it?")


def _shard(arguments: argparse.Namespace) -> int:
    if arguments.shard < 0:
        raise BadInput("--shard must not be negative.", field="shard")
    return int(arguments.shard)


def _curate(arguments: argparse.Namespace) -> dict[str, Any]:
    _not_itself(arguments)
    return curate(arguments.file, arguments.out, SFT if arguments.sft else PRETRAIN, shard=_shard(arguments))


def _embed(arguments: argparse.Namespace) -> dict[str, Any]:
    from ..words.embeddings import SentenceEncoder

    arguments.out = arguments.out or arguments.file.with_name("train_data.pt")
    _not_itself(arguments)
    files.files_of(arguments.file)
    encoder = SentenceEncoder(find_model(arguments.model, download=arguments.download))
    with _bar("samples", show=not arguments.json) as progress:
        return embed(arguments.file, arguments.out, encoder, model=arguments.model, progress=progress)


def _not_itself(arguments: argparse.Namespace) -> None:
    if arguments.out.resolve() == arguments.file.resolve():
        raise BadInput("--out must be another file.", field="out")


def _export(arguments: argparse.Namespace) -> dict[str, Any]:
    import torch

    from ..canonical import motion_json

    names, found = set(arguments.names), set()
    if arguments.out.suffix == ".pt":
        _not_itself(arguments)

        def figures() -> Iterator[Sample]:
            for sample in files.iter_samples(arguments.file):
                if not names or _name(sample) in names:
                    found.add(_name(sample))
                    motion = motion_json.to_schema(sample["motion"].numpy(), arguments.schema)
                    yield {**sample, "motion": torch.from_numpy(motion.copy())}

        written = len(files.write(figures(), arguments.out))
    else:
        written = 0
        for sample in files.iter_samples(arguments.file):
            if names and _name(sample) not in names:
                continue
            found.add(_name(sample))
            actors = motion_json.actors_of(sample)
            for actor in range(actors):
                stem = _name(sample) + (f"-{actor}" if actors > 1 else "")
                path = arguments.out / str(sample["source"]) / f"{_safe(stem)}.motion"
                motion_json.write(sample, path, schema=arguments.schema, actor=actor)
                written += 1
    if names - found:
        raise BadInput(f"There is no sample {min(names - found)!r}.", field="names")
    return {"samples": len(found), "files": written, "out": str(arguments.out)}


def _import(arguments: argparse.Namespace) -> dict[str, Any]:
    from ..canonical import motion_json

    written = files.write((motion_json.read(path) for path in arguments.files), arguments.out)
    return {"samples": len(arguments.files), "files": [str(path) for path in written]}


def _validate(arguments: argparse.Namespace) -> dict[str, Any]:
    from ..canonical.validator import DataValidator

    validator, count, total, invalid = DataValidator(), 0, 0.0, {}
    for sample in files.iter_samples(arguments.file):
        verdict = validator.validate(sample)
        count, total = count + 1, total + verdict.score
        if not verdict.valid:
            invalid[_name(sample) or str(count - 1)] = verdict.reason
    return {
        "samples": count, "mean_score": round(total / max(count, 1), 4), "invalid_count": len(invalid),
        "invalid": invalid,
    }  # fmt: skip


def _name(sample: Sample) -> str:
    return str((sample.get("meta") or {}).get("name", ""))


def _safe(name: str) -> str:
    """A name as a file name: nothing in it leaves its folder."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name).lstrip(".") or "sample"


def _write_json(content: dict[str, Any], path: Path) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def _print(result: dict[str, Any]) -> None:
    for key, value in result.items():
        if isinstance(value, dict):
            print(f"{key}:")
            for name, what in list(value.items())[:SHOWN]:
                print(f"  {name}: {what}")
            if len(value) > SHOWN:
                print(f"  and {len(value) - SHOWN} more")
        elif isinstance(value, list):
            print(f"{key}: {', '.join(map(str, value[:SHOWN]))}" + (" ..." if len(value) > SHOWN else ""))
        else:
            print(f"{key}: {value}")


@contextmanager
def _bar(what: str, *, show: bool) -> Iterator[Callable[[int], None]]:
    if not show or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed} {task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done: bar.update(task, completed=done)
