"""Takes: what a generation leaves in the list, on the body and on the disk, and every way to go on from there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

from understudy.addon.body.builtin import _armature
from understudy.addon.process.client import backend
from understudy.addon.takes import files as take_files
from understudy.addon.takes import panel as takes_panel
from understudy.addon.takes import preview
from understudy.addon.takes.records import find

Fake = Callable[[str], None]


@pytest.fixture
def body(fake: Fake) -> bpy.types.Object:
    """A body without its mesh, and a backend at hand."""
    armature = _armature(bpy.context, "Understudy")
    bpy.context.scene.understudy.body = armature
    bpy.context.scene.render.fps = 30
    return armature


def takes() -> Any:
    return bpy.context.scene.understudy_takes


def generate(prompt: str = "a person walks", **given: Any) -> None:
    assert bpy.ops.understudy.generate(prompt=prompt, seconds=given.pop("seconds", 1.0), **given) == {
        "FINISHED"
    }


def playing(body: bpy.types.Object) -> str | None:
    action = body.animation_data.action if body.animation_data else None
    return action.name if action else None


def pelvis(body: bpy.types.Object, frame: int) -> tuple[float, ...]:
    bpy.context.scene.frame_set(frame)
    return tuple(
        round(v, 4)
        for v in body.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones["pelvis"].head
    )


def by_hand(body: bpy.types.Object, name: str = "by hand", height: float = 0.3) -> bpy.types.Action:
    """An animation of the animator's own: the pelvis at a height, keyed in Euler angles."""
    bone = body.pose.bones["pelvis"]
    bone.rotation_mode = "XYZ"
    bone.location = (0, 0, height)
    bone.keyframe_insert("location", frame=1)
    bone.rotation_euler = (0, 0.5, 0)
    bone.keyframe_insert("rotation_euler", frame=1)
    body.animation_data.action.name = name
    return body.animation_data.action


def reopen(tmp_path: Path) -> bpy.types.Object:
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    return bpy.context.scene.understudy.body


def stored() -> list[str]:
    folder = take_files.folder()
    return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []


# -- generating -------------------------------------------------------------------------------------


def test_a_generation_becomes_a_take_with_all_that_made_it(body: bpy.types.Object) -> None:
    bpy.context.scene.frame_set(12)
    generate("a person walks", seconds=2.0, seed=5)
    assert len(takes().items) == 1
    take = takes().items[0]
    assert (take.name, take.seed, take.pack, take.start) == ("a person walks", 5, "open", 12)
    assert take.seconds == pytest.approx(2.0)
    assert take.licence == "CC0-1.0"
    assert stored() == [take.file]
    assert playing(body) == "a person walks"


def test_variations_become_takes_and_the_first_is_previewed(body: bpy.types.Object) -> None:
    generate("a person walks", samples=3, seed=5)
    generate("a person runs")
    assert [(t.name, t.sample) for t in takes().items] == [
        ("a person runs", 0),
        ("a person walks", 0),
        ("a person walks", 1),
        ("a person walks", 2),
    ]
    assert takes().active == 0
    assert playing(body) == "a person runs"
    assert len(bpy.data.actions) == 1
    clips = [take_files.load(t.file, t.name) for t in list(takes().items)[1:]]
    assert np.abs(clips[0].poses - clips[1].poses).max() > 0.01


def test_a_failure_leaves_no_take(fake: Fake, body: bpy.types.Object) -> None:
    fake("fails")
    with pytest.raises(RuntimeError):
        generate()
    assert not len(takes().items) and not stored()


