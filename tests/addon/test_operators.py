"""The operators of the panel: ``execute`` as scripts call it, ``modal`` step by step."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest

from understudy.addon.perform import generate, properties
from understudy.addon.perform import panel as panels
from understudy.addon.process import client
from understudy.addon.process.client import backend

Fake = Callable[[str], None]


@pytest.fixture
def body() -> bpy.types.Object:
    bpy.ops.understudy.add_body()
    return bpy.context.scene.understudy.body


def snapshot() -> dict[str, Any]:
    """All that a job that fails must leave alone."""
    scene = bpy.context.scene
    return {
        "objects": sorted(o.name for o in bpy.data.objects),
        "actions": sorted(a.name for a in bpy.data.actions),
        "frames": (scene.frame_start, scene.frame_current, scene.frame_end),
        "poses": [
            [list(b.rotation_quaternion), list(b.location), b.rotation_mode]
            for o in scene.objects
            if o.type == "ARMATURE"
            for b in o.pose.bones
        ],
        "animated": [
            o.animation_data.action.name if o.animation_data and o.animation_data.action else None
            for o in scene.objects
        ],
        "prompt": scene.understudy.prompt,
        "seed": scene.understudy.seed,
    }


def test_add_body_makes_the_body_that_performs_at_the_cursor() -> None:
    bpy.context.scene.cursor.location = (1, 2, 0)
    assert bpy.ops.understudy.add_body() == {"FINISHED"}
    body = bpy.context.scene.understudy.body
    assert body is not None
    assert tuple(body.location) == (1, 2, 0)
    assert bpy.ops.understudy.add_body() == {"FINISHED"}
    assert bpy.context.scene.understudy.body != body


def test_generate_keys_the_prompt_at_the_current_frame(fake: Fake, body: bpy.types.Object) -> None:
    scene = bpy.context.scene
    scene.render.fps = 24
    scene.frame_set(100)
    scene.frame_end = 120
    settings = scene.understudy
    settings.prompt, settings.use_seconds, settings.seconds = "  a person\twaves ", True, 3.0
    assert bpy.ops.understudy.generate() == {"FINISHED"}
    action = body.animation_data.action
    assert action.name == "a person waves"
    assert tuple(action.frame_range) == (100, 171)
    assert scene.frame_end == 171
    assert scene.frame_current == 100
    assert backend.news.startswith("3.0 s of motion")


def test_what_a_script_gives_overrides_the_panel(fake: Fake, body: bpy.types.Object) -> None:
    bpy.context.scene.understudy.prompt = "a person sits"
    bpy.ops.understudy.generate(prompt="a person runs", seconds=1.0, seed=2**31 - 1)
    assert body.animation_data.action.name == "a person runs"
    assert backend.job is not None
    assert backend.job.params["seed"] == 2**31 - 1
    assert backend.job.params["seconds"] == 1.0
    assert bpy.context.scene.understudy.prompt == "a person sits"


def test_the_motion_decides_its_length_unless_told(fake: Fake, body: bpy.types.Object) -> None:
    bpy.ops.understudy.generate(prompt="a person runs")
    assert backend.job is not None
    assert backend.job.params["seconds"] is None
    assert body.animation_data.action.frame_range[1] > 50


def test_a_second_generation_plays_on_the_same_body(fake: Fake, body: bpy.types.Object) -> None:
    bpy.ops.understudy.generate(prompt="one", seed=1)
    bpy.ops.understudy.generate(prompt="two", seed=2)
    bpy.ops.understudy.generate(prompt="two", seed=3)
    assert [a.name for a in bpy.data.actions] == ["two"]
    bpy.context.scene.frame_set(20)
    evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    assert evaluated.pose.bones["pelvis"].head.y == pytest.approx(-19 / 24, abs=1e-4)


def test_generate_without_a_body_says_so(fake: Fake) -> None:
    with pytest.raises(RuntimeError, match="There is no body to perform"):
        bpy.ops.understudy.generate(prompt="a person walks")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"prompt": "   "}, "The prompt is empty"),
        ({"prompt": "x" * 501}, "longer than 500"),
        ({"prompt": "x", "seconds": 0.1}, "between 0.5 and 60"),
        ({"prompt": "x", "seconds": 1000.0}, "between 0.5 and 60"),
    ],
)
def test_bad_input_is_one_sentence(
    fake: Fake, body: bpy.types.Object, given: dict[str, Any], words: str
) -> None:
    before = snapshot()
    with pytest.raises(RuntimeError, match=words):
        bpy.ops.understudy.generate(**given)
    assert snapshot() == before
    assert backend.state == "off"  # refused before a process was bothered


@pytest.mark.parametrize("behaviour", ["dies", "fails", "babbles", "newer", "rubbish"])
def test_a_failed_job_leaves_the_scene_alone(fake: Fake, body: bpy.types.Object, behaviour: str) -> None:
    fake("well")
    bpy.ops.understudy.generate(prompt="what was there")
    backend.stop()
    fake(behaviour)
    before = snapshot()
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.understudy.generate(prompt="a person walks")
    assert "Traceback" not in str(caught.value)
    assert snapshot() == before
    assert backend.error is not None


def test_seeds_fit_into_blenders_integers() -> None:
    """Peers' bug: a seed above int32 overflowed the IntProperty."""
    seen = set()
    for _ in range(50):
        bpy.ops.understudy.randomize_seed()
        seen.add(bpy.context.scene.understudy.seed)
    assert len(seen) > 40
    assert all(0 <= seed < 2**31 for seed in seen)
    bpy.context.scene.understudy.seed = 2**31 - 1
    assert bpy.context.scene.understudy.seed == 2**31 - 1


