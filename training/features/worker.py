"""Makes the features of clips, in any process; a clip that cannot be used is named, never fatal."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ...backend.errors import BadInput, UnderstudyError
from ...backend.motion import clip as clips
from ...backend.motion import npz
from ...backend.motion.clip import Clip
from ...backend.motion.fitting.recover import recover_from_ric
from ..data.captions import mirror_caption
from ..data.item import Item
from . import unified as unify_module
from .extract import extract
from .files import npy_bytes, write_whole
from .skeletons import joints_for, select_joints
from .statistics import Moments, read_array
from .tasks import Settings, Task, identity_of


@dataclass(frozen=True)
class Done:
    """What became of a task."""

    identity: str
    split: str
    status: Literal["made", "kept", "skipped"]
    why: str = ""
    frames: int = 0
    entry: str = ""
    """The clip's unified item, a JSON object, where the features are unified ones."""


@dataclass(frozen=True)
class Worker:
    """Makes the features of tasks; crosses process borders."""

    out: Path
    settings: Settings
    since: int
    """Nanoseconds: what is older than this is made again."""
    root: Path
    """The store, for partners."""

    def __call__(self, tasks: list[Task]) -> tuple[list[Done], dict[str, Moments]]:
        done: list[Done] = []
        moments: dict[str, Moments] = {}
        for task in tasks:
            one, rows = self._do(task)
            done.append(one)
            for name, array in rows.items():
                moments.setdefault(name, Moments()).add(array)
        return done, moments

    def _do(self, task: Task) -> tuple[Done, dict[str, np.ndarray]]:
        split = task.item.split if task.item else ""
        try:
            if self.settings.known_hands and task.item and "hands" not in task.item.known:
                raise BadInput("Its source has no fingers.")
            rows = self._kept(task)
            status: Literal["made", "kept"] = "made" if rows is None else "kept"
            if rows is None:
                rows = self._make(task)
            frames = len(next(iter(rows.values())))
            entry = item_entry(task, frames) if self.settings.kind == "unified" else ""
            return Done(task.identity, split, status, frames=frames, entry=entry), rows
        except UnderstudyError as error:
            why = error.message
        except MemoryError:
            why = "It does not fit into memory."
        except Exception as error:  # a clip nobody foresaw: named, never fatal
            why = f"{type(error).__name__}: {error}"
        return Done(task.identity, split, "skipped", why), {}

    def _files(self, task: Task) -> list[Path]:
        if self.settings.kind == "unified":
            return [self.out / "unified_data" / f"{task.identity}.npz"]
        files = [self.out / folder / f"{task.identity}.npy" for folder in ("new_joints", "new_joint_vecs")]
        return [*files, self.out / "texts" / f"{task.identity}.txt"] if task.item else files

    def _kept(self, task: Task) -> dict[str, np.ndarray] | None:
        """The rows of a clip that was done before and is still good."""
        try:
            newest = max(self.since, task.path.stat().st_mtime_ns)
            files = self._files(task)
            if any(file.stat().st_mtime_ns < newest for file in files):
                return None
            if self.settings.kind == "unified":
                return _rows_of(unify_module.read_unified(files[0]))
            rows = read_array(files[1])
        except (OSError, BadInput):
            return None
        good = rows.ndim == 2 and rows.shape[1] == self.settings.layout.dim and np.isfinite(rows).all()
        return {"features": rows} if good else None

    def _make(self, task: Task) -> dict[str, np.ndarray]:
        layout, files = self.settings.layout, self._files(task)
        if self.settings.kind == "unified":
            partner = _piece(self.root / task.partner[0], *task.partner[1:]) if task.partner else None
            clip = self._clip(task)
            if partner is not None and task.mirrored:
                partner = clips.mirror(partner)
            unified = unify_module.unify(clip, partner=partner, layout=layout)
            write_whole(files[0], unify_module.to_bytes(unified))
            return _rows_of(unified)
        if task.item is None:
            joints = select_joints(read_array(task.path), layout)
        else:
            clip = clips.resample(self._clip(task), layout.fps)
            joints = joints_for(clip, layout, reflected=self.settings.reflected)
        features = extract(joints, layout, contact_threshold=self.settings.contact_threshold)
        write_whole(files[0], npy_bytes(recover_from_ric(features, layout)))
        write_whole(files[1], npy_bytes(features))
        if task.item is not None:
            write_whole(files[2], text_lines(task.item, mirrored=task.mirrored).encode())
        return {"features": features}

    @staticmethod
    def _clip(task: Task) -> Clip:
        assert task.item is not None
        clip = _piece(task.path, task.item.start_frame, task.item.end_frame)
        return clips.mirror(clip) if task.mirrored else clip


