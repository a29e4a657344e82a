"""``understudy-train refine canonical.pt --model runs/small/refiner --out refined.pt [--style energy_level=0.8]``."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backend.errors import BadInput
from ...backend.models.style import FIELDS, StyleCondition
from ..canonical import files

if TYPE_CHECKING:
    from ..canonical.samples import Sample
    from ..refinement.refine import Refiner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="canonical.pt, or what its shards are named after")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="what `stage refiner` wrote")
    result = parser.add_mutually_exclusive_group(required=True)
    result.add_argument("--out", type=Path, help="file of the refined samples")
    result.add_argument(
        "--measure", type=Path, metavar="FILE.json",
        help="spoil and restyle the file's validation split, and write how well it is repaired, beside filters",
    )  # fmt: skip
    parser.add_argument("--names", nargs="*", default=[], help="only these samples (default: all)")
    parser.add_argument(
        "--style", action="append", default=[], metavar="FIELD=VALUE",
        help=f"perform it so: {', '.join(FIELDS)}, as in the enhanced metadata, or 80%% for more than 80 %% of the "
        "training motion has; repeatable. --style own: as each sample's metadata say",
    )  # fmt: skip
    parser.add_argument("--guidance", type=float, default=2.5, help="1 follows the style, above 1 more (2.5)")
    parser.add_argument(
        "--strength", type=float, default=0.5, help="how free the restyling is, above 0 to 1 (0.5)"
    )
    parser.add_argument(
        "--steps", type=int, default=20, help="of the restyling, at most 50 with the repair's (20)"
    )
    parser.add_argument(
        "--polish",
        type=float,
        default=0.06,
        help="how freely repaired motion is denoised, 0 (not) to 1 (0.06)",
    )
    parser.add_argument("--repair-steps", type=int, default=4, help="of the repair (4)")
    parser.add_argument("--no-repair", action="store_true", help="restyle only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--shard", type=int, default=0, help="samples per file (default: one file)")
    parser.add_argument("--most", type=int, default=40, help="figures that --measure takes (40)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    # torch is imported here, so that bad usage is answered at once.
    from ..refinement.refine import Refiner

    own, wishes = _wishes(arguments.style)
    refiner = Refiner.load(arguments.model, arguments.device)
    style = StyleCondition(**{field: _value(refiner, field, text) for field, text in wishes.items()})
    if arguments.measure is not None:
        result = _measure(refiner, arguments)
        _write_json(result, arguments.measure)
        print(json.dumps(result, indent=1) if arguments.json else _tables(result))
        return 0
    if arguments.out.resolve() == arguments.file.resolve():
        raise BadInput("--out must be another file.", field="out")
    count, valid, before = 0, 0, 0
    found: set[str] = set()

    def samples() -> Iterator[Sample]:
        nonlocal count, valid, before
        from ..canonical.validator import DataValidator

        validator = DataValidator()
        for sample in files.iter_samples(arguments.file):
            name = str((sample.get("meta") or {}).get("name", ""))
            if arguments.names and name not in arguments.names:
                continue
            found.add(name)
            wish = StyleCondition.from_enhanced_meta(sample.get("enhanced_meta")) if own else style
            made = refined(refiner, sample, wish if own or wishes else None, arguments)
            count += 1
            before += validator.validate(sample).valid
            valid += validator.validate(made).valid
            yield made

    files.write(samples(), arguments.out, shard=arguments.shard)
    missing = set(arguments.names) - found
    if missing:
        raise BadInput(f"There is no sample {min(missing)!r}.", field="names")
    result = {"samples": count, "valid_before": before, "valid_after": valid, "out": str(arguments.out)}
    print(json.dumps(result) if arguments.json else "\n".join(f"{k}: {v}" for k, v in result.items()))
    return 0


def refined(
    refiner: Refiner, sample: Sample, style: StyleCondition | None, arguments: argparse.Namespace
) -> Sample:
    """A sample with refined motion; physics, style and quality are measured anew.

    Frames that only hold the last pose go on doing so. The emotion stays what the captions say.
    """
    import torch

    from ..canonical.style import marker_quality, motion_style, physics

    meta = sample.get("meta") or {}
    end, fps = int(meta.get("frames") or len(sample["motion"])), float(meta.get("fps") or 30.0)
    motion = refiner.refine(
        sample["motion"].numpy()[:end], fps, style=style, guidance=arguments.guidance, strength=arguments.strength,
        repair=not arguments.no_repair, polish=arguments.polish, repair_steps=arguments.repair_steps, steps=arguments.steps,
        seed=arguments.seed,
    )  # fmt: skip
    held = np.repeat(motion[-1:], len(sample["motion"]) - end, axis=0)
    moves = physics(motion.astype(np.float64), fps).astype(np.float32)
    still = np.zeros((len(held), *moves.shape[1:]), np.float32)
    enhanced = dict(sample.get("enhanced_meta") or {})
    enhanced["motion_style"] = motion_style(motion.astype(np.float64), fps).model_dump()
    quality = dict(enhanced.get("quality") or {})
    enhanced["quality"] = {**quality, "marker_quality": marker_quality(motion.astype(np.float64), fps)}
    return {
        **sample,
        "motion": torch.from_numpy(np.concatenate([motion, held])),
        "physics": torch.from_numpy(np.concatenate([moves, still])),
        "enhanced_meta": enhanced,
        "meta": {**meta, "refined": {"model": arguments.model.name, "seed": arguments.seed}},
    }


def _wishes(words: list[str]) -> tuple[bool, dict[str, str]]:
    """Whether each sample's own style is wanted, and the fields asked for with their values as text."""
    if "own" in words:
        if len(words) > 1:
            raise BadInput("--style own goes with no other style.", field="style")
        return True, {}
    wishes = {}
    for word in words:
        field, equals, text = word.partition("=")
        if not equals or field not in FIELDS:
            raise BadInput(f"--style is FIELD=VALUE with {', '.join(FIELDS)}, not {word!r}.", field="style")
        wishes[field] = text
    return False, wishes


