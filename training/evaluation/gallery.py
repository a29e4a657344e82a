"""A gallery: fixed prompts performed with fixed seeds, as contact sheets and films to be looked at.

Numbers do not say whether a clip is good to look at. The same prompts with the same seeds, from pack to pack,
let a person see what got better and what got worse.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ...backend.cli.blender import blender_command, find_blender
from ...backend.errors import BadInput, JobFailed
from ...backend.motion.clip import Clip
from ...backend.pipeline import Pipeline
from ...backend.protocol.child import child_environment, spawn_options
from ...backend.protocol.messages import MAX_PROMPT, GenerateParams
from . import preview
from .metrics import physics, plausibility
from .report_page import write_bytes, write_text

PROMPTS = Path(__file__).parent / "gallery_prompts.txt"
FIGURES = 9
"""Stick figures of a clip on its sheet."""
PER_SHEET = 8
FILM_SIZE = 320
"""Pixels of a film's side."""
_FINER = 2
_SCALE = 105.0
"""Pixels of a film per metre."""
_RISE = 1.2
"""Metres: when the pelvis is higher, the camera rises with it."""


@dataclass(frozen=True)
class Prompt:
    kind: str
    text: str


@dataclass(frozen=True)
class Entry:
    """A prompt and the clip a pack made of it."""

    number: int
    prompt: Prompt
    seed: int
    clip: Clip

    @property
    def name(self) -> str:
        """File name without its ending."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.prompt.text.lower()).strip("-")[:48]
        return f"{self.number:02d}-{slug or 'prompt'}"

    def facts(self) -> dict[str, Any]:
        """What the index says of it."""
        moved = physics(self.clip)
        return {
            "number": self.number,
            "kind": self.prompt.kind,
            "prompt": self.prompt.text,
            "seed": self.seed,
            "seconds": len(self.clip) / self.clip.fps,
            "path_m": moved["path_m"],
            "travel_m": moved["travel_m"],
            **plausibility(self.clip),
            "warnings": list(self.clip.meta.get("warnings", ())),
            "name": self.name,
        }


def read_prompts(path: Path) -> list[Prompt]:
    """Prompts of a text file: one a line, ``[kind]`` above them, ``#`` before remarks.

    Raises:
        BadInput: there is no such file, it is no text, or it holds no prompt.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as a list of prompts ({error}).", field="prompts") from None
    kind, found = "", []
    for number, line in enumerate(map(str.strip, lines), 1):
        if heading := re.fullmatch(r"\[(.+)\]", line):
            kind = heading[1].strip()
        elif line and not line.startswith("#"):
            if len(line) > MAX_PROMPT:
                raise BadInput(
                    f"{path.name}, line {number}: the prompt is longer than {MAX_PROMPT} characters.",
                    field="prompts",
                )
            found.append(Prompt(kind, line))
    if not found:
        raise BadInput(f"{path} holds no prompt.", field="prompts")
    return found


def perform_prompts(
    pipeline: Pipeline,
    prompts: Sequence[Prompt],
    *,
    seed: int = 1,
    seconds: float | None = None,
    on_prompt: Callable[[int], None] = lambda done: None,
) -> list[Entry]:
    """One clip of each prompt, always with the same seed.

    Args:
        seconds: length of every clip; the pack chooses where none is given, as it does for a user.
        on_prompt: told how many are done.
    """
    entries = []
    for number, prompt in enumerate(prompts, 1):
        on_prompt(number - 1)
        clip = pipeline.generate(GenerateParams(prompt=prompt.text, seconds=seconds, seed=seed))[0]
        entries.append(Entry(number, prompt, seed, clip))
    return entries


# ------------------------------------------------------------------------------------- pictures


def sheets(entries: Sequence[Entry]) -> list[Image.Image]:
    """Contact sheets, :data:`PER_SHEET` clips on each."""
    rows = [
        (
            f"{e.number:02d}  {e.prompt.text}  ({len(e.clip) / e.clip.fps:.1f} s, path {e.facts()['path_m']:.1f} m)",
            preview.clip_row(e.clip, FIGURES),
        )
        for e in entries
    ]
    return [preview.sheet(rows[first : first + PER_SHEET]) for first in range(0, len(rows), PER_SHEET)]


