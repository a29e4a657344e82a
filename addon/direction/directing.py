"""What Direction adds to a request: where it starts, the marks, and the animation of which a part is made anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

from ...backend.errors import BadInput
from ..perform.properties import SECONDS
from . import editing
from .gather import gather
from .marks import marks_of
from .world import ClipWorld


@dataclass(frozen=True)
class Directed:
    """What direction makes of a request.

    Attributes:
        start: the scene frame of the clip's first pose.
        edit: what stays of the body's animation, where only a part is new.
        notes: what the animator should know, in sentences.
    """

    start: int
    edit: editing.Edit | None = None
    notes: tuple[str, ...] = ()


def directed(
    context: bpy.types.Context,
    body: bpy.types.Object,
    params: dict[str, Any],
    *,
    start: int,
    length: float | None,
    voiced: bool,
) -> Directed:
    """Put what Direction says into a request.

    Raises:
        BadInput: it cannot be done.
    """
    scene, direction = context.scene, context.scene.understudy_direction
    scripted = "script" in params
    if scripted:
        start = scene.understudy_script.start
    if not direction.use:
        return Directed(start)
    if reason := editing.why_not(scene, body):
        raise BadInput(reason, field="direction")
    if direction.mode != "NEW":
        if scripted or voiced:
            raise BadInput(
                f"A {'script' if scripted else 'voice'} makes a new motion.",
                hint="Choose New Motion in Direction, or go without it.",
                field="edit",
            )
        return _edited(context, body, params, length)
    if direction.use_start and not scripted and not voiced:
        start = direction.start
    world = ClipWorld.of(body, scene, start)
    wishes, needed = gather(context, body, world, length)
    if wishes:
        params["constraints"] = wishes
    if not scripted and not voiced:
        check_length(needed)
        params["seconds"] = needed
    params |= {name: True for name in ("loop", "in_place") if getattr(direction, name)}
    return Directed(start)


def _edited(
    context: bpy.types.Context, body: bpy.types.Object, params: dict[str, Any], length: float | None
) -> Directed:
    """The same for motion that goes on from, or goes between, what the body performs.

    Raises:
        BadInput: it cannot be done.
    """
    scene, direction = context.scene, context.scene.understudy_direction
    if direction.mode == "BETWEEN":
        edit = editing.between(scene, body, direction.first, direction.last)
    elif editing.goes_on(body, scene.frame_current):
        edit = editing.onwards(scene, body, scene.frame_current)
    else:  # nothing comes before: the pose is where the motion begins
        start = scene.frame_current
        world = ClipWorld.of(body, scene, start)
        wishes, needed = gather(context, body, world, length)
        wishes.setdefault("poses", []).insert(0, editing.present_pose(context, body, world))
        params |= {"constraints": wishes, "seconds": needed}
        return Directed(start)
    world = ClipWorld.of(body, scene, edit.start_frame)
    begin = world.seconds(edit.first)
    until = begin + length if edit.last is None and length is not None else None
    if edit.last is not None:
        until = world.seconds(edit.last)
    wishes, needed = gather(context, body, world, until, since=begin)
    if wishes:
        params["constraints"] = wishes
    params["edit"] = edit.request(world)
    params["seconds"] = None if edit.last is not None or needed is None else round(needed - begin, 5)
    check_length(params["seconds"])
    left_out = len(marks_of(scene, body)) - sum(
        1 if name == "path" else len(found) for name, found in wishes.items()
    )
    notes = (f"{left_out} marks lie outside the new frames and do not count.",) if left_out else ()
    return Directed(edit.start_frame, edit, notes)


def check_length(seconds: float | None) -> None:
    """Raises BadInput for a length that the backend does not make."""
    if seconds is not None and not SECONDS[0] - 1e-6 <= seconds <= SECONDS[1] + 1e-6:
        raise BadInput(
            f"Seconds must be between {SECONDS[0]:g} and {SECONDS[1]:g}, not {seconds:g}.", field="seconds"
        )
