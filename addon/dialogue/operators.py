"""What the buttons of the dialogue do: lines come, go and move, screenplays are read and written, and it is performed."""

import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ...backend.errors import BadInput, JobFailed, UnderstudyError
from ...backend.protocol.screenplay import LARGEST
from ..perform.properties import MAX_SEED
from ..process.client import Job, backend
from ..process.refusing import refuse
from ..process.slices import Steps
from ..translations import t
from .acting import acting
from .lines import FIRST, MAX_LINES, SECOND, active_line, forget_times, values_of
from .orders import Order, take_order
from .running import Running
from .screenplay import read, text_of_block, written


class _OfLines:
    """An operator that needs a line."""

    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if active_line(context.scene.understudy_dialogue) is None:
            cls.poll_message_set("The dialogue has no line yet")  # type: ignore[attr-defined]  # of Operator
            return False
        return True


class _AddsLines:
    """An operator after which there is a line more."""

    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if len(context.scene.understudy_dialogue.lines) >= MAX_LINES:
            cls.poll_message_set("A dialogue has up to 500 lines")  # type: ignore[attr-defined]  # of Operator
            return False
        return True


class UNDERSTUDY_OT_dialogue_line_add(_AddsLines, bpy.types.Operator):
    bl_idname = "understudy.dialogue_line_add"
    bl_label = "Add Line"
    bl_description = "Add a line after the chosen one, of the other speaker"

    def execute(self, context: bpy.types.Context) -> set[str]:
        dialogue = context.scene.understudy_dialogue
        before = active_line(dialogue)
        speaker = SECOND if before is not None and before.speaker == FIRST else FIRST
        dialogue.lines.add().speaker = speaker
        _to(dialogue, dialogue.active + 1 if before is not None else 0)
        return {"FINISHED"}


class UNDERSTUDY_OT_dialogue_line_duplicate(_OfLines, bpy.types.Operator):
    bl_idname = "understudy.dialogue_line_duplicate"
    bl_label = "Duplicate Line"
    bl_description = "Put a copy of the chosen line below it"

    def execute(self, context: bpy.types.Context) -> set[str]:
        dialogue = context.scene.understudy_dialogue
        if len(dialogue.lines) >= MAX_LINES:
            return {"CANCELLED"}
        chosen = active_line(dialogue)
        assert chosen is not None
        values = values_of(chosen)
        line = dialogue.lines.add()
        for name, value in values.items():
            setattr(line, name, value)
        _to(dialogue, dialogue.active + 1)
        return {"FINISHED"}


def _to(dialogue: Any, index: int) -> None:
    """Move the last line to an index and choose it."""
    index = min(index, len(dialogue.lines) - 1)
    dialogue.lines.move(len(dialogue.lines) - 1, index)
    dialogue.active = index
    forget_times(dialogue)


class UNDERSTUDY_OT_dialogue_line_remove(_OfLines, bpy.types.Operator):
    bl_idname = "understudy.dialogue_line_remove"
    bl_label = "Remove Line"
    bl_description = "Remove the chosen line"

    def execute(self, context: bpy.types.Context) -> set[str]:
        dialogue = context.scene.understudy_dialogue
        dialogue.lines.remove(dialogue.active)
        dialogue.active = max(min(dialogue.active, len(dialogue.lines) - 1), 0)
        forget_times(dialogue)
        return {"FINISHED"}


