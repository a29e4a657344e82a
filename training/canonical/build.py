"""``canonical.pt`` out of a store: every captioned item as stick figures, invalid ones named and left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...backend.errors import UnderstudyError
from ...backend.motion import npz
from ...backend.motion.clip import Clip
from ..data.item import Item
from ..data.store import iter_index
from .samples import Options, Sample, make_sample
from .validator import DataValidator


@dataclass
class Report:
    """What became of the items; ``dropped`` names each one that is not in the file, and why."""

    read: int = 0
    written: int = 0
    scenes_of_two: int = 0
    frames: int = 0
    seconds: float = 0.0
    sources: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    dropped: dict[str, str] = field(default_factory=dict)

    def dump(self) -> dict[str, Any]:
        return {
            "read": self.read, "written": self.written, "scenes_of_two": self.scenes_of_two,
            "frames": self.frames, "hours": round(self.seconds / 3600, 4), "sources": dict(self.sources),
            "actions": dict(self.actions.most_common()), "dropped_count": len(self.dropped), "dropped": self.dropped,
        }  # fmt: skip


def samples_of(
    store: Path,
    options: Options,
    report: Report,
    *,
    datasets: Sequence[str] = (),
    splits: Sequence[str] = (),
    uncaptioned: bool = False,
    physics_tolerance: float = 1.0,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Sample]:
    """The valid samples of a store, one after the other; memory does not grow with the store.

    Args:
        store: its folder.
        options: how samples are made.
        report: is filled in while samples are taken.
        datasets: only these sets; all when empty.
        splits: only these splits; all when empty.
        uncaptioned: whether items without a caption are wanted too.
        physics_tolerance: factor on the limits of speed and acceleration.
        progress: is told the number of rows read.

    Raises:
        BadInput: there is no store.
    """
    validator = DataValidator()
    validator.max_velocity *= physics_tolerance
    validator.max_acceleration *= physics_tolerance

    @lru_cache(maxsize=2)  # the pieces of a clip follow each other
    def read(path: str) -> Clip:
        return npz.read_clip(Path(store) / path)

    for items in _scenes(store, tuple(datasets), splits, report, progress):
        name = "+".join(f"{item.dataset}/{item.motion_name}" for item in items)
        if not uncaptioned and not any(item.text or item.both_text for item in items):
            report.dropped[name] = "It has no caption."
            continue
        try:
            clips = [read(item.path).slice(item.start_frame, item.end_frame) for item in items]
            sample = make_sample(clips, items, options)
        except UnderstudyError as error:
            report.dropped[name] = error.message
            continue
        except ValueError as error:  # a clip shorter than its row says
            report.dropped[name] = str(error)
            continue
        verdict = validator.validate(sample)
        if not verdict.valid:
            report.dropped[name] = verdict.reason
            continue
        report.written += 1
        report.scenes_of_two += len(items) == 2
        report.frames += sample["meta"]["frames"]
        report.seconds += sample["meta"]["frames"] / sample["meta"]["fps"]
        report.sources[sample["source"]] += 1
        report.actions[sample["action_label"]] += 1
        yield sample


def _scenes(
    store: Path,
    datasets: tuple[str, ...],
    splits: Sequence[str],
    report: Report,
    progress: Callable[[int], None],
) -> Iterator[list[Item]]:
    """Rows alone, or two partners together: those who name each other and move at the same time.

    An item waits in memory only until its partner comes.
    """
    waiting: dict[tuple[str, str], Item] = {}
    for item in iter_index(store, datasets=datasets):
        report.read += 1
        progress(report.read)
        if splits and item.split not in splits:
            continue
        partners = {item.last_partner_motion_name, item.next_partner_motion_name} - {"", item.motion_name}
        other = next(
            (waiting[key] for name in sorted(partners) if (key := (item.dataset, name)) in waiting), None
        )
        if other is not None and _together(item, other):
            del waiting[other.dataset, other.motion_name]
            # The one who acts comes first, else the one who came first.
            yield [item, other] if item.actor == "Y" and other.actor != "Y" else [other, item]
        elif partners:
            waiting[item.dataset, item.motion_name] = item
        else:
            yield [item]
    for item in waiting.values():  # a partner who was left out of the store, or who only follows
        yield [item]


def _together(one: Item, other: Item) -> bool:
    """Whether two linked items are one scene: mutual links, and the same piece of time."""
    mutual = one.motion_name in (other.last_partner_motion_name, other.next_partner_motion_name)
    frame = 1.0 / min(one.fps, other.fps)
    ends = abs(
        (one.end_frame - one.start_frame) / one.fps - (other.end_frame - other.start_frame) / other.fps
    )
    return mutual and abs(one.start - other.start) <= frame and ends <= 1.0 + frame