def film_frames(clip: Clip, size: int = FILM_SIZE) -> list[Image.Image]:
    """Every frame of a clip as a square picture; the camera goes along, and a grid on the floor stays behind."""
    points, bones, colours = preview.bones_of_clip(clip)
    side, scale = size * _FINER, _SCALE * _FINER * size / FILM_SIZE
    view = np.radians(35.0)
    centre = points[:, 0].copy()
    centre[:, 1] = np.maximum(centre[:, 1] - _RISE, 0.0)
    half = round(0.5 * clip.fps)
    if half:  # a camera that does not sway with every step
        padded = np.pad(centre, ((half, half), (0, 0)), mode="edge")
        kernel = np.ones(2 * half + 1) / (2 * half + 1)
        centre = np.stack([np.convolve(column, kernel, mode="valid") for column in padded.T], axis=1)

    def project(place: np.ndarray, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x, y, z = (place - middle).T
        depth = np.sin(view) * x + np.cos(view) * z
        across = np.cos(view) * x - np.sin(view) * z
        return side / 2 + scale * across, 0.82 * side - scale * y + 0.25 * scale * depth, depth

    frames = []
    for figure, middle in zip(points, centre, strict=True):
        image = Image.new("RGB", (side, side), "white")
        draw = ImageDraw.Draw(image)
        for axis in (0, 2):
            for line in np.arange(np.floor(middle[axis] - 3), middle[axis] + 4):
                ends = np.zeros((2, 3))
                ends[:, axis] = line
                ends[:, 2 - axis] = middle[2 - axis] + np.array([-4.0, 4.0])
                u, v, _ = project(ends, middle)
                draw.line([(u[0], v[0]), (u[1], v[1])], fill=(222, 222, 222), width=_FINER)
        u, v, depth = project(figure, middle)
        for (a, b), colour in sorted(zip(bones, colours, strict=True), key=lambda bone: depth[bone[0][1]]):
            draw.line([(u[a], v[a]), (u[b], v[b])], fill=colour, width=3 * _FINER)
        frames.append(image.reduce(_FINER))
    return frames


def write_films(
    entries: Sequence[Entry],
    out: Path,
    *,
    blender: str | None = None,
    on_film: Callable[[int], None] = lambda done: None,
) -> None:
    """``out/NAME.mp4`` of every clip: stick figures, encoded by Blender in a child process.

    Raises:
        BadInput: ``blender`` names no program.
        JobFailed: there is no Blender, or it wrote no film.
    """
    found = find_blender(blender)
    rates = sorted({round(e.clip.fps) for e in entries})
    done = 0
    for fps in rates:
        with tempfile.TemporaryDirectory(prefix="understudy-gallery-") as scratch:
            paths: list[str] = []
            for entry in (e for e in entries if round(e.clip.fps) == fps):
                on_film(done)
                folder = Path(scratch) / entry.name
                folder.mkdir()
                for i, image in enumerate(film_frames(entry.clip)):
                    image.save(folder / f"{i:05d}.png", compress_level=1)
                paths += [str(folder), str(Path(scratch) / f"{entry.name}.mp4")]
                done += 1
            _encode(blender_command(found, "understudy.addon.render.film_cli", ["--fps", str(fps), *paths]))
            out.mkdir(parents=True, exist_ok=True)
            for film in paths[1::2]:
                temporary = out / f".{Path(film).name}.{os.getpid()}.tmp"
                shutil.move(film, temporary)
                os.replace(temporary, out / Path(film).name)


def _encode(command: list[str]) -> None:
    try:
        child = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=child_environment(),
            check=False,
            **spawn_options(),
        )
    except OSError as error:
        raise JobFailed(f"{command[0]} cannot be run: {error.strerror}.") from error
    if child.returncode:
        words = [line.strip() for line in child.stderr.splitlines() if line.strip()]
        raise JobFailed(f"Blender made no film: {words[-1] if words else f'exit code {child.returncode}'}")


