"""BEAT2 (EMAGE, Liu et al., CVPR 2024): people speak, with body, hands, face, words and the meaning of gestures.

Licence: the repository says CC BY-NC 4.0, the download page Apache-2.0, and SMPL-X's terms apply: not for
commercial use. Layout, per language: ``beat_english_v2.0.0/{smplxflame_30,wave16k,textgrid,sem}`` and
``train_test_split.csv`` (columns id, type); or one flat folder of such files. ``sem`` holds labels of gestures
in English alone.

Ids ``2_scott_0_1_8``: speaker, name, kind of recording, first and last task. Even kinds are speeches, whose task
tells the emotion; odd kinds are conversations, which are neutral. Motion and sound begin together and are cut to
the shorter. Y up, hands absolute (flat mean).
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion import npz
from ...backend.motion.clip import Clip, resample
from ...backend.motion.skeleton import NUM_JOINTS
from ...backend.speech.audio import RATE, read_all
from ...backend.speech.textgrid import Label, read_textgrid
from ..formats.recording import wav_bytes
from .item import Item, Split
from .job import FPS, Converted, Job
from .metadata import Emotion, EnhancedMetadata, Expression
from .raw import Raw
from .smpl_floor import stand

SET = "beat2"
LICENCE = "BEAT2: CC BY-NC 4.0 (treated so), SMPL-X terms"
SOURCE = "BEAT2 data set, PantoMatrix/PantoMatrix, CC BY-NC 4.0."
FOLDERS = ("BEAT2", "beat_v2.0.0", SET)

LANGUAGES = ("English", "Chinese", "Spanish", "Japanese")
EMOTIONS: tuple[tuple[int, str, Expression | None], ...] = (
    (64, "neutral", "neutral"), (72, "happiness", "happy"), (80, "anger", "angry"), (86, "sadness", "sad"),
    (94, "contempt", None), (102, "surprise", "surprised"), (110, "fear", None), (118, "disgust", None),
)  # fmt: skip
"""Of speeches: the last task, the set's word, and the label of ours where there is one."""
GESTURES = ("none", "beat", *["deictic"] * 3, *["iconic"] * 3, *["metaphoric"] * 3)
"""By the number that begins a label of ``sem``."""
SPLITS: dict[str, Split] = {"train": "train", "val": "val", "test": "test", "additional": "train"}
"""The owners' ``additional`` is further material for training."""

_TAKE = re.compile(r"(?P<speaker>\d+)_(?P<name>.+)_(?P<kind>[0-7])_(?P<first>\d+)_(?P<last>\d+)")
_MARKS = ("beat_*_v2*/smplxflame_30/*.npz", "smplxflame_30/*.npz", "[0-9]*_*_[0-7]_*_*.npz")
_WORDS = re.compile(r"word", re.IGNORECASE)
_PHONES = re.compile(r"phone", re.IGNORECASE)


