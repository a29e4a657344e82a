"""Every panel can be drawn in every state, shows what it should, and touches neither files nor processes."""

from __future__ import annotations

import builtins
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest

from understudy.addon.perform.mending import cure
from understudy.addon.preferences import panel as preferences_panel
from understudy.addon.preferences.operators import Found
from understudy.addon.process.client import Job, backend
from understudy.backend.errors import BadInput, JobFailed, UnderstudyError

from .drawing import Layout, context, draw, panels
from .model_file import write

Fake = Callable[[str], None]


def main_panel() -> list[str]:
    return draw(bpy.types.UNDERSTUDY_PT_main)


class Settings(SimpleNamespace):
    """Stands in for the preferences of an installed extension."""

    bl_rna = SimpleNamespace(
        properties={
            n: SimpleNamespace(name=n)
            for n in ("python", "engine", "device", "body_models", "chat_url", "chat_model", "chat_key")
        }
    )


def draw_all() -> list[str]:
    shown = [text for panel in panels() for text in draw(panel)]
    layout = Layout()
    preferences_panel.draw_preferences(
        layout, Settings(python="", engine="auto", device="auto", body_models="", chat_url="")
    )
    return shown + layout.seen


@pytest.fixture
def busy_state(fake: Fake) -> None:
    """Bodies, takes, an error, checks: as much to draw as there can be."""
    bpy.ops.understudy.add_body()
    bpy.ops.understudy.generate(prompt="a person walks", seconds=1.0, samples=2)
    backend.error = BadInput("The pack is not there.", hint="Pick one.", field="pack")
    Found.checks = [{"name": "numpy", "state": "missing", "detail": "gone", "hint": "Install it."}]