def test_a_folder_that_cannot_be_written_costs_the_file_not_the_motion(
    body: bpy.types.Object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(take_files, "folder", lambda: tmp_path / "file" / "takes")
    generate()
    assert playing(body) == "a person walks"
    assert "could not be stored" in backend.warning
    with pytest.raises(RuntimeError, match="no longer in the folder"):
        bpy.ops.understudy.preview_take()


# -- previewing -------------------------------------------------------------------------------------


def test_rejecting_brings_back_the_animation_that_was_there(body: bpy.types.Object) -> None:
    action = by_hand(body)
    bpy.context.scene.frame_end = 20
    before = pelvis(body, 10)
    generate(seconds=3.0)
    assert playing(body) == "a person walks"
    assert bpy.context.scene.frame_end == 99
    assert bpy.ops.understudy.reject_take() == {"FINISHED"}
    assert playing(body) == "by hand"
    assert body.animation_data.action == action and not action.use_fake_user
    assert body.pose.bones["pelvis"].rotation_mode == "XYZ"
    assert pelvis(body, 10) == before
    assert bpy.context.scene.frame_end == 20
    assert [a.name for a in bpy.data.actions] == ["by hand"]
    assert len(takes().items) == 1, "the take stays in the list"


def test_rejecting_on_a_body_without_animation_brings_back_its_pose(body: bpy.types.Object) -> None:
    body.pose.bones["left_elbow"].rotation_quaternion = (0.8, 0.6, 0, 0)
    before = {
        b.name: (b.rotation_mode, tuple(b.rotation_quaternion), tuple(b.location)) for b in body.pose.bones
    }
    generate()
    bpy.context.scene.frame_set(20)
    bpy.ops.understudy.reject_take()
    bpy.context.scene.frame_set(21)
    assert {
        b.name: (b.rotation_mode, tuple(b.rotation_quaternion), tuple(b.location)) for b in body.pose.bones
    } == before
    assert playing(body) is None and not bpy.data.actions


def test_a_click_previews_and_the_first_animation_keeps_waiting(body: bpy.types.Object) -> None:
    by_hand(body)
    generate("one")
    generate("two")
    takes().active = 1
    assert playing(body) == "one"
    takes().active = 0
    assert playing(body) == "two"
    assert sorted(a.name for a in bpy.data.actions) == ["by hand", "two"]
    bpy.ops.understudy.reject_take()
    assert playing(body) == "by hand"
    assert not bpy.ops.understudy.reject_take.poll()


def test_takes_are_compared_at_one_place(body: bpy.types.Object) -> None:
    bpy.context.scene.frame_set(1)
    generate("one")
    bpy.context.scene.frame_set(50)
    generate("two")
    takes().active = 1
    assert body.animation_data.action.frame_range[0] == 50
    bpy.ops.understudy.reject_take()
    bpy.ops.understudy.preview_take()
    assert body.animation_data.action.frame_range[0] == 1, "by itself a take plays where it was made"


def test_a_preview_survives_saving_and_reloading(body: bpy.types.Object, tmp_path: Path) -> None:
    by_hand(body)
    generate("one", seed=3)
    generate("two")
    takes().items[1].starred = True
    body = reopen(tmp_path)
    assert [(t.name, t.starred) for t in takes().items] == [("two", False), ("one", True)]
    assert preview.current(body) is not None
    takes().active = 1
    assert playing(body) == "one"
    bpy.ops.understudy.reject_take()
    assert playing(body) == "by hand"


@pytest.mark.skipif(bpy.app.version < (4, 4), reason="slots came with Blender 4.4")
def test_the_slot_that_played_plays_again(body: bpy.types.Object) -> None:
    action = by_hand(body)
    second = action.slots.new(id_type="OBJECT", name="Second")
    body.animation_data.action_slot = second
    generate()
    bpy.ops.understudy.reject_take()
    assert body.animation_data.action_slot == second


def test_a_preview_edited_by_hand_is_not_lost(body: bpy.types.Object) -> None:
    generate("one")
    edited = body.animation_data.action
    curve = preview._curves(edited)[0]
    curve.keyframe_points[0].co[1] += 0.5
    bpy.ops.understudy.reject_take()
    assert [a.name for a in bpy.data.actions] == ["one"]
    assert edited.use_fake_user and playing(body) is None
    generate("two")
    preview._curves(body.animation_data.action)[0].keyframe_points[0].co[1] += 0.5
    generate("three")
    assert sorted(a.name for a in bpy.data.actions) == ["one", "three", "two"]


def test_an_action_assigned_by_hand_ends_the_preview(body: bpy.types.Object) -> None:
    by_hand(body)
    generate("one")
    body.animation_data.action = bpy.data.actions.new("another")
    assert preview.current(body) is None
    generate("two")
    bpy.ops.understudy.reject_take()
    assert playing(body) == "another"
    assert bpy.data.actions["by hand"].use_fake_user, "or saving would drop it"


def test_a_missing_file_is_said_in_a_sentence(body: bpy.types.Object, tmp_path: Path) -> None:
    generate("one")
    generate("two")
    take_files.path_of(takes().items[1].file).unlink()
    body = reopen(tmp_path)
    assert takes().items[1].file in take_files.missing
    takes().active = 1
    assert backend.error is not None and "“one” is no longer in the folder of takes" in backend.error.message
    assert playing(body) == "two", "the preview is untouched"
    with pytest.raises(RuntimeError, match="the same seed gives the same motion"):
        bpy.ops.understudy.accept_take()


def test_a_damaged_file_is_said_in_a_sentence(body: bpy.types.Object) -> None:
    generate("one")
    take_files.path_of(takes().items[0].file).write_bytes(b"no zip")
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.understudy.preview_take()
    assert "Traceback" not in str(caught.value)
    assert playing(body) == "one"


def test_a_blend_cannot_point_outside_the_folder(body: bpy.types.Object) -> None:
    assert take_files.path_of("../../etc/passwd") == take_files.folder() / "passwd"
    assert take_files.path_of("..\\..\\secret.npz") == take_files.folder() / "secret.npz"


# -- going on ---------------------------------------------------------------------------------------


def test_accepting_keeps_both_actions(body: bpy.types.Object, tmp_path: Path) -> None:
    by_hand(body)
    generate("one")
    assert bpy.ops.understudy.accept_take() == {"FINISHED"}
    assert playing(body) == "one" and preview.current(body) is None
    generate("two")
    bpy.ops.understudy.accept_take()
    body = reopen(tmp_path)
    assert playing(body) == "two"
    assert sorted(a.name for a in bpy.data.actions) == ["by hand", "one", "two"]


def test_a_take_can_be_accepted_without_a_preview(body: bpy.types.Object) -> None:
    generate("one")
    bpy.ops.understudy.reject_take()
    bpy.ops.understudy.accept_take()
    assert playing(body) == "one"


def test_pushing_makes_a_named_strip_that_plays(body: bpy.types.Object) -> None:
    bpy.context.scene.frame_set(10)
    generate("one")
    at = pelvis(body, 25)
    bpy.ops.understudy.push_take(track="Entrance")
    animation = body.animation_data
    assert animation.action is None
    assert [(t.name, t.strips[0].name) for t in animation.nla_tracks] == [("Entrance", "Entrance")]
    assert (animation.nla_tracks[0].strips[0].frame_start, animation.nla_tracks[0].strips[0].frame_end) == (
        10,
        39,
    )
    assert pelvis(body, 25) == at
    bpy.context.scene.frame_set(60)
    generate("two")
    bpy.ops.understudy.push_take()
    assert [t.name for t in animation.nla_tracks] == ["Entrance", "two"]
    assert pelvis(body, 25) == at, "the later strip does not reach back"
    assert sorted(a.name for a in bpy.data.actions) == ["one", "two"]


def test_pushing_brings_back_what_was_there(body: bpy.types.Object) -> None:
    by_hand(body)
    generate("one")
    bpy.ops.understudy.push_take()
    assert playing(body) == "by hand"
    assert body.animation_data.nla_tracks[0].strips[0].action.name == "one"


def test_deleting_a_take_ends_its_preview_and_keeps_the_others(body: bpy.types.Object) -> None:
    """Peers' bug: the button of a row removed the active row instead of its own."""
    by_hand(body)
    generate("one")
    generate("two")
    generate("three")
    assert takes().active == 0
    bpy.ops.understudy.delete_take(file=takes().items[1].file)
    assert [t.name for t in takes().items] == ["three", "one"]
    assert playing(body) == "three" and takes().active == 0
    bpy.ops.understudy.delete_take()
    assert [t.name for t in takes().items] == ["one"]
    assert playing(body) == "by hand"
    bpy.ops.understudy.delete_take()
    assert not bpy.ops.understudy.delete_take.poll()
    with pytest.raises(RuntimeError):
        bpy.ops.understudy.delete_take()


def test_a_deleted_takes_file_goes_when_the_file_is_saved_and_closed(
    body: bpy.types.Object, tmp_path: Path
) -> None:
    generate("one")
    generate("two")
    keep = takes().items[0].file
    reopen(tmp_path)
    bpy.ops.understudy.delete_take(file=takes().items[1].file)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert len(takes().items) == 2 and len(stored()) == 2, "it was not saved: nothing is lost"
    bpy.ops.understudy.delete_take(file=takes().items[1].file)
    reopen(tmp_path)
    assert [t.file for t in takes().items] == [keep]
    assert stored() == [keep]


def test_the_file_of_an_undone_take_goes_when_the_blend_is_closed(
    body: bpy.types.Object, tmp_path: Path
) -> None:
    generate("one")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.ed.undo_push(message="before")
    generate("two")
    bpy.ops.ed.undo_push(message="generate")
    kept, undone = (takes().items[i].file for i in (1, 0))
    bpy.ops.ed.undo()
    assert [t.file for t in takes().items] == [kept] and len(stored()) == 2, "it may be redone"
    bpy.ops.ed.redo()
    bpy.ops.understudy.preview_take(file=undone)
    bpy.ops.ed.undo()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert stored() == [kept]


def test_an_undone_take_that_another_file_was_saved_with_stays(
    body: bpy.types.Object, tmp_path: Path
) -> None:
    bpy.ops.ed.undo_push(message="before")
    generate("one")
    bpy.ops.ed.undo_push(message="generate")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "copy.blend"), copy=True)
    bpy.ops.ed.undo()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert len(stored()) == 1
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "copy.blend"))
    assert [t.file for t in takes().items] == stored()


