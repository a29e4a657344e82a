"""The three stages and the record of how they were made.

::

    stage_I/<split>/{pose,betas,trans,gender[,dmpl]}.pt     drawn frames
    stage_II/<split>.h5     tables pose, pose_matrot, betas, trans, gender[, dmpl], one row per frame
    stage_III/<split>/{pose,pose_matrot,betas,trans,gender[,dmpl]}.pt
    <split>/{root_orient,pose_body}.pt      on request: the layout of human_body_prior since 2020
    vposer.log, settings.json       how it was made: settings, versions, counts, what was skipped and why

A stage that is there and was made of the same files with the same settings is kept; a run that was
stopped continues, in stage I with the next sequence, in the others with the next split.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.errors import BadInput, JobFailed, UnderstudyError
from .augment import Noise, augmented
from .columns import Columns, read_column
from .parallel import ordered
from .sources import SPLITS, Sequence, amass_sequences, by_split, draw, store_sequences

VERSION = 1
"""Raised whenever a stage gives other numbers than before."""
BLOCK = 4096
"""Rows handled at a time in stages II and III."""

FEW = 4
"""Sequences for which a further process is not worth its start."""

Progress = Callable[[str, int, int], None]
"""Told: what is being made, how much of it is done, how much there is."""


@dataclass(frozen=True)
class Settings:
    """How the data is to be made.

    Attributes:
        amass, store: the one that is given is read.
        keep: share of the central 80 % of frames that is drawn.
        seed: of all that is random.
        noise: standard deviation of the rotation noise in radians; validation and test stay clean.
        copies: times each training pose is written; where more than once, the first stays clean.
        package_layout: also write ``<split>/{root_orient,pose_body}.pt``.
    """

    amass: Path | None = None
    store: Path | None = None
    keep: float = 0.3
    seed: int = 100
    noise: float = 0.0
    copies: int = 1
    package_layout: bool = False

    def __post_init__(self) -> None:
        wrong = {
            "keep": not 0 < self.keep <= 1,
            "noise": not 0 <= self.noise < np.pi,
            "copies": self.copies < 1,
            "seed": self.seed < 0,
        }
        says = {
            "keep": "--keep is a share above 0 and up to 1.",
            "noise": "--noise is an angle in radians, from 0 to below pi.",
            "copies": "--copies must be at least 1.",
            "seed": "--seed must not be negative.",
        }
        for field, is_wrong in wrong.items():
            if is_wrong:
                raise BadInput(says[field], field=field)


class Log:
    """``vposer.log``: a line per event with its time, appended by every run."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "vposer.log"

    def __call__(self, text: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"[{datetime.now():%Y-%m-%d %H:%M:%S}] {text}\n")


