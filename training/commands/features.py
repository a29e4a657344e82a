"""``understudy-train features humanml3d|kit|wholebody|unified``: HumanML3D's family of features.

Of one file of joints (``--joints FILE.npy --out FEATURES.npy``) and back (``--recover``), of a folder of
them, or of a whole store in HumanML3D's published layout.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.errors import BadInput, JobFailed

SHOWN = 8
"""Names of skipped clips that are printed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "kind", choices=["humanml3d", "kit", "wholebody", "unified"],
        help="263 numbers of 22 joints, 251 of 21, 623 of 52, or SOLAMI's unified features",
    )  # fmt: skip
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--joints", type=Path, metavar="PATH", help="joints (T, J, 3) as .npy, or a folder of such files"
    )
    source.add_argument("--store", type=Path, metavar="DIR", help="a store: every row of its index")
    parser.add_argument("--out", type=Path, required=True, metavar="PATH", help=".npy file, or folder")
    parser.add_argument("--recover", action="store_true", help="--joints holds features: write joints")
    parser.add_argument(
        "--from", dest="source", choices=["ric", "rot"], default="ric",
        help="recover from the positions (default) or from the rotations",
    )  # fmt: skip
    parser.add_argument(
        "--unit", choices=["layout", "m", "mm"], default="layout",
        help="of recovered joints (default: the layout's; KIT's is mm). Joints to extract from may have any",
    )  # fmt: skip
    parser.add_argument(
        "--variant", choices=["humantomato", "syntalker"], default="humantomato",
        help="of the whole-body features; they differ in the rotations of the fingers",
    )  # fmt: skip
    parser.add_argument(
        "--template", type=Path, metavar="FILE.npy",
        help="take the bone lengths from the first frame of these joints (000021 of HumanML3D, 03950 of KIT)",
    )  # fmt: skip
    parser.add_argument(
        "--contacts", choices=["published", "speed"],
        help="published: the published threshold (default); speed: that of HumanML3D as a speed, for this "
        "frame rate and body (default for kit, whose published threshold leaves its contacts empty)",
    )  # fmt: skip
    parser.add_argument(
        "--datasets", nargs="+", default=[], metavar="SET", help="only these sets of the store"
    )
    parser.add_argument("--mirror", action="store_true", help="also each clip mirrored, as M<id>")
    parser.add_argument(
        "--known-hands", action="store_true", help="leave out clips whose source had no fingers"
    )
    parser.add_argument(
        "--reflected", action="store_true",
        help="kit: mirror the motion, as the published files most likely are",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)"
    )
    parser.add_argument(
        "--period", type=int, default=1, help="divide the clips into so many parts, for job arrays"
    )
    parser.add_argument("--part", type=int, default=0, help="which of them to do, from 0")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    _check(arguments)
    if arguments.store is None and not arguments.joints.is_dir():
        return _one_file(arguments)
    return _many(arguments)


def _check(arguments: argparse.Namespace) -> None:
    if not 0 <= arguments.part < arguments.period:
        raise BadInput("--part counts from 0 to --period minus 1.", field="part")
    if arguments.workers < 1:
        raise BadInput("--workers must be at least 1.", field="workers")
    if arguments.reflected and arguments.kind != "kit":
        raise BadInput("--reflected is for kit.", field="reflected")
    if arguments.joints is not None and arguments.kind == "unified":
        raise BadInput("Unified features need a store: they hold rotations.", field="joints")
    if arguments.recover and (arguments.joints is None or arguments.joints.is_dir()):
        raise BadInput("--recover takes one file of features.", field="recover")
    if arguments.joints is not None and not arguments.joints.exists():
        raise BadInput(f"{arguments.joints} is not there.", field="joints")


