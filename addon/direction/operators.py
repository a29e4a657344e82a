"""What the buttons of Direction do: marks come with one click, at the 3D cursor and the current frame."""

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ...backend.errors import UnderstudyError
from ..body.bodymap import find_body
from ..keying.actions import channels_of
from ..keying.keying import scene_rate
from ..process.refusing import refuse
from ..translations import t
from . import making, poses
from .marks import JOINTS, KINDS, drop, is_mark, mark


class UNDERSTUDY_OT_mark_add(bpy.types.Operator):
    bl_idname = "understudy.mark_add"
    bl_label = "Add Mark"
    bl_description = "Add a mark at the 3D cursor and the current frame"
    bl_options = {"REGISTER", "UNDO"}

    kind: EnumProperty(name="Kind", items=[(key, word, "") for key, (word, _) in KINDS.items()])
    joint: EnumProperty(name="Held", items=[(key, word, "") for key, word in JOINTS.items()])
    on_body: BoolProperty(
        name="Where It Is",
        description="Hold hand or foot where it is now. Off: at the 3D cursor",
        default=False,
        options={"SKIP_SAVE"},
    )
    when: EnumProperty(
        name="When",
        items=[("START", "Start", ""), ("FRAME", "Current Frame", ""), ("END", "End", "")],
        default="FRAME",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.mode not in ("OBJECT", "POSE"):
            cls.poll_message_set("Switch to Object or Pose Mode first")
            return False
        return True

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        if properties.kind == "PATH":
            return "Add a curve from the body to the 3D cursor, to be walked along. Shape it like any curve"
        if properties.kind == "WAYPOINT":
            return "Add an arrow at the 3D cursor: be there at the current frame, facing where it points"
        if properties.kind == "POSE":
            return "Keep the body's present pose as one that the motion goes through"
        where = "where it is now" if properties.on_body else "at the 3D cursor"
        return f"Hold {JOINTS[properties.joint].lower()} {where}, for a second from the current frame"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        for name in {"PIN": ("joint", "on_body"), "POSE": ("when",)}.get(self.kind, ()):
            layout.prop(self, name)

    def execute(self, context: bpy.types.Context) -> set[str]:
        body = find_body(context)
        if body is None and (self.kind == "POSE" or (self.kind == "PIN" and self.on_body)):
            self.report({"ERROR"}, t("There is no body whose pose it could be. Add a body first."))
            return {"CANCELLED"}
        try:
            made = self._make(context, body)
        except UnderstudyError as error:
            return refuse(self, error)
        layer = context.view_layer
        if context.mode == "OBJECT" and layer.objects.get(made.name) == made:  # the collection may be hidden
            for other in context.selected_objects:
                other.select_set(False)
            made.select_set(True)
            layer.objects.active = made
        return {"FINISHED"}

    def _make(self, context: bpy.types.Context, body: bpy.types.Object | None) -> bpy.types.Object:
        if self.kind == "PATH":
            return making.path(context, body)
        if self.kind == "WAYPOINT":
            return making.waypoint(context, body)
        if self.kind == "PIN":
            return making.pin(context, body, self.joint, on_body=self.on_body)
        assert body is not None
        return making.pose(context, body, self.when)


class UNDERSTUDY_OT_mark_selected(bpy.types.Operator):
    bl_idname = "understudy.mark_selected"
    bl_label = "Use Selected"
    bl_description = "Let the selected curve be the path, and the selected empties be waypoints or pins"
    bl_options = {"REGISTER", "UNDO"}

    empties: EnumProperty(
        name="Empties Are",
        items=[("WAYPOINT", "Waypoints", ""), *((key, word, "") for key, word in JOINTS.items())],
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not any(thing.type in ("CURVE", "EMPTY") for thing in context.selected_objects):
            cls.poll_message_set("Select a curve or empties first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene, body = context.scene, find_body(context)
        frame = scene.frame_current
        count = 0
        for thing in context.selected_objects:
            if thing.type == "CURVE":
                mark(scene, thing, "PATH", body)
            elif thing.type == "EMPTY" and self.empties == "WAYPOINT":
                mark(scene, thing, "WAYPOINT", body, frame=frame + count * round(scene_rate(scene)))
                count += 1
            elif thing.type == "EMPTY":
                last = frame + round(scene_rate(scene))
                mark(scene, thing, "PIN", body, frame=frame, frame_end=last, joint=self.empties)
        return {"FINISHED"}


class _OfMarks:
    """An operator on a mark: the one it names, else the one chosen in the list."""

    bl_options = {"UNDO"}

    name: StringProperty(name="Mark", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if chosen(context.scene) is None:
            cls.poll_message_set("There is no mark yet")  # type: ignore[attr-defined]  # of Operator
            return False
        return True

    def found(self, context: bpy.types.Context) -> bpy.types.Object | None:
        collection = context.scene.understudy_direction.collection
        if self.name and collection is not None:
            return collection.objects.get(self.name)
        return chosen(context.scene)


def chosen(scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The mark of the active row (cheap, for draw)."""
    state = scene.understudy_direction
    if state.collection is None or not 0 <= state.active < len(state.collection.objects):
        return None
    thing = state.collection.objects[state.active]
    return thing if is_mark(thing) else None


class UNDERSTUDY_OT_mark_remove(_OfMarks, bpy.types.Operator):
    bl_idname = "understudy.mark_remove"
    bl_label = "Remove Mark"
    bl_description = "Remove the mark. A curve or empty that is used elsewhere only ceases to be one"

    def execute(self, context: bpy.types.Context) -> set[str]:
        thing = self.found(context)
        if thing is None:
            return {"CANCELLED"}
        drop(context.scene, thing)
        state = context.scene.understudy_direction
        things = list(state.collection.objects) if state.collection is not None else []
        rows = [i for i, other in enumerate(things) if is_mark(other)]
        state.quiet = True
        try:
            state.active = min(rows, key=lambda row: abs(row - state.active), default=0)
        finally:
            state.quiet = False
        return {"FINISHED"}


class UNDERSTUDY_OT_mark_frame(_OfMarks, bpy.types.Operator):
    bl_idname = "understudy.mark_frame"
    bl_label = "Set to Current Frame"
    bl_description = "Let the mark count at the current frame; a pin keeps its length"

    def execute(self, context: bpy.types.Context) -> set[str]:
        thing = self.found(context)
        if thing is None:
            return {"CANCELLED"}
        state, frame = thing.understudy_mark, context.scene.frame_current
        state.frame_end += frame - state.frame
        state.frame = frame
        return {"FINISHED"}


class UNDERSTUDY_OT_mark_pose(_OfMarks, bpy.types.Operator):
    bl_idname = "understudy.mark_pose"
    bl_label = "Store Pose Again"
    bl_description = "Let the key pose stand as the body stands now"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        thing = chosen(context.scene)
        if thing is None or thing.understudy_mark.kind != "POSE":
            cls.poll_message_set("Choose a key pose in the list")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        thing, body = self.found(context), find_body(context)
        if thing is None or body is None:
            self.report({"ERROR"}, t("There is no body whose pose it could be."))
            return {"CANCELLED"}
        try:
            poses.update(context, body, thing)
        except UnderstudyError as error:
            return refuse(self, error)
        return {"FINISHED"}


class UNDERSTUDY_OT_between_keys(bpy.types.Operator):
    bl_idname = "understudy.between_keys"
    bl_label = "Keys Around"
    bl_description = "Fill from the key before the current frame to the one after it"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        body = find_body(context)
        if body is None or body.animation_data is None or channels_of(body.animation_data) is None:
            cls.poll_message_set("The body has no keys yet")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene, body = context.scene, find_body(context)
        assert body is not None
        channels = channels_of(body.animation_data)
        assert channels is not None
        frames = {round(key.co[0]) for curve in channels.fcurves for key in curve.keyframe_points}
        before = [frame for frame in frames if frame <= scene.frame_current]
        after = [frame for frame in frames if frame > scene.frame_current]
        if not before or not after:
            self.report({"WARNING"}, t("The current frame is not between two keys of the body."))
            return {"CANCELLED"}
        state = scene.understudy_direction
        state.first, state.last = max(before), min(after)
        return {"FINISHED"}


CLASSES = (
    UNDERSTUDY_OT_mark_add,
    UNDERSTUDY_OT_mark_selected,
    UNDERSTUDY_OT_mark_remove,
    UNDERSTUDY_OT_mark_frame,
    UNDERSTUDY_OT_mark_pose,
    UNDERSTUDY_OT_between_keys,
)
