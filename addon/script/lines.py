"""The script: several prompts one after the other on the timeline, performed as one continuous motion.

Lines follow each other without gaps, so a line is kept as its length in frames; its first and last frame come
from the lines before it. Frames are what the animator sees, seconds what the backend gets.
"""

from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, PointerProperty, StringProperty

from ...backend.errors import BadInput
from ..keying.keying import scene_rate
from ..perform.properties import MAX_PROMPT, MAX_SEED, SECONDS, _slider, _switch
from ..perform.style import FIELDS, choose, chosen
from ..translations import CONTEXT

MAX_LINES = 64
MAX_SECONDS = 600.0
DEFAULT_SECONDS = 3.0


def _index(line: bpy.types.PropertyGroup) -> int:
    path = line.path_from_id()  # understudy_script.lines[3]
    return int(path[path.rindex("[") + 1 : -1])


def _get_start(self: bpy.types.PropertyGroup) -> int:
    return start_of(self.id_data.understudy_script, _index(self))


def _set_start(self: bpy.types.PropertyGroup, frame: int) -> None:
    """Move where the line begins: the line before gets longer or shorter, this one keeps its end."""
    script, i = self.id_data.understudy_script, _index(self)
    now = start_of(script, i)
    if i == 0:
        script.start = frame
        moved = frame - now
    else:
        before = script.lines[i - 1]
        length = max(before.frames + frame - now, 1)
        moved = length - before.frames
        before.frames = length
    self.frames = max(self.frames - moved, 1)


def _get_end(self: bpy.types.PropertyGroup) -> int:
    return _get_start(self) + self.frames


def _set_end(self: bpy.types.PropertyGroup, frame: int) -> None:
    """Move where the line ends; what follows moves along."""
    self.frames = max(frame - _get_start(self), 1)


class _Styled:
    """The style sliders, as the panel has them for everything."""

    use_tempo: _switch(FIELDS["tempo"][0])
    tempo: _slider(*FIELDS["tempo"])
    use_energy: _switch(FIELDS["energy"][0])
    energy: _slider(*FIELDS["energy"])
    use_smoothness: _switch(FIELDS["smoothness"][0])
    smoothness: _slider(*FIELDS["smoothness"])
    use_valence: _switch(FIELDS["valence"][0])
    valence: _slider(*FIELDS["valence"])
    use_arousal: _switch(FIELDS["arousal"][0])
    arousal: _slider(*FIELDS["arousal"])


class UNDERSTUDY_PG_line(_Styled, bpy.types.PropertyGroup):
    prompt: StringProperty(
        name="Prompt", description="What the character does in this line", maxlen=MAX_PROMPT
    )
    frames: IntProperty(
        name="Length", description="Frames that the line lasts", default=72, min=1, options=set()
    )
    start: IntProperty(
        name="Start",
        description="The line's first frame. The line before becomes longer or shorter",
        get=_get_start,
        set=_set_start,
        options=set(),
    )
    end: IntProperty(
        name="End",
        description="The frame at which the next line begins. Later lines move along",
        get=_get_end,
        set=_set_end,
        options=set(),
    )
    upper: StringProperty(
        name="Upper Body",
        description="What arms, back and head do. Empty: as in the prompt",
        maxlen=MAX_PROMPT,
    )
    lower: StringProperty(
        name="Lower Body", description="What legs and path do. Empty: as in the prompt", maxlen=MAX_PROMPT
    )
    use_seed: BoolProperty(
        name="Seed",
        description="Give the line a seed of its own. Off: the panel's",
        default=False,
        options=set(),
    )
    seed: IntProperty(
        name="Seed", description="Another seed gives another performance", min=0, max=MAX_SEED, options=set()
    )