def _settings(arguments: argparse.Namespace) -> Any:
    from ...backend.motion.fitting.layouts import layout_of
    from ..features.export import Settings
    from ..features.skeletons import select_joints
    from ..features.statistics import read_array

    kind = arguments.kind
    layout = layout_of("wholebody" if kind == "unified" else kind, arguments.variant)
    if arguments.template is not None:
        layout = layout.with_template(select_joints(read_array(arguments.template), layout))
    by_speed = (arguments.contacts or ("speed" if kind == "kit" else "published")) == "speed"
    return Settings(
        kind=kind,
        layout=layout,
        contact_threshold=layout.speed_threshold() if by_speed else layout.contact_threshold,
        mirror=arguments.mirror,
        known_hands=arguments.known_hands,
        reflected=arguments.reflected,
    )


def _one_file(arguments: argparse.Namespace) -> int:
    from ...backend.motion.fitting.recover import recover_from_ric, recover_from_rot
    from ..features.extract import extract
    from ..features.files import npy_bytes, write_whole
    from ..features.skeletons import select_joints
    from ..features.statistics import read_array

    settings = _settings(arguments)
    layout, array = settings.layout, read_array(arguments.joints)
    if arguments.recover:
        recover = recover_from_ric if arguments.source == "ric" else recover_from_rot
        result = recover(array, layout)
        if arguments.unit != "layout":
            result = result * np.float32(layout.metres * (1000 if arguments.unit == "mm" else 1))
    else:
        joints = select_joints(array, layout)
        result = extract(joints, layout, contact_threshold=settings.contact_threshold)
    try:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{arguments.out.parent} cannot be made ({error.strerror}).", field="out") from None
    write_whole(arguments.out, npy_bytes(result))
    facts = {"out": str(arguments.out), "frames": len(result), "shape": list(result.shape), "fps": layout.fps}
    shape = " × ".join(str(size) for size in result.shape)
    print(
        json.dumps(facts)
        if arguments.json
        else f"{arguments.out}: {shape}, meant for {layout.fps:g} frames a second"
    )
    return 0


def _many(arguments: argparse.Namespace) -> int:
    from ..features.export import export_folder, export_store

    settings = _settings(arguments)
    how: dict[str, Any] = {"workers": arguments.workers, "period": arguments.period, "part": arguments.part}
    with _bar(show=sys.stderr.isatty() and not arguments.json) as progress:
        if arguments.store is None:
            report = export_folder(arguments.joints, arguments.out, settings, progress=progress, **how)
        else:
            datasets = tuple(arguments.datasets)
            report = export_store(
                arguments.store, arguments.out, settings, datasets=datasets, progress=progress, **how
            )
    if arguments.json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        _print(report, arguments.out)
    if not report["made"] + report["kept"]:
        raise JobFailed(
            "There are no features: not one clip could be used.",
            hint=f"The reasons are in {arguments.out / 'report.json'}.",
        )
    return 0


def _print(report: dict[str, Any], out: Path) -> None:
    parts = f", parts finished: {report['parts']}" if "parts" in report else ""
    splits = ", ".join(f"{count} {split}" for split, count in sorted(report["splits"].items()))
    print(
        f"{report['kind']}: {report['made']} made, {report['kept']} kept, {report['skipped_count']} skipped, "
        f"{report['frames']} frames, {report['hours']:.3f} h" + (f" ({splits})" if splits else "") + parts
    )
    for name, why in list(report["skipped"].items())[:SHOWN]:
        print(f"  skipped {name}: {why}")
    if report["skipped_count"] > SHOWN:
        print(f"  and {report['skipped_count'] - SHOWN} more, named in {out / 'parts'}")


@contextmanager
def _bar(*, show: bool) -> Iterator[Any]:
    """A line with the number of clips done and how many a second; an index does not tell its size beforehand."""
    if not show:
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("features", total=None)

        def progress(done: int, name: str) -> None:
            speed = bar.tasks[0].speed or 0.0
            bar.update(task, completed=done, description=f"{done} clips, {speed:.0f} a second: {name}")

        yield progress
