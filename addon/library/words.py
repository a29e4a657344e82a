"""An Action told in words by the backend."""

import base64
from typing import Any

import bpy

from ...backend.errors import UnderstudyError
from ...backend.motion.clip import resample
from ...backend.motion.npz import clip_to_bytes
from ..files.export_clip import clip_of, to_export
from ..preferences import settings as preferences
from ..process.client import redraw
from ..process.refusing import refuse
from ..translations import t
from .asking import Asking
from .state import library

TOLD_KEY = "understudy_description"
"""Custom property of an Action: what the backend sees in it."""


class UNDERSTUDY_OT_describe(bpy.types.Operator):
    bl_idname = "understudy.describe"
    bl_label = "Describe"
    bl_description = "Tell in words what the body's animation shows. The words stay with its Action"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if Asking.title:
            cls.poll_message_set("A search or a description is under way")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            armature = to_export(context)
            clip = resample(clip_of(context, armature, None, 0.0), 30.0)
            animation = armature.animation_data
            action = animation.action if animation is not None else None
            params = {
                "npz": base64.b64encode(clip_to_bytes(clip)).decode("ascii"),
                "pack": context.scene.understudy.pack or "open",
                "device": preferences.get().device,
            }
            uid = action.session_uid if action is not None else 0
            name = action.name if action is not None else armature.name
            Asking.start("Describing", "describe", params, lambda result: _told(uid, name, result))
        except UnderstudyError as error:
            return refuse(self, error)
        if bpy.app.background:
            self.report({"INFO"}, library(context).told or t("Nothing was told."))
        redraw()
        return {"FINISHED"}


def _told(uid: int, name: str, result: Any) -> None:
    state = library(bpy.context)  # not kept while asking: loading a file may replace it
    texts = result.get("texts", []) if isinstance(result, dict) else []
    state.told, state.told_of = "; ".join(str(text) for text in texts), name
    action = next((action for action in bpy.data.actions if action.session_uid == uid), None)
    if action is not None and action.is_editable and state.told:
        action[TOLD_KEY] = state.told
        if action.asset_data is not None:
            action.asset_data.description = state.told
    redraw()


class UNDERSTUDY_OT_copy_description(bpy.types.Operator):
    bl_idname = "understudy.copy_description"
    bl_label = "Copy"
    bl_description = "Copy the words to the clipboard"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = library(context).told
        return {"FINISHED"}


CLASSES = (UNDERSTUDY_OT_describe, UNDERSTUDY_OT_copy_description)
