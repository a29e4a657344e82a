"""``understudy-train export-onnx [PACK] [--out DIR] [--text]``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", type=Path, nargs="?", metavar="PACK", help="folder of the pack")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: the pack itself)")
    parser.add_argument(
        "--text",
        action="store_true",
        help="the sentence encoder's graph, which belongs to the program, not to a pack",
    )


def run(arguments: argparse.Namespace) -> int:
    from ...backend.errors import BadInput
    from ..packing.export_onnx import export_pack, export_text

    if arguments.pack is None and not arguments.text:
        raise BadInput("There is nothing to export: name a pack's folder.", field="pack")
    files = export_pack(arguments.pack, arguments.out) if arguments.pack is not None else []
    if arguments.text:
        files += export_text(*([arguments.out] if arguments.out and arguments.pack is None else []))
    print(f"Wrote {len(files)} files, {sum(file.stat().st_size for file in files) / 1e3:.0f} kB.")
    return 0
