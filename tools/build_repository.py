"""Makes the zips of ``dist/`` a remote repository that Blender reads: ``dist/repository`` with its ``index.json``.

Put the folder on any web server, and add the address of ``index.json`` in Blender's preferences (Get Extensions >
Repositories > Add Remote Repository). Every Blender then finds the zip of its platform and its Python, and is offered
the next version when the folder holds one. No server code runs.

Run as ``make repository``, or ``python tools/build_repository.py [--from DIR] [--output-dir DIR]``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from build_extension import ROOT, run_packager


def build_repository(zips: list[Path], output_dir: Path) -> Path:
    """Copy zips into a folder and list them; the list's path. A folder that is there is replaced."""
    output_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output_dir.parent, prefix=f".{output_dir.name}-") as temporary:
        folder = Path(temporary) / output_dir.name
        folder.mkdir()
        for path in zips:
            shutil.copy(path, folder / path.name)
        run_packager("server-generate", "--repo-dir", folder, "--html")
        if output_dir.exists():
            output_dir.rename(Path(temporary) / "replaced")
        folder.rename(output_dir)
    return output_dir / "index.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--from", dest="source", type=Path, default=ROOT / "dist", help="folder of the zips")
    parser.add_argument("--output-dir", type=Path, default=ROOT / "dist" / "repository")
    arguments = parser.parse_args()
    zips = sorted(arguments.source.glob("*.zip"))
    if not zips:
        sys.exit(f"build_repository: there is no zip in {arguments.source}; run 'make extensions' first")
    print(f"{build_repository(zips, arguments.output_dir)} ({len(zips)} zips)")


if __name__ == "__main__":
    main()
