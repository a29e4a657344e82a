"""Marks: ordinary objects that say where the body goes, what it holds and how it stands, gathered in one collection.

What a mark means is kept on the object itself, so that it can be moved, keyed, duplicated, renamed and deleted
like everything else.
"""

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, PointerProperty

from ..process.client import redraw
from ..translations import CONTEXT

COLLECTION = "Direction"

JOINTS = {
    "left_wrist": "Left Hand",
    "right_wrist": "Right Hand",
    "left_ankle": "Left Foot",
    "right_ankle": "Right Foot",
}
"""What can be pinned, as the backend calls it, and in words."""

KINDS = {
    "PATH": ("Path", "CURVE_DATA"),
    "WAYPOINT": ("Waypoint", "EMPTY_SINGLE_ARROW"),
    "PIN": ("Pin", "PINNED"),
    "POSE": ("Key Pose", "ARMATURE_DATA"),
}
"""What a mark can be, with its word and icon."""


def _can_perform(self: bpy.types.PropertyGroup, obj: bpy.types.Object) -> bool:
    return obj.type == "ARMATURE" and obj.understudy_mark.kind == "NONE"


class UNDERSTUDY_PG_mark(bpy.types.PropertyGroup):
    kind: EnumProperty(
        name="Kind",
        items=[("NONE", "None", ""), *((key, word, "") for key, (word, _) in KINDS.items())],
        options=set(),
    )
    use: BoolProperty(name="Use", description="Let it count for the next motion", default=True, options=set())
    body: PointerProperty(
        type=bpy.types.Object,
        name="Body",
        description="Whom it is for. Empty: whoever performs",
        poll=_can_perform,
    )
    frame: IntProperty(name="Frame", description="The frame at which it counts", default=1, options=set())
    frame_end: IntProperty(name="End", description="The last frame of the pin", default=1, options=set())
    turn: BoolProperty(
        name="Facing",
        translation_context=CONTEXT,
        description="Face where the arrow points (a Single Arrow), or along -Y of any other empty. "
        "Off: face as the motion wants",
        default=True,
        options=set(),
    )
    joint: EnumProperty(name="Held", items=[(key, word, "") for key, word in JOINTS.items()], options=set())
    when: EnumProperty(
        name="When",
        items=[
            ("START", "Start", "At the first frame of the motion"),
            ("FRAME", "Frame", "At a frame of the timeline"),
            ("END", "End", "At the last frame of the motion"),
        ],
        default="FRAME",
        options=set(),
    )
    place: BoolProperty(
        name="Place",
        description="Stand where the pose stands, too. Off: only the pose counts, wherever the motion is",
        default=True,
        options=set(),
    )
    facing: EnumProperty(
        name="Facing",
        translation_context=CONTEXT,
        items=[
            ("along", "Along the Path", "Look where the path goes"),
            ("keep", "As the Motion", "Keep the motion's own direction: for steps sideways or backwards"),
        ],
        options=set(),
    )
    timing: EnumProperty(
        name="Speed",
        items=[
            ("MOTION", "The Motion's", "The steps decide how fast the path is walked, from its start"),
            ("CURVE", "The Curve's", "The keys of the curve's Evaluation Time (Path Animation) decide"),
        ],
        options=set(),
    )


