"""Motions as Blender assets: Actions marked with a picture and words, and whole asset files made of clips."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import bpy
import numpy as np
from bpy.props import BoolProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from ...backend.errors import BadInput, JobFailed, UnderstudyError
from ...backend.motion.clip import Clip
from ..body.bodymap import BodyMap, find_body
from ..files.export_clip import clip_of, to_export
from ..keying.actions import read_meta
from ..keying.keying import key_clip, scene_rate
from ..process.refusing import refuse
from ..process.slices import Sliced, Steps, Timer, aside
from ..translations import t
from .operators import read
from .state import library
from .thumbnails import SIZE, thumbnail
from .words import TOLD_KEY


def mark(action: bpy.types.Action, clip: Clip, words: str = "", picture: "np.ndarray | None" = None) -> None:
    """Make an Action an asset with a picture of its motion.

    Args:
        action: of this file.
        clip: its motion.
        words: what it shows.
        picture: of the motion, where it is at hand (see :func:`.thumbnails.thumbnail`).
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
    if picture is None:
        picture = thumbnail(clip)
    shown = action.preview_ensure()
    shown.image_size = (SIZE, SIZE)
    shown.image_pixels_float.foreach_set(picture.ravel())


class UNDERSTUDY_OT_mark_asset(Sliced, bpy.types.Operator):
    bl_idname = "understudy.mark_asset"
    bl_label = "Mark as Asset"
    bl_description = (
        "Make the body's Action an asset of this file, with a picture of its motion and its description"
    )
    bl_options = {"UNDO"}

    def work(self, context: bpy.types.Context) -> Steps[set[str]]:
        armature = to_export(context)
        animation = armature.animation_data
        action = animation.action if animation is not None else None
        if action is None:
            raise BadInput(f"“{armature.name}” has no Action.", field="body")
        if not action.is_editable:
            raise BadInput(f"“{action.name}” is linked from another file.", field="body")
        clip = clip_of(context, armature, None, 0.0)
        yield
        picture = yield from aside(thumbnail, clip)
        mark(action, clip.replace(meta={**clip.meta, **(read_meta(action).get("meta") or {})}), "", picture)
        self.report(
            {"INFO"},
            t(f"“{action.name}” is an asset. Save the file in an asset library to use it elsewhere."),
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

    _writer: "AssetWriter | None" = None
    _timer: Any = None

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath))
        try:
            self._writer = AssetWriter(context, list(library(context).found), path)
            if not bpy.app.background:  # a clip at a time, so that the window stays alive
                self._timer = Timer.add(context)
                context.window_manager.modal_handler_add(self)
                return {"RUNNING_MODAL"}
            with self._writer:
                while self._writer.step():
                    pass
                return self._finish(context)
        except UnderstudyError as error:
            return refuse(self, error)

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        assert self._writer is not None
        if event.type == "ESC":
            self.cancel(context)
            self.report({"INFO"}, t("Cancelled."))
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            if self._writer.step():
                context.workspace.status_text_set(
                    t(
                        "{done} of {total} clips; Esc cancels",
                        done=self._writer.done,
                        total=self._writer.total,
                    )
                )
                return {"RUNNING_MODAL"}
            return self._finish(context)
        except UnderstudyError as error:
            return refuse(self, error)
        finally:
            if self._writer.over:
                self.cancel(context)

    def _finish(self, context: bpy.types.Context) -> set[str]:
        assert self._writer is not None
        self._writer.write()
        if self.register_library:
            _show_folder(context, self._writer.path.parent)
        failed = self._writer.failed
        if failed:
            self.report({"WARNING"}, t(f"{len(failed)} clips were left out: {failed[0]}"))
        self.report({"INFO"}, t(f"Wrote {len(self._writer.actions)} assets to {self._writer.path.name}."))
        return {"FINISHED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Over, one way or the other: nothing of it stays in this file."""
        Timer.remove(self._timer)
        if self._writer is not None:
            self._writer.close()
        if context.workspace is not None:
            context.workspace.status_text_set(None)


class AssetWriter:
    """Clips become Actions marked as assets in a .blend, one by one; this file stays as it was.

    Args:
        context: its body is keyed in a copy that no scene sees.
        rows: with a ``path``, a ``name`` and a ``text`` each.
        path: of the .blend.

    Attributes:
        failed: why clips were left out.
        over: whether there is nothing more to do.

    Raises:
        BadInput: there is no body, or no such folder.
    """

    def __init__(self, context: bpy.types.Context, rows: list[Any], path: Path) -> None:
        body = find_body(context)
        if body is None:
            raise BadInput("Add a body first: its bones say what is keyed.", field="body")
        BodyMap.of(body)
        if not path.parent.is_dir():
            raise BadInput(f"The folder {path.parent} does not exist.", field="filepath")
        self.path = path
        self.actions: list[bpy.types.Action] = []
        self.failed: list[str] = []
        self.over = False
        self._rows = [Row(row.path, row.name, row.text) for row in rows]
        self.done, self.total = 0, len(rows)
        self._rate = scene_rate(context.scene)
        # So that the assets can have the clips' names, which Actions of this file may have already.
        self._own = [(action, action.name) for action in bpy.data.actions if action.library is None]
        for i, (action, _) in enumerate(self._own):
            action.name = f"Understudy aside {i}"
        self._double = body.copy()
        self._double.animation_data_clear()

    def step(self) -> bool:
        """Make the next clip an Action; whether there are more."""
        if self.done == self.total:
            return False
        row = self._rows[self.done]
        self.done += 1
        try:
            clip = read(row)
            action = key_clip(self._double, clip, name=row.name, start_frame=1, scene_fps=self._rate)
        except BadInput as error:
            self.failed.append(error.message)
        except ReferenceError:
            self.over = True
            raise JobFailed("Something was undone while the assets were written.") from None
        else:
            action.use_fake_user = True  # the next one would take its place otherwise
            self.actions.append(action)
            mark(action, clip, row.text)
        return self.done < self.total

    def write(self) -> None:
        """Write the file.

        Raises:
            BadInput: no clip could be read.
            JobFailed: the file cannot be written.
        """
        self.over = True
        if not self.actions:
            raise BadInput(
                f"None of the clips can be read. {self.failed[0]}" if self.failed else "There are no clips."
            )
        hidden = self.path.with_name(f".{self.path.stem}.part.blend")
        try:
            bpy.data.libraries.write(str(hidden), set(self.actions), fake_user=True, compress=True)
            os.replace(hidden, self.path)
        except (OSError, RuntimeError, ReferenceError) as error:
            raise JobFailed(f"{self.path} cannot be written: {error}.") from error
        finally:
            hidden.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave this file as it was."""
        self.over = True
        with suppress(ReferenceError):
            bpy.data.objects.remove(self._double)
        for action in self.actions:
            with suppress(ReferenceError):
                bpy.data.actions.remove(action)
        for action, name in self._own:
            with suppress(ReferenceError):
                action.name = name
        self._own = []

    def __enter__(self) -> "AssetWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Row(NamedTuple):
    """What is made an asset of."""

    path: str
    name: str
    text: str


def _show_folder(context: bpy.types.Context, folder: Path) -> None:
    libraries = context.preferences.filepaths.asset_libraries
    if str(folder) not in (os.path.normpath(bpy.path.abspath(one.path)) for one in libraries):
        libraries.new(name=folder.name or "Understudy", directory=str(folder))
        context.preferences.is_dirty = True


CLASSES = (UNDERSTUDY_OT_mark_asset, UNDERSTUDY_OT_library_to_assets)