def test_the_length_is_not_capped_behind_the_animators_back(fake: Fake, body: bpy.types.Object) -> None:
    """Peers' bug: the slider allowed 30 s, the backend stopped at 12."""
    settings = bpy.context.scene.understudy
    settings.use_seconds, settings.seconds = True, 1000.0
    assert settings.seconds == 60.0
    bpy.ops.understudy.generate(prompt="a person walks")
    assert backend.job is not None
    assert backend.job.clips[0].seconds == 60.0


def test_the_panels_limits_are_the_backends() -> None:
    messages = pytest.importorskip("understudy.backend.protocol.messages", reason="needs pydantic")
    assert properties.SECONDS == messages.SECONDS
    assert (0, properties.MAX_SEED) == messages.SEED
    assert properties.MAX_PROMPT == messages.MAX_PROMPT


def test_a_linked_body_is_refused(fake: Fake, body: bpy.types.Object, tmp_path: Path) -> None:
    blend = tmp_path / "body.blend"
    bpy.data.libraries.write(str(blend), {body})
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(blend), link=True) as (source, target):
        target.objects = [name for name in source.objects if name == "Understudy"]
    bpy.context.scene.collection.objects.link(target.objects[0])
    bpy.context.scene.understudy.body = target.objects[0]
    with pytest.raises(RuntimeError, match="linked from another file"):
        bpy.ops.understudy.generate(prompt="a person walks")


def test_a_deleted_body_is_named(fake: Fake, body: bpy.types.Object) -> None:
    bpy.context.scene.collection.objects.unlink(body)
    bpy.context.view_layer.objects.active = None
    bpy.context.scene.understudy.prompt = "a person walks"
    assert "not in this scene" in " ".join(drawn().texts)


def test_restart_ends_the_old_process(fake: Fake, body: bpy.types.Object) -> None:
    bpy.ops.understudy.generate(prompt="a person walks")
    old = backend.client
    assert old is not None
    assert bpy.ops.understudy.restart_backend() == {"FINISHED"}
    assert old.state == "stopped"
    assert backend.client is not old
    bpy.ops.understudy.generate(prompt="a person walks")


def test_restart_with_a_wrong_interpreter_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_PYTHON", "/nowhere/python")
    with pytest.raises(RuntimeError, match="cannot be run"):
        bpy.ops.understudy.restart_backend()
    assert backend.error is not None
    bpy.ops.understudy.dismiss_error()
    assert backend.error is None


def test_cancel_is_off_while_nothing_runs() -> None:
    assert not bpy.ops.understudy.cancel.poll()


# -- the window's way: the same class, its events one by one ------------------------------------------


class Modal:
    """The generate operator without a window: Blender cannot run modal operators in background."""

    def __init__(self, order: generate.Order, job: client.Job) -> None:
        self._order, self._job, self._timer, self._delivery = order, job, None, None
        self.reports: list[tuple[set[str], str]] = []

    def report(self, kind: set[str], text: str) -> None:
        self.reports.append((kind, text))

    def step(self, event: str = "TIMER") -> set[str]:
        return generate.UNDERSTUDY_OT_generate.modal(self, bpy.context, SimpleNamespace(type=event))

    def run(self) -> set[str]:
        end = time.monotonic() + 20
        while (result := self.step()) == {"PASS_THROUGH"}:
            assert time.monotonic() < end
            time.sleep(0.01)
        return result


def start(prompt: str = "a person walks") -> Modal:
    order = generate.take_order(bpy.context, prompt=prompt)
    return Modal(order, backend.submit(order.params))


def test_modal_delivers_when_the_job_is_done(fake: Fake, body: bpy.types.Object) -> None:
    bpy.context.scene.frame_set(7)
    modal = start()
    bpy.context.scene.frame_set(90)  # the animator plays on meanwhile: the motion starts where they asked
    assert modal.step("MOUSEMOVE") == {"PASS_THROUGH"}
    assert modal.run() == {"FINISHED"}
    assert body.animation_data.action.frame_range[0] == 7


def test_modal_reports_what_the_pack_does_not_know(fake: Fake, body: bpy.types.Object) -> None:
    fake("warns")
    for prompt, reports in (
        ("a person flies", [({"WARNING"}, "The pack open knows little like “a person flies”.")]),
        ("a person walks", []),
    ):
        modal = start(prompt)
        assert modal.run() == {"FINISHED"}
        assert modal.reports == reports