def _picked(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    """A click in the list selects the object in the view."""
    collection = self.collection
    if self.quiet or collection is None or not 0 <= self.active < len(collection.objects):
        return
    chosen = collection.objects[self.active]
    layer = context.view_layer
    if context.mode != "OBJECT" or layer.objects.get(chosen.name) != chosen:
        return
    for other in context.selected_objects:
        other.select_set(False)
    chosen.select_set(True)
    layer.objects.active = chosen


class UNDERSTUDY_PG_direction(bpy.types.PropertyGroup):
    use: BoolProperty(
        name="Direction",
        translation_context=CONTEXT,
        description="Let the marks below direct the next motion",
        default=True,
        options=set(),
    )
    collection: PointerProperty(type=bpy.types.Collection, name="Collection")
    active: IntProperty(name="Mark", description="Click a mark to select it", update=_picked, options=set())
    quiet: BoolProperty(options={"SKIP_SAVE"})
    mode: EnumProperty(
        name="Make",
        items=[
            ("NEW", "New Motion", "A motion of its own"),
            (
                "CONTINUE",
                "Continue",
                "Go on from the body's pose at the current frame. What comes before stays as it is",
            ),
            (
                "BETWEEN",
                "In-between",
                "Fill the frames between two keys of the body's animation. All keys outside stay as they are",
            ),
        ],
        options=set(),
    )
    first: IntProperty(
        name="From",
        description="The frame after which the motion is new",
        default=1,
        options=set(),
        translation_context=CONTEXT,
    )
    last: IntProperty(
        name="To",
        description="The frame at which the old motion goes on",
        default=30,
        options=set(),
        translation_context=CONTEXT,
    )
    use_start: BoolProperty(
        name="Start",
        description="Fix the frame at which the motion begins. Off: at the current frame",
        default=False,
        options=set(),
    )
    start: IntProperty(
        name="Start", description="The frame at which the motion begins", default=1, options=set()
    )
    loop: BoolProperty(
        name="Loop",
        description="Let the end lead into the beginning, and play on",
        default=False,
        options=set(),
    )
    in_place: BoolProperty(
        name="In Place", description="Stay on the spot, as games want it", default=False, options=set()
    )


def gathered(scene: bpy.types.Scene) -> bpy.types.Collection:
    """The scene's collection of marks; made, and linked, where it is missing."""
    state = scene.understudy_direction
    collection = state.collection
    if collection is None:
        collection = state.collection = bpy.data.collections.new(COLLECTION)
        collection.color_tag = "COLOR_05"
    if collection not in scene.collection.children_recursive:
        scene.collection.children.link(collection)
    return collection


def marks_of(scene: bpy.types.Scene, body: bpy.types.Object | None) -> list[bpy.types.Object]:
    """The marks that count for a body (cheap, for draw): those in use, for it or for whoever performs."""
    state = scene.understudy_direction
    if not state.use or state.collection is None:
        return []
    return [
        thing
        for thing in state.collection.objects
        if is_mark(thing) and thing.understudy_mark.use and thing.understudy_mark.body in (None, body)
    ]


def is_mark(thing: bpy.types.Object) -> bool:
    """Whether an object is a mark, and of the right type for what it says it is."""
    kind = thing.understudy_mark.kind
    wanted = {"PATH": "CURVE", "WAYPOINT": "EMPTY", "PIN": "EMPTY", "POSE": "ARMATURE"}
    return bool(wanted.get(kind) == thing.type)


def travels(thing: bpy.types.Object) -> bool:
    """Whether a mark says where the body is (cheap, for draw)."""
    return bool(thing.understudy_mark.kind != "POSE" or thing.understudy_mark.place)


def mark(
    scene: bpy.types.Scene, thing: bpy.types.Object, kind: str, body: bpy.types.Object | None, **values: Any
) -> bpy.types.Object:
    """Make an object a mark: it says so itself, and is in the scene's collection of marks."""
    collection = gathered(scene)
    if collection.objects.get(thing.name) != thing:
        collection.objects.link(thing)
    state = thing.understudy_mark
    state.kind, state.body, state.use = kind, body, True
    for name, value in values.items():
        setattr(state, name, value)
    direction = scene.understudy_direction
    direction.use = True
    direction.quiet = True  # only the row: a click would select the object, too
    try:
        direction.active = list(collection.objects).index(thing)
    finally:
        direction.quiet = False
    redraw()
    return thing


def drop(scene: bpy.types.Scene, thing: bpy.types.Object) -> None:
    """Take a mark away. What was made as a mark is deleted; what is used elsewhere only ceases to be one."""
    collection = scene.understudy_direction.collection
    thing.understudy_mark.kind = "NONE"
    thing.understudy_mark.body = None
    if collection is not None and collection.objects.get(thing.name) == thing:
        collection.objects.unlink(thing)
    if not thing.users_collection:
        data = thing.data
        for ghost in thing.children:
            if thing.type == "ARMATURE" and ghost.hide_select:
                bpy.data.objects.remove(ghost)
        bpy.data.objects.remove(thing)
        if isinstance(data, bpy.types.Curve) and data.users == 0:
            bpy.data.curves.remove(data)
    redraw()


CLASSES = (UNDERSTUDY_PG_mark, UNDERSTUDY_PG_direction)


def register() -> None:
    bpy.types.Object.understudy_mark = PointerProperty(type=UNDERSTUDY_PG_mark)
    bpy.types.Scene.understudy_direction = PointerProperty(type=UNDERSTUDY_PG_direction)


def unregister() -> None:
    del bpy.types.Scene.understudy_direction
    del bpy.types.Object.understudy_mark