class UNDERSTUDY_OT_dialogue_line_move(_OfLines, bpy.types.Operator):
    bl_idname = "understudy.dialogue_line_move"
    bl_label = "Move Line"
    bl_description = "Let the chosen line be said earlier or later"

    direction: EnumProperty(items=[("UP", "Up", ""), ("DOWN", "Down", "")], options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        dialogue = context.scene.understudy_dialogue
        to = dialogue.active + (-1 if self.direction == "UP" else 1)
        if not 0 <= to < len(dialogue.lines):
            return {"CANCELLED"}
        dialogue.lines.move(dialogue.active, to)
        dialogue.active = to
        forget_times(dialogue)
        return {"FINISHED"}


class UNDERSTUDY_OT_dialogue_line_turn(bpy.types.Operator):
    bl_idname = "understudy.dialogue_line_turn"
    bl_label = "Other Speaker"
    bl_description = "Let the other one say this line"
    bl_options = {"UNDO", "INTERNAL"}

    index: IntProperty(default=0, options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        dialogue = context.scene.understudy_dialogue
        if not 0 <= self.index < len(dialogue.lines):
            return {"CANCELLED"}
        line = dialogue.lines[self.index]
        line.speaker = SECOND if line.speaker == FIRST else FIRST
        return {"FINISHED"}


class UNDERSTUDY_OT_dialogue_seed(bpy.types.Operator):
    bl_idname = "understudy.dialogue_seed"
    bl_label = "New Seed"
    bl_description = "Roll another seed for the dialogue"
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.understudy_dialogue.seed = random.randint(0, MAX_SEED)
        return {"FINISHED"}


# -- screenplays ------------------------------------------------------------------------------------------


class UNDERSTUDY_OT_import_fountain(bpy.types.Operator, ImportHelper):
    bl_idname = "understudy.import_fountain"
    bl_label = "Import Screenplay"
    bl_description = "Make the speeches of a Fountain screenplay the lines of the dialogue"
    bl_options = {"UNDO"}

    filename_ext = ".fountain"
    filter_glob: StringProperty(default="*.fountain;*.spmd;*.txt", options={"HIDDEN"})
    filepath: StringProperty(
        subtype="FILE_PATH", options={"SKIP_SAVE"}
    )  # of the last import: not dropped again

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.filepath:  # dropped into the window
            return self.execute(context)
        return ImportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            if not self.filepath:
                raise BadInput("No file was chosen.", field="filepath")
            path = Path(os.path.abspath(bpy.path.abspath(self.filepath)))
            count = read(context.scene.understudy_dialogue, _text_of(path), str(path.parent))
        except UnderstudyError as error:
            return refuse(self, error)
        self.report({"INFO"}, t(f"{count} lines from {path.name}."))
        return {"FINISHED"}


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise BadInput(f"{path.name} is too large for a screenplay.", field="script")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read: {error.strerror}.", field="script") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path.name} is not a text file in UTF-8.", field="script") from error


class UNDERSTUDY_OT_dialogue_from_text(bpy.types.Operator):
    bl_idname = "understudy.dialogue_from_text"
    bl_label = "Lines from Text"
    bl_description = "Make the speeches of a screenplay in the text editor the lines of the dialogue"
    bl_options = {"UNDO"}

    text: StringProperty(name="Text", description="A block of the text editor", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not len(bpy.data.texts):
            cls.poll_message_set("There is no text: write one in the text editor")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if len(bpy.data.texts) == 1:
            return self.execute(context)
        self.text = bpy.data.texts[0].name
        return context.window_manager.invoke_props_dialog(self)

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.prop_search(self, "text", bpy.data, "texts")

    def execute(self, context: bpy.types.Context) -> set[str]:
        name = self.text or bpy.data.texts[0].name
        try:
            count = read(context.scene.understudy_dialogue, text_of_block(name))
        except UnderstudyError as error:
            return refuse(self, error)
        self.report({"INFO"}, t(f"{count} lines from {name}."))
        return {"FINISHED"}


class UNDERSTUDY_OT_export_fountain(bpy.types.Operator, ExportHelper):
    bl_idname = "understudy.export_fountain"
    bl_label = "Export Screenplay"
    bl_description = "Write the dialogue as a Fountain screenplay"

    filename_ext = ".fountain"
    filter_glob: StringProperty(default="*.fountain", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not len(context.scene.understudy_dialogue.lines):
            cls.poll_message_set("The dialogue has no line yet")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            text = written(context.scene.understudy_dialogue)
            path = Path(os.path.abspath(bpy.path.abspath(self.filepath)))
            _write(path, text)
        except UnderstudyError as error:
            return refuse(self, error)
        self.report({"INFO"}, t(f"Wrote {path.name}."))
        return {"FINISHED"}


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise JobFailed(f"{path.name} cannot be written: {error.strerror}.", field="filepath") from error


class UNDERSTUDY_FH_fountain(bpy.types.FileHandler):
    bl_idname = "UNDERSTUDY_FH_fountain"
    bl_label = "Screenplay"
    bl_import_operator = "understudy.import_fountain"
    bl_export_operator = "understudy.export_fountain"
    bl_file_extensions = ".fountain;.spmd"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


# -- performing -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Asked:
    order: Order
    method: str = "dialogue"

    @property
    def params(self) -> dict[str, Any]:
        return self.order.params

    def delivered(self, job: Job) -> Steps[str]:
        bodies, warnings = yield from acting(self.order, job.answer)
        backend.warning = " ".join(warnings)
        first, second = (body.animation_data.action for body in bodies)
        rate = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
        seconds = f"{(first.frame_range[1] - first.frame_range[0]) / rate:.1f}"
        return t(
            "“{first}” and “{second}” talk for {seconds} s",
            first=first.name,
            second=second.name,
            seconds=seconds,
        )


class UNDERSTUDY_OT_dialogue(Running, bpy.types.Operator):
    bl_idname = "understudy.dialogue"
    bl_label = "Perform Dialogue"
    bl_description = (
        "Let two bodies say and act the dialogue, from the current frame on. Performed again, it takes the place "
        "of the last one"
    )

    # For scripts: what is left out comes from the panel.
    filepath: StringProperty(
        name="Screenplay",
        description="A Fountain file that is performed instead of the panel's lines",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    seed: IntProperty(name="Seed", min=0, max=MAX_SEED, options={"SKIP_SAVE"})

    def asked(self, context: bpy.types.Context) -> _Asked:
        seed = self.seed if self.properties.is_property_set("seed") else None
        return _Asked(take_order(context, filepath=self.filepath, seed=seed))


CLASSES = (
    UNDERSTUDY_OT_dialogue_line_add,
    UNDERSTUDY_OT_dialogue_line_duplicate,
    UNDERSTUDY_OT_dialogue_line_remove,
    UNDERSTUDY_OT_dialogue_line_move,
    UNDERSTUDY_OT_dialogue_line_turn,
    UNDERSTUDY_OT_dialogue_seed,
    UNDERSTUDY_OT_import_fountain,
    UNDERSTUDY_OT_dialogue_from_text,
    UNDERSTUDY_OT_export_fountain,
    UNDERSTUDY_FH_fountain,
    UNDERSTUDY_OT_dialogue,
)


def _import_entry(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator("understudy.import_fountain", text="Screenplay for Understudy (.fountain)")


def _export_entry(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator("understudy.export_fountain", text="Screenplay of Understudy (.fountain)")


def register() -> None:
    bpy.types.TOPBAR_MT_file_import.append(_import_entry)
    bpy.types.TOPBAR_MT_file_export.append(_export_entry)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_import.remove(_import_entry)
    bpy.types.TOPBAR_MT_file_export.remove(_export_entry)
