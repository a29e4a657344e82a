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
PROMPTS = (
    "a person walks forward",
    "a person jumps",
    "a person dances",
    "a person dribbles a basketball",
    "a person does a cartwheel",
)
HERO = "a person dances"
"""Whose figures stand together in ``hero.png``, the picture of the README."""


def main() -> int:
    """Generate and draw every prompt; returns the exit code of the first command that failed, or 0."""
    parser = argparse.ArgumentParser(description="Render the gallery's contact sheets.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--only", default="", help="only the prompts that contain this word")
    parser.add_argument("--engine", choices=("workbench", "cycles", "eevee"), default="workbench")
    parser.add_argument("--pack", default="open")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    for prompt in (p for p in PROMPTS if args.only in p):
        start = time.perf_counter()
        picture = FOLDER / (re.sub(r"[^a-z]+", "_", prompt.removeprefix("a person ")) + ".png")
        with tempfile.TemporaryDirectory() as folder:
            clip = str(Path(folder) / "clip.npz")
            options = ["--seconds", str(args.seconds), "--seed", str(args.seed), "--pack", args.pack]
            generate = ["understudy.backend", "generate", prompt, *options, "--out", clip]
            sheet = ["understudy.addon.contact_sheet", clip, "--out", str(picture), "--caption", prompt]
            sheet += ["--engine", args.engine, "--threads", str(args.threads)]
            commands = [generate, sheet]
            if prompt == HERO:
                hero = [
                    "understudy.addon.contact_sheet",
                    clip,
                    "--out",
                    str(FOLDER / "hero.png"),
                    "--together",
                ]
                commands.append(
                    [*hero, "--engine", "cycles", "--samples", "32", "--threads", str(args.threads)]
                )
            for command in commands:
                done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
                if done.returncode:
                    print(done.stderr.strip() or f"{command[0]} failed", file=sys.stderr)
                    return done.returncode
        print(f"{picture.relative_to(FOLDER.parent.parent)}  {time.perf_counter() - start:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
