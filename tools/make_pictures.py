"""The pictures of the user guide, taken from a real Blender: ``python tools/make_pictures.py --zip ZIP``.

Starts Blender in a window of a virtual screen, with the extension installed, lets ``tools/picture_scenes.py`` set up one
picture after the other, and writes what is on the screen to ``docs/images/guide-*.png``. Needs Xvfb and ImageMagick's
``import``. Where Blender lies in a changed root, give the command that enters it:

    python tools/make_pictures.py --zip dist/understudy-0.1.0.zip --root /srv/trixie --python /opt/venv/bin/python

``--language ja_JP --out FOLDER`` shows whether words fit in another language.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SIZE = (1600, 1200)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--blender", default="blender", help="the Blender program")
    parser.add_argument("--root", type=Path, help="a folder that is the root of the system with Blender")
    parser.add_argument("--zip", type=Path, help="the extension to install first")
    parser.add_argument("--python", default="", help="the Python of the backend, as Blender sees it")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--display", default=":87", help="number of the virtual screen")
    parser.add_argument("--timeout", type=float, default=600.0)
    parser.add_argument("--language", default="", help="of the interface, as Blender calls it (de_DE)")
    args = parser.parse_args()
    shared = (args.root or Path("/")) / "tmp" / "understudy-pictures"
    shutil.rmtree(shared, ignore_errors=True)
    shared.mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "picture_scenes.py", shared / "scenes.py")
    enter = ["chroot", str(args.root)] if args.root else []
    environment = {
        **os.environ,
        "DISPLAY": args.display,
        "HOME": os.path.expanduser("~"),
        "LIBGL_ALWAYS_SOFTWARE": "1",
        **({"UNDERSTUDY_PYTHON": args.python} if args.python else {}),
        "UNDERSTUDY_LANGUAGE": args.language,
    }
    screen = subprocess.Popen(
        ["Xvfb", args.display, "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24", "+extension", "GLX"],
        stderr=subprocess.DEVNULL,
    )
    blender = None
    try:
        time.sleep(2)
        if args.zip:
            shutil.copy(args.zip, shared / "extension.zip")
            install = [
                "extension",
                "install-file",
                "-r",
                "user_default",
                "-e",
                "/tmp/understudy-pictures/extension.zip",
            ]
            subprocess.run([*enter, args.blender, "--command", *install], env=environment, check=True)
        geometry = ["--window-geometry", "0", "0", str(SIZE[0]), str(SIZE[1])]
        blender = subprocess.Popen(
            [*enter, args.blender, *geometry, "--python", "/tmp/understudy-pictures/scenes.py"],
            env=environment,
        )
        return _collect(shared, args.out, environment, blender, args.timeout)
    finally:
        if blender is not None:
            blender.kill()
        screen.terminate()
        screen.wait(10)


def _collect(
    shared: Path, out: Path, environment: dict[str, str], blender: subprocess.Popen[bytes], timeout: float
) -> int:
    """Take each picture when its scene is ready, until the last one was."""
    end = time.monotonic() + timeout
    while time.monotonic() < end and blender.poll() is None:
        ready = shared / "ready.json"
        if not ready.exists():
            time.sleep(0.2)
            continue
        shot = json.loads(ready.read_text())
        if shot["name"] == "end":
            return 0
        target = out / f"guide-{shot['name']}.png"
        crop = [] if shot["box"] is None else ["-crop", "{}x{}+{}+{}".format(*shot["box"]), "+repage"]
        command = [
            "import",
            "-window",
            "root",
            *crop,
            "+dither",
            "-colors",
            "128",
            "-define",
            "png:compression-level=9",
            str(target),
        ]
        subprocess.run(command, env=environment, check=True)
        print(target, flush=True)
        ready.unlink()
    print("Blender ended too early, or took too long.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