def test_an_unsaved_take_is_there_for_recovery(body: bpy.types.Object) -> None:
    generate("one")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert len(stored()) == 1, "Blender's own quit.blend refers to it"


# -- A and B ----------------------------------------------------------------------------------------


def test_two_takes_are_flipped_back_and_forth(body: bpy.types.Object) -> None:
    by_hand(body)
    assert not bpy.ops.understudy.swap_compared.poll()
    for prompt in ("one", "two", "three"):
        generate(prompt)
    assert bpy.ops.understudy.swap_compared() == {"FINISHED"}
    assert (playing(body), takes().active) == ("two", 1), "the one below, without a choice"
    bpy.ops.understudy.swap_compared()
    assert (playing(body), takes().active) == ("three", 0)
    takes().active = 2
    bpy.ops.understudy.set_compared(slot="b")
    bpy.ops.understudy.swap_compared()
    assert playing(body) == "three"
    bpy.ops.understudy.swap_compared()
    assert playing(body) == "one"
    bpy.ops.understudy.show_compared(slot="a")
    assert playing(body) == "three"
    assert sorted(a.name for a in bpy.data.actions) == ["by hand", "three"], "nothing piles up"
    bpy.ops.understudy.reject_take()
    assert playing(body) == "by hand"


def test_a_compared_take_that_was_deleted_is_no_trap(body: bpy.types.Object) -> None:
    for prompt in ("one", "two", "three"):
        generate(prompt)
    bpy.ops.understudy.swap_compared()
    bpy.ops.understudy.delete_take(file=takes().b)
    with pytest.raises(RuntimeError, match="not in the list any more"):
        bpy.ops.understudy.show_compared(slot="b")
    assert bpy.ops.understudy.swap_compared() == {"FINISHED"}
    assert bpy.ops.understudy.swap_compared() == {"FINISHED"}


