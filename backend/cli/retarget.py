"""``understudy retarget``: a clip onto the animator's own character, by a child process that has Blender in it."""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

from ..errors import BadInput, JobFailed
from ..protocol.child import run_quietly
from .blender import blender_command, find_blender
from .common import Staged, check_target, load_clip, print_json

READS = (".blend", ".glb", ".gltf", ".vrm", ".fbx", ".bvh")
WRITES = (".blend", ".glb", ".fbx", ".bvh")
CONTROLS = ("ik-feet", "ik", "fk", "bones")
ROOTS = ("hips", "root", "object", "in-place")
PATIENCE = 1800.0
"""Seconds after which a character that does not get ready is given up."""


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("retarget", help="carry a clip onto your own character")
    parser.add_argument("clip", type=Path, metavar="CLIP", help="an .npz clip of any dialect")
    parser.add_argument(
        "--rig",
        type=Path,
        required=True,
        metavar="FILE",
        help="the character: .blend, .glb, .vrm, .fbx or .bvh",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="a .blend, .glb, .fbx or .bvh file"
    )
    parser.add_argument("--root", choices=ROOTS, default="hips", help="what walks (default: hips)")
    parser.add_argument(
        "--controls",
        choices=CONTROLS,
        default="ik-feet",
        help="what is keyed on a control rig: goals for the feet (default), for feet and hands, FK controls, "
        "or the bones that deform",
    )
    parser.add_argument(
        "--no-fit",
        action="store_true",
        help="carry over rotations alone; else feet and hands keep their contacts on the character's proportions",
    )
    parser.add_argument("--armature", metavar="NAME", help="the armature, where the file has several")
    parser.add_argument(
        "--mapping", type=Path, metavar="FILE", help="a JSON bone mapping, as the panel saves it"
    )
    parser.add_argument("--blender", metavar="PROGRAM", help="the Blender program, or a Python that has bpy")
    parser.add_argument("--json", action="store_true", help="print the result, or the error, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.rig.suffix.lower() not in READS:
        raise BadInput(f"{args.rig} must end in {', '.join(READS)}.", field="rig")
    if args.out.suffix.lower() not in WRITES:
        raise BadInput(f"{args.out} must end in {', '.join(WRITES)}.", field="out")
    if not args.rig.is_file():
        raise BadInput(f"There is no file {args.rig}.", field="rig")
    if args.mapping is not None and not args.mapping.is_file():
        raise BadInput(f"There is no file {args.mapping}.", field="mapping")
    check_target(args.out)
    load_clip(args.clip)  # a broken file is told in a moment, not by a child after seconds
    found = find_blender(args.blender)
    with Staged() as staged:
        out = staged.path(args.out)
        report = out.with_name("report.json")
        arguments = [str(args.clip.resolve()), "--rig", str(args.rig.resolve()), "--out", str(out.resolve())]
        arguments += ["--root", args.root.replace("-", " "), "--report", str(report.resolve())]
        arguments += ["--controls", args.controls.replace("-", " ")]
        arguments += ["--no-fit"] if args.no_fit else []
        for option, value in (("--armature", args.armature), ("--mapping", args.mapping)):
            if value is not None:
                arguments += [option, str(value.resolve() if isinstance(value, Path) else value)]
        _run_child(blender_command(found, "understudy.addon.retarget.cli", arguments))
        if not out.is_file() or not report.is_file():
            raise JobFailed("Blender ended without writing the character.")
        done = json.loads(report.read_text(encoding="utf-8"))
        staged.commit()
    if args.json:
        print_json({"file": str(args.out), **done})
    else:
        print(
            f"{args.out}  {done['bones']} bones of “{done['rig']}” "
            f"({done['label'] or 'own names'}, {done['confidence']:.0%} sure), {done['frames']} frames"
        )
        if done["missing"]:
            print(f"missing: {', '.join(done['missing'])}")
        for note in done["notes"]:
            print(note)
    return 0


def _run_child(command: list[str]) -> None:
    try:
        done = run_quietly(command, timeout=PATIENCE)
    except OSError as error:
        raise JobFailed(f"{command[0]} cannot be run: {error.strerror}.") from error
    except subprocess.TimeoutExpired as error:
        raise JobFailed(f"Blender was not ready after {PATIENCE / 60:.0f} minutes.") from error
    if done.returncode == 0:
        return
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    words = lines[-1] if lines else f"exit code {done.returncode}"
    if done.returncode == 2:
        raise BadInput(words)
    raise JobFailed(f"Retargeting failed: {words}" if lines else f"Retargeting failed with {words}.")
