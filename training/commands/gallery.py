"""``understudy-train gallery --pack DIR --out DIR [--prompts FILE]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pack", required=True, metavar="NAME|DIR", help="the pack that performs")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the gallery")
    parser.add_argument(
        "--prompts", type=Path, metavar="FILE", help="one prompt a line (default: the 40 of the repository)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of every clip (default 1)")
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="length of every clip (default: the pack chooses)"
    )
    parser.add_argument(
        "--no-films", dest="films", action="store_false", help="contact sheets only: films need Blender"
    )
    parser.add_argument("--blender", metavar="PROGRAM", help="the Blender program, or a Python that has bpy")


def run(arguments: argparse.Namespace) -> int:
    from ...backend.cli.blender import find_blender
    from ...backend.pipeline import load_pipeline
    from ..evaluation import gallery
    from ..evaluation.progress import bars

    prompts = gallery.read_prompts(arguments.prompts or gallery.PROMPTS)
    if arguments.films:
        find_blender(arguments.blender)  # told at once, not after all clips are made
    pipeline = load_pipeline(arguments.pack)
    with bars(show=sys.stderr.isatty()) as progress:

        def told(what: str, done: int) -> None:
            if progress is not None:
                progress(what, done, len(prompts))

        entries = gallery.perform_prompts(
            pipeline,
            prompts,
            seed=arguments.seed,
            seconds=arguments.seconds,
            on_prompt=lambda done: told("clips", done),
        )
        if arguments.films:
            gallery.write_films(
                entries, arguments.out, blender=arguments.blender, on_film=lambda done: told("films", done)
            )
    gallery.write_gallery(pipeline.pack.name, entries, arguments.out, films=arguments.films)
    print(f"{len(entries)} clips in {arguments.out / 'index.html'}")
    return 0
