"""HumanML3D's repository: ``index.csv`` and, one folder below, texts and split lists."""

from __future__ import annotations

from pathlib import Path

HEADER = "source_path,start_frame,end_frame,new_name"


def write(
    folder: Path,
    rows: list[tuple[str, int, int, str]],
    texts: dict[str, list[str]],
    splits: dict[str, list[str]],
) -> Path:
    """Rows are ``("CMU/01/01_01", 0, 40, "000001")``; text lines ``caption#tokens#from#to``."""
    inner = folder / "HumanML3D"
    (inner / "texts").mkdir(parents=True, exist_ok=True)
    lines = [f"./pose_data/{source}_poses.npy,{start},{end},{name}.npy" for source, start, end, name in rows]
    (folder / "index.csv").write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    for name, captions in texts.items():
        (inner / "texts" / f"{name}.txt").write_text("\n".join(captions) + "\n", encoding="utf-8")
    for split, names in splits.items():
        (inner / f"{split}.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    return folder
