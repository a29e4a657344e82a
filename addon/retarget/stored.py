"""A rig's mapping, kept in its file: rows that the animator edits, with what they do not show beside them."""

from pathlib import Path

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ...backend.errors import BadInput
from ...backend.motion.mapping import SLOTS, Mapping, mapping_from_json
from ...backend.motion.recognise import LEAST, recognise
from ...backend.motion.rig import Rig
from ..preferences.settings import PACKAGE
from .tables import families

BY = [
    ("name", "Name", "The bone's name says so", "SORTALPHA", 0),
    ("structure", "Structure", "The bone's place in the skeleton says so", "OUTLINER_OB_ARMATURE", 1),
    ("user", "You", "Chosen by hand", "USER", 2),
]


def _edited(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    if not self.id_data.understudy_rig.filling:
        self.by = "user"


class UNDERSTUDY_PG_bone(bpy.types.PropertyGroup):
    name: StringProperty(name="Slot")
    bone: StringProperty(name="Bone", description="The bone that plays this part", update=_edited)
    by: EnumProperty(name="Known from", items=BY)


class UNDERSTUDY_PG_rig(bpy.types.PropertyGroup):
    """On the armature's data, so that it is saved and appended with the rig."""

    rows: CollectionProperty(type=UNDERSTUDY_PG_bone)
    mapping: StringProperty(name="Mapping", description="The mapping as it was recognised, JSON")
    filling: BoolProperty(options={"SKIP_SAVE"})


class UNDERSTUDY_PG_retarget(bpy.types.PropertyGroup):
    rig: PointerProperty(
        type=bpy.types.Object,
        name="Rig",
        description="The character's armature. Empty: the active object",
        poll=lambda self, obj: obj.type == "ARMATURE",
    )
    root: EnumProperty(
        name="Path",
        description="Where the way over the floor is keyed",
        items=[
            ("hips", "On the Hips", "The hips carry the whole motion"),
            ("root", "On the Root Bone", "The root bone walks, smoothly, and the hips sway above it"),
            ("object", "On the Object", "The armature object walks, as root motion for game engines"),
            ("in place", "In Place", "The character stays where it is"),
        ],
    )
    fit: BoolProperty(
        name="Keep Contacts",
        description="Feet that stand and hands that touch do so on this character's proportions, too. "
        "Off: every bone points exactly where the body's does",
        default=True,
    )
    mute: BoolProperty(
        name="Mute Constraints",
        description="Switch off constraints on the keyed bones, which would hold them elsewhere",
        default=True,
    )
    controls: EnumProperty(
        name="Keys",
        description="What is keyed on a rig with controls",
        items=[
            ("ik feet", "IK Feet, FK Arms", "Feet and knees by their goals and poles, arms by FK controls"),
            ("ik", "IK Feet and Hands", "Feet and hands by their goals, knees and elbows by their poles"),
            ("fk", "FK Controls", "Every limb by its FK controls"),
            ("bones", "Bones", "The bones that deform, with their constraints muted, as for game engines"),
        ],
    )
    show_all: BoolProperty(name="All Parts", description="Show also the parts that this rig need not have")
    active: IntProperty(options={"SKIP_SAVE"})


def user_folder() -> Path | None:
    """Where the user's own name tables are; None outside an installed extension."""
    try:
        return Path(bpy.utils.extension_path_user(PACKAGE, path="rigs"))
    except ValueError:
        return None


def recognised(rig: Rig) -> Mapping:
    """Recognise a rig by the built-in tables and the user's; a broken table of the user's is noted."""
    tables, broken = families(user_folder())
    found = recognise(rig, tables)
    return found.changed(notes=(*found.notes, *broken))


def can_store(obj: bpy.types.Object) -> bool:
    """Whether the rig's data can keep a mapping; linked data cannot."""
    return obj.data.library is None and obj.data.override_library is None


def store(obj: bpy.types.Object, mapping: Mapping) -> None:
    """Keep a mapping with the rig."""
    kept = obj.data.understudy_rig
    kept.filling = True
    try:
        kept.mapping = mapping.to_json()
        kept.rows.clear()
        for slot in SLOTS:
            row = kept.rows.add()
            row.name = slot
            row.bone = mapping.bones.get(slot, "")
            row.by = mapping.by.get(slot, "name")
    finally:
        kept.filling = False


def stored(obj: bpy.types.Object) -> Mapping | None:
    """The mapping kept with a rig, with the animator's changes; None where there is none."""
    kept = obj.data.understudy_rig
    if not kept.mapping or not len(kept.rows):
        return None
    try:
        mapping = mapping_from_json(kept.mapping)
    except BadInput:
        return None
    bones = {row.name: row.bone for row in kept.rows if row.bone}
    return mapping.changed(bones=bones, by={row.name: row.by for row in kept.rows if row.bone}).ordered()


def mapping_of(obj: bpy.types.Object, rig: Rig) -> Mapping:
    """The kept mapping, or a fresh one if it is sure enough.

    Raises:
        BadInput: nothing is kept, and the rig is not recognised well enough to go on unasked.
    """
    kept = stored(obj)
    if kept is not None:
        return kept
    found = recognised(rig)
    if found.confidence < LEAST:
        raise BadInput(
            f"The bones of “{obj.name}” are not recognised ({found.confidence:.0%} sure).",
            hint="Press Recognise and choose the missing bones in the list.",
            field="mapping",
        )
    return found


def ensure() -> None:
    """Register what a rig keeps where the add-on is not registered: in a child of the command line."""
    if not hasattr(bpy.types.Armature, "understudy_rig"):
        for cls in CLASSES:
            bpy.utils.register_class(cls)
        register()


CLASSES = (UNDERSTUDY_PG_bone, UNDERSTUDY_PG_rig, UNDERSTUDY_PG_retarget)


def register() -> None:
    bpy.types.Armature.understudy_rig = PointerProperty(type=UNDERSTUDY_PG_rig)
    bpy.types.Scene.understudy_retarget = PointerProperty(type=UNDERSTUDY_PG_retarget)


def unregister() -> None:
    del bpy.types.Scene.understudy_retarget
    del bpy.types.Armature.understudy_rig