def _value(refiner: Refiner, field: str, text: str) -> float:
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        raise BadInput(f"The style's {field} must be a number, not {text!r}.", field="style") from None
    if not text.endswith("%"):
        return number
    if not 0 <= number <= 100:
        raise BadInput(f"The style's {field} must be 0 % to 100 %, not {text}.", field="style")
    return refiner.model.value_at(field, number / 100)


def _measure(refiner: Refiner, arguments: argparse.Namespace) -> dict[str, Any]:
    from ..refinement.measure import figures_of, repair_table, style_table
    from ..refinement.pose_layout import CANONICAL

    if refiner.layout is not CANONICAL:
        raise BadInput("Only refiners of stick figures of 48 numbers are measured.", field="model")
    samples = list(files.iter_samples(arguments.file))
    held = figures_of(samples, "val", most=arguments.most)
    training = figures_of(samples, "train", most=arguments.most)
    return {
        "figures": len(held),
        "frames": sum(len(figure.motion) for figure in held),
        "repair": repair_table(
            refiner, held, training, steps=arguments.repair_steps, polish=arguments.polish
        ),
        "guidance": arguments.guidance,
        "strength": arguments.strength,
        "steps": arguments.steps,
        "style": style_table(
            refiner, held, guidance=arguments.guidance, strength=arguments.strength, steps=arguments.steps
        ),
    }


def _tables(result: dict[str, Any]) -> str:
    """The measurements as Markdown."""
    lines = [f"{result['figures']} held-out figures, {result['frames']} frames.", ""]
    lines += ["| damage | method | error | median | jerk | score | valid |", "|---|---|---|---|---|---|---|"]
    for damage, methods in result["repair"].items():
        for method, row in methods.items():
            lines.append(
                f"| {damage} | {method} | {row['error']:.1f} | {row['median']:.1f} | {row['jerk']:.2f} "
                f"| {row['score']:.3f} | {row['valid']:.0%} |"
            )
    lines += [
        "",
        f"Guidance {result['guidance']:g}, strength {result['strength']:g}, {result['steps']} steps.",
        "",
    ]
    lines += [
        "| slider | places | measured | Spearman | each figure's | content | apart | others | jerk | valid |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for field, row in result["style"].items():
        shown = [" ".join(f"{value:.4g}" for value in row[key]) for key in ("places", "jerk")]
        measured = " ".join(f"{value:.4g}" for value in row["measured"][field])
        lines.append(
            f"| {field} | {shown[0]} | {measured} | {row['spearman']:.2f} | {row['per_figure']:.2f} "
            f"| {row['content']:.0%} | {row['apart']:.0f} | {row['others']:.0f} | {shown[1]} | {row['valid']:.0%} |"
        )
        if "rate_spearman" in row:
            rates = " ".join(f"{value:.3g}" for value in row["measured"]["rate"])
            lines.append(
                f"| rate, Hz | | {rates} | {row['rate_spearman']:.2f} | {row['rate_per_figure']:.2f} | | | | | |"
            )
    return "\n".join(lines)


def _write_json(content: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)