def test_the_comparison_survives_saving(body: bpy.types.Object, tmp_path: Path) -> None:
    generate("one")
    generate("two")
    bpy.ops.understudy.swap_compared()
    body = reopen(tmp_path)
    bpy.ops.understudy.swap_compared()
    assert playing(body) == "two"


def test_settings_can_be_used_again(body: bpy.types.Object) -> None:
    settings = bpy.context.scene.understudy
    settings.upper, settings.use_tempo, settings.tempo = "waves", True, 0.8
    settings.use_steps, settings.steps = True, 12
    generate("one", seed=77, samples=2, seconds=1.5)
    settings.upper, settings.use_tempo, settings.use_steps, settings.seed = "", False, False, 0
    settings.prompt = "something else"
    bpy.ops.understudy.reuse_take()
    assert (settings.prompt, settings.upper, settings.seed, settings.samples) == ("one", "waves", 77, 2)
    assert settings.use_tempo and settings.tempo == pytest.approx(0.8)
    assert settings.use_steps and settings.steps == 12
    assert settings.use_seconds and settings.seconds == pytest.approx(1.5)
    bpy.ops.understudy.generate()
    first, again = (take_files.load(takes().items[i].file, "") for i in (0, 2))
    assert np.array_equal(first.poses, again.poses)


