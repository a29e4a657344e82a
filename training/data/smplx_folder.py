"""Any folder of SMPL-X or SMPL+H ``.npz`` files: AMASS and BEAT2 dialects, the SMPL-X add-on's, our own.

Captions stand beside a motion, ``wave.txt`` for ``wave.npz``, one a line (HumanML3D's ``caption#tokens#from#to``
too), or all together in a ``captions.csv`` with the columns ``file`` (a path below it) and ``caption`` and, if wanted, ``start``,
``end`` (seconds) and ``split``. A ``dataset.toml`` in the folder, or in one above, says what may be done with it::

    name = "Studio takes 2026"
    licence = "CC BY 4.0"
    commercial = true
    source = "Studio X, recorded 2026"      # the attribution line
    dialect = "auto"                        # or amass, smplh, smplx: settles the up axis
    split = "train"

Without it the licence is unknown and the motion is not for commercial training.
"""

from __future__ import annotations

import csv
import math
import os
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ...backend.errors import BadInput
from ...backend.motion import npz
from ...backend.motion.clip import resample
from .captions import parse_captions
from .item import Item, Split
from .job import FPS, Converted, Job
from .raw import Raw
from .smpl_floor import stand

SET = "smplx_folder"
ABOUT = "dataset.toml"
CAPTIONS = "captions.csv"


