"""Registering, unregistering, and living as an installed extension."""

from __future__ import annotations

import ast
import gc
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import bpy
import pytest

from understudy import addon
from understudy.addon import translations
from understudy.addon.process.client import backend
from understudy.addon.process.tasks import Errand
from understudy.addon.render.panel import Studio

ROOT = Path(__file__).resolve().parents[2]
Fake = Callable[[str], None]


def traces() -> dict[str, object]:
    """Everything of ours that Blender could still hold."""
    handlers = [h for name in dir(bpy.app.handlers) for h in _list(getattr(bpy.app.handlers, name))]
    return {
        "types": sorted(n for n in dir(bpy.types) if n.startswith("UNDERSTUDY_")),
        "operators": dir(bpy.ops.understudy),
        "handlers": [h for h in handlers if "understudy" in getattr(h, "__module__", "")],
        "scene": hasattr(bpy.types.Scene, "understudy"),
        "properties": [
            f"{owner.__name__}.{name}"
            for owner in (bpy.types.ID, *bpy.types.ID.__subclasses__(), bpy.types.WindowManager)
            for name in dir(owner)
            if name.startswith("understudy")
        ],
        "timers": [f"{module}.{function.__name__}" for module, function in _timers() if _ticks(function)],
        "words": translations._words,
        "keymaps": _keys(),
        "processes": [p for p in (backend.client, Studio.film, Errand._thread) if p is not None],
        "menus": [
            f
            for menu in (
                bpy.types.TOPBAR_MT_file_import,
                bpy.types.TOPBAR_MT_file_export,
                bpy.types.VIEW3D_MT_armature_add,
            )
            for f in getattr(menu.draw, "_draw_funcs", [])
            if "understudy" in f.__module__
        ],
        "commands": [c for c in _commands() if "understudy" in repr(c)],
        "threads": [t.name for t in threading.enumerate() if "understudy" in t.name],
    }


def _timers() -> list[tuple[str, Callable[[], object]]]:
    """Every function of ours that could be a timer: it takes nothing."""
    found = []
    for name, module in list(sys.modules.items()):
        if name.startswith("understudy.addon"):
            for function in vars(module).values():
                code = getattr(function, "__code__", None)
                if code is not None and getattr(function, "__module__", "") == name and not code.co_argcount:
                    found.append((name, function))
    return found


def _ticks(function: Callable[[], object]) -> bool:
    return bpy.app.timers.is_registered(function)


def _keys() -> list[str]:
    manager = bpy.context.window_manager
    configurations = [c for c in (manager.keyconfigs.addon, manager.keyconfigs.user) if c is not None]
    return [
        item.idname
        for configuration in configurations
        for keymap in configuration.keymaps
        for item in keymap.keymap_items
        if item.idname.startswith("understudy.")
    ]


def _list(value: object) -> list:
    return value if isinstance(value, list) else []


def _commands() -> list:
    import bpy.utils

    return list(getattr(bpy.utils, "_cli_commands", []))


def test_ten_rounds_leave_nothing(fake: Fake) -> None:
    assert traces()["scene"]
    assert len(traces()["menus"]) == 6
    for _ in range(10):
        addon.unregister()
        left = traces()
        assert not any(left.values()), left
        addon.register()
    addon.unregister()
    gc.collect()
    assert not any(traces().values())
    addon.register()


def test_a_failed_registration_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    addon.unregister()
    from understudy.addon.process import client

    with monkeypatch.context() as patch:

        def broken() -> None:
            raise RuntimeError("no")

        patch.setattr(client, "register", broken)
        with pytest.raises(RuntimeError, match="no"):
            addon.register()
    assert not any(traces().values())
    addon.register()


def test_unregistering_in_the_middle_of_a_job_ends_the_child(fake: Fake) -> None:
    fake("slow")
    backend.submit({"prompt": "x", "seconds": None, "seed": 0})
    while backend.state != "ready":
        backend.poll()
    assert backend.client is not None
    process = backend.client._pipes.process
    addon.unregister()
    try:
        assert process.poll() is not None
        assert not any(traces().values())
    finally:
        addon.register()


