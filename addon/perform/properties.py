"""What the animator set up, kept in the scene."""

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from ..body.bodymap import is_smplx, performer
from ..process.client import packs
from ..translations import CONTEXT
from . import sound
from .style import FIELDS

MAX_SEED = 2**31 - 1  # Blender's integers, and the backend's seeds, are int32
SECONDS = (0.5, 60.0)
MAX_PROMPT = 500
SAMPLES = (1, 8)
STEPS = (1, 50)
GUIDANCE = (0.0, 20.0)


def _pack_items(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> list[tuple[str, str, str]]:
    return packs.items


def _sound_strips(self: bpy.types.PropertyGroup, context: bpy.types.Context, text: str) -> list[str]:
    return [strip.name for strip in sound.sound_strips(self.id_data)]


def _file_chosen(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    if self.voice == "FILE":
        sound.Look.start(self.speech_file)


def _get_frames(self: bpy.types.PropertyGroup) -> int:
    render = self.id_data.render
    return max(round(self.seconds * render.fps / render.fps_base), 1)


def _set_frames(self: bpy.types.PropertyGroup, frames: int) -> None:
    render = self.id_data.render
    self.seconds = min(max(frames * render.fps_base / render.fps, SECONDS[0]), SECONDS[1])


def _switch(label: str) -> Any:
    return BoolProperty(
        name=label,
        description=f"Say how it is performed: {label.lower()}. Off: the model decides",
        default=False,
    )


def _slider(label: str, ends: str) -> Any:
    return FloatProperty(
        name=label,
        description=f"{ends}; a share of the motion that the pack knows",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )


class UNDERSTUDY_PG_settings(bpy.types.PropertyGroup):
    body: PointerProperty(
        type=bpy.types.Object,
        name="Body",
        description="The SMPL-X armature that performs. Empty: the active object",
        poll=lambda self, obj: is_smplx(obj) and performer(obj) == obj,
    )
    prompt: StringProperty(
        name="Prompt",
        description="What the character does, in plain English",
        maxlen=MAX_PROMPT,
    )
    upper: StringProperty(
        name="Upper Body",
        description="What arms, back and head do. Empty: as in the prompt",
        maxlen=MAX_PROMPT,
    )
    lower: StringProperty(
        name="Lower Body",
        description="What legs and path do. Empty: as in the prompt",
        maxlen=MAX_PROMPT,
    )
    use_seconds: BoolProperty(
        name="Length",
        description="Fix the length. Off: as long as the motion wants",
        default=False,
    )
    seconds: FloatProperty(
        name="Seconds",
        description="Length of the motion in seconds",
        default=6.0,
        min=SECONDS[0],
        max=SECONDS[1],
        soft_max=20.0,
        step=50,
        precision=1,
    )
    in_frames: BoolProperty(
        name="In Frames",
        description="Show the length in frames of the scene instead of seconds",
        default=False,
    )
    frames: IntProperty(
        name="Frames",
        description="Length of the motion in frames of the scene",
        get=_get_frames,
        set=_set_frames,
        min=1,
        max=100_000,
        soft_max=1000,
    )
    seed: IntProperty(
        name="Seed",
        description="The same seed gives the same motion, another one another",
        default=0,
        min=0,
        max=MAX_SEED,
    )
    samples: IntProperty(
        name="Variations",
        description="How many motions are made at once. Each becomes a take, the first is previewed",
        default=SAMPLES[0],
        min=SAMPLES[0],
        max=SAMPLES[1],
    )
    pack: EnumProperty(
        name="Pack",
        description="The trained weights that perform",
        items=_pack_items,
        translation_context=CONTEXT,  # Blender's own word for it means packing files
    )

    voice: EnumProperty(
        name="Voice",
        description="What the character says; the motion is exactly as long",
        items=[
            ("NONE", "None", "No speech"),
            ("FILE", "File", "A sound file"),
            ("STRIP", "Strip", "A sound strip of the video sequencer: the motion starts where it does"),
        ],
        update=_file_chosen,
    )
    speech_file: StringProperty(
        name="Sound File",
        description="The recording of a voice",
        subtype="FILE_PATH",
        update=_file_chosen,
    )
    speech_offset: FloatProperty(
        name="Offset",
        description="How much of the sound file is left out at its beginning",
        default=0.0,
        min=0.0,
        soft_max=60.0,
        subtype="TIME",
        unit="TIME_ABSOLUTE",
        precision=2,
    )
    speech_strip: StringProperty(
        name="Sound Strip",
        description="The sound strip that is spoken. Its trimmed part counts",
        search=_sound_strips,
        search_options={"SORT"},
    )
    transcript: StringProperty(
        name="Transcript",
        description="What the voice says, if you have it: gestures then go with the words",
    )
    transcript_file: StringProperty(
        name="Transcript File",
        description="What the voice says, as .txt, .srt, .vtt or .TextGrid. It goes before the words",
        subtype="FILE_PATH",
    )
    place_sound: BoolProperty(
        name="Add to Sequencer",
        description="Put the sound into the video sequencer, in sync with the motion",
        default=True,
    )

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

    use_steps: BoolProperty(
        name="Steps", description="Choose the steps. Off: as the pack says", default=False
    )
    steps: IntProperty(
        name="Steps",
        description="Steps of the refinement: more take longer and can bring more detail",
        default=20,
        min=STEPS[0],
        max=STEPS[1],
    )
    use_guidance: BoolProperty(
        name="Guidance", description="Choose the guidance. Off: as the pack says", default=False
    )
    guidance: FloatProperty(
        name="Guidance",
        description="How literally prompt and style are taken",
        default=3.0,
        min=GUIDANCE[0],
        max=GUIDANCE[1],
        soft_max=8.0,
        precision=1,
    )


REMEMBERED = (
    *("prompt", "upper", "lower", "use_seconds", "seconds", "seed", "samples", "pack"),
    *("voice", "speech_file", "speech_offset", "speech_strip", "place_sound"),
    *("transcript", "transcript_file"),
    *("use_steps", "steps", "use_guidance", "guidance"),
    *(name for field in FIELDS for name in (f"use_{field}", field)),
)
"""The settings that make a motion what it is: a take keeps them."""


def remember(settings: bpy.types.PropertyGroup) -> dict[str, Any]:
    """The settings as plain values, for a take."""
    values = {name: getattr(settings, name) for name in REMEMBERED}
    return {name: round(v, 4) if isinstance(v, float) else v for name, v in values.items()}


def recall(settings: bpy.types.PropertyGroup, values: dict[str, Any]) -> list[str]:
    """Set the panel to what a take keeps; returns the names of settings that no longer exist here."""
    lost = []
    for name in REMEMBERED:
        if name not in values:
            continue
        try:
            setattr(settings, name, values[name])
        except (TypeError, ValueError):  # a pack that is not installed any more, or an edited file
            lost.append(name)
    return lost


CLASSES = (UNDERSTUDY_PG_settings,)


def register() -> None:
    bpy.types.Scene.understudy = PointerProperty(type=UNDERSTUDY_PG_settings)


def unregister() -> None:
    del bpy.types.Scene.understudy
