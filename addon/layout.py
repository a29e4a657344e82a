"""What our panels are drawn with: labels and values side by side, switches, text that wraps."""

from __future__ import annotations

import bpy

from .translations import t, wrapped


def fields(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    """A column of labels and values, side by side, as in Blender's own panels."""
    column = layout.column(align=True)
    column.use_property_split = True
    column.use_property_decorate = False
    return column


def fact(column: bpy.types.UILayout, label: str, text: str, icon: str = "NONE") -> None:
    """A line among :func:`fields` that only says something."""
    split = column.split(factor=0.4)  # where Blender parts labels and values
    left = split.row()
    left.alignment = "RIGHT"
    left.label(text=label)
    split.label(text=text, icon=icon)


def switched(
    row: bpy.types.UILayout,
    settings: bpy.types.PropertyGroup,
    name: str,
    *,
    off: str = "",
    slider: bool = False,
    shown: str = "",
) -> None:
    """A value behind its check box ``use_…``; switched off, words may stand in its place.

    ``shown`` is the property that is drawn for it, where that is another one.
    """
    row.prop(settings, f"use_{name}", text="")
    on = getattr(settings, f"use_{name}")
    value = row.row(align=True)
    value.active = on
    if on or not off:
        value.prop(settings, shown or name, text="", slider=slider)
    else:
        value.label(text=off)


def paragraph(
    layout: bpy.types.UILayout, text: str, width: int, icon: str = "NONE", *, translate: bool = True
) -> None:
    """Text wrapped to the region: labels alone would be cut off. What the animator wrote is not translated."""
    column = layout.column(align=True)
    for i, line in enumerate(wrapped(t(text) if translate else text, max(width, 16))):
        shown = icon if i == 0 else ("BLANK1" if icon != "NONE" else "NONE")
        column.label(text=line, icon=shown, translate=False)


def _characters(context: bpy.types.Context) -> int:
    """How many characters of a label fit beside an icon in the region."""
    region = context.region
    scale = context.preferences.system.ui_scale or 1.0
    return int(((region.width if region else 260) / scale - 70) / 6.2)
