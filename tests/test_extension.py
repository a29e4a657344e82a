"""The extension as people get it: from a remote repository, into a Blender that has nothing but numpy beside it."""

from __future__ import annotations

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from understudy.backend.engines.onnx_text import OnnxTextEncoder

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import build_extension  # noqa: E402
import build_repository  # noqa: E402
import wheels  # noqa: E402

BLENDERS = {"4.2": ".venv-bpy42", "4.5": ".venv", "5.0": ".venv-bpy50"}

PERFORM = """
import json, sys
import bpy

bpy.context.preferences.system.use_online_access = True
bpy.ops.preferences.extension_repo_add(name="Understudy", remote_url=sys.argv[1], type="REMOTE")
repos = bpy.context.preferences.extensions.repos
bpy.ops.extensions.repo_sync(repo_index=len(repos) - 1)
bpy.ops.extensions.package_install(repo_index=len(repos) - 1, pkg_id="understudy", enable_on_install=True)
addon = sys.modules[f"bl_ext.{repos[-1].module}.understudy.addon.process.client"]
bpy.ops.understudy.add_body()
settings = bpy.context.scene.understudy
settings.prompt, settings.use_seconds, settings.seconds = "a person walks forward", True, 2.0
bpy.ops.understudy.generate()
backend = addon.backend
memory = [line.split()[1] for line in open(f"/proc/{backend.info['pid']}/status") if line.startswith("VmHWM")]
action = settings.body.animation_data.action
found = {
    "engines": [engine["name"] for engine in backend.info["engines"]],
    "action": action.name,
    "frames": list(action.frame_range),
    "python": backend.python,
    "megabytes": int(memory[0]) / 1e3,
}
backend.stop()
print("@" + json.dumps(found), flush=True)
"""


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        target = wheels.Target(build_extension.this_platform(), "cp311")
        return build_extension.build(tmp_path_factory.mktemp("dist"), target)
    except wheels.NoWheel as error:
        pytest.skip(f"no wheels here: {error}")


@pytest.fixture(scope="module")
def address(extension: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a plain web server offers the repository's list."""
    folder = build_repository.build_repository(
        [extension], tmp_path_factory.mktemp("web") / "repository"
    ).parent
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/index.json"
        server.shutdown()


def bare_python(environment: Path, folder: Path) -> Path:
    """A Python that has Blender and its numpy of an environment, and nothing else of it."""
    subprocess.run([environment / "bin/python", "-m", "venv", "--without-pip", folder], check=True)
    (here,) = folder.glob("lib/python3*/site-packages")
    (there,) = environment.glob("lib/python3*/site-packages")
    for name in ("bpy", "numpy", "numpy.libs"):
        (here / name).symlink_to(there / name)
    return folder / "bin/python"


@pytest.mark.slow
@pytest.mark.parametrize("blender", BLENDERS)
def test_it_is_installed_from_a_repository_and_performs_with_nothing_else(
    blender: str, address: str, tmp_path: Path
) -> None:
    environment = ROOT / BLENDERS[blender]
    if not (environment / "bin/python").exists():
        pytest.skip(f"Blender {blender} is not set up here")
    python = bare_python(environment, tmp_path / "python")
    env = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "BLENDER_USER_RESOURCES": str(tmp_path / "blender"),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"),
    }
    done = subprocess.run(
        [python, "-c", PERFORM, address], capture_output=True, text=True, timeout=300, env=env, cwd=tmp_path
    )
    answers = [line[1:] for line in done.stdout.splitlines() if line.startswith("@")]
    assert answers, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(answers[0])
    assert found["engines"] == ["onnx"], "nothing but the extension's own engine"
    assert Path(found["python"]).parent == python.parent
    assert found["action"] == "a person walks forward" and found["frames"] == [1.0, 48.0]
    assert found["megabytes"] < 500


def test_every_wheel_is_named_and_there_and_the_zip_is_small_enough(extension: Path) -> None:
    assert extension.stat().st_size <= 120e6
    with zipfile.ZipFile(extension) as archive:
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
        inside = {f"./{name}" for name in archive.namelist() if name.startswith("wheels/")}
    assert set(manifest["wheels"]) == inside and len(inside) == len(wheels.LIBRARIES)
    assert manifest["platforms"] == [build_extension.this_platform()]
    assert not [name for name in inside if "numpy" in name], "Blender has its own"


def test_the_same_sources_give_the_same_zip(extension: Path, tmp_path: Path) -> None:
    target = wheels.Target(build_extension.this_platform(), "cp311")
    assert build_extension.build(tmp_path, target).read_bytes() == extension.read_bytes()


def test_its_sentence_encoder_reads_as_the_checkout_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = OnnxTextEncoder("cpu").encode(["a person waves"])
    build_extension.add_text_encoder(tmp_path / "text_encoder")
    monkeypatch.setenv("UNDERSTUDY_TEXT_MODEL", str(tmp_path / "text_encoder"))
    found = OnnxTextEncoder("cpu").encode(["a person waves"])
    assert np.abs(found.tokens - expected.tokens).max() < 1e-5
    assert sum(path.stat().st_size for path in (tmp_path / "text_encoder").iterdir()) < 30e6


def test_every_library_has_one_version() -> None:
    pinned = wheels.pinned()
    assert all(name in pinned for name in wheels.LIBRARIES)
    assert {name for name, _ in wheels.NEWER} <= set(wheels.LIBRARIES)


def test_a_target_that_there_is_not_is_refused() -> None:
    with pytest.raises(Exception, match="is not a platform"):
        build_extension.parse_target("amiga-cp311")
    assert build_extension.parse_target("macos-arm64-cp313") == wheels.Target("macos-arm64", "cp313")
