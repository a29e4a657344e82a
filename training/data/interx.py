"""Inter-X (Xu et al., CVPR 2024): two people interact, with fingers, captions and who acts.

Licence: the owners' own, non-commercial, no redistribution; annotations CC BY-NC-SA 4.0. Layout:
``motions/GgggTtttAaaaRrrr/P1.npz, P2.npz`` (SMPL-X, 120 fps, Y up), ``texts/<clip>.txt`` (a caption a line),
``annots/action_setting.txt`` and ``interaction_order.pkl`` (0: P1 acts, 1: P2), ``splits/train|val|test.txt``.

Captions speak of both people. What each of them does stands in the folder ``annotations``, which
``understudy-train annotate interx`` writes; without it the captions are in ``both_text`` alone.

Hands are absolute rotations: the owners' own body model adds no hand mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from ...backend.errors import BadInput
from ...backend.motion import npz
from ...backend.motion.clip import Clip
from ..formats.pickles import read_pickle
from . import two_people
from .humanml3d_texts import read_splits
from .interx_texts import PersonTexts, read_annotations
from .item import Item, Split
from .job import Converted, Job
from .metadata import EnhancedMetadata, Interaction
from .raw import Raw

SET = "interx"
LICENCE = "Inter-X: non-commercial, no redistribution"
SOURCE = "Inter-X, Xu et al., CVPR 2024"
FOLDERS = ("Inter-X_Dataset", "Inter-X", "InterX", SET)
SOURCE_FPS = 120.0
"""No file says it."""
ANNOTATIONS = "annotations"

_ACTION = re.compile(r"A(\d{3})")


def home_of(raw: Raw) -> Path:
    """The data set's folder.

    Raises:
        BadInput: it is not under the root.
    """
    name = next((folder for folder in FOLDERS if (raw.root / folder).is_dir()), SET)
    return raw.home(name, "motions/*/P1.npz", "texts/G*.txt")


def jobs(raw: Raw) -> Iterator[Job]:
    """Two jobs a scene, P1's and P2's, in the order of the scenes' names.

    Raises:
        BadInput: the set is not under the root.
    """
    home = home_of(raw)
    motions = home / "motions"
    splits = next(
        (found for name in ("splits", "split", "datasets") if (found := read_splits(home / name))), {}
    )
    actions = _actions(home)
    order, annotated = home / "annots" / "interaction_order.pkl", home / ANNOTATIONS
    actors: dict[str, int] = {}
    annotations: dict[str, PersonTexts] = {}
    try:
        actors = interaction_order(order) if order.exists() else {}
    except BadInput as error:
        yield Job(SET, "interaction_order", _unusable, order, {"why": error.message})
    try:
        annotations = read_annotations(annotated)
    except BadInput as error:
        yield Job(SET, "annotations", _unusable, annotated, {"why": error.message})
    scenes = sorted(entry.name for entry in motions.iterdir() if entry.is_dir()) if motions.is_dir() else []
    for scene in scenes:
        captions = two_people.captions_of(home / "texts" / f"{scene}.txt")
        actor, match = actors.get(scene), _ACTION.search(scene)
        kind = actions.get(int(match.group(1))) if match else None
        kind = kind or two_people.interaction_type(captions)
        for person in (0, 1):
            arguments = {"person": person, "kind": kind, "actor": actor}
            item = _item(scene, person, actor, captions, annotations.get(scene), splits)
            path = motions / scene / f"P{person + 1}.npz"
            yield Job(SET, item.motion_name, convert, path, arguments, [item])


def interaction_order(path: Path) -> dict[str, int]:
    """By scene, the person who acts (0 is P1). The file is a pickle, and read as data only.

    Raises:
        BadInput: it is damaged, or no such table.
    """
    data = read_pickle(path)
    if not isinstance(data, dict):
        raise BadInput(f"{path.name} is no table of scenes.", field="path")
    return {str(scene): int(first) for scene, first in data.items() if str(first) in ("0", "1")}


def _actions(home: Path) -> dict[int, str]:
    lines = two_people.read_text(home / "annots" / "action_setting.txt").splitlines()
    return {number: line.strip().casefold() for number, line in enumerate(lines) if line.strip()}


def _item(
    scene: str,
    person: int,
    actor: int | None,
    captions: list[str],
    annotation: PersonTexts | None,
    splits: dict[str, Split],
) -> Item:
    text: list[str] = []
    both = captions
    if annotation is not None:
        both = list(dict.fromkeys([*captions, *annotation.both]))
        if actor is not None:
            text = annotation.actor if person == actor else annotation.reactor
    return two_people.item_of(
        scene, person, actor, dataset=SET, split=splits.get(scene, "train"), text=text, both_text=both,
        caption_source="interx_annotations" if text else SET if captions else "",
        source=SOURCE, licence=LICENCE, commercial=False,
    )  # fmt: skip


def convert(path: Path, *, person: int, kind: str | None = None, actor: int | None = None) -> Converted:
    """The clip of one person.

    Args:
        path: that person's file; the partner's lies beside it.
        person: 0 or 1.
        kind: of interaction.
        actor: who acts, where that is known.

    Raises:
        BadInput: either file is missing or damaged, with the reason.
    """
    paths = tuple(path.with_name(f"P{k}.npz") for k in (1, 2))
    for file in paths:
        if not file.is_file():
            raise BadInput(f"{path.parent.name}/{file.name} is missing.", field="path")
    people, facts = _scene(paths, tuple(file.stat().st_mtime_ns for file in paths), kind, actor)
    return Converted(people[person], EnhancedMetadata(interaction=facts[person]))


@lru_cache(maxsize=1)
def _scene(
    paths: tuple[Path, ...], stamps: tuple[int, ...], kind: str | None, actor: int | None
) -> tuple[list[Clip], list[Interaction]]:
    """Both people of a scene are asked for one after the other."""
    del stamps
    people = two_people.staged([_read(path) for path in paths], expected_up="y")
    return people, two_people.interactions(people, kind, actor)


def _read(path: Path) -> Clip:
    clip = npz.read_clip(path, dialect="smplx", fps=SOURCE_FPS)
    return clip.replace(contacts=None, known={**clip.known, "face": False})


def _unusable(_: Path, *, why: str) -> Converted:
    """A side file that cannot be read: named in the report, the motion is prepared without it."""
    raise BadInput(why)
