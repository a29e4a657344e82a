"""The error box of the panel: the sentence, the hint, and a button that mends it where one can."""

from typing import NamedTuple

import bpy

from ...backend.errors import UnderstudyError
from ..layout import paragraph
from ..process import client
from ..process.client import backend


class Cure(NamedTuple):
    """An operator that mends an error, as a button."""

    operator: str
    icon: str
    setting: str = ""
    """For ``understudy.mend``: what it sets."""


_BY_CODE = {
    "backend_died": Cure("understudy.restart_backend", "FILE_REFRESH"),
    "backend_hung": Cure("understudy.restart_backend", "FILE_REFRESH"),
    "backend_garbage": Cure("understudy.restart_backend", "FILE_REFRESH"),
    "backend_missing": Cure("understudy.open_preferences", "PREFERENCES"),
    "version_mismatch": Cure("understudy.open_preferences", "PREFERENCES"),
}
_BY_FIELD = {
    "python": Cure("understudy.open_preferences", "PREFERENCES"),
    "body_models": Cure("understudy.open_preferences", "PREFERENCES"),
    "engine": Cure("understudy.mend", "LOOP_BACK", "engine"),
    "device": Cure("understudy.mend", "LOOP_BACK", "device"),
    "pack": Cure("understudy.mend", "LOOP_BACK", "pack"),
    "speech": Cure("understudy.mend", "MUTE_IPO_ON", "voice"),
    "style": Cure("understudy.mend", "X", "style"),
    "seconds": Cure("understudy.mend", "LOOP_BACK", "seconds"),
}
_LABELS = {
    "engine": "Use Any Engine",
    "device": "Use Any Device",
    "pack": "Use the Default Pack",
    "voice": "Perform without the Voice",
    "style": "Perform without the Style",
    "seconds": "Let the Motion Decide",
}


def cure(error: UnderstudyError) -> Cure | None:
    """What mends an error with one click; None where it takes a person."""
    if "No module named" in error.message:  # the wrong interpreter: a restart would not help
        return _BY_FIELD["python"]
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    if error.field == "body" and not any(obj.type == "ARMATURE" for obj in bpy.context.scene.objects):
        return Cure("understudy.add_body", "ADD")
    return _BY_FIELD.get(error.field)


def draw_error(layout: bpy.types.UILayout, error: UnderstudyError, width: int) -> None:
    """The box. Nothing in here reads a file."""
    box = layout.box()
    row = box.row()
    text = row.column(align=True)
    text.alert = True
    paragraph(text, error.message, width - 5, icon="ERROR")
    row.operator("understudy.dismiss_error", text="", icon="X", emboss=False)
    if error.hint:
        paragraph(box, error.hint, width - 4)
    mends = cure(error)
    if mends is None:
        return
    if mends.setting:
        button = box.operator(mends.operator, text=_LABELS[mends.setting], icon=mends.icon)
        button.setting = mends.setting
    else:
        box.operator(mends.operator, icon=mends.icon)


class UNDERSTUDY_OT_mend(bpy.types.Operator):
    bl_idname = "understudy.mend"
    bl_label = "Mend"
    bl_description = "Set this back to its default, so that the next try can succeed"
    bl_options = {"UNDO", "INTERNAL"}

    setting: bpy.props.StringProperty(name="Setting", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..preferences import settings as preferences
        from .style import choose

        settings = context.scene.understudy
        addon = context.preferences.addons.get(preferences.PACKAGE)
        if self.setting in ("engine", "device"):
            if addon is not None:
                setattr(addon.preferences, self.setting, "auto")
        elif self.setting == "pack":
            settings.property_unset("pack")
        elif self.setting == "voice":
            settings.voice = "NONE"
        elif self.setting == "style":
            choose(settings, {})
        elif self.setting == "seconds":
            settings.use_seconds = False
        else:
            return {"CANCELLED"}
        backend.error = None
        client.redraw()
        return {"FINISHED"}


CLASSES = (UNDERSTUDY_OT_mend,)