def _rows_of(unified: unify_module.Unified) -> dict[str, np.ndarray]:
    """What the statistics of unified features are taken of."""
    rows: dict[str, np.ndarray] = {"ske_feature": unified["ske_feature"]}
    rows |= {f"smplx_feature/{name}": array for name, array in unified["smplx_feature"].items()}
    for name, array in unified["transforms"].items():
        if name.endswith("forward"):  # a quaternion and its negative are one turn; their mean is none
            array = unify_module.sixd_of(array)
        whole = name in ("scale", "ske_floor", "smplx_floor") or "relative" in name
        rows[f"transforms/{name}"] = array[None] if whole else array
    return rows


@functools.lru_cache(maxsize=2)
def _read(path: Path, changed: int) -> Clip:
    """A clip of the store; the rows of one clip follow each other in the index."""
    return npz.read_clip(path)


def _piece(path: Path, start: int, stop: int) -> Clip:
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        raise BadInput(f"The clip {path.name} is missing.") from None
    clip = _read(path, changed)
    if stop > len(clip) or stop - start < 2:
        raise BadInput(f"The index wants the frames {start} to {stop} of a clip of {len(clip)}.")
    return clip.slice(start, stop)


def item_entry(task: Task, frames: int) -> str:
    """The unified item of a clip as SOLAMI's loaders read it, frames counted in the clip's own file."""
    item = task.item
    assert item is not None
    prefix = "M" if task.mirrored else ""
    texts = {name: getattr(item, name) for name in ("text", "tokens", "both_text")}
    if task.mirrored:
        texts = {name: [mirror_caption(text) for text in some] for name, some in texts.items()}
    partners = {
        name: prefix + identity_of(item.dataset, getattr(item, name)) if getattr(item, name) else None
        for name in ("last_partner_motion_name", "next_partner_motion_name")
    }
    entry = {
        "dataset": item.dataset,
        "motion_name": task.identity,
        "motion_data_path": f"unified_data/{task.identity}.npz",
        "split_in_original": item.split,
        **texts,
        "emotion": item.emotion,
        "start_frame": 0,
        "end_frame": frames,
        "fps": int(unify_module.FPS),
        "interactive_start_frame": item.interactive_start_frame,
        "interactive_end_frame": item.interactive_end_frame,
        "actor": item.actor or "Null",
        **partners,
    }
    return json.dumps(entry, ensure_ascii=False)


def text_lines(item: Item, *, mirrored: bool = False) -> str:
    """A row's captions as HumanML3D writes them: ``caption#word/TAG word/TAG#0.0#0.0``, one per line.

    Captions that came without tags get their words with the tag ``OTHER``, which the published loaders know.
    """
    lines = []
    for number, text in enumerate(item.text):
        caption = " ".join(text.replace("#", " ").split())
        tokens = item.tokens[number] if item.tokens else ""
        if mirrored:
            caption, tokens = mirror_caption(caption), mirror_caption(tokens)
        tokens = tokens or " ".join(f"{word}/OTHER" for word in re.findall(r"[^\W\d_]+", caption.lower()))
        if caption:
            lines.append(f"{caption}#{tokens}#0.0#0.0\n")
    return "".join(lines)
