"""What the buttons of Direction do: marks come with one click, at the 3D cursor and the current frame."""

import math

import bpy
import numpy as np
from bpy.props import BoolProperty, EnumProperty, StringProperty
from mathutils import Euler, Vector

from ...backend.errors import UnderstudyError
from ..actions import channels_of
from ..bodymap import find_body
from ..generate import refuse
from ..keying import scene_rate
from . import poses
from .gather import ANKLE_HEIGHT
from .marks import JOINTS, KINDS, drop, gathered, is_mark, mark
from .world import ClipWorld

_AHEAD = 3.0
"""Metres that a new path goes ahead where the 3D cursor gives it no end."""


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
        scene, body = context.scene, find_body(context)
        if body is None and (self.kind == "POSE" or (self.kind == "PIN" and self.on_body)):
            self.report({"ERROR"}, "There is no body whose pose it could be. Add a body first.")
            return {"CANCELLED"}
        try:
            world = ClipWorld.of(body, scene, scene.frame_current) if body is not None else None
            made = getattr(self, f"_{self.kind.lower()}")(context, body, world)
        except UnderstudyError as error:
            return refuse(self, error)
        if context.mode == "OBJECT":
            for other in context.selected_objects:
                other.select_set(False)
            made.select_set(True)
            context.view_layer.objects.active = made
        return {"FINISHED"}

    def _waypoint(
        self, context: bpy.types.Context, body: bpy.types.Object | None, world: ClipWorld | None
    ) -> bpy.types.Object:
        frame = context.scene.frame_current
        thing = _empty(context, "Waypoint", "SINGLE_ARROW", 0.5)
        thing.location = context.scene.cursor.location
        turn = math.atan2(*_ahead(body)[:2]) if body is not None else math.pi
        thing.rotation_euler = Euler((math.pi / 2, 0.0, math.pi - turn))  # the arrow is its Z
        return mark(context.scene, thing, "WAYPOINT", body, frame=frame)

    def _pin(
        self, context: bpy.types.Context, body: bpy.types.Object | None, world: ClipWorld | None
    ) -> bpy.types.Object:
        scene = context.scene
        first = scene.frame_current
        last = first + round(scene_rate(scene))
        thing = _empty(context, JOINTS[self.joint], "SPHERE", 0.06)
        thing.show_in_front = True
        thing.location = scene.cursor.location
        if self.on_body and body is not None and world is not None:
            thing.location = _joint(context, body, world, self.joint)
        return mark(scene, thing, "PIN", body, frame=first, frame_end=last, joint=self.joint)

    def _path(
        self, context: bpy.types.Context, body: bpy.types.Object | None, world: ClipWorld | None
    ) -> bpy.types.Object:
        cursor = context.scene.cursor.location.copy()
        start = Vector((0.0, 0.0, 0.0)) if body is None else _floor_under(context, body)
        if (cursor - start).xy.length < 0.5:
            cursor = start + _AHEAD * _ahead(body)
        cursor.z = start.z
        data = bpy.data.curves.new("Path", "CURVE")
        data.dimensions = "3D"
        spline = data.splines.new("BEZIER")
        spline.bezier_points.add(1)
        third = (cursor - start) / 3
        for point, place in zip(spline.bezier_points, (Vector(), cursor - start), strict=True):
            point.handle_left_type = point.handle_right_type = "ALIGNED"
            point.co, point.handle_left, point.handle_right = place, place - third, place + third
        thing = bpy.data.objects.new("Path", data)
        thing.location = start
        thing.show_in_front = True
        gathered(context.scene).objects.link(thing)
        return mark(context.scene, thing, "PATH", body)

    def _pose(self, context: bpy.types.Context, body: bpy.types.Object, world: ClipWorld) -> bpy.types.Object:
        scene = context.scene
        frame = scene.frame_current
        word = {"START": "Start Pose", "END": "End Pose"}.get(self.when, "Key Pose")
        thing = poses.store(context, body, word, gathered(scene))
        if self.when == "END":
            scene.understudy.use_seconds = True  # an end needs a length
        return mark(scene, thing, "POSE", body, frame=frame, when=self.when)


def _empty(context: bpy.types.Context, name: str, display: str, size: float) -> bpy.types.Object:
    thing = bpy.data.objects.new(name, None)
    thing.empty_display_type, thing.empty_display_size = display, size
    thing.show_name = True
    gathered(context.scene).objects.link(thing)
    return thing


def _ahead(body: bpy.types.Object | None) -> Vector:
    """Where a body at rest looks, in the world, level and of length 1."""
    forward = Vector((0.0, -1.0, 0.0)) if body is None else -body.matrix_world.to_3x3().col[1]
    forward.z = 0.0
    return forward.normalized() if forward.length > 1e-6 else Vector((0.0, -1.0, 0.0))


def _evaluated(context: bpy.types.Context, body: bpy.types.Object) -> bpy.types.Object:
    context.view_layer.update()
    return body.evaluated_get(context.evaluated_depsgraph_get())


def _floor_under(context: bpy.types.Context, body: bpy.types.Object) -> Vector:
    """The floor where motions of a body begin: the object's place."""
    return body.matrix_world.translation.copy()


def _joint(context: bpy.types.Context, body: bpy.types.Object, world: ClipWorld, joint: str) -> Vector:
    """Where a hand is now; for a foot, where its sole is."""
    evaluated = _evaluated(context, body)
    place = world.to_clip(np.array(evaluated.matrix_world @ evaluated.pose.bones[joint].head))
    if joint.endswith("ankle"):
        place = place - [0.0, ANKLE_HEIGHT, 0.0]
    return Vector(world.to_blender(place))


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
            self.report({"ERROR"}, "There is no body whose pose it could be.")
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
            self.report({"WARNING"}, "The current frame is not between two keys of the body.")
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