def test_settings_that_are_gone_are_named(body: bpy.types.Object) -> None:
    generate("one")
    values = json.loads(takes().items[0].settings)
    takes().items[0].settings = json.dumps({**values, "pack": "no such pack", "seed": 9})
    bpy.context.scene.understudy.seed = 1
    assert bpy.ops.understudy.reuse_take() == {"FINISHED"}
    assert bpy.context.scene.understudy.seed == 9
    takes().items[0].settings = "broken"
    with pytest.raises(RuntimeError, match="cannot be read"):
        bpy.ops.understudy.reuse_take()


def test_stars(body: bpy.types.Object) -> None:
    generate("one")
    generate("two")
    bpy.ops.understudy.star_take(file=takes().items[1].file)
    assert [t.starred for t in takes().items] == [False, True]
    assert takes().active == 0
    bpy.ops.understudy.star_take(file=takes().items[1].file)
    assert not takes().items[1].starred


def test_each_step_is_undone_in_one(body: bpy.types.Object) -> None:
    by_hand(body)
    for operator in ("generate", "preview_take", "accept_take", "push_take", "reject_take", "delete_take"):
        assert "UNDO" in getattr(bpy.types, f"UNDERSTUDY_OT_{operator}").bl_options
    bpy.ops.ed.undo_push(message="before")
    generate("one")
    bpy.ops.ed.undo_push(message="generate")
    bpy.ops.understudy.accept_take()
    bpy.ops.ed.undo_push(message="accept")
    bpy.ops.ed.undo()
    body = bpy.context.scene.understudy.body
    assert preview.current(body) is not None and len(takes().items) == 1
    bpy.ops.ed.undo()
    body = bpy.context.scene.understudy.body
    assert playing(body) == "by hand" and not len(takes().items)
    assert [a.name for a in bpy.data.actions] == ["by hand"]
    bpy.ops.ed.redo()
    body = bpy.context.scene.understudy.body
    bpy.ops.understudy.preview_take()
    assert playing(body) == "one", "the file is still there"


