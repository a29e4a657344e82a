"""BABEL (Punnakkal et al., CVPR 2021): actions with their seconds for the motion of AMASS.

Licence: non-commercial research; the motion is AMASS's, under its own licence. The motion is taken from the
AMASS files under the same root, of either body model; a sequence that is not there is skipped by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...backend.errors import BadInput
from . import babel_files
from .amass import MARKS, arguments_of, attribution, convert
from .amass_files import AmassFiles
from .babel_files import Entry, Label
from .item import Item
from .job import Converted, Job
from .raw import Raw

LICENCE = "BABEL: non-commercial research licence; motion: AMASS, MPI non-commercial research licence"


def jobs(raw: Raw) -> Iterator[Job]:
    """One job per annotated sequence, in the order of BABEL's ids."""
    home = babel_files.find(raw)
    if home is None:
        raise BadInput(f"There is no train.json of BABEL under {raw.root}.", field="root")
    files = AmassFiles(raw.home("amass", *MARKS))
    entries, broken = babel_files.read(home)
    for path, why in broken.items():
        yield Job("babel", path.name, broken_file, path, {"why": why})
    for entry in sorted(entries.values(), key=lambda entry: entry.sid.zfill(8)):
        name = entry.sid.zfill(5)
        sequence = files.find(entry.name)
        if sequence is None:
            yield Job("babel", name, missing, home, {"name": entry.name})
            continue
        arguments = arguments_of(sequence, files.root) | {"seconds": entry.seconds}
        yield Job("babel", name, convert, sequence.best, arguments, items_of(entry))


def items_of(entry: Entry) -> list[Item]:
    """One item per label, ``babel--<id>--<k>``; a sequence without labels (the test split) is one bare item."""
    return [_item(entry, number, label) for number, label in enumerate(entry.labels or [Label((), ())])]


def _item(entry: Entry, number: int, label: Label) -> Item:
    tokens = category_tokens(label.categories)
    return Item(
        dataset="babel",
        motion_name=f"babel--{entry.sid.zfill(5)}--{number}",
        split=entry.split,
        trial=entry.name,
        kind="whole" if label.end is None else "segment",
        text=list(label.text),
        tokens=[tokens] * len(label.text) if tokens else [],
        start=label.start,
        end=label.end,
        caption_source="babel" if label.text else "",
        source=f"BABEL, Punnakkal et al., CVPR 2021; {attribution(entry.name.split('/')[0])}",
        licence=LICENCE,
        commercial=False,
        actor="Null",
    )


def category_tokens(categories: tuple[str, ...]) -> str:
    """Action categories as tokens: ``("walk", "hand movements")`` -> ``walk/ACT hand_movements/ACT``."""
    return " ".join(f"{name.replace(' ', '_')}/ACT" for name in categories)


def categories_of(tokens: str) -> tuple[str, ...]:
    """The inverse of :func:`category_tokens`."""
    pairs = (token.rpartition("/") for token in tokens.split())
    return tuple(name.replace("_", " ") for name, _, kind in pairs if kind == "ACT")


def missing(_: Path, *, name: str) -> Converted:
    raise BadInput(f"The motion {name} is not among the AMASS files under the root.")


def broken_file(_: Path, *, why: str) -> Converted:
    raise BadInput(why)
