"""Parquet tables of pydantic rows, written as they come and joined without being held in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from types import NoneType, TracebackType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

BATCH = 1024


def schema_of(model: type[BaseModel]) -> Any:
    """The Arrow schema of a pydantic model: nested models become structs, optional fields may be null."""
    import pyarrow as pa

    return pa.schema([(name, _arrow(info.annotation)) for name, info in model.model_fields.items()])


def _arrow(annotation: Any) -> Any:
    import pyarrow as pa

    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _arrow(next(kind for kind in inner if kind is not NoneType))
    if origin is Literal:
        return pa.string()
    if origin in (list, tuple):
        return pa.list_(_arrow(inner[0]))
    if hasattr(annotation, "__metadata__"):
        return _arrow(annotation.__origin__)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return pa.struct([(name, _arrow(info.annotation)) for name, info in annotation.model_fields.items()])
    return {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}[annotation]


class TableWriter:
    """Rows of one model into a Parquet file that appears whole, at :meth:`close`, or not at all."""

    def __init__(self, path: Path, model: type[BaseModel]) -> None:
        import pyarrow.parquet as pq

        self._path = Path(path)
        self._temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        self._schema = schema_of(model)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(self._temporary, self._schema)
        self._rows: list[dict[str, Any]] = []

    def add(self, rows: Iterable[BaseModel]) -> None:
        self._rows += [row.model_dump() for row in rows]
        if len(self._rows) >= BATCH:
            self._flush()

    def add_table(self, path: Path) -> None:
        """All rows of another such table, a batch at a time."""
        import pyarrow.parquet as pq

        self._flush()
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH * 8, columns=self._schema.names):
                self._writer.write_batch(batch.cast(self._schema))

    def _flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows = []

    def close(self) -> None:
        self._flush()
        self._writer.close()
        os.replace(self._temporary, self._path)

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._writer.close()
            self._temporary.unlink(missing_ok=True)