def test_no_frozen_annotations_where_blender_reads_them() -> None:
    """``from __future__ import annotations`` turns bpy.props into strings, which Blender ignores."""
    for path in (ROOT / "addon").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        has_properties = any(
            isinstance(node, ast.AnnAssign)
            and isinstance(node.annotation, ast.Call)
            and getattr(node.annotation.func, "id", "").endswith("Property")
            for node in ast.walk(tree)
        )
        if has_properties:
            assert "from __future__ import annotations" not in path.read_text(encoding="utf-8"), path.name


INSTALLED = """
import os, sys
import bpy
try:
    name = "bl_ext.user_default.understudy"
    assert bpy.ops.preferences.addon_enable(module=name) == {"FINISHED"}
    assert bpy.context.preferences.addons[name].preferences.device == "auto"
    bpy.context.preferences.addons[name].preferences.python = sys.argv[1]
    module = sys.modules[name + ".addon.preferences.settings"]
    assert module.PACKAGE == name, module.PACKAGE
    assert module.find_python() == sys.argv[1]
    assert bpy.ops.understudy.add_body() == {"FINISHED"}
    client = sys.modules[name + ".addon.process.client"]
    client.backend_command = lambda python: [python, sys.argv[2], sys.argv[3], "well"]
    assert bpy.ops.understudy.generate(prompt="a person walks", seconds=2.0) == {"FINISHED"}
    assert bpy.context.scene.understudy.body.animation_data.action.name == "a person walks"
    assert not [m for m in sys.modules if m.split(".")[0] in ("backend", "addon", "torch", "pydantic")]
    bpy.ops.preferences.addon_disable(module=name)
    assert not hasattr(bpy.types.Scene, "understudy")
    print("INSTALLED")
except BaseException:
    import traceback
    traceback.print_exc()
sys.stdout.flush(); sys.stderr.flush()
os._exit(0)
"""


def install(extensions: Path, how: str) -> Path:
    folder = extensions / "extensions" / "user_default" / "understudy"
    folder.parent.mkdir(parents=True)
    if how == "link":  # how developers install it
        folder.symlink_to(ROOT, target_is_directory=True)
        return folder
    folder.mkdir()
    for name in ("__init__.py", "blender_manifest.toml"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("addon", "backend"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("how", ["link", "copy"])
def test_as_an_extension(tmp_path: Path, how: str) -> None:
    """Blender imports it as bl_ext.user_default.understudy; nothing is written into its folder."""
    folder = install(tmp_path, how)

    def files() -> list[Path]:
        return sorted(p for p in folder.rglob("*") if how == "copy" and "__pycache__" not in p.parts)

    before = files()
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path)}
    environment.pop("UNDERSTUDY_PYTHON", None)
    environment.pop("PYTHONPATH", None)
    fake_backend = Path(__file__).parent / "fake_backend.py"
    done = subprocess.run(
        [sys.executable, "-c", INSTALLED, sys.executable, str(fake_backend), str(folder)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert "INSTALLED" in done.stdout, done.stdout + done.stderr
    assert "policy violation" not in (done.stdout + done.stderr).lower()
    assert files() == before


def test_the_command_hands_its_arguments_to_the_command_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """``blender --command understudy …`` runs understudy.backend.cli.main, and returns its exit code."""
    from understudy.addon.process import command

    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nfor last; do :; done\necho "$# $last"\nexit 7\n')
    python.chmod(0o755)
    monkeypatch.setenv("UNDERSTUDY_PYTHON", str(python))
    assert command.run(["generate", "a person; rm -rf $HOME"]) == 7
    assert "a person; rm -rf $HOME" in capfd.readouterr().out
    monkeypatch.setenv("UNDERSTUDY_PYTHON", "/nowhere/python")
    assert command.run(["doctor"]) == 2
    assert "cannot be run" in capfd.readouterr().err