def test_modal_cancel_changes_nothing(fake: Fake, body: bpy.types.Object) -> None:
    fake("slow")
    before = snapshot()
    modal = start()
    assert modal.step() == {"PASS_THROUGH"}
    assert not bpy.ops.understudy.generate.poll()
    assert bpy.ops.understudy.cancel() == {"FINISHED"}
    assert modal.step() == {"CANCELLED"}
    assert snapshot() == before


def test_modal_failure_is_reported(fake: Fake, body: bpy.types.Object) -> None:
    fake("fails")
    before = snapshot()
    modal = start()
    assert modal.run() == {"CANCELLED"}
    assert modal.reports == [({"ERROR"}, "The pack is not there. Pick one.")]
    assert snapshot() == before


def test_a_body_deleted_meanwhile_is_no_crash(fake: Fake, body: bpy.types.Object) -> None:
    modal = start()
    bpy.data.objects.remove(body)
    assert modal.run() == {"CANCELLED"}
    assert "deleted" in modal.reports[0][1]
    assert not bpy.data.actions


def test_a_body_renamed_meanwhile_is_found(fake: Fake, body: bpy.types.Object) -> None:
    modal = start()
    body.name = "Hamlet"
    assert modal.run() == {"FINISHED"}
    assert body.animation_data.action is not None


def test_a_body_that_enters_edit_mode_meanwhile_is_left_alone(fake: Fake, body: bpy.types.Object) -> None:
    modal = start()
    bpy.context.view_layer.objects.active = body
    bpy.ops.object.mode_set(mode="EDIT")
    assert modal.run() == {"CANCELLED"}
    assert "Edit Mode" in modal.reports[0][1]
    bpy.ops.object.mode_set(mode="OBJECT")


# -- the panel ---------------------------------------------------------------------------------------


class Layout:
    """Records what a panel draws; every sub-layout is the same object."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.operators: list[str] = []
        self.enabled = True
        self.alert = False
        self.scale_y = 1.0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in ("row", "column", "box", "split"):
            return lambda **_: self
        if name == "operator":
            return lambda idname, **_: self.operators.append(idname) or SimpleNamespace()
        if name in ("label", "progress"):
            return lambda **given: self.texts.append(given.get("text", ""))
        return lambda *_, **__: None


def drawn() -> Layout:
    layout = Layout()
    context = SimpleNamespace(
        scene=bpy.context.scene,
        view_layer=bpy.context.view_layer,
        preferences=bpy.context.preferences,
        region=None,
    )
    for panel in panels.CLASSES:
        panel.draw(SimpleNamespace(layout=layout, **_statics(panel)), context)
    return layout


def _statics(panel: type) -> dict[str, Any]:
    return {name: getattr(panel, name) for name in dir(panel) if name.startswith("_draw")}


def test_the_panel_says_what_the_pack_does_not_know(fake: Fake, body: bpy.types.Object) -> None:
    fake("warns")
    settings = bpy.context.scene.understudy
    settings.prompt = "a person flies"
    assert bpy.ops.understudy.generate() == {"FINISHED"}
    assert body.animation_data.action.name == "a person flies", "it is performed all the same"
    shown = " ".join(drawn().texts)
    assert shown.count("knows little like “a person flies”") == 1
    assert "s of motion" in shown
    settings.prompt = "a person walks"
    bpy.ops.understudy.generate()
    assert "knows little" not in " ".join(drawn().texts), "it went with the clip that it was about"


def test_the_panel_says_why_generate_is_off(fake: Fake) -> None:
    assert "Add a body" in " ".join(drawn().texts)
    bpy.ops.understudy.add_body()
    assert "Write what the" in " ".join(drawn().texts)
    bpy.context.scene.understudy.prompt = "a person walks"
    assert not [text for text in drawn().texts if "Write" in text or "Add a" in text]


def test_the_panel_shows_progress_and_cancel(fake: Fake, body: bpy.types.Object) -> None:
    fake("slow")
    modal = start()
    while backend.job is None or not backend.job.fraction:
        modal.step()
        time.sleep(0.01)
    layout = drawn()
    assert any("How it moves" in text and "%" in text and "s left" in text for text in layout.texts)
    assert "understudy.cancel" in layout.operators
    assert "understudy.generate" not in layout.operators


def test_the_panel_shows_the_error_with_its_hint(fake: Fake, body: bpy.types.Object) -> None:
    fake("fails")
    start().run()
    texts = " ".join(drawn().texts)
    assert "The pack is not there." in texts
    assert "Pick one." in texts


def test_drawing_reads_no_file_and_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers' bug: nvidia-smi inside draw()."""
    import builtins
    import os
    import subprocess

    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("I/O in draw()")

    bpy.ops.understudy.add_body()
    drawn()
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", forbidden)
        patch.setattr(subprocess, "Popen", forbidden)
        patch.setattr(os, "stat", forbidden)
        patch.setattr(os, "listdir", forbidden)
        layout = drawn()
    assert layout.texts
