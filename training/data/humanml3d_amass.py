"""HumanML3D (Guo et al., CVPR 2022) cut out of AMASS itself: SMPL rotations and hands, at 30 fps, by time.

The published joints of HumanML3D know neither twist nor fingers and play at 20 fps; this set makes the same
clips, under the same ids, from the AMASS files under the same root. ``M`` before an id is the mirror image.
Items are named ``humanml3d--<id>--<k>``, k numbering the different time spans among a clip's captions in
their order, as in SOLAMI's data.

Licence: texts and cuts MIT; the motion is AMASS's, non-commercial research only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...backend.errors import BadInput
from ...backend.motion.clip import mirror, resample
from ...backend.motion.grounding import place_on_floor
from .amass import MARKS, arguments_of, attribution, read_amass
from .amass_files import AmassFiles, AmassSequence
from .amass_fps import listed_rate, stated_rate
from .captions import Caption, mirror_caption, parse_captions
from .humanml3d_index import Cut, read_index, seconds_per_nominal
from .humanml3d_texts import Texts, read_splits
from .item import Item, Split
from .job import FPS, Converted, Job
from .raw import Raw
from .smpl_floor import floor_of

SET = "humanml3d_amass"
LICENCE = "HumanML3D: MIT; motion: AMASS, MPI non-commercial research licence"


def jobs(raw: Raw) -> Iterator[Job]:
    """Two jobs per row of ``index.csv``, in its order: the clip and its mirror image."""
    index = _first_file(raw.root, "index.csv")
    if index is None:
        raise BadInput(f"There is no humanml3d/index.csv under {raw.root}.", field="root")
    cuts, faults = read_index(index)
    if not cuts:
        raise BadInput(f"{index} has no cuts.", field="root")
    files = AmassFiles(raw.home("amass", *MARKS))
    for number, fault in enumerate(faults):
        yield Job(SET, f"index.csv.{number}", _unusable, index, {"why": fault})
    # The repository keeps texts and splits one folder below its index.csv.
    inner = index.parent / "HumanML3D"
    folder = inner if inner.is_dir() else index.parent
    splits, texts = read_splits(folder), Texts(folder)
    for cut in cuts:
        for mirrored in (False, True):
            yield _job(cut, index, files, splits, texts, mirrored=mirrored)


def _first_file(root: Path, name: str) -> Path | None:
    folders = ("humanml3d", "HumanML3D", "humanml3d/HumanML3D", ".")
    return next((root / folder / name for folder in folders if (root / folder / name).is_file()), None)


def _job(
    cut: Cut, index: Path, files: AmassFiles, splits: dict[str, Split], texts: Texts, *, mirrored: bool
) -> Job:
    name = f"M{cut.clip}" if mirrored else cut.clip
    if cut.is_humanact12:
        why = "HumanAct12 has joints only: the set humanml3d fits them."
        return Job(SET, name, _unusable, index, {"why": why})
    sequence = files.find(cut.source)
    if sequence is None:
        why = f"The motion {cut.source} is not among the AMASS files under the root."
        return Job(SET, name, _unusable, index, {"why": why})
    arguments: dict[str, Any] = arguments_of(sequence, files.root) | {"cut": cut, "mirrored": mirrored}
    if splits and name not in splits:
        return Job(SET, name, convert, sequence.best, arguments, left_out="HumanML3D has it in no split.")
    captions = captions_of(name, texts)
    spans = any(caption.end is not None for caption in captions)
    scale = seconds_per_nominal(_rate(sequence, files.root)) if spans else 1.0
    items = _items(name, captions, scale=scale, trial=cut.source, split=splits.get(name, "train"))
    return Job(SET, name, convert, sequence.best, arguments, items)


def _rate(sequence: AmassSequence, root: Path) -> float | None:
    """The true rate without reading the motion; a file is only opened where the listing does not know it."""
    listed = listed_rate(sequence.name)
    if listed is not None and listed.source == "listing":
        return listed.fps
    return stated_rate(sequence.twin(root) or sequence.best) or (listed.fps if listed else None)


def captions_of(name: str, texts: Texts) -> list[Caption]:
    """Captions of a clip; those of a mirror image without a text file are mirrored ones."""
    content = texts.get(name)
    if content or not name.startswith("M"):
        return parse_captions(content)
    original = parse_captions(texts.get(name[1:]))
    return [
        caption._replace(text=mirror_caption(caption.text), tokens=mirror_caption(caption.tokens))
        for caption in original
    ]


def _items(name: str, captions: list[Caption], *, scale: float, trial: str, split: Split) -> list[Item]:
    spans: dict[tuple[float, float | None], list[Caption]] = {}
    for caption in captions:
        spans.setdefault((caption.start, caption.end), []).append(caption)
    spans = spans or {(0.0, None): []}
    return [
        Item(
            dataset=SET,
            motion_name=f"humanml3d--{name}--{k}",
            split=split,
            trial=trial,
            text=[caption.text for caption in group],
            tokens=[caption.tokens for caption in group],
            start=start * scale,
            end=None if end is None else end * scale,
            caption_source="humanml3d" if group else "",
            source=f"HumanML3D, Guo et al., CVPR 2022 (MIT); {attribution(trial.split('/')[0])}",
            licence=LICENCE,
            commercial=False,
            actor="Null",
        )
        for k, ((start, end), group) in enumerate(spans.items())
    ]


def convert(path: Path, *, cut: Cut, mirrored: bool = False, **arguments: Any) -> Converted:
    """The stretch of the sequence, its first frame where HumanML3D's is, on the floor of the whole sequence.

    A cut may hold nothing but a jump, so the floor is found in the whole sequence.

    Args:
        path, arguments: see :func:`.amass.read_amass`.
        cut: what to keep.
        mirrored: left and right exchanged.

    Raises:
        BadInput: see :func:`.amass.read_amass`, or the sequence ends before the cut.
    """
    whole, metadata = read_amass(path, **arguments)
    first, stop, step = cut.frames(whole.fps, len(whole))
    floor = floor_of(resample(whole, FPS))
    clip = place_on_floor(resample(whole.slice(first, stop), FPS), floor)
    meta = clip.meta | {"original_frames": stop - first, "first_frame": first, "humanml3d_step": step}
    clip = clip.replace(meta=meta)
    return Converted(mirror(clip) if mirrored else clip, metadata)


def _unusable(_: Path, *, why: str) -> Converted:
    raise BadInput(why)
