"""Sentence embeddings of the captions of a store, in parts for job arrays, merged, searched by meaning.

One file, ``embeddings_{period}_{part}.npz`` or, merged, ``embeddings.npz``; plain arrays, no pickle:

===================================  =====================================================================
``embeddings`` (N, D) float32        one row per caption, unit length: the cosine is the dot product
``text_bytes``, ``text_ends`` (N,)   the captions in UTF-8, one after the other, and where each ends
``motion_bytes``, ``motion_ends``    the motions in the same way, as ``dataset/motion_name``
``text_of``, ``motion_of`` (P,)      pairs: caption ``text_of[i]`` describes motion ``motion_of[i]``
``about``                            JSON: model, period, part
===================================  =====================================================================

A caption is embedded once, however many motions have it, without its full stop. Which part a caption
belongs to follows from its own letters, so parts agree without talking to each other.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from ...backend.errors import BadInput, JobFailed
from ...backend.text import model_folder
from ..data.store import iter_index
from ..formats.streamed import StreamWriter, read_blocks

DEFAULT_MODEL = "all-MiniLM-L6-v2"
VERSION = 1
SHARD = 2048
"""Captions embedded between two saves."""
BATCH = 64
BLOCK = 65536
"""Rows compared at a time."""
MERGED = "embeddings.npz"


class Encoder(Protocol):
    """Anything that turns sentences into rows (N, D) of unit length."""

    name: str

    def encode(self, texts: Sequence[str]) -> np.ndarray: ...


class SentenceEncoder:
    """A sentence-transformers model.

    Args:
        name: :data:`DEFAULT_MODEL`, which is read from its installed package; a folder; or the name of
            any other model, which sentence-transformers looks up, on the network if it must.

    Raises:
        BadInput: there is no such model.
        JobFailed: the default model is not installed.
    """

    def __init__(self, name: str = DEFAULT_MODEL) -> None:
        self.name = name
        default = name.removeprefix("sentence-transformers/") == DEFAULT_MODEL
        where = str(model_folder()) if default else name
        if not default and not Path(name).exists() and (name.startswith((".", "/", "~")) or "\\" in name):
            raise BadInput(f"There is no model folder {name}.", field="model")
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # of the loading of weights: a line nobody asked for
        try:
            self._model = SentenceTransformer(where)
        except Exception as error:  # the library raises many kinds, the network among them
            reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
            raise BadInput(
                f"The sentence encoder {name} cannot be loaded ({reason}).", field="model"
            ) from None

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        rows = self._model.encode(
            list(texts), batch_size=BATCH, convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False
        )  # fmt: skip
        return np.asarray(rows, dtype=np.float32)


# --------------------------------------------------------------------------------------- captions


def plain(text: str) -> str:
    """A caption as it is embedded: single spaces, no full stop at the end."""
    return " ".join(text.split()).rstrip(". ")


def part_of(text: str, period: int) -> int:
    return zlib.crc32(text.encode()) % period


@dataclass
class Captions:
    """Captions, the motions they describe, and the pairs of them, in an order that is always the same."""

    texts: list[str]
    motions: list[str]
    text_of: np.ndarray
    motion_of: np.ndarray

    def digest(self) -> str:
        state = hashlib.sha256()
        for words in (self.texts, self.motions):
            state.update("\n".join(words).encode() + b"\0")
        state.update(self.text_of.tobytes() + self.motion_of.tobytes())
        return state.hexdigest()


def read_captions(store: Path, period: int = 1, part: int = 0) -> Captions:
    """The captions of one part of a store, shortest first (sentences of a batch are then of one length).

    Raises:
        BadInput: there is no store.
    """
    pairs: dict[str, dict[str, None]] = {}
    for item in iter_index(store):
        for text in (*item.text, *item.both_text):
            text = plain(text)
            if text and part_of(text, period) == part:
                pairs.setdefault(text, {})[f"{item.dataset}/{item.motion_name}"] = None
    texts = sorted(pairs, key=lambda text: (len(text), text))
    motions = sorted({motion for of_text in pairs.values() for motion in of_text})
    number = {motion: i for i, motion in enumerate(motions)}
    links = [(i, number[motion]) for i, text in enumerate(texts) for motion in sorted(pairs[text])]
    table = np.array(links, np.int32).reshape(-1, 2)
    return Captions(texts, motions, table[:, 0].copy(), table[:, 1].copy())


# ------------------------------------------------------------------------------------------ build


def build(
    store: Path,
    out: Path,
    *,
    model: str = DEFAULT_MODEL,
    period: int = 1,
    part: int = 0,
    encoder: Callable[[str], Encoder] = SentenceEncoder,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Path:
    """Embed the captions of one part into ``out/embeddings_{period}_{part}.npz``.

    Every :data:`SHARD` captions are saved, and a run that was stopped continues there. A part that is
    there and was made of the same captions by the same model is kept.

    Raises:
        BadInput: no store, no such part, or no such model.
    """
    if period < 1 or not 0 <= part < period:
        raise BadInput("--part counts from 0 to --period minus 1.", field="part")
    captions = read_captions(Path(store), period, part)
    if period == 1 and not captions.texts:
        raise BadInput(f"{store} has no captions.", field="store")
    target = Path(out) / f"embeddings_{period}_{part}.npz"
    about = {
        "version": VERSION, "model": model, "period": period, "part": part, "texts": len(captions.texts),
        "captions": captions.digest(),
    }  # fmt: skip
    if target.is_file() and _about_or_nothing(target) == about:
        return target

    work = target.with_name(f".{target.stem}.work")
    work.mkdir(parents=True, exist_ok=True)
    loaded: Encoder | None = None
    shards = []
    for first in range(0, len(captions.texts), SHARD):
        texts = captions.texts[first : first + SHARD]
        shard = work / f"{hashlib.sha256(chr(10).join([model, *texts]).encode()).hexdigest()[:32]}.npy"
        if not shard.is_file():
            loaded = loaded or encoder(model)
            rows = loaded.encode(texts)
            if rows.shape[:1] != (len(texts),) or rows.ndim != 2 or not np.isfinite(rows).all():
                raise JobFailed(f"The sentence encoder {model} gave no embedding for some captions.")
            temporary = shard.with_suffix(".tmp.npy")
            np.save(temporary, rows.astype(np.float32), allow_pickle=False)
            temporary.replace(shard)
        shards.append(shard)
        progress(min(first + SHARD, len(captions.texts)), len(captions.texts))

    width = np.load(shards[0], mmap_mode="r").shape[1] if shards else 0
    blocks = (np.load(shard, allow_pickle=False) for shard in shards)
    _write(target, captions, width, blocks, about)
    shutil.rmtree(work)
    return target


def _write(
    path: Path, captions: Captions, width: int, rows: Iterator[np.ndarray], about: dict[str, Any]
) -> None:
    with StreamWriter(path) as file:
        file.add("about", np.array(json.dumps(about)))
        file.add_blocks("embeddings", (len(captions.texts), width), np.dtype(np.float32), rows)
        for name, words in (("text", captions.texts), ("motion", captions.motions)):
            encoded = [word.encode() for word in words]
            file.add(f"{name}_bytes", np.frombuffer(b"".join(encoded), np.uint8))
            file.add(f"{name}_ends", np.cumsum([len(word) for word in encoded], dtype=np.int64))
        file.add("text_of", captions.text_of)
        file.add("motion_of", captions.motion_of)


# ------------------------------------------------------------------------------------------- read


def read_about(path: Path) -> dict[str, Any]:
    """What the file says about itself.

    Raises:
        BadInput: it is not one of ours.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
        if about["version"] > VERSION:
            raise BadInput(f"{path} was written by a newer version.", hint="Update Understudy.")
        return {**about, "model": str(about["model"])}
    except FileNotFoundError:
        raise BadInput(f"{path} does not exist.", field="embeddings") from None
    except BadInput:
        raise
    except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
        raise BadInput(
            f"{path} is no file of embeddings ({type(error).__name__}).", field="embeddings"
        ) from None


