"""``understudy-train statistics --features DIR --out DIR``: Mean.npy and Std.npy of feature files."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...backend.errors import BadInput


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--features", type=Path, required=True, metavar="DIR", help="folder of .npy files (new_joint_vecs)"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for Mean.npy and Std.npy"
    )
    parser.add_argument(
        "--layout", choices=["humanml3d", "kit", "wholebody"], default="humanml3d", help="default: humanml3d"
    )
    parser.add_argument("--list", type=Path, metavar="FILE.txt", help="only the ids of this split list")
    parser.add_argument(
        "--grouping", choices=["humanml3d", "solami", "none"], default="humanml3d",
        help="which columns share a deviation (solami: body and hands apart)",
    )  # fmt: skip
    parser.add_argument(
        "--feat-bias", type=float, default=1.0, metavar="X",
        help="divide the deviations of root and contacts; T2M's training and its evaluators use 5",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    from ...backend.motion.fitting.layouts import layout_of
    from ..features.files import npy_bytes, write_whole
    from ..features.statistics import mean_and_std, of_files

    if not arguments.features.is_dir():
        raise BadInput(f"The folder {arguments.features} is not there.", field="features")
    if not arguments.feat_bias > 0:
        raise BadInput("--feat-bias must be above zero.", field="feat_bias")
    layout = layout_of(arguments.layout)
    moments, skipped = of_files(_paths(arguments.features, arguments.list), layout)
    if not moments.count:
        raise BadInput(
            f"There are no features of {layout.name} in {arguments.features}.",
            hint=next((f"{name}: {why}" for name, why in skipped.items()), ""),
            field="features",
        )
    mean, std = mean_and_std(moments, layout, grouping=arguments.grouping, feat_bias=arguments.feat_bias)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, array in (("Mean", mean), ("Std", std)):
        write_whole(arguments.out / f"{name}.npy", npy_bytes(array))
    print(f"{moments.count} frames, {len(skipped)} files skipped; Mean.npy and Std.npy in {arguments.out}")
    for name, why in skipped.items():
        print(f"  skipped {name}: {why}")
    return 0


def _paths(folder: Path, listed: Path | None) -> list[Path]:
    if listed is None:
        return sorted(folder.glob("*.npy"))
    try:
        names = listed.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        raise BadInput(f"The list {listed} cannot be read.", field="list") from None
    return [folder / f"{name}.npy" for name in names]
