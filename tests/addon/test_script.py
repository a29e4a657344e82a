"""The script: lines on the timeline become one motion, and one line can be made anew while its neighbours stay."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.addon.body.builtin import _armature
from understudy.addon.keying.keying import clip_from_action
from understudy.addon.perform import orders
from understudy.addon.process.client import backend
from understudy.addon.script import lines as script_module
from understudy.addon.script import panel as script_panel
from understudy.addon.takes import files as take_files

Fake = Callable[[str], None]


@pytest.fixture
def body(fake: Fake) -> bpy.types.Object:
    armature = _armature(bpy.context, "Understudy")
    bpy.context.scene.understudy.body = armature
    bpy.context.scene.render.fps = 30
    return armature


def script() -> Any:
    return bpy.context.scene.understudy_script


def write(*lines: tuple[str, int], start: int = 1) -> None:
    script().lines.clear()
    script().start, script().use = start, True
    for prompt, frames in lines:
        line = script().lines.add()
        line.prompt, line.frames = prompt, frames


def spans() -> list[tuple[str, int, int]]:
    return [(line.prompt, line.start, line.end) for line in script().lines]


def sent() -> dict[str, Any]:
    assert backend.job is not None
    return backend.job.params


def test_lines_are_added_moved_and_removed() -> None:
    bpy.context.scene.frame_set(11)
    bpy.context.scene.understudy.prompt = "a person walks"
    assert bpy.ops.understudy.line_add() == {"FINISHED"}
    assert spans() == [("a person walks", 11, 83)] and script().use, "3 s at 24 fps, from the current frame"
    bpy.ops.understudy.line_add()
    script().lines[1].prompt = "waves"
    script().active = 0
    bpy.ops.understudy.line_add()
    script().lines[1].prompt = "sits"
    assert [s[0] for s in spans()] == ["a person walks", "sits", "waves"] and script().active == 1
    bpy.ops.understudy.line_move(direction="UP")
    assert [s[0] for s in spans()] == ["sits", "a person walks", "waves"] and script().active == 0
    assert bpy.ops.understudy.line_move(direction="UP") == {"CANCELLED"}
    bpy.ops.understudy.line_remove(index=2)
    assert [s[0] for s in spans()] == ["sits", "a person walks"] and script().active == 0
    bpy.ops.understudy.line_remove()
    bpy.ops.understudy.line_remove()
    assert not bpy.ops.understudy.line_remove.poll()


def test_a_line_starts_where_the_one_before_ends() -> None:
    write(("one", 30), ("two", 20), ("three", 10), start=5)
    assert spans() == [("one", 5, 35), ("two", 35, 55), ("three", 55, 65)]
    script().lines[0].end = 45
    assert spans() == [("one", 5, 45), ("two", 45, 65), ("three", 65, 75)], "what follows moves along"
    script().lines[1].start = 50
    assert spans() == [("one", 5, 50), ("two", 50, 65), ("three", 65, 75)], "the border moves, the end stays"
    script().lines[0].start = 1
    assert spans() == [("one", 1, 50), ("two", 50, 65), ("three", 65, 75)]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(-50, 400)), max_size=8),
)
def test_lines_never_overlap_nor_leave_a_gap(lengths: list[int], moves: list[tuple[int, bool, int]]) -> None:
    write(*((str(i), frames) for i, frames in enumerate(lengths)))
    for index, begin, frame in moves:
        line = script().lines[index % len(lengths)]
        setattr(line, "start" if begin else "end", frame)
        found = spans()
        assert all(end > start for _, start, end in found)
        assert all(a[2] == b[1] for a, b in itertools.pairwise(found))


def test_markers_become_lines() -> None:
    scene = bpy.context.scene
    scene.frame_end = 120
    assert not bpy.ops.understudy.lines_from_markers.poll()
    for name, frame in (("waves", 60), ("walks", 10), ("sits down", 90)):
        scene.timeline_markers.new(name, frame=frame)
    assert bpy.ops.understudy.lines_from_markers() == {"FINISHED"}
    assert spans() == [("walks", 10, 60), ("waves", 60, 90), ("sits down", 90, 121)] and script().use
    scene.frame_end = 50
    bpy.ops.understudy.lines_from_markers()
    assert spans()[-1] == ("sits down", 90, 162), "beyond the scene's end the last one has 3 s"


@pytest.mark.parametrize(("fps", "base"), [(24, 1.0), (25, 1.0), (30, 1.0), (60, 1.0), (30, 1.001)])
def test_frames_are_shown_and_seconds_sent(body: bpy.types.Object, fps: int, base: float) -> None:
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = fps, base
    write(("walks", 3 * fps), ("waves", 2 * fps), start=20)
    bpy.ops.understudy.generate()
    assert [line["seconds"] for line in sent()["script"]] == pytest.approx([3 * base, 2 * base], abs=1e-4)
    assert "prompt" not in sent() and "seconds" not in sent()
    first, last = body.animation_data.action.frame_range
    assert first == 20 and abs(last - (20 + 5 * fps)) <= fps / 30 + 1
    assert body.animation_data.action.name == "walks, waves"


def test_a_line_has_style_halves_and_seed_of_its_own(body: bpy.types.Object) -> None:
    write(("walks", 60), ("waves", 60))
    script().active = 1
    bpy.ops.understudy.line_style(emotion="happy")
    bpy.ops.understudy.line_seed()
    script().lines[1].upper = "  waves both\tarms "
    bpy.ops.understudy.generate()
    plain, special = sent()["script"]
    assert set(plain) == {"prompt", "seconds"}
    assert special["upper"] == "waves both arms" and special["seed"] == script().lines[1].seed
    assert special["style"]["valence"] == pytest.approx(0.9)
    bpy.ops.understudy.line_style(emotion="none")
    bpy.ops.understudy.generate()
    assert "style" not in sent()["script"][1]


def test_why_the_script_cannot_be_performed(body: bpy.types.Object) -> None:
    write(("walks", 60), (" ", 60))
    assert orders.why_not(bpy.context) == "Write what line 2 of the script does."
    with pytest.raises(RuntimeError, match="Write what line 2"):
        bpy.ops.understudy.generate()
    write(("walks", 5))
    assert "lasts 0.2 s" in orders.why_not(bpy.context)
    write(*[("walks", 1800)] * 11)
    assert "lasts 660 s" in orders.why_not(bpy.context)
    write(("walks", 60))
    assert orders.why_not(bpy.context) == ""
    bpy.context.scene.understudy_direction.mode = "CONTINUE"
    assert "New Motion" in orders.why_not(bpy.context)
    script().use = False
    assert orders.why_not(bpy.context) == "Write what the character does."


def test_a_prompt_from_a_program_comes_before_the_script(body: bpy.types.Object) -> None:
    write(("walks", 60))
    bpy.ops.understudy.generate(prompt="a person sits", seconds=1.0)
    assert sent()["prompt"] == "a person sits" and "script" not in sent()


def test_one_line_is_made_anew_and_its_neighbours_stay(body: bpy.types.Object) -> None:
    write(("walks", 60), ("waves", 60), ("sits", 60), start=10)
    assert not bpy.ops.understudy.generate_line.poll(), "there is nothing to change yet"
    bpy.ops.understudy.generate()
    before = clip_from_action(body)
    line = script().lines[1]
    line.prompt, line.use_seed, line.seed = "jumps", True, 5
    assert bpy.ops.understudy.generate_line(index=1) == {"FINISHED"}
    assert (sent()["prompt"], sent()["seed"]) == ("jumps", 5)
    assert (sent()["edit"]["start"], sent()["edit"]["end"]) == (2.0, 4.0)
    after = clip_from_action(body)
    assert len(after) == len(before) and body.animation_data.action.frame_range[0] == 10
    changed = np.abs(after.poses - before.poses).max(axis=(1, 2)) > 1e-5
    assert not changed[:61].any() and not changed[120:].any() and changed[61:120].mean() > 0.9
    kept = bpy.context.scene.understudy_takes.items
    assert [t.name for t in kept] == ["jumps", "walks, waves, sits"]
    stored = take_files.load(kept[0].file, "")
    assert [line["prompt"] for line in stored.meta["script"]] == ["walks", "jumps", "sits"]
    bpy.ops.understudy.generate_line(index=0)
    assert (sent()["edit"]["start"], sent()["edit"]["end"]) == (0.0, 2.0)


def test_the_last_line_ends_the_motion(body: bpy.types.Object) -> None:
    write(("walks", 60), ("waves", 45))
    bpy.ops.understudy.generate()
    bpy.ops.understudy.generate_line(index=1)
    assert sent()["edit"]["end"] is None and sent()["seconds"] == pytest.approx(1.5)


def test_one_line_of_an_accepted_motion_keeps_the_keys_of_the_others(body: bpy.types.Object) -> None:
    write(("walks", 60), ("waves", 60), ("sits", 60))
    bpy.ops.understudy.generate()
    bpy.ops.understudy.accept_take()
    accepted = body.animation_data.action
    before = clip_from_action(body)
    script().lines[1].prompt = "jumps"
    bpy.context.scene.understudy.seed = 3
    assert bpy.ops.understudy.generate_line(index=1) == {"FINISHED"}
    after = clip_from_action(body)
    changed = np.abs(after.poses - before.poses).max(axis=(1, 2)) > 1e-5
    assert not changed[:61].any() and not changed[120:].any() and changed[61:120].any()
    bpy.ops.understudy.reject_take()
    assert body.animation_data.action == accepted


def test_the_script_is_kept_with_the_take(body: bpy.types.Object) -> None:
    write(("walks", 60), ("waves", 45), start=7)
    script().active = 1
    bpy.ops.understudy.line_style(emotion="sad")
    bpy.ops.understudy.generate()
    write(("something else", 30))
    script().use = False
    bpy.ops.understudy.reuse_take()
    assert spans() == [("walks", 7, 67), ("waves", 67, 112)] and script().use
    assert script().lines[1].use_valence
    bpy.ops.understudy.generate(prompt="no script", seconds=1.0)
    bpy.ops.understudy.reuse_take()
    assert not script().use


class Layout(SimpleNamespace):
    """Records what is drawn; every sub-layout is the same object."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def drawn(*given: Any, **named: Any) -> Any:
            self.seen += [str(part) for part in (*given, named.get("text", "")) if part]
            return self if name in ("row", "column", "box", "split") else SimpleNamespace()

        return drawn