# ---------------------------------------------------------------------------------------- index


def write_gallery(pack: str, entries: Sequence[Entry], out: Path, *, films: bool) -> None:
    """Sheets, a strip of each clip, ``gallery.json``, ``index.md`` and ``index.html``."""
    out.mkdir(parents=True, exist_ok=True)
    facts = [entry.facts() for entry in entries]
    for page, image in enumerate(sheets(entries), 1):
        write_bytes(out / f"sheet{page:02d}.png", _png(image))
    for entry in entries:
        write_bytes(out / f"{entry.name}.png", _png(preview.clip_row(entry.clip, FIGURES)))
    write_text(out / "gallery.json", json.dumps({"pack": pack, "clips": facts}, indent=1) + "\n")
    write_text(out / "index.md", _markdown(pack, facts, films=films))
    write_text(out / "index.html", _html(pack, facts, films=films))


def _png(image: Image.Image) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


HEADER = (
    "",
    "prompt",
    "seconds",
    "path, m",
    "foot skate, cm/s",
    "penetration, cm",
    "jerk, m/s³",
    "warnings",
)


def _cells(fact: dict[str, Any]) -> list[str]:
    numbers = [f"{fact['seconds']:.1f}", f"{fact['path_m']:.1f}", f"{fact['foot_skate']:.1f}"]
    numbers += [f"{fact['penetration']:.2f}", f"{fact['jerk']:.0f}", " ".join(fact["warnings"])]
    return [f"{fact['number']:02d}", fact["prompt"], *numbers]


def _markdown(pack: str, facts: Sequence[dict[str, Any]], *, films: bool) -> str:
    lines = [f"# Gallery of pack {pack}", "", f"Every prompt once, with seed {facts[0]['seed']}."]
    kind = None
    for fact in facts:
        if fact["kind"] != kind:
            kind = fact["kind"]
            lines += ["", f"## {kind.capitalize() or 'Prompts'}", ""]
            lines += ["| " + " | ".join((*HEADER, "to look at")) + " |", "|" + "---|" * (len(HEADER) + 1)]
        links = f"[figures]({fact['name']}.png)" + (f", [film]({fact['name']}.mp4)" if films else "")
        cells = [cell.replace("|", "\\|") for cell in _cells(fact)]
        lines.append("| " + " | ".join([*cells, links]) + " |")
    return "\n".join(lines) + "\n"


def _html(pack: str, facts: Sequence[dict[str, Any]], *, films: bool) -> str:
    title = html.escape(f"Gallery of pack {pack}")
    parts = [f"<h1>{title}</h1>", f"<p>Every prompt once, with seed {facts[0]['seed']}.</p>"]
    kind = None
    for fact in facts:
        if fact["kind"] != kind:
            kind = fact["kind"]
            parts.append(f"<h2>{html.escape(kind.capitalize() or 'Prompts')}</h2>")
        number, prompt, *numbers, warnings = (html.escape(cell) for cell in _cells(fact))
        said = ", ".join(f"{name} {value}" for name, value in zip(HEADER[2:-1], numbers, strict=True))
        film = (
            f'<video src="{fact["name"]}.mp4" width="{FILM_SIZE}" controls loop muted preload="none"></video>'
        )
        parts.append(
            f"<section><h3>{number} {prompt}</h3><p>{said}</p>"
            + (f"<p><em>{warnings}</em></p>" if warnings else "")
            + f'<img alt="{prompt}" src="{fact["name"]}.png">{film if films else ""}</section>'
        )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        "<style>body{font:15px/1.5 sans-serif;max-width:115em;margin:2em auto;padding:0 1em;color:#222}"
        "img{max-width:100%}video{display:block;border:1px solid #ddd}</style></head><body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )
