"""``understudy generate``: a prompt becomes a clip file."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadInput, JobFailed, UnderstudyError
from . import directing
from .common import Bar, Staged, check_target, output_dialect, print_json, save_clip

if TYPE_CHECKING:
    from ..motion.clip import Clip
    from ..process.worker import LoadPipeline, ReportStep
    from ..protocol.messages import GenerateParams


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("generate", help="generate motion from a prompt")
    parser.add_argument(
        "prompt", nargs="?", help='what the character does, e.g. "a person walks forward and waves"'
    )
    parser.add_argument(
        "--speech",
        metavar="FILE",
        help="a voice to talk with: wav, flac, ogg, mp3, m4a; it decides the length",
    )
    parser.add_argument(
        "--transcript",
        metavar="FILE|TEXT",
        help="what the voice says: .txt, .srt, .vtt or .TextGrid, or the text itself; gestures follow the words",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the .npz or .bvh file to write"
    )
    parser.add_argument("--seconds", type=float, help="length, 0.5 to 60 (default: the pack decides)")
    parser.add_argument(
        "--seed", type=int, default=0, help="the same seed gives the same motion (default: 0)"
    )
    parser.add_argument(
        "--samples", type=int, default=1, help="variations, 1 to 8: written as FILE-1, FILE-2, ..."
    )
    parser.add_argument("--steps", type=int, help="model steps, 1 to 50: more is finer and slower")
    parser.add_argument("--lower", metavar="TEXT", help="what legs and path do (default: the prompt)")
    parser.add_argument("--upper", metavar="TEXT", help="what arms, back and head do (default: the prompt)")
    parser.add_argument(
        "--style",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="how it is performed, 0 to 1: tempo, energy, smoothness, valence or arousal; repeatable",
    )
    parser.add_argument(
        "--guidance",
        action="append",
        default=[],
        metavar="G|NAME=G",
        help="how literally the prompt is taken, 0 to 20; or one condition (style, lower, upper, speech), or one on a "
        "part (text.hands); repeatable",
    )
    directing.add_arguments(parser)
    parser.add_argument("--pack", default="open", metavar="NAME|DIR", help="the weights (default: open)")
    parser.add_argument("--engine", default="auto", help="auto, onnx or torch (default: auto)")
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, mps, directml or coreml (default: auto)"
    )
    parser.add_argument(
        "--dialect", choices=("amass", "smplx", "bvh"), help="file layout (default: by suffix)"
    )
    parser.add_argument(
        "--no-cleanup", action="store_true", help="leave feet and floor as the model made them"
    )
    parser.add_argument("--json", action="store_true", help="print the result, or the error, as JSON")
    parser.set_defaults(run=run)


def request_of(args: argparse.Namespace) -> GenerateParams:
    """What the flags ask for; :class:`BadInput` on the first that cannot be."""
    from ..protocol.messages import GenerateParams, parse

    return parse(
        GenerateParams,
        {
            "prompt": args.prompt,
            "speech": args.speech,
            "transcript": args.transcript,
            "seconds": args.seconds,
            "seed": args.seed,
            "samples": args.samples,
            "steps": args.steps,
            "lower": args.lower,
            "upper": args.upper,
            "style": _numbers(args.style, "style"),
            **_guidance(args.guidance),
            **directing.direction_of(args),
            "cleanup": not args.no_cleanup,
            "pack": args.pack,
            "engine": args.engine,
            "device": args.device,
        },
    )


def run(args: argparse.Namespace) -> int:
    from ..packs.known import warnings_of

    params = request_of(args)
    dialect = output_dialect(args.out, args.dialect)
    targets = targets_of(args.out, params.samples)
    for target in targets:
        check_target(target)

    began = time.monotonic()
    with Bar(not args.json) as bar:
        clips = perform(params, bar)
    with Staged() as staged:
        for clip, target in zip(clips, targets, strict=True):
            save_clip(clip, staged.path(target), dialect)
        staged.commit()
    taken = time.monotonic() - began

    if args.json:
        print_json(
            {
                "clips": [
                    {
                        "file": str(target),
                        "frames": len(clip),
                        "fps": clip.fps,
                        "seconds": clip.seconds,
                        "meta": clip.meta,
                    }
                    for clip, target in zip(clips, targets, strict=True)
                ],
                "seconds_taken": round(taken, 3),
                "warnings": warnings_of(clips),
            }
        )
    else:
        for warning in warnings_of(clips):
            print(f"Warning: {warning}", file=sys.stderr)
        for clip, target in zip(clips, targets, strict=True):
            licence = clip.meta.get("licence")
            print(f"{target}  {clip.seconds:.1f} s, {len(clip)} frames" + (f", {licence}" if licence else ""))
    return 0


def _numbers(texts: list[str], option: str) -> dict[str, float]:
    """``["energy=0.8"]`` -> ``{"energy": 0.8}``."""
    found = {}
    for text in texts:
        name, equals, number = text.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            equals = ""
        if not equals:
            raise BadInput(f"--{option} needs NAME=NUMBER, not {text!r}.", field=option)
    return found


def _guidance(texts: list[str]) -> dict[str, Any]:
    """``["2", "style=3"]``: the prompt's strength, and the others'."""
    plain = [text for text in texts if "=" not in text]
    try:
        numbers = [float(text) for text in plain]
    except ValueError:
        raise BadInput(
            f"--guidance needs a number or NAME=NUMBER, not {plain[-1]!r}.", field="guidance"
        ) from None
    named = _numbers([text for text in texts if "=" in text], "guidance")
    return {"guidance": numbers[-1] if numbers else None, "guidances": named}


def perform(params: GenerateParams, bar: ReportStep, load: LoadPipeline | None = None) -> list[Clip]:
    """The clips. What libraries print goes to stderr, what they warn about to nobody.

    Args:
        params: what is asked for.
        bar: told about stages and steps.
        load: makes the pipeline of a pack; by default a fresh one.
    """
    from ..process.worker import load_shipped

    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bar("load", 0, 1)
        pipeline = (load or load_shipped)(params.pack, params.device, params.engine)
        try:
            return list(pipeline.generate(params, progress=bar))
        except (UnderstudyError, MemoryError):
            raise
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
            raise JobFailed(f"Generating failed: {reason}.") from error


def perform_together(requests: list[GenerateParams], pipeline: Any) -> list[Any]:
    """For each request its clips or its error; nothing for a pipeline whose models cannot be shared.

    Args:
        requests: of the same pack, engine and device.
        pipeline: loaded.
    """
    if not hasattr(pipeline, "engine"):
        return [None] * len(requests)
    from ..engines.together import perform_together as together

    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(together(pipeline, requests))


def targets_of(out: Path, samples: int) -> list[Path]:
    """``walk.npz``, or ``walk-1.npz``, ``walk-2.npz``... for several samples."""
    if samples == 1:
        return [out]
    return [out.with_name(f"{out.stem}-{number}{out.suffix}") for number in range(1, samples + 1)]
