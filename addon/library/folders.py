"""The folders of the library, as the preferences keep them."""

import bpy
from bpy.props import CollectionProperty, IntProperty, StringProperty


class UNDERSTUDY_PG_folder(bpy.types.PropertyGroup):
    path: StringProperty(name="Folder", description="Searched with everything below it", subtype="DIR_PATH")


class UNDERSTUDY_PG_folders(bpy.types.PropertyGroup):
    items: CollectionProperty(type=UNDERSTUDY_PG_folder)
    active: IntProperty(name="Folder")


CLASSES = (UNDERSTUDY_PG_folder, UNDERSTUDY_PG_folders)
