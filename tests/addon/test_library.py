"""The library: folders, searching, previews, takes, words, assets."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from understudy.addon.library import asking
from understudy.addon.library.asking import Asking
from understudy.addon.library.assets import mark
from understudy.addon.library.state import folders, library
from understudy.addon.library.thumbnails import thumbnail
from understudy.addon.process.client import backend
from understudy.addon.takes import preview
from understudy.backend.motion import npz
from understudy.backend.motion.clip import Clip

from .test_files import smooth_clip

Fake = Callable[[str], None]


@pytest.fixture(autouse=True)
def scene_at_30() -> None:
    bpy.context.scene.render.fps = 30


@pytest.fixture
def clips(tmp_path: Path, fake: Fake) -> Path:
    """A folder of the library, with a broken file."""
    home = tmp_path / "clips"
    home.mkdir()
    for seed, name in enumerate(("sneak", "walk", "dance")):
        clip = smooth_clip(21 + 10 * seed, seed=seed)
        npz.write_clip(
            clip.replace(meta={"prompt": f"somebody {name}s", "licence": "CC0-1.0"}), home / f"{name}.npz"
        )
    (home / "broken.npz").write_bytes(b"PK\x03\x04")
    bpy.ops.understudy.library_add_folder(directory=str(home))
    return home


@pytest.fixture
def body() -> bpy.types.Object:
    bpy.ops.understudy.add_body()
    return bpy.context.scene.understudy.body


def names() -> list[str]:
    return [item.name for item in library(bpy.context).found]


def test_folders_are_kept_once_and_taken_out(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert bpy.ops.understudy.library_add_folder(directory=str(tmp_path / "a")) == {"FINISHED"}
    with pytest.raises(RuntimeError, match="already"):
        bpy.ops.understudy.library_add_folder(directory=str(tmp_path / "a") + "/")
    with pytest.raises(RuntimeError, match="There is no folder"):
        bpy.ops.understudy.library_add_folder(directory=str(tmp_path / "nowhere"))
    assert len(folders(bpy.context).items) == 1
    bpy.ops.understudy.library_remove_folder()
    assert not len(folders(bpy.context).items)
    assert (tmp_path / "a").is_dir()


def test_the_row_of_its_own_is_removed_and_not_the_active_one(tmp_path: Path) -> None:
    """Peers' bug: the X button removed the active row."""
    for name in "abc":
        (tmp_path / name).mkdir()
        bpy.ops.understudy.library_add_folder(directory=str(tmp_path / name))
    folders(bpy.context).active = 2
    bpy.ops.understudy.library_remove_folder(index=0)
    assert [Path(item.path).name for item in folders(bpy.context).items] == ["b", "c"]


def test_a_search_lists_the_nearest_first_and_names_what_is_broken(clips: Path) -> None:
    assert bpy.ops.understudy.library_search(query="they sneak") == {"FINISHED"}
    state = library(bpy.context)
    assert names()[0] == "sneak" and len(names()) == 3
    assert (state.read, state.skipped, state.searched) == (3, 1, "they sneak")
    assert "damaged" in state.skipped_text
    assert state.found[0].text == "somebody sneaks"
    bpy.ops.understudy.library_search(query="a dance")
    assert names()[0] == "dance" and len(names()) == 3, "the list is replaced"


@pytest.mark.parametrize(
    ("query", "with_folder", "says"),
    [("", True, "search is empty"), ("walk", False, "no folder")],
)
def test_what_cannot_be_searched_is_told(
    tmp_path: Path, fake: Fake, query: str, with_folder: bool, says: str
) -> None:
    if with_folder:
        bpy.ops.understudy.library_add_folder(directory=str(tmp_path))
    with pytest.raises(RuntimeError, match=says):
        bpy.ops.understudy.library_search(query=query)


def test_a_failed_search_leaves_the_list_and_says_why(clips: Path, fake: Fake) -> None:
    bpy.ops.understudy.library_search(query="walk")
    backend.stop()
    fake("fails")
    with pytest.raises(RuntimeError, match="The folder is gone"):
        bpy.ops.understudy.library_search(query="dance")
    assert names()[0] == "walk"
    assert not Asking.title
    backend.stop()
    fake("well")
    assert bpy.ops.understudy.library_search(query="dance") == {"FINISHED"}


