"""Searching the library, looking at what was found, taking it over."""

import os
from pathlib import Path
from typing import Any

import bpy
from bpy.props import IntProperty, StringProperty

from ...backend.errors import BadInput, UnderstudyError
from ...backend.motion.clip import Clip
from ...backend.motion.reading import read_motion
from ..body.bodymap import find_body
from ..perform.properties import remember
from ..preferences import settings as preferences
from ..process.client import backend, redraw
from ..process.refusing import refuse
from ..process.slices import Sliced, Steps, aside, show_soon
from ..takes import files as take_files
from ..takes import preview
from ..takes import records as takes
from ..takes.preview import current
from ..translations import CONTEXT, t
from .asking import Asking
from .state import LIMIT, UNDERSTUDY_PG_library, folders, library, select


def search(context: bpy.types.Context, query: str) -> None:
    """Ask for the clips of the folders that show something; the list follows.

    Raises:
        UnderstudyError: nothing is asked for, there are no folders, or the backend cannot be started.
    """
    query = " ".join(query.split())
    if not query:
        raise BadInput("The search is empty.", hint="Say what the clips show.", field="query")
    chosen = [os.path.normpath(bpy.path.abspath(item.path)) for item in folders(context).items if item.path]
    if not chosen:
        raise BadInput("The library has no folder.", hint="Add a folder of clips.", field="folder")
    settings = preferences.get()
    params: dict[str, Any] = {
        "query": query,
        "folders": chosen,
        "limit": LIMIT,
        "pack": context.scene.understudy.pack or "open",
        "device": settings.device,
    }
    Asking.start("Searching", "search", params, lambda result: _list(query, result))


def _list(query: str, result: Any) -> None:
    state = library(bpy.context)  # not kept while asking: loading a file may replace it
    result = result if isinstance(result, dict) else {}
    state.found.clear()
    for one in result.get("results", []):
        item = state.found.add()
        item.path = str(one.get("path", ""))
        item.name = Path(item.path).stem
        item.score = float(one.get("score", 0.0))
        item.seconds = float(one.get("seconds", 0.0))
        item.text = str(one.get("text", ""))
        item.layout = str(one.get("layout", ""))
    skipped = result.get("skipped", [])
    state.searched, state.read, state.skipped = query, int(result.get("read", 0)), len(skipped)
    state.skipped_text = str(skipped[0].get("why", "")) if skipped else ""
    select(state, 0)
    redraw()


