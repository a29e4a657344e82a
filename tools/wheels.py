"""The libraries that an extension brings along, as wheels from PyPI: everything the backend needs but numpy, which
Blender has, in the versions of ``constraints.txt``.

They are downloaded once, into ``build/wheels``, without their dependencies: what onnxruntime names as such serves its
tools, not its running.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "wheels"

LIBRARIES = (
    "annotated-types",  # pydantic's
    "cffi",  # soundfile's
    "kaldi-native-fbank",
    "onnxruntime",
    "platformdirs",
    "praatio",
    "pycparser",  # cffi's
    "pydantic",
    "pydantic-core",
    "safetensors",
    "soundfile",
    "soxr",
    "tokenizers",
    "typing-extensions",  # pydantic's and praatio's
    "typing-inspection",  # pydantic's
)
NEWER = {("onnxruntime", "cp314"): "1.31.1"}
"""Where the pinned version has no wheel for a Python."""
PLATFORMS = {
    "linux-x64": tuple(f"manylinux{old}_x86_64" for old in ("_2_28", "_2_27", "_2_17", "2014", "_2_5", "1")),
    "windows-x64": ("win_amd64",),
    "macos-arm64": ("macosx_14_0_arm64",),
    "macos-x64": ("macosx_13_0_x86_64",),
}
"""Blender's name of each platform, and what wheels call it."""
ABIS = ("cp311", "cp313", "cp314")
"""Blender 4.2 to 5.0, Blender 5.1 and distributions' own, and newer ones."""


@dataclass(frozen=True)
class Target:
    """A platform and a Python that an extension is built for."""

    platform: str
    abi: str

    def __str__(self) -> str:
        return f"{self.platform}-{self.abi}"


class NoWheel(Exception):
    """A library has no wheel for a target."""


def pinned() -> dict[str, str]:
    """Versions by normalised name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {_normal(name): version.strip() for name, version in pairs}


def wheels(target: Target) -> list[Path]:
    """The wheels for a target, downloaded where they are not there yet, sorted by name.

    Raises:
        NoWheel: a library has none.
    """
    folder = CACHE / str(target)
    versions = pinned()
    found = []
    for name in LIBRARIES:
        version = NEWER.get((name, target.abi), versions[name])
        wheel = _downloaded(folder, name, version)
        if wheel is None:
            _download(folder, target, f"{name}=={version}")
            wheel = _downloaded(folder, name, version)
        if wheel is None:
            raise NoWheel(f"{name} {version} has no wheel for {target}")
        found.append(wheel)
    return sorted(found, key=lambda path: path.name.lower())


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _downloaded(folder: Path, name: str, version: str) -> Path | None:
    for path in sorted(folder.glob("*.whl")):
        of_file, its_version = path.name.split("-")[:2]
        if _normal(of_file) == name and its_version == version:
            return path
    return None


def _download(folder: Path, target: Target, requirement: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    python = f"{target.abi[2]}.{target.abi[3:]}"
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--only-binary", ":all:", "--dest", str(folder), "--implementation", "cp", "--python-version", python,
        *(part for abi in (target.abi, "abi3", "none") for part in ("--abi", abi)),
        *(part for platform in PLATFORMS[target.platform] for part in ("--platform", platform)),
        requirement,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [
            done.stderr.strip()
        ]
        raise NoWheel(f"{requirement} cannot be had for {target}: {said[-1]}")
