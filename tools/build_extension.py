"""Builds the zip that Blender installs: ``dist/understudy-VERSION.zip``.

Copies what belongs into it to a fresh folder, lets Blender's own packager (which comes inside the bpy
wheel) build and validate it, and puts order and times of the entries straight, so that the same sources
give the same bytes.

Run as ``make extension``, or ``python tools/build_extension.py [--output-dir DIR]``.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The performer and the add-on; training, tests, tools and documents stay in the repository.
WANTED_FILES = ("__init__.py", "blender_manifest.toml", "LICENSE", "README.md")
# `styles` may not be used commercially: who wants it copies it into the user folder.
WANTED_FOLDERS = ("addon", "backend", "packs/open")
UNWANTED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "*~", "*.tmp")

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


def straighten(source: Path, target: Path) -> None:
    """The same zip with sorted entries, one time and one mode. The manifest stays first, as it was."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist(), key=lambda name: (name != "blender_manifest.toml", name)):
            entry = zipfile.ZipInfo(name, FIXED_TIME)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(name))


def build(output_dir: Path) -> Path:
    """Build and validate the zip; its path."""
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    target = output_dir / f"{manifest['id']}-{manifest['version']}.zip"
    output_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="understudy-extension-") as temporary:
        source = Path(temporary) / "source"
        source.mkdir()
        stage(source)
        built = Path(temporary) / target.name
        run_packager("validate", source)
        run_packager("build", "--source-dir", source, "--output-filepath", built)
        part = target.with_name(f".{target.name}")
        straighten(built, part)
        os.replace(part, target)
        run_packager("validate", target)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output-dir", type=Path, default=ROOT / "dist")
    path = build(parser.parse_args().output_dir)
    with zipfile.ZipFile(path) as archive:
        count = len(archive.namelist())
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB, {count} files)")


if __name__ == "__main__":
    main()