@dataclass(frozen=True)
class Take:
    """What an id says."""

    speaker: int
    name: str
    language: str
    conversation: bool
    first: int
    last: int

    @classmethod
    def of(cls, id: str) -> Take | None:
        match = _TAKE.fullmatch(id)
        if match is None:
            return None
        kind = int(match["kind"])
        return cls(
            int(match["speaker"]),
            match["name"],
            LANGUAGES[kind // 2],
            bool(kind % 2),
            int(match["first"]),
            int(match["last"]),
        )

    @property
    def emotion(self) -> tuple[str, Expression | None]:
        """The set's word and our label."""
        if self.conversation:
            return "neutral", "neutral"
        return next(((word, label) for last, word, label in EMOTIONS if 1 <= self.first <= last), ("", None))


# ------------------------------------------------------------------------------------------- jobs


def jobs(raw: Raw) -> Iterator[Job]:
    """One job per motion, and one that is left out per recording without a motion.

    Raises:
        BadInput: the set is not under the root.
    """
    home = raw.home(next((name for name in FOLDERS if (raw.root / name).is_dir()), SET), *_MARKS)
    folders = [path for path in sorted(home.glob("beat_*_v2*")) if (path / "smplxflame_30").is_dir()]
    for folder in folders or [home]:
        flat = not (folder / "smplxflame_30").is_dir()
        table = folder / "train_test_split.csv"
        splits, fault = _splits(table)
        if fault:
            yield Job(SET, f"{folder.name}/{table.name}", _unusable, table, {"why": fault})
        motions = folder if flat else folder / "smplxflame_30"
        sounds = folder if flat else folder / "wave16k"
        done = set()
        for path in sorted(motions.glob("*.npz")):
            done.add(path.stem)
            yield Job(
                SET, path.stem, convert, path, _beside(path.stem, folder, flat), [_item(path.stem, splits)]
            )
        for path in sorted(sounds.glob("*.wav")):
            if path.stem not in done:
                yield Job(
                    SET, f"{path.stem}.wav", silent_still, path,
                    left_out="It is a recording without a motion.",
                )  # fmt: skip


def _splits(path: Path) -> tuple[dict[str, str], str]:
    """The owners' split of every id, and what is wrong with the table."""
    if not path.is_file():
        return {}, ""
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            rows = list(csv.DictReader(line.replace("\0", "") for line in file))
        return {
            row["id"].strip(): row["type"].strip().casefold() for row in rows if row["id"] and row["type"]
        }, ""
    except (OSError, csv.Error, KeyError):
        return {}, f"{path.name} has not the columns id and type, or cannot be read."


def _beside(id: str, folder: Path, flat: bool) -> dict[str, Path | None]:
    """The files that go with a motion, as arguments of :func:`convert`."""
    wanted = (
        ("speech", "wave16k", (".wav", ".flac")),
        ("words", "textgrid", (".TextGrid", ".textgrid")),
        ("semantics", "sem", (".txt",)),
    )
    found: dict[str, Path | None] = {}
    for key, name, endings in wanted:
        place = folder if flat else folder / name
        found[key] = next((path for end in endings if (path := place / f"{id}{end}").is_file()), None)
    return found


def _item(id: str, splits: dict[str, str]) -> Item:
    take = Take.of(id)
    word, label = take.emotion if take else ("", None)
    return Item(
        dataset=SET, motion_name=id, trial=id, kind="whole", actor="Null", split=SPLITS.get(splits.get(id, "train"), "train"),
        emotion=word, source=SOURCE, licence=LICENCE, commercial=False,
        metadata=EnhancedMetadata(emotion=Emotion(emotion_label=label) if label else None),  # type: ignore[call-arg]
    )  # fmt: skip


# ---------------------------------------------------------------------------------------- convert


def convert(
    path: Path, *, speech: Path | None = None, words: Path | None = None, semantics: Path | None = None
) -> Converted:
    """A take: the clip, its recording and what is said in it.

    Args:
        path: the motion.
        speech: its recording.
        words: its TextGrid.
        semantics: its labels of gestures.

    Raises:
        BadInput: one of the files is damaged; the sentence names it.
    """
    clip = npz.read_clip(path)
    frames, fps = len(clip), clip.fps
    clip = resample(clip, FPS)
    meta: dict[str, Any] = {**clip.meta, "original_fps": fps, "original_frames": frames}
    files: dict[str, bytes] = {}
    notes = list(meta.get("notes", ()))
    if speech is not None:
        recording, samples = read_all(speech)
        notes += recording.warnings
        length = min(len(clip), int(len(samples) / RATE * FPS + 1e-6))
        if length < 2:
            raise BadInput(f"{speech.name} is shorter than two frames.", field="speech")
        meta |= {
            "speech_seconds": round(len(samples) / RATE, 3),
            "motion_seconds": round(clip.seconds, 3),
        }
        clip = clip.slice(0, length)
        files[".wav"] = wav_bytes(samples[: round(length / FPS * RATE)])
    else:
        notes.append("There is no recording.")
    said = transcript(words, semantics, clip.seconds)
    if said:
        files[".words.json"] = json.dumps(said, ensure_ascii=False).encode()
    take = Take.of(path.stem)
    if take is not None:
        meta |= {"speaker": take.name, "language": take.language, "conversation": take.conversation}
    if notes:
        meta["notes"] = notes
    known = dict(clip.known)
    if clip.expressions is not None:
        known["face"] = True
    return Converted(stand(clip.replace(meta=meta, contacts=None, known=known)), files=files)


def silent_still(path: Path) -> Clip:
    """Nobody moves for as long as a recording lasts: the store counts what it leaves out in frames.

    Raises:
        BadInput: the recording is damaged.
    """
    frames = max(round(read_all(path)[0].seconds * FPS), 2)
    return Clip(poses=np.zeros((frames, NUM_JOINTS, 3)), trans=np.zeros((frames, 3)), fps=FPS)


def _unusable(_: Path, *, why: str) -> Clip:
    """A side file that cannot be read: named in the report, the motion is prepared without it."""
    raise BadInput(why)


# --------------------------------------------------------------------------------- words and signs


def transcript(words: Path | None, semantics: Path | None, seconds: float) -> dict[str, list[dict[str, Any]]]:
    """What is said and meant, with seconds of the clip.

    Returns:
        ``words`` and ``phones``: text, start, end. ``semantics``: label (the set's), kind, score, start, end,
        keywords. Only what begins within the clip; what ends after it ends with it. Nothing that is not there.

    Raises:
        BadInput: a file is damaged.
    """
    said: dict[str, list[dict[str, Any]]] = {}
    if words is not None:
        tiers = read_textgrid(words)
        names = list(tiers)
        first = next((name for name in names if _WORDS.search(name)), names[0])
        said["words"] = [label._asdict() for label in _within(tiers[first], seconds)]
        phones = next((name for name in names if _PHONES.search(name) and name != first), None)
        if phones:
            said["phones"] = [label._asdict() for label in _within(tiers[phones], seconds)]
    if semantics is not None:
        said["semantics"] = [
            {**row, "end": min(row["end"], seconds)}
            for row in read_semantics(semantics)
            if row["start"] < seconds
        ]
    return said


def _within(labels: list[Label], seconds: float) -> list[Label]:
    return [label._replace(end=min(label.end, seconds)) for label in labels if label.start < seconds]


def read_semantics(path: Path) -> list[dict[str, Any]]:
    """The labels of a ``sem`` file: name, start, end, duration, score and perhaps keywords, tabs between them.

    Some lines have spaces instead. Labels may overlap; ``habit`` and ``need_cut`` have no number.

    Raises:
        BadInput: a line is none of that.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig", "replace").splitlines()
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read ({error.strerror}).", field="semantics") from None
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        parts = line.strip("\r\n").split("\t")
        if len(parts) < 5:
            parts = line.split(maxsplit=5)
        try:
            start, end, _, score = (float(part) for part in parts[1:5])
            if not (0 <= start <= end < np.inf and np.isfinite(score)):
                raise ValueError
        except ValueError:
            raise BadInput(
                f"Line {number} of the semantics {path.name} is no label with its seconds and score.",
                field="semantics",
            ) from None
        label = parts[0].strip()
        digits = re.match(r"\d+", label)
        index = int(digits.group()) if digits else -1
        rows.append(
            {
                "label": label, "kind": GESTURES[index] if 0 <= index < len(GESTURES) else label, "score": score,
                "start": start, "end": end, "keywords": " ".join(parts[5].split()) if len(parts) > 5 else "",
            }
        )  # fmt: skip
    return rows
