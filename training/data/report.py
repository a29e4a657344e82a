"""The report of a store, computed from its two tables."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from .job import FPS

NAMED = 1000
"""Names that ``report.json`` lists for each kind; ``files.parquet`` has them all."""


def report_of(files: Path, index: Path) -> dict[str, Any]:
    """Per set: files read, made, kept, left out and skipped with reasons, hours, captions, contacts, fit.

    ``files`` and ``index`` are the tables; only a few numbers per file are held in memory.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(files)
    rows = pq.read_table(index, columns=["dataset", "split"])
    captions: Counter[str] = Counter()
    with pq.ParquetFile(index) as file:
        for batch in file.iter_batches(8192, columns=["dataset", "text", "both_text"]):
            for column in ("text", "both_text"):
                counts = pc.fill_null(pc.list_value_length(batch[column]), 0).to_pylist()
                for dataset, count in zip(batch["dataset"].to_pylist(), counts, strict=True):
                    captions[dataset] += count
    report = {}
    for dataset in sorted(set(table["dataset"].to_pylist())):
        mine = table.filter(pc.equal(table["dataset"], dataset))
        splits = Counter(rows.filter(pc.equal(rows["dataset"], dataset))["split"].to_pylist())
        report[dataset] = {**_of_files(mine), "rows": dict(splits), "captions": captions[dataset]}
    return report


def _of_files(table: Any) -> dict[str, Any]:
    status = np.array(table["status"].to_pylist())
    frames = np.array(table["frames"].to_pylist())
    good = (status == "made") | (status == "kept")
    soles = [sole or [0.0, 0.0, 0.0] for sole in table["sole_cm"].to_pylist()]
    spread = np.array([sole for sole, ok in zip(soles, good, strict=True) if ok] or [[0.0] * 3])
    names = table["name"].to_pylist()
    outside = [
        name
        for name, ok, (low, _, high) in zip(names, good, soles, strict=True)
        if ok and (low < -2 or high > 2)
    ]
    share = np.array(table["contact_share"].to_pylist())[good]
    fits = [error for error in table["fit_error_mm"].to_pylist() if error is not None]
    numbers: dict[str, Any] = {
        "read": len(status),
        "made": int((status == "made").sum()),
        "kept": int((status == "kept").sum()),
        "hours": round(float(frames[good].sum()) / FPS / 3600, 4),
        "hours_left_out": round(float(frames[~good].sum()) / FPS / 3600, 4),
        "contact_share_of_frames": round(float(share.mean()), 3) if len(share) else 0.0,
        "contact_sole_cm_p5_p50_p95_median_of_clips": [round(float(x), 2) for x in np.median(spread, axis=0)],
        "contact_sole_outside_2cm": sorted(outside)[:NAMED],
    }
    if fits:
        numbers["fit_error_mm"] = {
            "clips": len(fits),
            **{name: round(float(np.percentile(fits, p)), 1) for name, p in (("p50", 50), ("p95", 95))},
        }
    for kind, key in (("left out", "left_out"), ("skipped", "skipped")):
        named = [
            (name, why)
            for name, why, one in zip(names, table["why"].to_pylist(), status, strict=True)
            if one == kind
        ]
        numbers[key] = dict(sorted(named)[:NAMED])
        numbers[f"{key}_count"] = len(named)
    return numbers
