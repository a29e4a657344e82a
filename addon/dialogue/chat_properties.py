"""What the scene keeps of a role-play."""

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ...backend.protocol.replies import EMOTIONS
from ..body.bodymap import is_smplx, performer
from ..perform.properties import MAX_SEED
from .lines import LABELS


class UNDERSTUDY_PG_said(bpy.types.PropertyGroup):
    who: StringProperty()  # user or character
    text: StringProperty()
    emotion: StringProperty()
    motion: StringProperty()  # what the body did, in words


class UNDERSTUDY_PG_chat(bpy.types.PropertyGroup):
    character: EnumProperty(
        name="Character",
        description="Who answers",
        items=[
            ("FIELDS", "Here", "A character that is described below"),
            ("FILE", "File", "A character file: .yaml, .json or .toml"),
        ],
    )
    file: StringProperty(
        name="Character File", description="Name, role, background and more", subtype="FILE_PATH"
    )
    name: StringProperty(name="Name", description="What the character is called", default="Mira", maxlen=60)
    role: StringProperty(name="Role", description="For example: lighthouse keeper", maxlen=400)
    personality: StringProperty(
        name="Personality", description="For example: shy, precise, a little ironic", maxlen=400
    )
    background: StringProperty(
        name="Background", description="Sentences about the character's life", maxlen=4000
    )
    scene: StringProperty(name="Place", description="Where it is, and what is around it", maxlen=1000)
    emotion: EnumProperty(
        name="Emotion",
        description="The character's usual one",
        items=[(name, LABELS[name], "") for name in EMOTIONS],
    )
    voice: StringProperty(
        name="Voice", description="As espeak-ng or piper names it. Empty: one is chosen", maxlen=80
    )
    language: StringProperty(
        name="Language",
        description="Of the synthesised voices, as espeak-ng names it: en, de, en-us",
        default="en",
        maxlen=31,
    )
    seed: IntProperty(
        name="Seed",
        description="The same seed gives the same answers, another one others",
        min=0,
        max=MAX_SEED,
    )
    body: PointerProperty(
        type=bpy.types.Object,
        name="Body",
        description="The SMPL-X armature that answers. Empty: the scene's body, or a new one",
        poll=lambda self, obj: is_smplx(obj) and performer(obj) == obj,
    )
    author: EnumProperty(
        name="Answers by",
        description="Who writes the answers",
        items=[
            ("OFFLINE", "Understudy", "The author that comes with Understudy, offline"),
            ("ENDPOINT", "Endpoint", "The language model of the endpoint in the preferences"),
        ],
    )
    place: EnumProperty(
        name="Answer",
        description="Where the motion of an answer goes",
        items=[
            ("AFTER", "After the Last", "It goes on from the end of the last answer, in the same Action"),
            (
                "REPLACE",
                "In Its Place",
                "It takes the place of the last answer, and begins where that one ended",
            ),
        ],
    )
    to_camera: BoolProperty(
        name="Talk to the Camera", description="The character looks at the scene's camera", default=False
    )
    say: StringProperty(name="Say", description="What you say to the character", maxlen=2000)
    speech: StringProperty(
        name="Recording",
        description="What you say, as a sound file. Used where nothing is written",
        subtype="FILE_PATH",
    )
    memory: StringProperty()  # what the character remembers, JSON: what is said below is for the eye
    said: CollectionProperty(type=UNDERSTUDY_PG_said)
    active: IntProperty(name="Said", options=set())
    answered: StringProperty()  # who wrote the last answer


CLASSES = (UNDERSTUDY_PG_said, UNDERSTUDY_PG_chat)


def register() -> None:
    bpy.types.Scene.understudy_chat = PointerProperty(type=UNDERSTUDY_PG_chat)


def unregister() -> None:
    del bpy.types.Scene.understudy_chat
