"""The guide to Direction says what the add-on does: its example runs, its names are those of the panel."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import bpy

from understudy.addon.body.builtin import _armature

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "direction-in-blender.md"


def test_the_guides_example_runs(fake: Callable[[str], None]) -> None:
    bpy.context.scene.understudy.body = _armature(bpy.context, "Understudy")
    (example,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(example, str(GUIDE), "exec"), {})
    kinds = [thing.understudy_mark.kind for thing in bpy.data.collections["Direction"].objects]
    assert kinds == ["PATH", "PIN"] and len(bpy.context.scene.understudy_takes.items) == 2


def test_the_guides_pictures_are_there() -> None:
    for picture in re.findall(r"\]\((images/[^)]+)\)", GUIDE.read_text(encoding="utf-8")):
        assert (GUIDE.parent / picture).stat().st_size < 400_000, picture
