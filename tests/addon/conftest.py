"""Every test of the add-on starts from an empty Blender with the add-on registered, and ends clean."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

if importlib.util.find_spec("understudy") is None:  # a bare bpy environment, nothing installed
    _spec = importlib.util.spec_from_file_location(
        "understudy", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert _spec and _spec.loader
    _module = importlib.util.module_from_spec(_spec)
    sys.modules["understudy"] = _module
    _spec.loader.exec_module(_module)


@pytest.fixture(autouse=True)
def blender(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Factory settings, an empty scene, no takes, the add-on registered; unregistered afterwards."""
    import bpy

    from understudy import addon
    from understudy.addon.takes import files as take_files

    monkeypatch.setattr(take_files, "folder", lambda: tmp_path / "user" / "takes")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon.register()
    try:
        yield
    finally:
        addon.unregister()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the backend be the stand-in of this folder: ``fake("slow")`` chooses how it behaves."""
    from understudy.addon.process import client

    def use(behaviour: str = "well") -> None:
        command = [sys.executable, str(Path(__file__).parent / "fake_backend.py"), str(ROOT), behaviour]
        monkeypatch.setattr(client, "backend_command", lambda python: command)
        monkeypatch.setenv("UNDERSTUDY_PYTHON", sys.executable)

    use()
    return use
