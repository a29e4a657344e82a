"""``understudy dialogue``: a screenplay for two becomes two clips in one world, their sound, a scene and a film."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadInput, JobFailed
from .blender import blender_command, find_blender
from .common import Bar, Staged, check_target, print_json, save_clip
from .render import check_resolution, run_child

if TYPE_CHECKING:
    from ..dialogue.acting import Acted
    from ..dialogue.fountain import Screenplay
    from ..dialogue.making import Made
    from ..pipeline import Pipeline


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("dialogue", help="let two characters act a screenplay")
    parser.add_argument(
        "script", type=Path, metavar="SCRIPT", help="a .fountain screenplay with two speakers"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FOLDER|FILE.blend",
        help="a folder for clips, sound and scene.json; or a .blend, and a folder of its name beside it",
    )
    parser.add_argument("--render", type=Path, metavar="FILE", help="also render a .mp4 film")
    parser.add_argument(
        "--voices",
        type=Path,
        metavar="DIR|FILE.json",
        help="recordings named by the number of their speech (1.wav, 2.wav), or a JSON file that names them; "
        "the others are said by piper or espeak-ng",
    )
    parser.add_argument(
        "--voice",
        action="append",
        default=[],
        metavar="SPEAKER=VOICE",
        help="the voice of a speaker, as espeak-ng or piper names it; repeatable",
    )
    parser.add_argument("--language", default="en", help="of the voices, as espeak-ng names it (default: en)")
    parser.add_argument(
        "--distance", type=float, default=1.4, help="metres between the two, 0.8 to 2.5 (default: 1.4)"
    )
    parser.add_argument(
        "--by",
        choices=("generation", "retrieval"),
        default="generation",
        help="what bodies are made of: by the pack, or clips that are found in --library (default: generation)",
    )
    parser.add_argument(
        "--library",
        type=Path,
        metavar="DIR",
        help="a folder of clips, or a store with captions, for --by retrieval",
    )
    parser.add_argument("--no-touches", action="store_true", help="leave handshakes, high fives and hugs out")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same scene (default: 0)")
    parser.add_argument(
        "--cuts", action="store_true", help="cut to the speaker, instead of one camera that shows both"
    )
    parser.add_argument("--resolution", default="960x540", metavar="WxH", help="pixels (default: 960x540)")
    parser.add_argument("--render-engine", choices=("cycles", "workbench", "eevee"), default="workbench")
    parser.add_argument("--blender", metavar="PROGRAM", help="the Blender program, or a Python that has bpy")
    parser.add_argument("--pack", default="open", metavar="NAME|DIR", help="the weights (default: open)")
    parser.add_argument("--engine", default="auto", help="auto, onnx or torch (default: auto)")
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, mps, directml or coreml (default: auto)"
    )
    parser.add_argument("--json", action="store_true", help="print the result, or the error, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from ..dialogue.fountain import read_screenplay
    from ..dialogue.making import Asked, check, make
    from ..dialogue.voices import recordings_of
    from ..packs.finding import find_pack

    if (args.by == "retrieval") != (args.library is not None):
        raise BadInput(
            "Retrieval needs a library, and a library is for retrieval.",
            field="library",
            hint="Give both --by retrieval and --library DIR.",
        )
    screenplay = read_screenplay(args.script)
    asked = Asked(
        screenplay,
        recordings_of(args.voices) if args.voices is not None else {},
        _chosen(args.voice, screenplay.speakers),
        args.language,
        args.seed,
        args.distance,
        not args.no_touches,
        args.library if args.by == "retrieval" else None,
    )
    check(asked)
    blend, folder = _targets(args)
    found = find_blender(args.blender) if blend or args.render else None

    def load() -> Pipeline:
        from ..pipeline import Pipeline

        return Pipeline(find_pack(args.pack), args.device, args.engine)

    with Bar(not args.json) as bar:
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = make(asked, load, bar)
        files = _write(folder, screenplay, made)
        told = list(made.acted.warnings)
        if found is not None:
            told += _film(args, found, folder / "scene.json", blend, made.acted, bar)
    outputs = [*files, *(path for path in (blend, args.render) if path is not None)]
    if args.json:
        print_json(
            {
                "files": [str(path) for path in outputs],
                "seconds": made.acted.clips[0].seconds,
                "distance": made.acted.distance,
                "measures": made.acted.measures,
                "warnings": told,
            }
        )
    else:
        for warning in told:
            print(f"Warning: {warning}", file=sys.stderr)
        print("\n".join(str(path) for path in outputs))
    return 0


def _chosen(texts: list[str], speakers: list[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, equals, voice = text.partition("=")
        name = name.strip().upper()
        if not equals or not voice.strip() or name not in speakers:
            raise BadInput(
                f"--voice needs SPEAKER=VOICE with a speaker of the screenplay ({', '.join(speakers)}), not {text!r}.",
                field="voice",
            )
        found[name] = voice.strip()
    return found


def _targets(args: argparse.Namespace) -> tuple[Path | None, Path]:
    """The .blend, if one is wanted, and the folder of everything else, which is made if it is not there."""
    if not 0 <= args.seed < 2**31:
        raise BadInput(f"The seed must be from 0 to 2147483647, not {args.seed}.", field="seed")
    check_resolution(args.resolution)
    if args.render is not None:
        if args.render.suffix.lower() != ".mp4":
            raise BadInput(f"{args.render} must end in .mp4.", field="render")
        check_target(args.render)
    blend = args.out if args.out.suffix.lower() == ".blend" else None
    folder = args.out.with_suffix("") if blend else args.out
    if blend:
        check_target(blend)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"The folder {folder} cannot be made: {error.strerror}.", field="out") from error
    check_target(folder / "scene.json")
    return blend, folder


def _write(folder: Path, screenplay: Screenplay, made: Made) -> list[Path]:
    """Clips, the mixed sound and ``scene.json``, all or none of them."""
    turns, acted = made.turns, made.acted
    names = [f"{number}-{_file_name(name)}.npz" for number, name in enumerate(screenplay.speakers, 1)]
    scene: dict[str, Any] = {
        "title": screenplay.title_page.get("title", ""),
        "fps": acted.clips[0].fps,
        "frames": len(acted.clips[0]),
        "sound": "scene.wav",
        "characters": [
            {"name": name, "clip": file} for name, file in zip(screenplay.speakers, names, strict=True)
        ],
        "distance": acted.distance,
        "turns": [
            {
                "number": turn.speech.number,
                "line": turn.speech.line,
                "speaker": turn.speech.speaker,
                "text": turn.speech.text,
                "directions": list(turn.speech.directions),
                "start": round(turn.start, 3),
                "end": round(turn.end, 3),
            }
            for turn in turns
        ],
        "measures": acted.measures,
        "warnings": acted.warnings,
    }
    files = [folder / name for name in (*names, "scene.wav", "scene.json")]
    with Staged() as staged:
        for clip, file in zip(acted.clips, files, strict=False):
            save_clip(clip, staged.path(file), "amass")
        staged.path(files[-2]).write_bytes(made.sound())
        text = json.dumps(scene, indent=2, ensure_ascii=False)
        staged.path(files[-1]).write_text(text + "\n", encoding="utf-8")
        staged.commit()
    return files


def _file_name(name: str) -> str:
    return (
        "".join(letter if letter.isalnum() else "-" for letter in name.lower())[:40].strip("-") or "speaker"
    )


def _film(
    args: argparse.Namespace, found: list[str], scene: Path, blend: Path | None, acted: Acted, bar: Bar
) -> list[str]:
    """The .blend and the film, by a child that has Blender in it; returns what it warned about."""
    with Staged() as staged:
        arguments = [str(scene.resolve()), "--engine", args.render_engine, "--resolution", args.resolution]
        if args.cuts:
            arguments.append("--cuts")
        if blend is not None:
            arguments += ["--blend", str(staged.path(blend).resolve())]
        if args.render is not None:
            film = staged.path(args.render)
            arguments += ["--out", str(film.resolve()), "--shown-as", str(args.render.resolve())]
        frames = len(acted.clips[0]) if args.render is not None else 1
        told = run_child(blender_command(found, "understudy.addon.dialogue.cli", arguments), bar, frames)
        if args.render is not None and not film.is_file():
            raise JobFailed("Blender ended without writing a film.")
        staged.commit()
    return told
