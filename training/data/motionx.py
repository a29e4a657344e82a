"""Motion-X (Lin et al., NeurIPS 2023): whole-body motion of videos and of marker capture, with captions.

Licence: non-commercial. Layout: the folder with ``motion_data/smplx_322``, ``face_motion_data``, ``texts`` and
the split lists ``train.txt``, ``val.txt``, ``test.txt`` (``humanml/002373``), the lists also in ``datasets/`` or
``splits/``. With HumanML3D's ``index.csv`` under the same root, clips of the ``humanml`` subset that were cut
with a wrong frame rate are found and put right, or left out by name; see :mod:`.motionx_rates`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...backend.errors import BadInput
from ...backend.motion.clip import Clip, resample
from . import motionx_files, motionx_rates
from .captions import parse_captions
from .humanml3d_index import NOMINAL_FPS, Cut, read_index
from .humanml3d_texts import read_splits
from .item import Item, Split
from .job import FPS, Converted, Job
from .metadata import Emotion as EmotionBlock
from .metadata import EnhancedMetadata
from .raw import Raw
from .smpl_floor import stand

SET = "motionx"
LICENCE = "Motion-X: non-commercial research licence"
SOURCE = "Motion-X, Lin et al., NeurIPS 2023"
MARKS = ("motion_data/smplx_322", "smplx_322")
EMOTIONS = {
    "neutral": "neutral", "happiness": "happy", "happy": "happy", "sadness": "sad", "sad": "sad",
    "surprise": "surprised", "surprised": "surprised", "anger": "angry", "angry": "angry", "excited": "excited",
}  # fmt: skip
"""Words of ``face_texts`` that have a label of ours; disgust, fear and contempt have none."""


def jobs(raw: Raw) -> Iterator[Job]:
    """One job per motion file, in the order of their paths."""
    home = raw.home("Motion-X" if (raw.root / "Motion-X").is_dir() else SET, *MARKS)
    motions = home / "motion_data" / "smplx_322"
    motions = motions if motions.is_dir() else home / "smplx_322"
    splits = _splits(home)
    cuts = _cuts(raw)
    defect = motionx_rates.has_defect(cuts.values(), motions / "humanml")
    for path in _sorted_files(motions):
        name = path.relative_to(motions).with_suffix("").as_posix()
        subset, _, clip = name.partition("/")
        cut = cuts.get(clip.removeprefix("M")) if subset == "humanml" and defect else None
        arguments, why = _repair(cut)
        face = home / "face_motion_data" / "smplx_322" / f"{name}.npy"
        arguments |= {"subset": subset, "face": face if face.is_file() else None}
        arguments |= {kind: _pose_text(home, kind, name) for kind in ("body", "hand")}
        items = [] if why else _items(name, home, splits)
        yield Job(SET, name, convert, path, arguments, items, left_out=why)


def _sorted_files(folder: Path) -> Iterator[Path]:
    for child in sorted(folder.iterdir()):
        if child.is_dir():
            yield from _sorted_files(child)
        elif child.suffix == ".npy":
            yield child


def _splits(home: Path) -> dict[str, Split]:
    for folder in (home, home / "datasets", home / "splits", home / "split"):
        if found := read_splits(folder):
            return found
    return {}


def _cuts(raw: Raw) -> dict[str, Cut]:
    """HumanML3D's cuts by clip id; empty where its index is not at hand."""
    for name in (
        "humanml3d/index.csv",
        "HumanML3D/index.csv",
        "motionx/humanml_index.csv",
        "motionx/humanml.csv",
    ):
        try:
            return {cut.clip: cut for cut in read_index(raw.root / name)[0]}
        except BadInput:
            continue
    return {}


def _repair(cut: Cut | None) -> tuple[dict[str, Any], str]:
    """Arguments that put a wrong frame rate right, or why the clip is left out."""
    played = motionx_rates.played_rate(cut) if cut else None
    if cut is None or played is None:
        return {}, ""
    if cut.start + cut.trim:
        return {}, (
            f"It was cut as if {cut.source} had 120 fps and shows another stretch than its captions; "
            "the set humanml3d_amass has the right one."
        )
    return {"played": played, "seconds": (cut.end - cut.start) / NOMINAL_FPS}, ""