def test_drawing_touches_neither_files_nor_processes(
    busy_state: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_all()  # what is imported late is imported now

    def forbidden(*args: object, **keywords: object) -> object:
        raise AssertionError(f"drawing touched {args[:1]}")

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", forbidden)
        for name in ("stat", "listdir", "scandir", "open", "access", "lstat", "popen", "system"):
            patch.setattr(os, name, forbidden)
        for name in ("exists", "isfile", "isdir", "getsize", "getmtime"):
            patch.setattr(os.path, name, forbidden)
        for name in (
            "exists",
            "is_file",
            "is_dir",
            "stat",
            "open",
            "iterdir",
            "glob",
            "read_text",
            "read_bytes",
        ):
            patch.setattr(Path, name, forbidden)
        patch.setattr(subprocess, "Popen", forbidden)
        shown = draw_all()
    assert "The pack is not there." in shown


@pytest.mark.parametrize("width", [80, 300, 1200])
def test_every_panel_draws_at_every_width(busy_state: None, width: int) -> None:
    shown = [draw(panel, context(width)) for panel in panels()]
    assert len(shown) > 5 and any(shown)


def test_a_first_use_is_told_what_to_do() -> None:
    shown = " ".join(main_panel())
    assert "1. Add a body." in shown and "Press Generate" in shown
    bpy.ops.understudy.add_body()
    assert "1. Add a body." not in " ".join(main_panel())


def test_a_job_shows_stage_progress_and_time() -> None:
    bpy.ops.understudy.add_body()
    job = Job({})
    job.request = SimpleNamespace(progress={"stage": "refine", "step": 1, "total": 4, "seconds_left": 7.2})
    backend.job = job
    try:
        shown = " ".join(main_panel())
    finally:
        backend.job = None
    assert (
        "How it moves" in shown and "25 %" in shown and "7 s left" in shown and "<understudy.cancel>" in shown
    )


@pytest.mark.parametrize(
    ("error", "operator"),
    [
        (BadInput("No.", field="pack"), "understudy.mend"),
        (BadInput("No.", field="device"), "understudy.mend"),
        (BadInput("No.", field="python"), "understudy.open_preferences"),
        (BadInput("No.", field="body_models"), "understudy.open_preferences"),
        (BadInput("No.", field="body"), "understudy.add_body"),
        (JobFailed("No."), None),
    ],
)
def test_an_error_offers_what_mends_it(error: UnderstudyError, operator: str | None) -> None:
    backend.error = error
    mends = cure(error)
    assert (mends.operator if mends else None) == operator
    shown = main_panel()
    assert "No." in shown
    if operator:
        assert f"<{operator}>" in shown


@pytest.mark.parametrize("code", ["backend_died", "backend_hung", "backend_garbage"])
def test_a_dead_backend_offers_a_restart(code: str) -> None:
    error = JobFailed("It died.")
    error.code = code
    assert cure(error).operator == "understudy.restart_backend"


def test_mending_sets_the_default_back() -> None:
    settings = bpy.context.scene.understudy
    settings.pack, settings.voice, settings.use_seconds, settings.use_tempo = "styles", "FILE", True, True
    for name in ("pack", "voice", "seconds", "style", "device"):
        backend.error = BadInput("No.", field="pack")
        assert bpy.ops.understudy.mend(setting=name) == {"FINISHED"}
        assert backend.error is None
    assert (settings.pack, settings.voice, settings.use_seconds, settings.use_tempo) == (
        "open",
        "NONE",
        False,
        False,
    )


def test_the_length_in_frames_is_the_length_in_seconds() -> None:
    scene = bpy.context.scene
    settings = scene.understudy
    scene.render.fps, settings.seconds = 24, 5.0
    assert settings.frames == 120
    settings.frames = 48
    assert settings.seconds == pytest.approx(2.0)
    settings.frames = 100_000
    assert settings.seconds == pytest.approx(60.0), "no longer than can be generated"
    settings.use_seconds = settings.in_frames = True
    assert "<understudy.generate>" in main_panel()


def test_the_body_panel_asks_for_the_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from understudy.addon.body import models
    from understudy.addon.preferences import settings as preferences

    scene = bpy.context.scene
    scene.understudy_body.kind = "SMPLX"
    assert "<understudy.open_preferences>" in draw(bpy.types.UNDERSTUDY_PT_body)
    with pytest.raises(RuntimeError, match="There is no SMPL-X model in the folder"):
        bpy.ops.understudy.add_body()
    assert not scene.objects

    write(tmp_path / "SMPLX_MALE.npz")
    (tmp_path / "SMPLX_FEMALE.npz").write_bytes(b"half a file")
    monkeypatch.setattr(preferences, "get", lambda: preferences.Settings(body_models=str(tmp_path)))
    models.Models.scan()
    shown = draw(bpy.types.UNDERSTUDY_PT_body)
    assert "Height" in shown and "<understudy.add_body>" in shown
    scene.understudy_body.gender = "female"
    with pytest.raises(RuntimeError, match="is damaged"):
        bpy.ops.understudy.add_body()
    scene.understudy_body.gender, scene.understudy_body.shape_by = "male", "BETAS"
    scene.understudy_body.betas[0] = 1.0
    assert bpy.ops.understudy.add_body() == {"FINISHED"}
    body = scene.understudy.body
    tall = body.data.bones["head"].head_local.z
    scene.understudy_body.betas[0] = 3.0
    assert bpy.ops.understudy.shape_body() == {"FINISHED"}
    assert body.data.bones["head"].head_local.z == pytest.approx(tall * 1.15 / 1.05, rel=1e-4)
    scene.understudy_body.shape_by, scene.understudy_body.height = "MEASURES", 2.29
    scene.understudy_body.weight = 30.0
    with pytest.raises(RuntimeError, match="has no body of 2"):
        bpy.ops.understudy.shape_body()
    assert "<understudy.shape_body>" in draw(bpy.types.UNDERSTUDY_PT_body)


@pytest.mark.parametrize(("value", "said"), [("/opt/python", True), (" ", False), (None, False)])
def test_the_environment_variable_is_named_where_it_is_set(
    value: str | None, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNDERSTUDY_PYTHON", raising=False)
    if value is not None:
        monkeypatch.setenv("UNDERSTUDY_PYTHON", value)
    assert any("UNDERSTUDY_PYTHON" in text for text in draw_all()) == said