class About(BaseModel):
    """``dataset.toml``."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    licence: str = "unknown"
    commercial: bool = False
    source: str = ""
    dialect: Literal["auto", "amass", "smplh", "smplx"] = "auto"
    split: Split = "train"


class _Caption(BaseModel):
    """A row of ``captions.csv``."""

    text: str
    tokens: str = ""
    start: float = 0.0
    end: float | None = None
    split: Split | None = None


def jobs(raw: Raw) -> Iterator[Job]:
    """One job per ``.npz`` file below the folder, and one for each side file that cannot be read.

    The folder is ``smplx_folder`` under the root, or the root itself, but that only with a ``dataset.toml`` or
    motion files of its own: other sets keep ``.npz`` files under the same root.
    """
    home = raw.root / SET
    if not home.is_dir() and (next(raw.root.glob("*.npz"), None) or (raw.root / ABOUT).is_file()):
        home = raw.root
    if not home.is_dir() or next(home.glob("**/*.npz"), None) is None:
        raise BadInput(
            f"There is no folder {SET} with .npz files under {raw.root}.",
            hint=f"Put a {ABOUT} into the folder of your motion to prepare it as it is.",
            field="root",
        )
    yield from _walk(home, home, About(), "", {})


def _walk(
    folder: Path, home: Path, about: About, fault: str, captions: dict[str, list[_Caption]]
) -> Iterator[Job]:
    """The jobs of a folder, then of the folders in it, in the order of their names."""
    own = folder / ABOUT
    if own.is_file():
        try:
            about, fault = _read_about(own), ""
        except BadInput as error:
            # The motion under a licence that cannot be read is not used.
            fault = error.message
            yield Job(SET, _name(own, home), _unusable, own, {"why": fault})
    table = folder / CAPTIONS
    if table.is_file():
        rows, faults = _read_table(table)
        above = "" if folder == home else f"{_name(folder, home)}/"
        captions = captions | {
            above + name: captions.get(above + name, []) + group for name, group in rows.items()
        }
        for number, why in enumerate(faults):
            yield Job(SET, f"{_name(table, home)}.{number}", _unusable, table, {"why": why})
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.endswith(".npz") and not entry.name.startswith(".") and entry.is_file():
            path = folder / entry.name
            name = _name(path, home).removesuffix(".npz")
            if fault:
                yield Job(SET, name, _unusable, path, {"why": fault})
                continue
            items = _items(path, name, about, captions)
            yield Job(SET, name, convert, path, {"dialect": about.dialect}, items)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(folder / entry.name, home, about, fault, captions)


def _name(path: Path, home: Path) -> str:
    return path.relative_to(home).as_posix()


def _read_about(path: Path) -> About:
    try:
        return About.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{path.name} cannot be read ({error}).", field=ABOUT) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{path.name}: {where}: {first['msg']}.", field=ABOUT) from None


def _read_table(path: Path) -> tuple[dict[str, list[_Caption]], list[str]]:
    """Captions by file (a path below the table's folder, without ending), and one sentence per row that cannot be used."""
    found: dict[str, list[_Caption]] = defaultdict(list)
    faults: list[str] = []
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            reader = csv.DictReader(line.replace("\0", "") for line in file)
            if not {"file", "caption"} <= set(reader.fieldnames or ()):
                return {}, [f"{path.name} has not the columns file and caption."]
            for number, row in enumerate(reader, 2):
                try:
                    found[_stem(row["file"])].append(_caption(row))
                except (ValueError, TypeError, KeyError, AttributeError):
                    faults.append(f"Line {number} of {path.name} is no caption with valid seconds and split.")
    except (OSError, csv.Error) as error:
        faults.append(f"{path.name} cannot be read ({error}).")
    return found, faults


def _caption(row: dict[str, str]) -> _Caption:
    text = " ".join(row["caption"].split())
    start, end = (row.get("start") or "").strip(), (row.get("end") or "").strip()
    caption = _Caption(
        text=text,
        start=float(start or 0),
        end=float(end) if end else None,
        split=(row.get("split") or "").strip() or None,  # type: ignore[arg-type]
    )
    if (
        not text
        or not 0 <= caption.start < math.inf
        or not (caption.end is None or caption.end > caption.start)
    ):
        raise ValueError
    return caption


def _stem(file: str) -> str:
    return file.strip().replace("\\", "/").removesuffix(".npz").removeprefix("./")


def _items(path: Path, name: str, about: About, table: dict[str, list[_Caption]]) -> list[Item]:
    """One item per time span of the captions; one without a caption where there are none."""
    spans: dict[tuple[float, float | None], list[_Caption]] = {}
    for caption in (*_sidecar(path), *table.get(name, ())):
        spans.setdefault((caption.start, caption.end), []).append(caption)
    return [
        Item(
            dataset=SET,
            motion_name=name if not k else f"{name}--{k}",
            split=next((caption.split for caption in group if caption.split), about.split),
            text=[caption.text for caption in group],
            tokens=[caption.tokens for caption in group] if any(caption.tokens for caption in group) else [],
            start=start,
            end=end,
            kind="whole" if end is None and not start else "segment",
            trial=name,
            caption_source=SET if group else "",
            source=about.source or about.name,
            licence=about.licence,
            commercial=about.commercial,
            actor="Null",
        )
        for k, ((start, end), group) in enumerate((spans or {(0.0, None): []}).items())
    ]


def _sidecar(path: Path) -> list[_Caption]:
    try:
        content = path.with_suffix(".txt").read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return []
    captions = []
    for line in content.splitlines():
        parsed = parse_captions(line) if line.count("#") >= 3 else []
        captions += [_Caption(text=c.text, tokens=c.tokens, start=c.start, end=c.end) for c in parsed]
        if not parsed and line.strip():
            captions.append(_Caption(text=" ".join(line.split())))
    return captions


def convert(path: Path, *, dialect: Literal["auto", "amass", "smplh", "smplx"] = "auto") -> Converted:
    """The motion at the store's frame rate, on the floor.

    Raises:
        BadInput: the file is damaged or is no motion.
    """
    clip = npz.read_clip(path, dialect=dialect)
    meta = {key: value for key, value in clip.meta.items() if key != "prepared"}
    meta |= {"original_fps": clip.fps, "original_frames": len(clip)}
    return Converted(stand(resample(clip.replace(meta=meta, contacts=None), FPS)))


def _unusable(_: Path, *, why: str) -> Converted:
    raise BadInput(why)