def search_soon() -> None:
    """Search once Blender is done with the text field."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_search_now):
        bpy.app.timers.register(_search_now, first_interval=0.0)


def _search_now() -> None:
    state = library(bpy.context)
    if state.query.strip() and " ".join(state.query.split()) != state.searched and not Asking.title:
        bpy.ops.understudy.library_search("INVOKE_DEFAULT")


def clicked(context: bpy.types.Context, state: UNDERSTUDY_PG_library) -> None:
    if state.quiet or not 0 <= state.active < len(state.found):
        return
    try:
        show_soon(showing(context, state.found[state.active]), t("Preview"))
    except UnderstudyError as error:
        backend.error = error
        redraw()


def read(item: Any) -> Clip:
    """The clip of a row.

    Raises:
        BadInput: its file is gone or damaged.
    """
    return read_motion(item.path).clip


def showing(context: bpy.types.Context, item: Any) -> Steps[bpy.types.Action]:
    """Preview a clip on the body, in slices; the animation that was there waits.

    Raises:
        BadInput: there is no body, or the file cannot be read; nothing has changed then.
    """
    path, name = str(item.path), str(item.name)  # a later search may take the row away
    scene, body = context.scene, _body(context)
    clip = yield from aside(lambda: read_motion(path).clip)
    start = body.understudy_preview.start if current(body) is not None else scene.frame_current
    action = yield from preview.showing(scene, body, clip, take=path, name=name, start=start)
    redraw()
    return action


def _body(context: bpy.types.Context) -> bpy.types.Object:
    body = find_body(context)
    if body is None:
        raise BadInput(
            "There is no body to show the clip on.", hint="Add a body, or select one.", field="body"
        )
    return body


class _RowOperator:
    """What operators on a row have in common."""

    index: IntProperty(
        name="Clip",
        description="-1: the active one",
        default=-1,
        options={"SKIP_SAVE"},
        translation_context=CONTEXT,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not len(library(context).found):
            cls.poll_message_set("Search for clips first")  # type: ignore[attr-defined]  # of Operator
            return False
        return True

    def row(self, context: bpy.types.Context) -> tuple[int, Any]:
        state = library(context)
        index = self.index if self.index >= 0 else state.active
        if not 0 <= index < len(state.found):
            raise BadInput("That clip is not in the list any more.", field="clip")
        return index, state.found[index]


class UNDERSTUDY_OT_library_add_folder(bpy.types.Operator):
    bl_idname = "understudy.library_add_folder"
    bl_label = "Add Folder"
    bl_description = "Add a folder of clips (.npz, .bvh, .amc) to the library, with everything below it"

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = os.path.normpath(bpy.path.abspath(self.directory)) if self.directory else ""
        if not path or not os.path.isdir(path):
            return refuse(
                self, BadInput(f"There is no folder {path or '(none was chosen)'}.", field="folder")
            )
        kept = folders(context)
        if path in (os.path.normpath(item.path) for item in kept.items):
            return refuse(self, BadInput(f"{path} is in the library already.", field="folder"))
        kept.items.add().path = path
        kept.active = len(kept.items) - 1
        context.preferences.is_dirty = True
        library(context).searched = ""
        redraw()
        return {"FINISHED"}


class UNDERSTUDY_OT_library_remove_folder(bpy.types.Operator):
    bl_idname = "understudy.library_remove_folder"
    bl_label = "Remove Folder"
    bl_description = "Take the folder out of the library. Its files stay where they are"

    index: IntProperty(default=-1, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(len(folders(context).items))

    def execute(self, context: bpy.types.Context) -> set[str]:
        kept = folders(context)
        index = self.index if self.index >= 0 else kept.active
        if not 0 <= index < len(kept.items):
            return {"CANCELLED"}
        kept.items.remove(index)
        kept.active = max(min(kept.active, len(kept.items) - 1), 0)
        context.preferences.is_dirty = True
        library(context).searched = ""
        redraw()
        return {"FINISHED"}


class UNDERSTUDY_OT_library_search(bpy.types.Operator):
    bl_idname = "understudy.library_search"
    bl_label = "Search"
    bl_description = "Find the clips of the library that show what the search says"

    query: StringProperty(description="For scripts; empty: the panel's", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if Asking.title:
            cls.poll_message_set("A search or a description is under way")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        state = library(context)
        try:
            search(context, self.query or state.query)
        except UnderstudyError as error:
            return refuse(self, error)
        if bpy.app.background:
            self.report({"INFO"}, t(f"Found {len(state.found)} of {state.read} clips."))
        redraw()
        return {"FINISHED"}


class UNDERSTUDY_OT_library_cancel(bpy.types.Operator):
    bl_idname = "understudy.library_cancel"
    bl_label = "Cancel"
    bl_description = "Stop searching. What was read is remembered"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        Asking.cancel()
        redraw()
        return {"FINISHED"}


class UNDERSTUDY_OT_library_preview(Sliced, _RowOperator, bpy.types.Operator):
    bl_idname = "understudy.library_preview"
    bl_label = "Preview"
    bl_description = "Show the clip on the body. The animation that was there waits"
    bl_options = {"UNDO"}

    def work(self, context: bpy.types.Context) -> Steps[set[str]]:
        index, item = self.row(context)
        yield from showing(context, item)
        select(library(context), index)
        return {"FINISHED"}


class UNDERSTUDY_OT_library_import(Sliced, _RowOperator, bpy.types.Operator):
    bl_idname = "understudy.library_import"
    bl_label = "Import as Take"
    bl_description = "Keep the clip in the list of takes, and preview it on the body"
    bl_options = {"UNDO"}

    def work(self, context: bpy.types.Context) -> Steps[set[str]]:
        scene, body = context.scene, _body(context)
        index, item = self.row(context)
        path, name, text = str(item.path), str(item.name), str(item.text)
        clip = yield from aside(lambda: read_motion(path).clip)
        start = body.understudy_preview.start if current(body) is not None else scene.frame_current
        file = yield from aside(take_files.store, clip)
        settings = remember(scene.understudy)
        settings["prompt"] = str(clip.meta.get("prompt") or text or name)[:500]
        yield from takes.adding(
            scene, body, [clip], [file], name=name, start=start, settings=settings, voice=None
        )
        select(library(context), index)
        redraw()
        self.report({"INFO"}, t(f"“{name}” is in Takes."))
        return {"FINISHED"}


CLASSES = (
    UNDERSTUDY_OT_library_add_folder,
    UNDERSTUDY_OT_library_remove_folder,
    UNDERSTUDY_OT_library_search,
    UNDERSTUDY_OT_library_cancel,
    UNDERSTUDY_OT_library_preview,
    UNDERSTUDY_OT_library_import,
)


def unregister() -> None:
    if bpy.app.timers.is_registered(_search_now):
        bpy.app.timers.unregister(_search_now)