def _pose_text(home: Path, kind: str, name: str) -> Path | None:
    path = home / "texts" / f"{kind}_texts" / f"{name}.json"
    return path if path.is_file() else None


def _items(name: str, home: Path, splits: dict[str, Split]) -> list[Item]:
    """One item per time span of the captions; most have one, for the whole clip."""
    emotion = _text(home / "texts" / "face_texts" / f"{name}.txt").strip().casefold().rstrip(".")
    label = EMOTIONS.get(emotion)
    base: dict[str, Any] = {
        "dataset": SET, "split": splits.get(name, "train"), "trial": name, "emotion": emotion if len(emotion) < 30 else "",
        "source": SOURCE, "licence": LICENCE, "commercial": False, "actor": "Null",
        "metadata": EnhancedMetadata(emotion=EmotionBlock(emotion_label=label) if label else None),  # type: ignore[arg-type]
    }  # fmt: skip
    content = _text(home / "texts" / "semantic_labels" / f"{name}.txt")
    spans: dict[tuple[float, float | None], list[tuple[str, str]]] = {}
    for line in content.splitlines():
        captions = parse_captions(line) if line.count("#") >= 3 else []
        for caption in captions:
            spans.setdefault((caption.start, caption.end), []).append((caption.text, caption.tokens))
        if not captions and line.strip():
            spans.setdefault((0.0, None), []).append((line.strip().rstrip(".").strip(), ""))
    result = []
    for k, ((start, end), group) in enumerate((spans or {(0.0, None): []}).items()):
        result.append(
            Item(
                motion_name=name if not k else f"{name}--{k}",
                kind="whole" if end is None else "segment",
                text=[text for text, _ in group],
                tokens=[tokens for _, tokens in group] if any(tokens for _, tokens in group) else [],
                start=start,
                end=end,
                caption_source="motionx" if group else "",
                **base,
            )
        )
    return result


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def convert(
    path: Path,
    *,
    subset: str,
    face: Path | None = None,
    body: Path | None = None,
    hand: Path | None = None,
    played: float | None = None,
    seconds: float | None = None,
) -> Converted:
    """A motion with its face, at 30 fps, on the floor.

    Args:
        path: (T, 322).
        subset: name of the subset.
        face: its face motion, used where the motion has none yet.
        body, hand: descriptions per frame; laid beside the clip as ``.pose_texts.json``.
        played: real frames a second, where they are not 30.
        seconds: the clip's length, where the file goes on after it.

    Raises:
        BadInput: the file or its face is damaged, or has no frames.
    """
    motion = motionx_files.read_array(path, motionx_files.WIDTH)
    meta: dict[str, Any] = {"original_fps": played or motionx_files.FPS, "original_frames": len(motion)}
    if subset.casefold() == "aist":
        motion, changed = motionx_files.aist_in_metres(motion)
        meta["aist_rescaled"] = changed
    if face is not None and not motionx_files.has_face(motion):
        faces = motionx_files.read_array(face, motionx_files.FACE_WIDTH)
        motion = motionx_files.with_face(motion, faces, keep_jaw=subset.casefold() == "grab")
    clip = motionx_files.to_clip(motion, played or motionx_files.FPS)
    if seconds is not None:
        clip = clip.slice(0, max(round(seconds * clip.fps), 2))
    clip = stand(resample(clip, FPS).replace(meta=meta))
    return Converted(clip, files=_pose_texts(clip, body, hand, played=played))


def _pose_texts(
    clip: Clip, body: Path | None, hand: Path | None, *, played: float | None
) -> dict[str, bytes]:
    """Descriptions per frame of the clip; frames of a clip whose rate was wrong are not ours."""
    if played is not None:
        return {}
    found: dict[str, list[str]] = {}
    for part, path in (("body", body), ("hand", hand)):
        if path is None:
            continue
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            texts = {int(frame): str(text) for frame, text in value.items()}
        except (OSError, ValueError, AttributeError, RecursionError):
            raise BadInput(f"{path.name} ({part} texts) is not JSON keyed by frame.", field="path") from None
        found[part] = [texts.get(frame, "") for frame in range(len(clip))]
    return {".pose_texts.json": json.dumps(found, ensure_ascii=False).encode()} if found else {}
