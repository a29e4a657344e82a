"""``make demo``: a prompt becomes a clip, a keyed body and a rendered film in ``out/demo``.

Runs the installed command line just as a user would, and says what each step took.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(label: str, arguments: list[str], made: list[Path]) -> float:
    """Run ``understudy ARGUMENTS``, check that it made the files, say how long it took (seconds)."""
    print(f"\n{label}\n  $ understudy {shlex.join(arguments)}", flush=True)
    began = time.perf_counter()
    status = subprocess.run([str(Path(sys.executable).parent / "understudy"), *arguments]).returncode
    took = time.perf_counter() - began
    if status != 0:
        sys.exit(f"demo: this step failed (exit code {status})")
    for path in made:
        if not path.is_file() or path.stat().st_size == 0:
            sys.exit(f"demo: this step ended well but left no {path}")
    print(f"  {took:.1f} s", flush=True)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("prompt", nargs="?", default="a person walks forward")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for the results")
    args = parser.parse_args()

    folder: Path = args.out
    folder.mkdir(parents=True, exist_ok=True)
    clip, film, picture, scene = (folder / f"clip.{end}" for end in ("npz", "mp4", "png", "blend"))
    length = ["--seconds", f"{args.seconds:g}", "--seed", str(args.seed)]
    render = ["render", str(clip), "--out"]
    # Sized for two cores without a graphics card: half a minute in all.
    steps = [
        ("Generate a clip from the prompt", ["generate", args.prompt, *length, "--out", str(clip)], [clip]),
        (
            "Key it on the body and render the film",
            [*render, str(film), "--resolution", "480x270", "--blend", str(scene)],
            [film, scene],
        ),
        (
            "Render a still, with light",
            [*render, str(picture), "--engine", "cycles", "--samples", "16", "--resolution", "640x360"],
            [picture],
        ),
    ]
    total = sum(run(*step) for step in steps)

    print(f"\nDone in {total:.1f} s. Look at:")
    for path, what in [
        (film, "the film"),
        (picture, "a still"),
        (scene, "the keyed body, for Blender"),
        (clip, "the clip, for any SMPL-X tool"),
    ]:
        print(f"  {path.resolve()}  ({what})")


if __name__ == "__main__":
    main()
