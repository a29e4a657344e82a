"""What the buttons of the script do: lines come, go, move, and are read off the timeline's markers."""

import random

import bpy
from bpy.props import EnumProperty, IntProperty

from ..keying.keying import scene_rate
from ..perform.properties import MAX_SEED
from ..perform.style import EMOTIONS, choose
from ..translations import t
from .lines import DEFAULT_SECONDS, MAX_LINES, active_line


class _OfLines:
    """An operator that needs a line."""

    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if active_line(context.scene.understudy_script) is None:
            cls.poll_message_set("The script has no line yet")  # type: ignore[attr-defined]  # of Operator
            return False
        return True


class UNDERSTUDY_OT_line_add(bpy.types.Operator):
    bl_idname = "understudy.line_add"
    bl_label = "Add Line"
    bl_description = "Add a line after the chosen one, and let the script be performed"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if len(context.scene.understudy_script.lines) >= MAX_LINES:
            cls.poll_message_set("A script has up to 64 lines")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        script = scene.understudy_script
        first = not len(script.lines)
        if first:
            script.start = scene.frame_current
        line = script.lines.add()
        line.frames = max(round(DEFAULT_SECONDS * scene_rate(scene)), 1)
        if first:
            line.prompt = scene.understudy.prompt
        at = 0 if first else min(script.active + 1, len(script.lines) - 1)
        script.lines.move(len(script.lines) - 1, at)
        script.active, script.use = at, True
        return {"FINISHED"}


class UNDERSTUDY_OT_line_remove(_OfLines, bpy.types.Operator):
    bl_idname = "understudy.line_remove"
    bl_label = "Remove Line"
    bl_description = "Remove the chosen line. Later lines move up"

    index: IntProperty(default=-1, options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        script = context.scene.understudy_script
        index = script.active if self.index < 0 else min(self.index, len(script.lines) - 1)
        script.lines.remove(index)
        script.active = max(min(script.active - (index < script.active), len(script.lines) - 1), 0)
        return {"FINISHED"}


class UNDERSTUDY_OT_line_move(_OfLines, bpy.types.Operator):
    bl_idname = "understudy.line_move"
    bl_label = "Move Line"
    bl_description = "Let the chosen line come earlier or later"

    direction: EnumProperty(items=[("UP", "Up", ""), ("DOWN", "Down", "")], options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        script = context.scene.understudy_script
        to = script.active + (-1 if self.direction == "UP" else 1)
        if not 0 <= to < len(script.lines):
            return {"CANCELLED"}
        script.lines.move(script.active, to)
        script.active = to
        return {"FINISHED"}


class UNDERSTUDY_OT_lines_from_markers(bpy.types.Operator):
    bl_idname = "understudy.lines_from_markers"
    bl_label = "From Markers"
    bl_description = "Make a line of every timeline marker, until the next one; the last ends with the scene"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not len(context.scene.timeline_markers):
            cls.poll_message_set("There are no markers: press M in the timeline, and rename them with F2")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        script = scene.understudy_script
        markers = {marker.frame: marker.name for marker in scene.timeline_markers}  # one a frame
        frames = sorted(markers)
        if len(frames) > MAX_LINES:
            self.report(
                {"ERROR"}, t(f"A script has up to {MAX_LINES} lines; there are {len(frames)} markers.")
            )
            return {"CANCELLED"}
        spare = max(round(DEFAULT_SECONDS * scene_rate(scene)), 1)
        last = scene.frame_end + 1 if scene.frame_end >= frames[-1] else frames[-1] + spare
        script.lines.clear()
        script.start, script.active, script.use = frames[0], 0, True
        for begin, end in zip(frames, [*frames[1:], last], strict=True):
            line = script.lines.add()
            line.prompt, line.frames = markers[begin], max(end - begin, 1)
        self.report({"INFO"}, t(f"{len(frames)} lines from markers."))
        return {"FINISHED"}


class UNDERSTUDY_OT_line_style(_OfLines, bpy.types.Operator):
    bl_idname = "understudy.line_style"
    bl_label = "Style of a Line"
    bl_description = "Set the style sliders of the chosen line to an emotion"

    emotion: EnumProperty(
        name="Emotion",
        items=[("none", "None", ""), *((name, name.capitalize(), "") for name in EMOTIONS)],
        options={"SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        emotion = EMOTIONS.get(self.emotion)
        choose(active_line(context.scene.understudy_script), {} if emotion is None else emotion._asdict())
        return {"FINISHED"}


class UNDERSTUDY_OT_line_seed(_OfLines, bpy.types.Operator):
    bl_idname = "understudy.line_seed"
    bl_label = "New Seed"
    bl_description = "Roll another seed for the chosen line"

    def execute(self, context: bpy.types.Context) -> set[str]:
        line = active_line(context.scene.understudy_script)
        assert line is not None
        line.use_seed, line.seed = True, random.randint(0, MAX_SEED)
        return {"FINISHED"}


CLASSES = (
    UNDERSTUDY_OT_line_add,
    UNDERSTUDY_OT_line_remove,
    UNDERSTUDY_OT_line_move,
    UNDERSTUDY_OT_lines_from_markers,
    UNDERSTUDY_OT_line_style,
    UNDERSTUDY_OT_line_seed,
)
