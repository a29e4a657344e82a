"""The button that sets torch up: refused offline, done from a folder of wheels, cancelled, gone on with."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import bpy
import pytest

from understudy.addon.preferences import torch
from understudy.addon.preferences.torch import TorchSetup
from understudy.backend.protocol import torch_environment

from ..backend.test_torch_setup import add_wheel


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(torch, "folder", lambda: tmp_path / "torch")
    TorchSetup.state, TorchSetup.error, TorchSetup.text = "", None, ""
    return tmp_path / "torch"


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    for library in [*json.loads(torch_environment.PINNED.read_text()), torch_environment.ENCODER]:
        add_wheel(folder, library)
    return folder


def test_offline_it_says_so(folder: Path) -> None:
    with pytest.raises(RuntimeError, match="online access is not allowed"):
        bpy.ops.understudy.setup_torch()
    assert not folder.exists()


@pytest.mark.skipif(bpy.app.version[:2] != (4, 5), reason="pip does the same in every Blender")
def test_from_wheels_it_is_ready(folder: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    restarted: list[bool] = []
    monkeypatch.setattr(torch, "restart", lambda: restarted.append(True))
    assert bpy.ops.understudy.setup_torch(index=str(wheels)) == {"FINISHED"}
    assert TorchSetup.state == "ready" and TorchSetup.error is None and restarted
    assert TorchSetup.step == TorchSetup.total
    assert torch_environment.state(folder)["state"] == "ready"


def test_what_fails_is_told_and_is_gone_on_with(folder: Path, wheels: Path) -> None:
    for wheel in wheels.glob("numpy-*"):
        wheel.unlink()
    with pytest.raises(RuntimeError, match="numpy"):
        bpy.ops.understudy.setup_torch(index=str(wheels))
    assert TorchSetup.state == "unfinished" and TorchSetup.error is not None
    assert torch_environment.state(folder)["state"] == "unfinished"


def test_cancelling_ends_it(folder: Path, wheels: Path) -> None:
    def cancel() -> None:
        end = time.monotonic() + 60
        while not TorchSetup.text and time.monotonic() < end:
            time.sleep(0.05)
        TorchSetup.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    assert bpy.ops.understudy.setup_torch(index=str(wheels)) == {"CANCELLED"}
    canceller.join()
    assert torch_environment.state(folder)["state"] == "unfinished" and not TorchSetup.running()
