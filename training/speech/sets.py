"""Speech sets in their owners' layouts: which recordings there are, who speaks, what is said, and whose turn in training.

LibriSpeech: Panayotov et al., ICASSP 2015, ``<subset>/<speaker>/<chapter>/<speaker>-<chapter>-<n>.flac`` with one
``<speaker>-<chapter>.trans.txt`` a chapter. Common Voice: Ardila et al., LREC 2020, ``clips/*.mp3`` with ``train.tsv``,
``dev.tsv``, ``test.tsv``. Own recordings: any folders, the first of which names who speaks, with ``.txt`` beside.
"""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ...backend.errors import BadInput
from ...backend.speech.audio import SUFFIXES

Split = Literal["train", "val", "test"]
SETS = ("librispeech", "commonvoice", "folder")
HELD_OUT = 0.05
"""Share of speakers (of recordings, where there are few) for validation, and as many for tests, where owners name none."""
FEW = 5
"""With fewer speakers than this, recordings are held out in place of speakers."""
_SUBSET = re.compile(r"(train|dev|test)-[\w-]+")
_OWNERS: dict[str, Split] = {"train": "train", "dev": "val", "test": "test"}


@dataclass(frozen=True)
class Entry:
    """A recording as its set lists it, not opened yet."""

    path: Path
    speaker: str
    text: str
    split: Split


def entries(kind: str, root: Path) -> Iterator[Entry]:
    """The recordings of a set, in a fixed order.

    Raises:
        BadInput: the folder is not laid out as the set is.
    """
    if not root.is_dir():
        raise BadInput(f"{root} is no folder.", field="root")
    return {"librispeech": _librispeech, "commonvoice": _commonvoice, "folder": _folder}[kind](root)


# ----------------------------------------------------------------------------------- LibriSpeech


def _librispeech(root: Path) -> Iterator[Entry]:
    roots = [root, root / "LibriSpeech"]
    subsets = [root] if _SUBSET.fullmatch(root.name) else []
    subsets += [each for top in roots if top.is_dir() for each in sorted(top.iterdir()) if each.is_dir()]
    subsets = [each for each in subsets if _SUBSET.fullmatch(each.name)]
    chapters = [chapter for subset in subsets for chapter in sorted(subset.glob("*/*/")) if chapter.is_dir()]
    if not chapters:
        raise BadInput(
            f"{root} is not laid out as LibriSpeech: there is no train-, dev- or test- folder with speakers and chapters.",
            hint="Name the folder that holds train-clean-100 and the like.",
            field="root",
        )
    return (entry for chapter in chapters for entry in _chapter(chapter))


def _chapter(folder: Path) -> Iterator[Entry]:
    speaker = folder.parent.name
    split = _OWNERS[folder.parent.parent.name.partition("-")[0]]
    said: dict[str, str] = {}
    for listed in sorted(folder.glob("*.trans.txt")):
        for line in _read(listed).splitlines():
            name, _, text = line.strip().partition(" ")
            said[name] = text.strip()
    for path in sorted(folder.glob("*.flac")):
        yield Entry(path, speaker, said.get(path.stem, ""), split)


# ---------------------------------------------------------------------------------- Common Voice


def _commonvoice(root: Path) -> Iterator[Entry]:
    # Not deeper: a folder of clips holds a million files.
    clips = [path for depth in ("", "*/", "*/*/") for path in sorted(root.glob(f"{depth}clips/"))]
    folders = [path.parent for path in clips if _tables(path.parent)]
    if not folders:
        raise BadInput(
            f"{root} is not laid out as Common Voice: there is no folder clips beside train.tsv or validated.tsv.",
            hint="Name the folder of a language, or the corpus that holds it.",
            field="root",
        )
    return (entry for folder in folders for entry in _language(folder))


def _tables(folder: Path) -> list[tuple[Path, Split | None]]:
    """Tables with the split each stands for; where owners made no splits, all that was validated."""
    parts = [(folder / f"{name}.tsv", split) for name, split in _OWNERS.items()]
    found: list[tuple[Path, Split | None]] = [(path, split) for path, split in parts if path.is_file()]
    validated = folder / "validated.tsv"
    return found or ([(validated, None)] if validated.is_file() else [])


def _language(folder: Path) -> Iterator[Entry]:
    for table, split in _tables(folder):
        rows = csv.DictReader(_read(table).splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
        missing = {"client_id", "path", "sentence"} - set(rows.fieldnames or ())
        if missing:
            raise BadInput(f"{table} has no column {min(missing)}.", field="root")
        found = []
        for row in rows:
            name = row["path"] or ""
            if not name or Path(name).name != name:
                continue  # a name that leads out of clips is none of the set
            path = folder / "clips" / (name if Path(name).suffix else f"{name}.mp3")
            found.append(
                Entry(path, row["client_id"] or "", (row["sentence"] or "").strip(), split or "train")
            )
        yield from found if split else held_out(found)


# ------------------------------------------------------------------------------------ own folders


def _folder(root: Path) -> Iterator[Entry]:
    found = []
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith("."):
            parts = path.relative_to(root).parts
            words = path.with_suffix(".txt")
            text = " ".join(_read(words).split()) if words.is_file() else ""
            found.append(Entry(path, parts[0] if len(parts) > 1 else root.resolve().name, text, "train"))
    if not found:
        raise BadInput(
            f"{root} holds no recordings.",
            hint=f"Known are {', '.join(sorted(SUFFIXES))}.",
            field="root",
        )
    return iter(held_out(found))


def held_out(found: list[Entry]) -> list[Entry]:
    """The same recordings with some set apart, always the same ones: whole speakers, or where there are fewer than
    :data:`FEW`, recordings."""
    speakers = {entry.speaker for entry in found}
    by_speaker = len(speakers) >= FEW
    keys = sorted(speakers) if by_speaker else [str(entry.path.name) for entry in found]
    order = sorted(dict.fromkeys(keys), key=lambda key: (zlib.crc32(key.encode()), key))
    count = max(round(HELD_OUT * len(order)), 1) if len(order) >= 3 else 0
    splits: dict[str, Split] = dict.fromkeys(order[:count], "val")
    splits |= dict.fromkeys(order[count : 2 * count], "test")
    return [
        replace(entry, split=splits.get(entry.speaker if by_speaker else entry.path.name, "train"))
        for entry in found
    ]


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not a text file in UTF-8.", field="root") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error}).", field="root") from None
