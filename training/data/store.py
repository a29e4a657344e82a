"""The store: the canonical data set on disk that features, statistics and training read.

::

    clips/<set>/<name>.npz      SMPL-X clips, 30 fps, floor at y = 0; speech and words lie beside them
    index.parquet               one row per captioned piece of a clip (:class:`~.item.Item`)
    files.parquet               one row per source file: made, kept, left out or skipped, and why
    report.json                 the same in numbers, per set
    parts/<set>/                what each ``--part`` of a preparation wrote; the three above are their sum

This module reads the store; :mod:`.prepare` makes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...backend.errors import BadInput
from ...backend.motion import npz
from ...backend.motion.clip import Clip
from .item import Item

INDEX, FILES, REPORT, PARTS = "index.parquet", "files.parquet", "report.json", "parts"


def clip_path(store: Path, dataset: str, name: str) -> Path:
    return Path(store) / "clips" / dataset / f"{name}.npz"


def iter_index(store: Path, *, datasets: tuple[str, ...] = ()) -> Iterator[Item]:
    """The rows one after the other, in memory that does not grow with their number.

    Args:
        store: its folder.
        datasets: only these sets; all when empty.

    Raises:
        BadInput: there is no index, or it is not one of ours.
    """
    import pyarrow.parquet as pq

    path = Path(store) / INDEX
    if not path.is_file():
        raise BadInput(
            f"{store} is no store: index.parquet is missing.",
            hint="Run understudy-train prepare first.",
            field="store",
        )
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(1024):
                for row in batch.to_pylist():
                    if not datasets or row["dataset"] in datasets:
                        yield Item(**row)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read ({error}).", field="store") from None


def read_index(store: Path) -> list[Item]:
    """All rows; see :func:`iter_index`."""
    return list(iter_index(store))


def read_item(store: Path, item: Item) -> Clip:
    """The motion of one row."""
    return npz.read_clip(Path(store) / item.path).slice(item.start_frame, item.end_frame)