def test_a_second_body_previews_for_itself(body: bpy.types.Object) -> None:
    generate("one")
    other = _armature(bpy.context, "Other")
    bpy.context.scene.understudy.body = other
    bpy.ops.understudy.preview_take()
    assert playing(body) is not None and playing(other) is not None
    bpy.ops.understudy.reject_take()
    assert playing(other) is None and playing(body) is not None
    bpy.ops.understudy.delete_take()
    assert playing(body) is None


def test_on_a_library_override_saving_loses_no_action(body: bpy.types.Object, tmp_path: Path) -> None:
    library = tmp_path / "library.blend"
    bpy.data.libraries.write(str(library), {body})
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(library), link=True) as (_source, target):
        target.objects = ["Understudy"]
    local = target.objects[0].override_create()
    bpy.context.scene.collection.objects.link(local)
    bpy.context.scene.understudy.body = local
    local.animation_data_create().action = bpy.data.actions.new("by hand")
    generate("one")
    bpy.ops.understudy.reject_take()
    assert playing(local) == "by hand"
    bpy.ops.understudy.preview_take()
    body = reopen(tmp_path)
    assert playing(body) == "one"
    assert "by hand" in bpy.data.actions


def test_no_take_without_a_body(body: bpy.types.Object) -> None:
    generate("one")
    bpy.context.scene.collection.objects.unlink(body)
    bpy.context.view_layer.objects.active = None
    with pytest.raises(RuntimeError, match="no body to show the take on"):
        bpy.ops.understudy.preview_take()


# -- the list ---------------------------------------------------------------------------------------


class Layout(SimpleNamespace):
    """Records what is drawn; every sub-layout is the same object."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def drawn(*given: Any, **named: Any) -> Any:
            self.seen += [str(part) for part in (*given, named.get("text", "")) if part]
            return self if name in ("row", "column", "box", "split") else SimpleNamespace()

        return drawn


def test_the_list_shows_what_is_previewed_and_what_waits(body: bpy.types.Object) -> None:
    by_hand(body)
    context = SimpleNamespace(
        scene=bpy.context.scene,
        view_layer=bpy.context.view_layer,
        preferences=bpy.context.preferences,
        region=None,
    )
    panel = takes_panel.UNDERSTUDY_PT_takes

    def seen() -> str:
        layout = Layout(seen=[])
        panel.draw(SimpleNamespace(layout=layout, _draw_take=panel._draw_take), context)
        for take in takes().items:
            takes_panel.UNDERSTUDY_UL_takes.draw_item(
                None, context, layout, takes(), take, 0, takes(), "active"
            )
        return " ".join(layout.seen)

    assert "What you generate is listed here." in seen()
    generate("a person walks", samples=2, seed=4)
    shown = seen()
    for words in ("A: 1/2 a person walks", "understudy.swap_compared", "Compare as B"):
        takes().a = takes().items[0].file
        assert words in seen()
    for words in ("Seed 4, variation 1", "“by hand” waits.", "understudy.reject_take", "1/2", "2/2", "1.0 s"):
        assert words in shown
    take_files.missing.add(takes().items[0].file)
    assert "clip is gone" in seen()


def test_only_stars_and_search_filter_the_list(body: bpy.types.Object) -> None:
    generate("one")
    generate("two")
    takes().items[0].starred = True
    filtered = takes_panel.UNDERSTUDY_UL_takes.filter_items

    def shown(word: str = "") -> list[bool]:
        flags = filtered(SimpleNamespace(filter_name=word, bitflag_filter_item=1), None, takes(), "items")[0]
        return [bool(flag) for flag in flags]

    assert shown() == [True, True]
    assert shown("ONE") == [False, True]
    takes().only_starred = True
    assert shown() == [True, False]


def test_a_take_is_found_by_its_file(body: bpy.types.Object) -> None:
    generate("one")
    assert find(takes(), takes().items[0].file) == 0
    assert find(takes(), "other") == -1
    with pytest.raises(RuntimeError, match="not in the list"):
        bpy.ops.understudy.preview_take(file="other")