def test_a_search_is_cancelled_and_the_backend_goes_on(
    clips: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake("slow")
    monkeypatch.setattr(Asking, "_wait", classmethod(lambda cls: None))  # as in a window
    bpy.ops.understudy.library_search(query="walk")
    deadline = time.monotonic() + 20
    while Asking.progress()[1] == 0 and time.monotonic() < deadline:
        assert Asking.poll()
        time.sleep(0.01)
    assert Asking.progress()[1] == 3
    assert not bpy.ops.understudy.library_search.poll(), "one question at a time"
    bpy.ops.understudy.library_cancel()
    assert not Asking.title and not names()
    pid = backend.client.pid
    time.sleep(0.1)
    backend.poll()
    assert backend.client.pid == pid and backend.state == "ready"


def test_a_click_shows_the_clip_and_the_animation_waits(clips: Path, body: bpy.types.Object) -> None:
    bpy.ops.understudy.import_npz(filepath=str(clips / "walk.npz"))
    before = body.animation_data.action
    bpy.ops.understudy.library_search(query="dance sneak")
    library(bpy.context).active = names().index("dance")
    assert preview.current(body) is not None
    assert body.animation_data.action.name == "dance"
    library(bpy.context).active = names().index("sneak")
    assert body.animation_data.action.name == "sneak"
    bpy.ops.understudy.reject_take()
    assert body.animation_data.action == before
    assert sorted(action.name for action in bpy.data.actions) == ["walk"], "no orphans"


def test_a_clip_becomes_a_take(clips: Path, body: bpy.types.Object) -> None:
    bpy.ops.understudy.library_search(query="sneak")
    assert bpy.ops.understudy.library_import() == {"FINISHED"}
    (take,) = bpy.context.scene.understudy_takes.items
    assert (take.name, take.licence) == ("sneak", "CC0-1.0")
    assert take.seconds == pytest.approx(21 / 30)
    assert body.understudy_preview.take == take.file
    (clips / "sneak.npz").unlink()  # the take has a file of its own
    bpy.ops.understudy.preview_take()
    bpy.ops.understudy.accept_take()
    assert body.animation_data.action.name == "sneak"


def test_a_file_that_went_away_changes_nothing(clips: Path, body: bpy.types.Object) -> None:
    bpy.ops.understudy.library_search(query="sneak")
    (clips / "sneak.npz").unlink()
    for operator in (bpy.ops.understudy.library_preview, bpy.ops.understudy.library_import):
        with pytest.raises(RuntimeError, match="There is no file"):
            operator(index=0)
    assert not len(bpy.context.scene.understudy_takes.items) and not len(bpy.data.actions)


def test_without_a_body_a_click_says_what_is_missing(clips: Path) -> None:
    bpy.ops.understudy.library_search(query="sneak")
    with pytest.raises(RuntimeError, match="no body"):
        bpy.ops.understudy.library_preview()


def test_an_action_in_words(clips: Path, body: bpy.types.Object) -> None:
    bpy.ops.understudy.import_npz(filepath=str(clips / "walk.npz"))
    assert bpy.ops.understudy.describe() == {"FINISHED"}
    state = library(bpy.context)
    assert state.told == "a person moves for 1.0 s"
    assert state.told_of == "walk"
    assert body.animation_data.action["understudy_description"] == state.told


def test_a_body_without_motion_is_not_described(fake: Fake, body: bpy.types.Object) -> None:
    with pytest.raises(RuntimeError, match="no animation"):
        bpy.ops.understudy.describe()


# ------------------------------------------------------------------------------------ assets


def picture(action: bpy.types.Action) -> np.ndarray:
    shown = action.preview
    pixels = np.empty(shown.image_size[0] * shown.image_size[1] * 4, np.float32)
    shown.image_pixels_float.foreach_get(pixels)
    return pixels.reshape(shown.image_size[1], shown.image_size[0], 4)


def test_an_action_becomes_an_asset_with_a_picture(clips: Path, body: bpy.types.Object) -> None:
    bpy.ops.understudy.import_npz(filepath=str(clips / "walk.npz"))
    assert bpy.ops.understudy.mark_asset() == {"FINISHED"}
    action = body.animation_data.action
    assert action.asset_data.description == "somebody walks"
    assert action.asset_data.license == "CC0-1.0"
    assert "Understudy" in [tag.name for tag in action.asset_data.tags]
    assert np.ptp(picture(action)[..., :3]) > 0.3
    bpy.ops.understudy.mark_asset()
    assert [tag.name for tag in action.asset_data.tags].count("Understudy") == 1


def test_found_clips_become_a_file_of_assets(clips: Path, body: bpy.types.Object, tmp_path: Path) -> None:
    bpy.ops.understudy.import_npz(filepath=str(clips / "walk.npz"))
    own = body.animation_data.action
    bpy.ops.understudy.library_search(query="dance")
    out = tmp_path / "assets" / "motions.blend"
    out.parent.mkdir()
    assert bpy.ops.understudy.library_to_assets(filepath=str(out)) == {"FINISHED"}
    assert [action.name for action in bpy.data.actions] == [own.name], "this file stays as it was"
    assert body.animation_data.action == own
    assert len([obj for obj in bpy.data.objects if obj.type == "ARMATURE"]) == 1
    libraries = bpy.context.preferences.filepaths.asset_libraries
    assert [one for one in libraries if Path(one.path) == out.parent]
    with bpy.data.libraries.load(str(out), assets_only=True) as (there, wanted):
        assert sorted(there.actions) == ["dance", "sneak", "walk"]
        wanted.actions = [name for name in there.actions if name.startswith("dance")]
    (action,) = wanted.actions
    assert action.asset_data.description == "somebody dances"
    assert action.frame_range[1] == 1 + 40
    # It can be put on the body, slots and all.
    body.animation_data.action = action
    if hasattr(action, "slots"):
        body.animation_data.action_slot = action.slots[0]
    bpy.context.scene.frame_set(20)
    posed = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    assert posed.pose.bones["left_knee"].rotation_quaternion.angle > 0.05


def test_assets_without_a_body_or_a_folder_are_refused(clips: Path, tmp_path: Path) -> None:
    bpy.ops.understudy.library_search(query="dance")
    with pytest.raises(RuntimeError, match="Add a body"):
        bpy.ops.understudy.library_to_assets(filepath=str(tmp_path / "a.blend"))
    bpy.ops.understudy.add_body()
    with pytest.raises(RuntimeError, match="does not exist"):
        bpy.ops.understudy.library_to_assets(filepath=str(tmp_path / "nowhere" / "a.blend"))
    assert not len(bpy.data.actions)


def test_a_picture_shows_the_motion() -> None:
    standing = Clip(np.zeros((10, 55, 3)), np.tile([0, 1.31, 0], (10, 1)), 30.0)
    lying = standing.replace(poses=np.array(standing.poses))
    lying.poses[:, 0, 0] = np.pi / 2
    lying = lying.replace(trans=lying.trans - [0, 1.0, 0])
    pictures = [thumbnail(clip) for clip in (standing, lying)]
    assert all(p.shape == (256, 256, 4) and p.min() >= 0 and p.max() <= 1 for p in pictures)
    drawn = [(np.ptp(p[..., :3] - p[-1, 0, :3], axis=-1) > 0.1) for p in pictures]
    heights = [np.flatnonzero(d.any(1)).max() for d in drawn]
    assert heights[0] > heights[1] + 40, "who stands is taller than who lies"
    thumbnail(standing.slice(0, 1))


def test_unregistering_gives_a_question_up(clips: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake("slow")
    monkeypatch.setattr(Asking, "_wait", classmethod(lambda cls: None))
    bpy.ops.understudy.library_search(query="walk")
    assert Asking.title
    asking.unregister()
    assert not Asking.title
    assert mark is not None