class UNDERSTUDY_PG_script(bpy.types.PropertyGroup):
    use: BoolProperty(
        name="Script",
        description="Perform the lines below, one after the other, instead of the prompt",
        default=False,
        options=set(),
    )
    lines: CollectionProperty(type=UNDERSTUDY_PG_line)
    active: IntProperty(
        name="Line", description="Click a line to change it", options=set(), translation_context=CONTEXT
    )
    start: IntProperty(name="Start", description="The first frame of the script", default=1, options=set())


def start_of(script: UNDERSTUDY_PG_script, index: int) -> int:
    """The first frame of a line."""
    return int(script.start) + sum(line.frames for line in list(script.lines)[:index])


def active_line(script: UNDERSTUDY_PG_script) -> UNDERSTUDY_PG_line | None:
    """The chosen line, where there is one."""
    return script.lines[script.active] if 0 <= script.active < len(script.lines) else None


def performed(scene: bpy.types.Scene) -> bool:
    """Whether the next motion is the script's (cheap, for draw)."""
    return bool(scene.understudy_script.use and len(scene.understudy_script.lines))


def why_not(scene: bpy.types.Scene) -> str:
    """Why the script cannot be performed, in one short sentence; empty when it can (cheap, for draw)."""
    script, rate = scene.understudy_script, scene_rate(scene)
    for i, line in enumerate(script.lines):
        if not line.prompt.strip():
            return f"Write what line {i + 1} of the script does."
        seconds = line.frames / rate
        if not SECONDS[0] - 1e-6 <= seconds <= SECONDS[1] + 1e-6:
            return f"Line {i + 1} of the script lasts {seconds:.1f} s: {SECONDS[0]:g} to {SECONDS[1]:g} are possible."
    total = sum(line.frames for line in script.lines) / rate
    if total > MAX_SECONDS:
        return f"The script lasts {total:.0f} s: up to {MAX_SECONDS:g} s are possible."
    return ""


def request(scene: bpy.types.Scene) -> list[dict[str, Any]]:
    """The lines as the backend takes them.

    Raises:
        BadInput: a line cannot be performed.
    """
    reason = why_not(scene)
    if reason:
        raise BadInput(reason, field="script")
    rate = scene_rate(scene)
    return [
        {"prompt": " ".join(line.prompt.split()), "seconds": round(line.frames / rate, 5), **wishes(line)}
        for line in scene.understudy_script.lines
    ]


def wishes(line: UNDERSTUDY_PG_line) -> dict[str, Any]:
    """What a line asks for beyond its prompt: style, halves, seed; only what is asked for."""
    result: dict[str, Any] = {}
    if style := chosen(line):
        result["style"] = style
    for half in ("upper", "lower"):
        if text := " ".join(getattr(line, half).split()):
            result[half] = text
    if line.use_seed:
        result["seed"] = line.seed
    return result


# -- for takes: the script that made them -----------------------------------------------------------


def remember(scene: bpy.types.Scene) -> dict[str, Any]:
    """The script as plain values."""
    script = scene.understudy_script
    names = ("prompt", "frames", "upper", "lower", "use_seed", "seed")
    lines = [
        {**{name: getattr(line, name) for name in names}, "style": chosen(line)} for line in script.lines
    ]
    return {"start": script.start, "lines": lines}


def recall(scene: bpy.types.Scene, values: dict[str, Any] | None) -> None:
    """Set the script to what a take keeps; without one it is only switched off."""
    script = scene.understudy_script
    script.use = values is not None
    if values is None:
        return
    script.lines.clear()
    script.start, script.active = int(values["start"]), 0
    for given in values["lines"]:
        line = script.lines.add()
        for name, value in given.items():
            if name == "style":
                choose(line, value)
            else:
                setattr(line, name, value)


CLASSES = (UNDERSTUDY_PG_line, UNDERSTUDY_PG_script)


def register() -> None:
    bpy.types.Scene.understudy_script = PointerProperty(type=UNDERSTUDY_PG_script)


def unregister() -> None:
    del bpy.types.Scene.understudy_script