def _about_or_nothing(path: Path) -> dict[str, Any]:
    try:
        return read_about(path)
    except BadInput:
        return {}


def read_table(path: Path) -> Captions:
    """The captions, motions and pairs of a file, without its embeddings."""
    read_about(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            words = {name: _words(file[f"{name}_bytes"], file[f"{name}_ends"]) for name in ("text", "motion")}
            return Captions(words["text"], words["motion"], file["text_of"], file["motion_of"])
    except Exception as error:
        raise BadInput(f"{path} is damaged ({type(error).__name__}).", field="embeddings") from None


def _words(joined: np.ndarray, ends: np.ndarray) -> list[str]:
    data = joined.tobytes()
    return [data[first:last].decode() for first, last in zip([0, *ends[:-1]], ends, strict=True)]


# ------------------------------------------------------------------------------------------ merge


def merge(folder: Path, out: Path | None = None) -> Path:
    """Join the parts in a folder into one file, ``embeddings.npz`` in it unless ``out`` names another.

    Raises:
        BadInput: a part is missing or damaged, or the parts are of several models or divisions.
    """
    folder = Path(folder)
    files = sorted(folder.glob("embeddings_*_*.npz"))
    if not files:
        raise BadInput(
            f"There are no embeddings in {folder}.", hint="Run embeddings build first.", field="embeddings"
        )
    abouts = [read_about(file) for file in files]
    kinds = {(about["model"], about["period"]) for about in abouts}
    if len(kinds) > 1:
        raise BadInput(
            f"{folder} holds parts of several runs: {', '.join(f'{m} in {p} parts' for m, p in sorted(kinds))}.",
            hint="Keep one run per folder.",
            field="embeddings",
        )
    model, period = kinds.pop()
    missing = sorted(set(range(period)) - {about["part"] for about in abouts})
    if missing:
        raise BadInput(
            f"Of {period} parts, {', '.join(map(str, missing))} are missing in {folder}.", field="embeddings"
        )

    tables = [read_table(file) for file in files]
    motions = sorted({motion for table in tables for motion in table.motions})
    number = {motion: i for i, motion in enumerate(motions)}
    starts = np.cumsum([0, *(len(table.texts) for table in tables)])
    merged = Captions(
        [text for table in tables for text in table.texts],
        motions,
        np.concatenate([table.text_of + first for table, first in zip(tables, starts, strict=False)]).astype(np.int32),
        np.concatenate(
            [np.array([number[m] for m in table.motions], np.int32)[table.motion_of] for table in tables]
        ),
    )  # fmt: skip
    if not merged.texts:
        raise BadInput(f"The parts in {folder} hold no captions.", field="embeddings")
    full = [file for file, table in zip(files, tables, strict=True) if table.texts]
    width = next(iter(read_blocks(full[0], "embeddings", 1))).shape[1]
    rows = (block for file in full for block in read_blocks(file, "embeddings", BLOCK))
    about = {"version": VERSION, "model": model, "period": 1, "part": 0, "texts": len(merged.texts)}
    target = Path(out) if out is not None else folder / MERGED
    try:
        _write(target, merged, width, rows, about)
    except ValueError as error:
        raise BadInput(f"The parts in {folder} do not fit together ({error}).", field="embeddings") from None
    return target


# ----------------------------------------------------------------------------------------- search


class Hit(NamedTuple):
    """A caption near the question: cosine in [-1, 1], the words, the motions they describe."""

    score: float
    text: str
    motions: list[str]


def find_file(path: Path) -> Path:
    """The file to search: the one named, or the merged one or the only part of a folder.

    Raises:
        BadInput: there is none.
    """
    path = Path(path)
    if not path.is_dir():
        return path
    for candidate in (path / MERGED, path / "embeddings_1_0.npz"):
        if candidate.is_file():
            return candidate
    raise BadInput(f"There is no {MERGED} in {path}.", hint="Run embeddings merge first.", field="embeddings")


def search(
    question: str, path: Path, *, top: int = 10, encoder: Callable[[str], Encoder] = SentenceEncoder
) -> list[Hit]:
    """The captions nearest in meaning, best first, by blocks: memory does not grow with the file.

    Args:
        question: any words.
        path: a file of embeddings, or the folder of a merged one.
        top: how many captions.
        encoder: makes the encoder of the model that the file names.

    Raises:
        BadInput: no question, no such file, or another model's embeddings.
    """
    question = plain(question)
    if not question:
        raise BadInput("Say what to look for.", field="text")
    if top < 1:
        raise BadInput("--top must be at least 1.", field="top")
    path = find_file(path)
    wanted = encoder(read_about(path)["model"]).encode([question])[0]
    best: list[tuple[float, int]] = []
    first = 0
    for block in read_blocks(path, "embeddings", BLOCK):
        if block.shape[1] != len(wanted):
            raise BadInput(f"{path} holds embeddings of another model.", field="embeddings")
        scores = block @ wanted
        near = np.argpartition(-scores, min(top, len(scores) - 1))[:top]
        best = heapq.nlargest(top, [*best, *((float(scores[i]), -(first + int(i))) for i in near)])
        first += len(block)
    table = read_table(path)
    hits = []
    for score, row in best:
        motions = table.motion_of[table.text_of == -row]
        hits.append(Hit(score, table.texts[-row], [table.motions[i] for i in motions]))
    return hits
