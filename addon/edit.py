"""Object > Animation: clean up, loop and join the body's animation; the result is a new Action."""

import math
from typing import Any

import bpy
from bpy.props import BoolProperty, FloatProperty, StringProperty

from ..backend.errors import BadInput, UnderstudyError
from ..backend.motion import join, loop
from ..backend.motion.cleanup import clean_up, clean_up_with_report
from ..backend.motion.clip import Clip
from .body.bodymap import find_body, why_not_editable
from .files.importing import show
from .keying import cycles
from .keying.actions import channels_of
from .keying.keying import clip_from_action, extend_scene, key_clip, scene_rate
from .keying.reduction import MAX_DEGREES
from .process.refusing import refuse
from .translations import CONTEXT, t

_REDUCE = {
    "name": "Reduce Keys",
    "description": "How many degrees a joint may be off for the sake of fewer keys. 0: a key on every frame",
    "default": 0.0,
    "min": 0.0,
    "max": MAX_DEGREES,
    "soft_max": 2.0,
}


class _Edit:
    """What the operators share: the body's clip comes in, another one is keyed where it began."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls: Any, context: bpy.types.Context) -> bool:
        body = find_body(context)
        if body is None or body.animation_data is None or body.animation_data.action is None:
            cls.poll_message_set("The body has no animation yet")
            return False
        return True

    def execute(self: Any, context: bpy.types.Context) -> set[str]:
        try:
            body = find_body(context)
            assert body is not None
            reason = why_not_editable(body)
            if reason:
                raise BadInput(reason, field="body")
            action = body.animation_data.action
            start = _first_frame(body)
            clip, told = self.edit(context, body, clip_from_action(body, scene=context.scene), start)
            action.use_fake_user = True  # what it was made of stays in the file
            new = key_clip(
                body,
                clip,
                name=f"{action.name} ({self.word})",
                start_frame=start,
                scene_fps=scene_rate(context.scene),
                reduce=self.reduce,
            )
            self.finish(body, clip)
            extend_scene(context.scene, new)
        except UnderstudyError as error:
            return refuse(self, error)
        self.report({"INFO"}, told)
        return {"FINISHED"}

    def finish(self, body: bpy.types.Object, clip: Clip) -> None:
        """After the new Action plays."""


class UNDERSTUDY_OT_clean_up(_Edit, bpy.types.Operator):
    bl_idname = "understudy.clean_up"
    bl_label = "Clean Up Motion"
    bl_description = "Hold sliding feet, lift what is in the floor and take off jitter, into a new Action"

    word = "clean"
    strength: FloatProperty(name="Strength", default=1.0, min=0.0, max=1.0, subtype="FACTOR")
    feet: BoolProperty(
        name="Feet", description="Hold feet while they stand", default=True, translation_context=CONTEXT
    )
    floor: BoolProperty(name="Floor", description="Keep the body above the floor", default=True)
    smooth: BoolProperty(name="Smooth", description="Take off jitter; peaks are kept", default=True)
    limits: BoolProperty(name="Joint Limits", description="Mend joints bent too far", default=True)
    reduce: FloatProperty(**_REDUCE)

    def edit(
        self, context: bpy.types.Context, body: bpy.types.Object, clip: Clip, start: int
    ) -> tuple[Clip, str]:
        steps = {name: getattr(self, name) for name in ("feet", "floor", "smooth", "limits")}
        cleaned, report = clean_up_with_report(clip, strength=self.strength, **steps)
        cleaned = cleaned.replace(meta={**clip.meta, "cleanup": report.as_dict()})
        before, after = report.before, report.after
        return cleaned, t(
            f"Feet slide {before.slide:.1f} → {after.slide:.1f} cm/s, "
            f"in the floor {before.penetration:.1f} → {after.penetration:.1f} cm"
        )


class UNDERSTUDY_OT_loop(_Edit, bpy.types.Operator):
    bl_idname = "understudy.loop"
    bl_label = "Make Loop"
    bl_description = "Find the best cycle of the animation and close it, into a new Action that plays on"

    word = "loop"
    whole: BoolProperty(
        name="Whole Animation", description="Close the whole animation instead of looking for a cycle"
    )
    in_place: BoolProperty(name="In Place", description="Take out the mean speed and turn")
    seconds: FloatProperty(
        name="Blend",
        description="Seconds on either side of the seam within which the motion is bent",
        default=loop.SECONDS,
        min=0.0,
        soft_max=1.0,
    )
    reduce: FloatProperty(**_REDUCE)

    def edit(
        self, context: bpy.types.Context, body: bpy.types.Object, clip: Clip, start: int
    ) -> tuple[Clip, str]:
        start, stop = (0, len(clip)) if self.whole else loop.find_cycle(clip)
        cycle = loop.loop(clip, start=start, stop=stop, seconds=self.seconds)
        turn = abs(cycle.meta["loop"]["turn"])
        told = t(f"A cycle of {cycle.seconds:.2f} s.")
        if self.in_place or turn < cycles.SMALL_TURN:
            path: loop.LoopPath = "in place" if self.in_place else "straight"
            cycle = loop.loop(clip, start=start, stop=stop, seconds=self.seconds, path=path)
        else:
            told += " " + t(f"It turns by {math.degrees(turn):.0f}°, so it is keyed once.")
        return cycles.closed(cycle), told

    def finish(self, body: bpy.types.Object, clip: Clip) -> None:
        channels = channels_of(body.animation_data)
        assert channels is not None
        cycles.go_on(channels, clip)


class UNDERSTUDY_OT_join(_Edit, bpy.types.Operator):
    bl_idname = "understudy.join"
    bl_label = "Join Action"
    bl_description = "Go over into another Action of this body at the current frame, without a seam"

    word = "join"
    action: StringProperty(name="Action", description="What comes after the current frame")
    align: BoolProperty(
        name="Align", description="Go on from where the body is, in its direction", default=True
    )
    seconds: FloatProperty(
        name="Blend",
        description="Seconds in which the difference between the two dies out",
        default=join.SECONDS,
        min=0.0,
        soft_max=2.0,
    )
    clean: BoolProperty(name="Hold Feet", description="Hold feet that would slide at the seam", default=True)
    reduce: FloatProperty(**_REDUCE)

    def edit(
        self, context: bpy.types.Context, body: bpy.types.Object, clip: Clip, start: int
    ) -> tuple[Clip, str]:
        other = bpy.data.actions.get(self.action)
        if other is None:
            raise BadInput(
                f"There is no Action “{self.action}”." if self.action else "Choose the Action to join.",
                field="action",
            )
        at = min(max(context.scene.frame_current - start, 1), len(clip))
        second = _clip_of(body, other, context.scene)
        joined = join.join(clip, second, at=at, seconds=self.seconds, align=self.align)
        if self.clean:
            joined = clean_up(joined, smooth=False, limits=False)
        return joined, t(f"“{other.name}” follows from frame {start + at} on.")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop_search(self, "action", bpy.data, "actions")
        for name in ("seconds", "align", "clean", "reduce"):
            layout.prop(self, name)


def _first_frame(body: bpy.types.Object) -> int:
    channels = channels_of(body.animation_data)
    spans = [c.range()[0] for c in channels.fcurves if len(c.keyframe_points)] if channels is not None else []
    return round(min(spans)) if spans else 1


def _clip_of(body: bpy.types.Object, action: bpy.types.Action, scene: bpy.types.Scene) -> Clip:
    """The clip that another Action makes of a body; the body plays what it played afterwards."""
    animation = body.animation_data
    before, slot = animation.action, getattr(animation, "action_slot", None)
    try:
        show(body, action)
        return clip_from_action(body, scene=scene)
    finally:
        animation.action = before
        if slot is not None:
            animation.action_slot = slot


CLASSES = (UNDERSTUDY_OT_clean_up, UNDERSTUDY_OT_loop, UNDERSTUDY_OT_join)


def _entries(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.separator()
    for cls in CLASSES:
        self.layout.operator(cls.bl_idname)


def register() -> None:
    bpy.types.VIEW3D_MT_object_animation.append(_entries)


def unregister() -> None:
    bpy.types.VIEW3D_MT_object_animation.remove(_entries)
