"""What the buttons of the role-play do: say something, and forget."""

from dataclasses import dataclass
from typing import Any

import bpy
from bpy.props import StringProperty

from ..process.client import Job, backend
from ..process.slices import Steps
from ..translations import t
from .answering import answering
from .chat import Order, take_order
from .running import Running


@dataclass(frozen=True)
class _Asked:
    order: Order
    method: str = "chat"

    @property
    def params(self) -> dict[str, Any]:
        return self.order.params

    def delivered(self, job: Job) -> Steps[str]:
        answer, warnings = yield from answering(self.order, job.answer)
        backend.warning = " ".join(warnings)
        return f"{self.order.name}: {answer.text}"


class UNDERSTUDY_OT_chat_say(Running, bpy.types.Operator):
    bl_idname = "understudy.chat_say"
    bl_label = "Send"
    bl_description = "Say this to the character. It answers in words, with its voice and its body"

    # For scripts: what is left out comes from the panel.
    text: StringProperty(name="Say", description="What is said", maxlen=2000, options={"SKIP_SAVE"})
    speech: StringProperty(
        name="Recording",
        description="What is said, as a sound file",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    def asked(self, context: bpy.types.Context) -> _Asked:
        return _Asked(take_order(context, text=self.text or None, speech=self.speech or None))


class UNDERSTUDY_OT_chat_clear(bpy.types.Operator):
    bl_idname = "understudy.chat_clear"
    bl_label = "Forget"
    bl_description = "Let the character forget what was said. Its motion and sound stay"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if backend.busy:
            cls.poll_message_set("A generation is under way")
            return False
        if not context.scene.understudy_chat.memory:
            cls.poll_message_set("Nothing was said yet")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        chat = context.scene.understudy_chat
        chat.memory = chat.answered = ""
        chat.said.clear()
        self.report({"INFO"}, t("Forgotten."))
        return {"FINISHED"}


CLASSES = (UNDERSTUDY_OT_chat_say, UNDERSTUDY_OT_chat_clear)
