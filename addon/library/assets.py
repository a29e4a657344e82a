"""Motions as Blender assets: Actions marked with a picture and words, and whole asset files made of clips."""

import os
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from ...backend.errors import BadInput, JobFailed, UnderstudyError
from ...backend.motion.clip import Clip
from ..actions import read_meta
from ..bodymap import BodyMap, find_body
from ..export_clip import clip_of, to_export
from ..generate import refuse
from ..keying import key_clip, scene_rate
from .operators import TOLD_KEY, read
from .state import library
from .thumbnails import SIZE, thumbnail


def mark(action: bpy.types.Action, clip: Clip, words: str = "") -> None:
    """Make an Action an asset with a picture of its motion.

    Args:
        action: of this file.
        clip: its motion.
        words: what it shows.
    """
    meta = clip.meta
    action.asset_mark()
    data = action.asset_data
    data.description = (words or str(action.get(TOLD_KEY, "")) or str(meta.get("prompt", "")))[:500]
    data.author = str(meta.get("source", ""))[:60]
    if hasattr(data, "license"):
        data.license = str(meta.get("licence", ""))[:60]
    tags = {tag.name for tag in data.tags}
    for tag in ("Understudy", str(meta.get("pack", ""))):
        if tag and tag not in tags:
            data.tags.new(tag)
    picture = thumbnail(clip)
    shown = action.preview_ensure()
    shown.image_size = (SIZE, SIZE)
    shown.image_pixels_float.foreach_set(picture.ravel())


class UNDERSTUDY_OT_mark_asset(bpy.types.Operator):
    bl_idname = "understudy.mark_asset"
    bl_label = "Mark as Asset"
    bl_description = (
        "Make the body's Action an asset of this file, with a picture of its motion and its description"
    )
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            armature = to_export(context)
            animation = armature.animation_data
            action = animation.action if animation is not None else None
            if action is None:
                raise BadInput(f"“{armature.name}” has no Action.", field="body")
            if not action.is_editable:
                raise BadInput(f"“{action.name}” is linked from another file.", field="body")
            clip = clip_of(context, armature, None, 0.0)
            mark(action, clip.replace(meta={**clip.meta, **(read_meta(action).get("meta") or {})}))
        except UnderstudyError as error:
            return refuse(self, error)
        self.report(
            {"INFO"}, f"“{action.name}” is an asset. Save the file in an asset library to use it elsewhere."
        )
        return {"FINISHED"}


class UNDERSTUDY_OT_library_to_assets(bpy.types.Operator, ExportHelper):
    bl_idname = "understudy.library_to_assets"
    bl_label = "Found Clips to Assets"
    bl_description = "Write the clips of the list as Actions into a .blend of assets, each with a picture"

    filename_ext = ".blend"
    filepath: StringProperty(subtype="FILE_PATH")
    filter_glob: StringProperty(default="*.blend", options={"HIDDEN"})
    register_library: BoolProperty(
        name="Show in Asset Browser",
        description="Add the file's folder to the asset libraries of the preferences",
        default=True,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not len(library(context).found):
            cls.poll_message_set("Search for clips first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath))
        try:
            count, failed = write_assets(context, list(library(context).found), path)
            if self.register_library:
                _show_folder(context, path.parent)
        except UnderstudyError as error:
            return refuse(self, error)
        if failed:
            self.report({"WARNING"}, f"{len(failed)} clips were left out: {failed[0]}")
        self.report({"INFO"}, f"Wrote {count} assets to {path.name}.")
        return {"FINISHED"}


def write_assets(context: bpy.types.Context, rows: list[Any], path: Path) -> tuple[int, list[str]]:
    """Write clips as Actions marked as assets into a .blend; this file stays as it was.

    Args:
        context: its body is keyed in a copy that no scene sees.
        rows: with a ``path``, a ``name`` and a ``text`` each.
        path: of the .blend.

    Returns:
        How many were written, and why others were not.

    Raises:
        BadInput: there is no body, or no clip can be read.
        JobFailed: the file cannot be written.
    """
    body = find_body(context)
    if body is None:
        raise BadInput("Add a body first: its bones say what is keyed.", field="body")
    BodyMap.of(body)
    if not path.parent.is_dir():
        raise BadInput(f"The folder {path.parent} does not exist.", field="filepath")
    # So that the assets can have the clips' names, which Actions of this file may have already.
    own = [(action, action.name) for action in bpy.data.actions if action.library is None]
    for i, (action, _) in enumerate(own):
        action.name = f"Understudy aside {i}"
    double = body.copy()
    double.animation_data_clear()
    actions: list[bpy.types.Action] = []
    failed: list[str] = []
    manager = context.window_manager
    manager.progress_begin(0, len(rows))
    hidden = path.with_name(f".{path.stem}.part.blend")
    try:
        for done, row in enumerate(rows):
            manager.progress_update(done)
            try:
                clip = read(row)
            except BadInput as error:
                failed.append(error.message)
                continue
            # Kept by the next one taking its place otherwise: assign() drops what nothing uses.
            action = key_clip(double, clip, name=row.name, start_frame=1, scene_fps=scene_rate(context.scene))
            action.use_fake_user = True
            actions.append(action)
            mark(action, clip, row.text)
        if not actions:
            raise BadInput(f"None of the clips can be read. {failed[0]}" if failed else "There are no clips.")
        bpy.data.libraries.write(str(hidden), set(actions), fake_user=True, compress=True)
        os.replace(hidden, path)
    except (OSError, RuntimeError) as error:
        raise JobFailed(f"{path} cannot be written: {error}.") from error
    finally:
        manager.progress_end()
        hidden.unlink(missing_ok=True)
        bpy.data.objects.remove(double)
        for action in actions:
            bpy.data.actions.remove(action)
        for action, name in own:
            action.name = name
    return len(actions), failed


def _show_folder(context: bpy.types.Context, folder: Path) -> None:
    libraries = context.preferences.filepaths.asset_libraries
    if str(folder) not in (os.path.normpath(bpy.path.abspath(one.path)) for one in libraries):
        libraries.new(name=folder.name or "Understudy", directory=str(folder))
        context.preferences.is_dirty = True


CLASSES = (UNDERSTUDY_OT_mark_asset, UNDERSTUDY_OT_library_to_assets)
