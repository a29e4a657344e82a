"""``understudy chat``: talk to a character; it answers in words, voice and motion."""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadInput, JobFailed, UnderstudyError
from .blender import blender_command, find_blender
from .common import Bar, Staged, check_target, print_json, save_clip
from .render import check_resolution, run_child

if TYPE_CHECKING:
    from ..pipeline import Pipeline
    from ..roleplay.answering import Answered, Told

TRANSCRIPT = "chat.json"
END = ("/quit", "/exit")


class _Said(argparse.Action):
    """``--say`` and ``--speech`` in the order in which they are given."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        kind = "speech" if option == "--speech" else "text"
        namespace.said = [*(namespace.said or []), (kind, str(values))]


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("chat", help="talk to a character that answers in words, voice and motion")
    parser.add_argument(
        "--character",
        type=Path,
        metavar="FILE",
        help="who answers: a .yaml, .json or .toml file (see docs/chat.md)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where answers go, as 001.npz and 001.wav, ..., beside chat.json; without, only words are shown",
    )
    parser.add_argument(
        "--say", action=_Said, dest="said", metavar="TEXT", help="say this instead of typing; repeatable"
    )
    parser.add_argument(
        "--speech",
        action=_Said,
        dest="said",
        metavar="FILE",
        help="say what is spoken in a recording; repeatable",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the conversation in the folder")
    parser.add_argument("--seed", type=int, help="the same seed gives the same conversation (default: 0)")
    parser.add_argument(
        "--endpoint",
        metavar="URL",
        help="your own language model, OpenAI-compatible: http://localhost:11434/v1",
    )
    parser.add_argument("--model", metavar="NAME", help="its name at the endpoint")
    parser.add_argument("--api-key-env", metavar="NAME", help="the environment variable that holds its key")
    parser.add_argument(
        "--timeout", type=float, metavar="S", help="seconds to wait for it, 0.1 to 600 (default: 60)"
    )
    parser.add_argument("--temperature", type=float, metavar="T", help="of its choice of words, 0 to 2")
    parser.add_argument(
        "--allow-network",
        action="store_true",
        help="the endpoint may be on another machine; else it is not asked",
    )
    parser.add_argument(
        "--fall-back", action="store_true", help="let the offline author answer where the endpoint fails"
    )
    parser.add_argument("--language", help="of the voice, as espeak-ng names it (default: en)")
    parser.add_argument("--silent", action="store_true", help="do not speak aloud: motion and timing alone")
    parser.add_argument(
        "--user", metavar="X,Z", help="where you stand, metres; the character begins at 0,0 (default: 0,2.5)"
    )
    parser.add_argument("--render", action="store_true", help="also film every answer: 001.mp4, ...")
    parser.add_argument("--resolution", default="960x540", metavar="WxH", help="pixels (default: 960x540)")
    parser.add_argument("--render-engine", choices=("cycles", "workbench", "eevee"), default="workbench")
    parser.add_argument("--blender", metavar="PROGRAM", help="the Blender program, or a Python that has bpy")
    parser.add_argument("--pack", default="open", metavar="NAME|DIR", help="the weights (default: open)")
    parser.add_argument("--engine", default="auto", help="auto, onnx or torch (default: auto)")
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, mps, directml or coreml (default: auto)"
    )
    parser.add_argument("--json", action="store_true", help="print the conversation, or the error, as JSON")
    parser.set_defaults(run=run, said=None)


@dataclass
class _Talk:
    """A conversation: what its transcript holds."""

    character: dict[str, Any]
    seed: int = 0
    user: list[float] | None = None
    turns: list[dict[str, Any]] = field(default_factory=list)
    memory: list[dict[str, Any]] = field(default_factory=list)


def run(args: argparse.Namespace) -> int:
    talk = _talk(args)
    settings = _settings(args, talk)  # checked before any model is loaded
    film = find_blender(args.blender) if args.render else None
    first = len(talk.turns)
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ..packs.finding import find_pack
        from ..pipeline import Pipeline

        pipeline = Pipeline(find_pack(args.pack), args.device, args.engine)
    if not args.json and not talk.turns and args.said is None and sys.stdin.isatty():
        print(f"You talk to {talk.character['name']}. Ctrl-D ends it.")
    interactive = args.said is None and sys.stdin.isatty()
    with contextlib.suppress(EOFError):
        for kind, said in _lines(args, interactive):
            try:
                _exchange(args, talk, {**settings, kind: said}, pipeline, film)
            except UnderstudyError as error:
                if not interactive:
                    raise
                print(error.message, *([error.hint] if error.hint else []), sep="\n", file=sys.stderr)
            except KeyboardInterrupt:
                if not interactive:
                    raise
                print("\nGiven up.", file=sys.stderr)
    if args.json:
        print_json(
            {
                "folder": None if args.out is None else str(args.out),
                "turns": talk.turns[first:],
                "memory": talk.memory,
            }
        )
    return 0


def _lines(args: argparse.Namespace, interactive: bool) -> Iterator[tuple[str, str]]:
    """What is said, and whether it is ``text`` or ``speech``."""
    if args.said is not None:
        yield from args.said
        return
    while True:
        try:
            line = input("You: ") if interactive else sys.stdin.readline()
        except (EOFError, KeyboardInterrupt):
            print(file=sys.stderr)
            return
        if not interactive and not line:
            return
        if line.strip().lower() in END:
            return
        if line.strip():
            yield "text", line.strip()


def _talk(args: argparse.Namespace) -> _Talk:
    """A new conversation, or the one in the folder."""
    from ..roleplay.character import read_character

    if args.resume and args.out is None:
        raise BadInput("There is nothing to resume without --out.", field="out")
    if args.character is None and not args.resume:
        raise BadInput("The character is missing: name its file with --character.", field="character")
    check_resolution(args.resolution)
    if args.render and args.out is None:
        raise BadInput("A film needs a folder: name it with --out.", field="out")
    character = (
        None if args.character is None else read_character(args.character).model_dump(exclude_none=True)
    )
    transcript = None if args.out is None else args.out / TRANSCRIPT
    if args.resume:
        assert transcript is not None
        talk = _read(transcript)
        if character is not None and character["name"] != talk.character.get("name"):
            raise BadInput(
                f"The conversation in {args.out} is with {talk.character.get('name')}, not with {character['name']}.",
                field="character",
            )
        talk.character = character or talk.character
    else:
        assert character is not None
        if transcript is not None and transcript.exists():
            raise BadInput(
                f"{args.out} holds a conversation already.",
                hint="Go on with it by --resume, or name another folder.",
                field="out",
            )
        talk = _Talk(character)
    talk.seed = talk.seed if args.seed is None else args.seed
    talk.user = talk.user if args.user is None else _place(args.user)
    if transcript is not None:
        try:
            args.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"The folder {args.out} cannot be made: {error.strerror}.", field="out") from error
        check_target(transcript)
    return talk


def _read(transcript: Path) -> _Talk:
    """A conversation from its file; :class:`BadInput` where it is none."""
    try:
        found = json.loads(transcript.read_text(encoding="utf-8"))
        talk = _Talk(
            dict(found["character"]),
            int(found["seed"]),
            found["user"],
            [dict(turn) for turn in found["turns"]],
            [dict(entry) for entry in found["memory"]],
        )
    except OSError as error:
        raise BadInput(
            f"There is no conversation to resume: {transcript} cannot be read.", field="out"
        ) from error
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{transcript} is no conversation.", field="out") from None
    return talk


def _settings(args: argparse.Namespace, talk: _Talk) -> dict[str, Any]:
    """What every exchange asks for, checked once."""
    from ..protocol.chat import ChatParams
    from ..protocol.messages import parse

    named = {"endpoint": args.endpoint, "model": args.model}
    if any(named.values()) and not all(named.values()):
        missing = next(key for key, value in named.items() if not value)
        raise BadInput(f"An endpoint needs its address and a model: --{missing} is missing.", field=missing)
    endpoint = None
    if args.endpoint:
        endpoint = {"base_url": args.endpoint, "model": args.model, "api_key_env": args.api_key_env}
        endpoint |= {
            key: getattr(args, key) for key in ("timeout", "temperature") if getattr(args, key) is not None
        }
    elif args.api_key_env or args.fall_back:
        raise BadInput("There is no --endpoint that this could be for.", field="endpoint")
    settings: dict[str, Any] = {
        "character": talk.character,
        "seed": talk.seed,
        "user": talk.user,
        "endpoint": endpoint,
        "allow_network": args.allow_network,
        "fall_back": args.fall_back,
        "language": args.language or "en",
        "voice": not args.silent,
        "pack": args.pack,
        "engine": args.engine,
        "device": args.device,
    }
    parse(ChatParams, {**settings, "text": "?", "memory": talk.memory})
    if endpoint is not None:
        from ..protocol.chat import Endpoint
        from ..roleplay.endpoint import check_endpoint

        check_endpoint(parse(Endpoint, endpoint), args.allow_network)
    return settings


def _place(text: str) -> list[float]:
    try:
        x, z = (float(part) for part in text.split(","))
    except ValueError:
        raise BadInput(f"--user needs two numbers such as 0,2.5, not {text!r}.", field="user") from None
    return [x, z]


def _exchange(
    args: argparse.Namespace, talk: _Talk, params: dict[str, Any], pipeline: Pipeline, film: list[str] | None
) -> None:
    """Say something, and show and store what the character answers."""
    from ..protocol.chat import ChatParams
    from ..protocol.messages import parse
    from ..roleplay.answering import answer, tell

    began = time.monotonic()
    request = {**params, "memory": talk.memory}
    if (
        args.out is not None
        and talk.turns
        and (last := args.out / str(talk.turns[-1].get("clip", ""))).is_file()
    ):
        request["previous"] = base64.b64encode(last.read_bytes()).decode("ascii")
    checked = parse(ChatParams, request)
    with Bar(not args.json) as bar:
        done = None if args.out is None else answer(checked, pipeline, bar)
        told = tell(checked, pipeline, bar) if done is None else done.told
        turn, stored = _turn(args, talk, told, done)
        turn["seconds_taken"] = round(time.monotonic() - began, 3)
        if done is not None:
            _write(args, stored, done, film, bar)
    talk.turns, talk.memory = stored.turns, stored.memory
    if not args.json:
        _show(talk, turn)


def _turn(
    args: argparse.Namespace, talk: _Talk, told: Told, done: Answered | None
) -> tuple[dict[str, Any], _Talk]:
    """One exchange for the transcript, and the transcript with it."""
    number = len(talk.turns) + 1
    turn: dict[str, Any] = {
        "number": number,
        "heard": told.heard,
        "text": told.words.text,
        "emotion": told.words.emotion,
        "motion": told.words.motion,
        "author": told.author,
        "warnings": told.warnings if done is None else done.warnings,
    }
    if done is not None:
        turn |= {"seconds": round(done.clip.seconds, 3), "clip": f"{number:03d}.npz"}
        turn |= {"sound": f"{number:03d}.wav"} if done.sound is not None else {}
        turn |= {"film": f"{number:03d}.mp4"} if args.render else {}
    memory = [entry.model_dump() for entry in told.memory]
    return turn, _Talk(talk.character, talk.seed, talk.user, [*talk.turns, turn], memory)


def _write(args: argparse.Namespace, talk: _Talk, done: Answered, film: list[str] | None, bar: Bar) -> None:
    """The files of an answer and the transcript, all or none of them."""
    from ..roleplay.answering import wav_of

    turn = talk.turns[-1]
    with Staged() as staged:
        clip = staged.path(args.out / turn["clip"])
        save_clip(done.clip, clip, "amass")
        sound = None
        if done.sound is not None:
            sound = staged.path(args.out / turn["sound"])
            sound.write_bytes(wav_of(done.sound))
        if film is not None:
            picture = staged.path(args.out / turn["film"])
            arguments = [str(clip.resolve()), "--out", str(picture.resolve()), "--engine", args.render_engine]
            arguments += ["--resolution", args.resolution]
            arguments += ["--audio", str(sound.resolve())] if sound is not None else []
            turn["warnings"] = turn["warnings"] + run_child(
                blender_command(film, "understudy.addon.render.cli", arguments), bar, len(done.clip)
            )
            if not picture.is_file():
                raise JobFailed("Blender ended without writing a film.")
        text = json.dumps(vars(talk), indent=2, ensure_ascii=False)
        staged.path(args.out / TRANSCRIPT).write_text(text + "\n", encoding="utf-8")
        staged.commit()


def _show(talk: _Talk, turn: dict[str, Any]) -> None:
    for warning in turn["warnings"]:
        print(f"Warning: {warning}", file=sys.stderr)
    shown = ", ".join(filter(None, (turn["emotion"], turn["motion"])))
    print(f"{talk.character['name']} ({shown}): {turn['text']}", flush=True)
    files = [turn[key] for key in ("clip", "sound", "film") if key in turn]
    if files:
        print(f"  {', '.join(files)}", flush=True)