def run(
    settings: Settings,
    out: Path,
    *,
    stages: tuple[int, ...] = (1, 2, 3),
    workers: int = 1,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Make some stages; returns their numbers, as ``settings.json`` has them.

    Raises:
        BadInput: nothing to read, or a stage is wanted whose input was never made.
        JobFailed: not one frame could be drawn.
    """
    out = Path(out)
    log = Log(out)
    log(f"Started, stages {', '.join('I' * n for n in stages)}: {_shown(settings)}; {_versions()}.")
    record = _read_json(out / "settings.json")
    make = {1: _stage_1, 2: _stage_2, 3: _stage_3}
    try:
        for number in stages:
            record[f"stage_{'I' * number}"] = make[number](settings, out, workers, log, progress)
            record["settings"], record["versions"] = _shown(settings), _versions()
            _write_json(out / "settings.json", record)
    except UnderstudyError as error:
        log(f"Stopped: {error.message}")
        raise
    log("Done.")
    return record


# ------------------------------------------------------------------------------------- stage I


def _stage_1(settings: Settings, out: Path, workers: int, log: Log, progress: Progress) -> dict[str, Any]:
    left_out: dict[str, str] = {}
    if settings.amass is not None:
        sequences, left_out = amass_sequences(settings.amass)
    elif settings.store is not None:
        sequences = store_sequences(settings.store)
    else:
        raise BadInput("Stage I reads --amass or --store.", field="amass")
    for subset, count in sorted(Counter(name.split("/")[0] for name in left_out).items()):
        log(f"Left out: {count} sequences of {subset}, which is in no split.")
    result: dict[str, Any] = {"left_out": left_out}
    for split, mine in by_split(sequences):
        result[split] = _draw_split(split, mine, settings, out / "stage_I", workers, log, progress)
    if not any(result[split]["rows"] for split in SPLITS):
        raise JobFailed("Not one frame could be drawn.", hint=f"The reasons are in {out / 'vposer.log'}.")
    return result


def _draw_split(
    split: str, sequences: list[Sequence], settings: Settings, stage: Path, workers: int, log: Log, progress: Progress
) -> dict[str, Any]:  # fmt: skip
    folder = stage / split
    common = f"{VERSION} {settings.seed} {settings.keep!r}"
    stamps = [f"{common} {sequence.stamp()}" for sequence in sequences]
    signature = _hash("\n".join([common, *stamps]))
    kept = _kept(folder, signature)
    if kept is not None:
        log(f"Stage I {split}: {kept['rows']} frames are there already.")
        return kept

    (folder / "made.json").unlink(missing_ok=True)
    parts = stage / ".parts" / split
    parts.mkdir(parents=True, exist_ok=True)
    shards = [parts / f"{_hash(stamp)}.npz" for stamp in stamps]
    tasks = (
        (sequence, settings.seed, settings.keep, shard)
        for sequence, shard in zip(sequences, shards, strict=True)
    )
    columns, skipped, subsets = Columns(folder), {}, Counter[str]()
    done = ordered(_draw_to, tasks, min(workers, len(sequences) // FEW))
    for number, (sequence, shard, why) in enumerate(zip(sequences, shards, done, strict=True), 1):
        progress(f"stage I, {split}", number, len(sequences))
        if why:
            skipped[sequence.name] = why
            log(f"Stage I {split}: skipped {sequence.name}: {why}")
            continue
        with np.load(shard, allow_pickle=False) as rows:
            columns.add({name: rows[name] for name in rows.files})
            subsets[sequence.subset] += len(rows["trans"])
    made = {
        "signature": signature,
        "rows": columns.rows,
        "sequences": len(sequences) - len(skipped),
        "frames_of_subset": dict(sorted(subsets.items())),
        "skipped": skipped,
        "columns": columns.save(),
    }
    _write_json(folder / "made.json", made)
    shutil.rmtree(parts)
    with contextlib.suppress(OSError):  # other splits are still in the making
        parts.parent.rmdir()
    log(
        f"Stage I {split}: {made['rows']} frames of {made['sequences']} sequences "
        f"({_counts(subsets)}); {len(skipped)} skipped."
    )
    return made


def _draw_to(sequence: Sequence, seed: int, keep: float, shard: Path) -> str:
    """Draw one sequence into a file of its own, unless an earlier run did; returns why not, or nothing."""
    if shard.is_file():
        return ""
    try:
        rows = draw(sequence, seed, keep)
    except UnderstudyError as error:
        return error.message
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    temporary = shard.with_name(f".{shard.stem}.{os.getpid()}.npz")
    np.savez(temporary, **rows)
    os.replace(temporary, shard)
    return ""


# ------------------------------------------------------------------------------------ stage II


def _stage_2(settings: Settings, out: Path, workers: int, log: Log, progress: Progress) -> dict[str, Any]:
    return {split: _augment_split(split, settings, out, workers, log, progress) for split in SPLITS}


def _augment_split(
    split: str, settings: Settings, out: Path, workers: int, log: Log, progress: Progress
) -> dict[str, Any]:
    import h5py

    source, target = out / "stage_I" / split, out / "stage_II" / f"{split}.h5"
    before = _made(source, "Stage I", 1)
    noise, copies = (settings.noise, settings.copies) if split == "train" else (0.0, 1)
    common = f"{VERSION} {noise!r} {copies}" + (f" {settings.seed}" if noise else "")
    signature = _hash(f"{before['signature']} {common}")
    rows, total = before["rows"], before["rows"] * copies
    about = {"signature": signature, "rows": total, "noise": noise, "copies": copies}
    about["clean_rows"] = total if not noise else rows if copies > 1 else 0
    if target.is_file() and _kept(target.parent, signature, f"{split}.json") is not None:
        log(f"Stage II {split}: {total} rows are there already.")
        return about

    target.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: read_column(source, name) for name in before["columns"]}
    target.with_suffix(".json").unlink(missing_ok=True)
    for left in target.parent.glob(f".{split}.h5.*"):  # of a run that was killed
        left.unlink()
    blocks = [
        (copy, first, min(first + BLOCK, rows)) for copy in range(copies) for first in range(0, rows, BLOCK)
    ]
    noisy = noise > 0

    def tasks() -> Iterator[tuple[np.ndarray, Noise | None]]:
        for copy, first, last in blocks:
            clean = not noisy or (copy == 0 and copies > 1)
            seed = (settings.seed, copy, first)
            yield columns["pose"][first:last].numpy(), None if clean else Noise(noise, seed)

    temporary = target.with_name(f".{split}.h5.{os.getpid()}")
    try:
        with h5py.File(temporary, "w") as file:
            for name, shape in _shapes(columns).items():
                kind = np.int16 if name == "gender" else np.float32
                chunks = (min(BLOCK, total), *shape) if total else None
                file.create_dataset(name, (total, *shape), kind, chunks=chunks)
            for name, value in {**about, "seed": settings.seed, "version": VERSION}.items():
                file.attrs[name] = value
            for number, ((copy, first, last), made) in enumerate(
                zip(blocks, ordered(augmented, tasks(), min(workers, len(blocks))), strict=True), 1
            ):
                place = slice(copy * rows + first, copy * rows + last)
                for name in file:
                    file[name][place] = made[name] if name in made else columns[name][first:last].numpy()
                progress(f"stage II, {split}", number, len(blocks))
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    _write_json(target.with_suffix(".json"), about)
    log(f"Stage II {split}: {total} rows, {copies} of each pose, noise {noise:g} rad.")
    return about


def _shapes(columns: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shape of a row of every table of stage II."""
    shapes = {name: tuple(tensor.shape[1:]) for name, tensor in columns.items()}
    shapes["pose_matrot"] = (shapes["pose"][0] * 3,) if "pose" in shapes else ()
    return shapes if "pose" in shapes else {}


# ----------------------------------------------------------------------------------- stage III


def _stage_3(settings: Settings, out: Path, workers: int, log: Log, progress: Progress) -> dict[str, Any]:
    del workers  # it only copies
    return {split: _dump_split(split, settings, out, log, progress) for split in SPLITS}


def _dump_split(split: str, settings: Settings, out: Path, log: Log, progress: Progress) -> dict[str, Any]:
    import h5py

    source, folder = out / "stage_II" / f"{split}.h5", out / "stage_III" / split
    before = _made(source.parent, "Stage II", 2, f"{split}.json")
    made = _kept(folder, before["signature"])
    if made is None:
        (folder / "made.json").unlink(missing_ok=True)
        columns = Columns(folder)
        try:
            with h5py.File(source, "r") as file:
                for first in range(0, before["rows"], BLOCK):
                    columns.add({name: file[name][first : first + BLOCK] for name in file})
                    progress(f"stage III, {split}", first + BLOCK, before["rows"])
        except OSError:
            raise BadInput(
                f"{source} is missing or damaged.", hint="Delete it and run stage II again.", field="stage"
            ) from None
        made = {"signature": before["signature"], "rows": columns.rows, "columns": columns.save()}
        _write_json(folder / "made.json", made)
        log(f"Stage III {split}: {columns.rows} rows.")
    if settings.package_layout and made["rows"]:
        _package_layout(folder, out / split)
        log(f"Stage III {split}: root_orient.pt and pose_body.pt beside it.")
    return made


def _package_layout(source: Path, folder: Path) -> None:
    pose, columns = read_column(source, "pose"), Columns(folder)
    for first in range(0, len(pose), BLOCK):
        block = pose[first : first + BLOCK].numpy()
        columns.add({"root_orient": block[:, :3], "pose_body": block[:, 3:66]})
    columns.save()


# ------------------------------------------------------------------------------------ records


def _kept(folder: Path, signature: str, name: str = "made.json") -> dict[str, Any] | None:
    """The record of what is in a folder, if it was made so and is whole."""
    made = _read_json(folder / name)
    if made.get("signature") != signature:
        return None
    columns = made.get("columns", [])
    return made if all((folder / f"{column}.pt").is_file() for column in columns) else None


def _made(folder: Path, stage: str, number: int, name: str = "made.json") -> dict[str, Any]:
    made = _read_json(folder / name)
    if not {"signature", "rows"} <= made.keys():
        raise BadInput(
            f"{stage} has not been made in {folder}.", hint=f"Run with --stage {number} first.", field="stage"
        )
    return made


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _counts(numbers: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(numbers.items())) or "none"


def _shown(settings: Settings) -> dict[str, Any]:
    return {
        name: str(value) if isinstance(value, Path) else value for name, value in asdict(settings).items()
    }


def _versions() -> dict[str, str]:
    import h5py
    import torch

    return {
        "vposer": str(VERSION), "numpy": np.__version__, "torch": str(torch.__version__), "h5py": str(h5py.__version__),
    }  # fmt: skip


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)