def seen() -> str:
    layout = Layout(seen=[])
    context = SimpleNamespace(
        scene=bpy.context.scene,
        view_layer=bpy.context.view_layer,
        preferences=bpy.context.preferences,
        region=None,
    )
    script_panel.UNDERSTUDY_PT_script.draw(SimpleNamespace(layout=layout), context)
    if script_panel.UNDERSTUDY_PT_script_line.poll(context):
        script_panel.UNDERSTUDY_PT_script_line.draw(SimpleNamespace(layout=layout), context)
    for i, line in enumerate(script().lines):
        script_panel.UNDERSTUDY_UL_lines.draw_item(None, context, layout, script(), line, 0, script(), i)
    return " ".join(layout.seen)


def test_the_panel_says_what_to_do(body: bpy.types.Object) -> None:
    assert "performed one after the other" in seen() and "understudy.lines_from_markers" in seen()
    write(("walks", 60), ("", 45), start=1)
    shown = seen()
    for words in ("1–61", "61–106", "2.00 s", "Generate the script first", "Write what line 2"):
        assert words in shown, words
    script().lines[1].prompt = "waves"
    bpy.ops.understudy.generate()
    assert "Generate the script first" not in seen()
    script().lines.remove(0)
    assert "Lines came or went" in seen()


def test_the_scripts_limits_are_the_backends() -> None:
    direction = pytest.importorskip("understudy.backend.protocol.direction", reason="needs pydantic")
    fields = pytest.importorskip("understudy.backend.protocol.fields", reason="needs pydantic")
    assert script_module.MAX_LINES == direction.LINES
    assert script_module.MAX_SECONDS == fields.SCRIPT_SECONDS
