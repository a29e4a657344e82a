"""Retarget from the command line: ``python -m understudy.addon.retarget.cli CLIP.npz --rig FILE --out FILE``.

Runs in a Python that has ``bpy``, or inside the Blender program; ``understudy retarget`` starts it as a child.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from ...backend.errors import BadInput, UnderstudyError


def main(arguments: list[str] | None = None) -> int:
    """Parse, retarget, write; returns the exit code."""
    parser = argparse.ArgumentParser(prog="retarget_cli", description="A clip onto a character.")
    parser.add_argument("clip", type=Path)
    parser.add_argument("--rig", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--armature", help="name of the armature, where the file has several")
    parser.add_argument("--mapping", type=Path, help="a JSON mapping instead of recognition")
    parser.add_argument("--root", default="hips")
    parser.add_argument("--controls", default="ik feet")
    parser.add_argument("--no-fit", action="store_true", help="carry over rotations alone")
    parser.add_argument("--report", type=Path, help="where to write what was done, JSON")
    try:
        args = parser.parse_args(arguments)
    except SystemExit as error:
        return int(error.code or 0)
    try:
        done = run(args)
        if args.report is not None:
            args.report.write_text(json.dumps(done, ensure_ascii=False), encoding="utf-8")
    except UnderstudyError as error:
        print(" ".join(part for part in (error.message, error.hint) if part), file=sys.stderr)
        return error.exit_code
    return 0


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Do it; what was done as plain data."""
    from ...backend.motion.mapping import mapping_from_json
    from ...backend.motion.reading import read_motion

    clip = read_motion(args.clip).clip
    mapping = None
    if args.mapping is not None:
        try:
            mapping = mapping_from_json(args.mapping.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{args.mapping} cannot be read.", field="mapping") from error

    import bpy

    from ..render.scene import FIRST_FRAME, set_rate
    from . import stored
    from .files import open_file, save_file
    from .key import key_on_rig

    stored.ensure()
    open_file(args.rig.resolve())
    rig, found = choose(args.armature, mapping)
    scene = bpy.context.scene
    set_rate(scene, clip.fps)
    keyed = key_on_rig(
        rig,
        clip,
        found,
        name=str(clip.meta.get("prompt") or args.clip.stem),
        start_frame=FIRST_FRAME,
        scene_fps=clip.fps,
        root=args.root,
        fit=not args.no_fit,
        controls=args.controls,
    )
    scene.frame_start, scene.frame_end = FIRST_FRAME, FIRST_FRAME + len(clip) - 1
    save_file(args.out.resolve(), rig, found)
    return {
        "rig": rig.name,
        "family": found.family,
        "label": found.label,
        "confidence": round(found.confidence, 3),
        "bones": keyed.bones,
        "missing": list(found.missing),
        "notes": list(found.notes),
        "muted_constraints": list(keyed.muted),
        "frames": len(clip),
        "fps": clip.fps,
    }


def choose(name: str | None, mapping: Any) -> tuple[Any, Any]:
    """The armature to use and its mapping: the named one, else the one that is recognised best.

    Raises:
        BadInput: there is no such armature, or none is recognised.
    """
    from ...backend.motion.recognise import LEAST
    from .armature import read_rig
    from .files import armatures
    from .stored import recognised, stored

    found = armatures()
    if name is not None:
        found = [obj for obj in found if obj.name == name]
    if not found:
        what = f"no armature called {name}" if name else "no armature"
        raise BadInput(f"There is {what} in the file.", field="armature" if name else "rig")
    rated = []
    for obj in found:
        own = mapping or stored(obj) or (recognised(read_rig(obj)) if len(obj.data.bones) else None)
        if own is not None:
            rated.append((obj, own))
    rated.sort(key=lambda item: _rating(item[0], item[1], LEAST), reverse=True)
    if not rated or (mapping is None and rated[0][1].confidence < LEAST):
        sure = f" ({rated[0][1].confidence:.0%} sure)" if rated else ""
        raise BadInput(
            f"The bones of “{found[0].name}” are not recognised{sure}.",
            hint="Map them in Blender, in the panel Own Character, or give --mapping.",
            field="mapping",
        )
    return rated[0]


def _rating(obj: Any, mapping: Any, least: float) -> tuple:
    """What makes an armature the character: recognised, wearing a mesh, in sight, not the plan of a rig."""
    import bpy

    worn = any(
        modifier.type == "ARMATURE" and modifier.object == obj
        for other in bpy.context.scene.objects
        for modifier in other.modifiers
    )
    plan = mapping.family == "rigify_meta"
    return (
        mapping.confidence >= least,
        worn,
        obj.visible_get(),
        not plan,
        mapping.confidence,
        len(mapping.bones),
    )


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # past bpy's own exit, which hangs or crashes in some versions
