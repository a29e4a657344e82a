"""What the animator set up, kept in the scene."""

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from .bodymap import is_smplx
from .client import packs

MAX_SEED = 2**31 - 1  # Blender's integers, and the backend's seeds, are int32
SECONDS = (0.5, 60.0)
MAX_PROMPT = 500


def _pack_items(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> list[tuple[str, str, str]]:
    return packs.items


class UNDERSTUDY_PG_settings(bpy.types.PropertyGroup):
    body: PointerProperty(
        type=bpy.types.Object,
        name="Body",
        description="The SMPL-X armature that performs. Empty: the active object",
        poll=lambda self, obj: is_smplx(obj),
    )
    prompt: StringProperty(
        name="Prompt",
        description="What the character does, in plain English",
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
    seed: IntProperty(
        name="Seed",
        description="The same seed gives the same motion, another one another",
        default=0,
        min=0,
        max=MAX_SEED,
    )
    pack: EnumProperty(
        name="Pack",
        description="The trained weights that perform",
        items=_pack_items,
    )


CLASSES = (UNDERSTUDY_PG_settings,)


def register() -> None:
    bpy.types.Scene.understudy = PointerProperty(type=UNDERSTUDY_PG_settings)


def unregister() -> None:
    del bpy.types.Scene.understudy
