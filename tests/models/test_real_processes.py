"""The real pipeline inside the real processes: the command line and the backend, with a tiny pack."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from understudy.backend.errors import BadInput
from understudy.backend.motion.npz import clip_from_bytes, clip_to_bytes, read_clip, write_clip
from understudy.backend.protocol.child import module_command
from understudy.backend.protocol.wire import Client, backend_command, clips_of

from .conftest import _swaying


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = module_command(sys.executable, "understudy.backend", ["generate", *arguments])
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=False)


def test_the_command_line(tiny_pack: Path, tmp_path: Path) -> None:
    """The same seed gives the same file in another process; another seed another one."""
    files = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        files.append(tmp_path / f"{name}.npz")
        child = generate(
            "a person walks", "--pack", str(tiny_pack), "--seconds", "1", "--seed", seed,
            "--out", str(files[-1]), "--device", "cpu", "--json",
        )  # fmt: skip
        assert (child.returncode, child.stderr) == (0, "")
        assert json.loads(child.stdout)["clips"][0]["frames"] == 30
    one, same, other = (file.read_bytes() for file in files)
    assert one == same
    assert one != other
    assert read_clip(files[0]).meta["licence"] == "CC0-1.0"


def test_a_damaged_pack(tiny_pack: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(tiny_pack, damaged)
    weights = damaged / "language.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    child = generate("x", "--pack", str(damaged), "--out", str(tmp_path / "a.npz"))
    assert child.returncode == 2
    assert "is damaged: language.safetensors" in child.stderr
    assert not (tmp_path / "a.npz").exists()


@pytest.mark.slow
def test_the_backend(tiny_pack: Path) -> None:
    pack = str(tiny_pack)
    with Client(backend_command(sys.executable), options={"pack": pack, "device": "cpu"}) as client:
        params = {"prompt": "a person wälks", "seconds": 2, "pack": pack, "device": "cpu"}
        stages: list[str] = []
        request = client.request("generate", params, on_progress=lambda p: stages.append(p["stage"]))
        first = client.wait(request, timeout=120)
        clip = clip_from_bytes(clips_of(first)[0])
        assert (len(clip), clip.fps, clip.meta["prompt"]) == (60, 30.0, "a person wälks")
        assert {"plan", "refine"} <= set(stages)

        long = client.request("generate", {**params, "seconds": 60, "samples": 8, "steps": 50})
        while long.progress.get("stage") != "plan":
            client.poll()
            time.sleep(0.005)
        client.cancel(long)
        again = client.wait(client.request("generate", params), timeout=30)
        assert again["clips"][0]["npz"] == first["clips"][0]["npz"]
        assert long.result is None


@pytest.mark.slow
def test_the_backend_searches_and_describes(
    searching_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pack, folder = str(searching_pack), tmp_path / "clips"
    folder.mkdir()
    clip = _swaying()
    write_clip(clip.replace(meta={"prompt": "somebody dances"}), folder / "dance.npz")
    write_clip(clip, folder / "silent.npz")
    (folder / "broken.npz").write_bytes(b"PK")
    with Client(backend_command(sys.executable), options={"pack": pack, "device": "cpu"}) as client:
        params = {"query": "Somebody dances.", "folder": str(folder), "pack": pack, "device": "cpu"}
        found = client.wait(client.request("search", params), timeout=120)
        assert [Path(one["path"]).name for one in found["results"]] == ["dance.npz", "silent.npz"]
        assert found["results"][0]["score"] > 0.99
        assert [Path(one["path"]).name for one in found["skipped"]] == ["broken.npz"]
        with pytest.raises(BadInput, match="does not exist"):
            client.wait(client.request("search", {**params, "folder": str(folder / "nowhere")}), timeout=30)

        npz = base64.b64encode(clip_to_bytes(clip)).decode()
        asked = {"npz": npz, "pack": pack, "device": "cpu"}
        told = client.wait(client.request("describe", asked), timeout=60)
        assert [set(one) for one in told["sentences"]] == [{"start", "stop", "text"}] * len(told["texts"])
        short = base64.b64encode(clip_to_bytes(clip.slice(0, 3))).decode()
        with pytest.raises(BadInput, match="too short"):
            client.wait(client.request("describe", {**asked, "npz": short}), timeout=60)
