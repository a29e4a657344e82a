"""Make the pictures of this folder again: generate each prompt, render eight moments of it.

    .venv/bin/python docs/gallery/make.py [--seed N] [--only WORD] [--engine cycles]

Needs the package with its extras `torch`, `bpy` and `dev`. Takes a few seconds a prompt.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PROMPTS = {
    "a person walks forward": 6.0,
    "a person jumps": 3.0,
    "a person dances": 6.0,
    "a person dribbles a basketball": 4.0,
    "a person does a cartwheel": 3.0,
    "a person waves": 4.0,
}
"""Seconds of each."""
HERO = ("a person runs and jumps", 3.0)
"""Whose figures stand together in the picture of the README."""


def draw(prompt: str, seconds: float, picture: Path, args: argparse.Namespace, extra: list[str]) -> int:
    """Generate a clip and draw it; returns the exit code of the first command that failed, or 0."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        clip = str(Path(folder) / "clip.npz")
        generate = ["understudy.backend", "generate", prompt, "--seconds", str(seconds), "--out", clip]
        generate += ["--seed", str(args.seed), "--pack", args.pack]
        sheet = [
            "understudy.addon.render.contact_sheet",
            clip,
            "--out",
            str(picture),
            "--threads",
            str(args.threads),
            *extra,
        ]
        for command in (generate, sheet):
            done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
            if done.returncode:
                print(done.stderr.strip() or f"{command[0]} failed", file=sys.stderr)
                return done.returncode
    print(f"{picture.relative_to(FOLDER.parent.parent)}  {time.perf_counter() - start:.1f} s")
    return 0


def main() -> int:
    """Draw every prompt; returns the exit code of the first command that failed, or 0."""
    parser = argparse.ArgumentParser(description="Render the gallery's contact sheets.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only the prompts that contain this word")
    parser.add_argument("--engine", choices=("workbench", "cycles", "eevee"), default="workbench")
    parser.add_argument("--pack", default="open")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    for prompt, seconds in PROMPTS.items():
        if args.only in prompt:
            picture = FOLDER / (re.sub(r"[^a-z]+", "_", prompt.removeprefix("a person ")) + ".png")
            if code := draw(prompt, seconds, picture, args, ["--caption", prompt, "--engine", args.engine]):
                return code
    prompt, seconds = HERO
    if args.only in prompt:
        picture = FOLDER.parent / "images" / "hero.png"
        return draw(prompt, seconds, picture, args, ["--together", "--engine", "cycles", "--samples", "32"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
