"""``understudy-train speech-metrics``: how the talkers of a pack go with their voices, beside captured ones and chance."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    made = parser.add_mutually_exclusive_group(required=True)
    made.add_argument("--pack", metavar="NAME|DIR", help="the pack that performs the voices, and silence")
    made.add_argument("--clips", type=Path, metavar="DIR", help="clips made elsewhere: NAME.npz with NAME.wav beside it")  # fmt: skip
    parser.add_argument(
        "--store", type=Path, metavar="DIR",
        help="captured talkers, such as beat2's; their recordings are performed too (of the splits val and test)",
    )  # fmt: skip
    parser.add_argument("--datasets", nargs="*", default=[], metavar="SET", help="only these of the store")
    parser.add_argument(
        "--voices", nargs="*", type=Path, default=[], metavar="FILE", help="more recordings to perform"
    )
    parser.add_argument("--judge", type=Path, metavar="DIR", help="what 'stage gestures' trained, for FGD")
    parser.add_argument("--seeds", type=int, default=1, help="performances of each voice (default: 1)")
    parser.add_argument("--lower", metavar="TEXT", help="a prompt for the legs of a pack's performances")
    parser.add_argument("--engine", default="auto", choices=("auto", "torch", "onnx"))
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write the clips that are made there")
    parser.add_argument("--out", type=Path, metavar="FILE", help="all numbers as JSON")
    parser.add_argument("--page", type=Path, metavar="FILE", help="the table as Markdown")


def run(arguments: argparse.Namespace) -> int:
    from ...backend.errors import BadInput
    from ...backend.motion.npz import write_clip
    from ..evaluation.speech_metrics import METRICS, table
    from ..evaluation.talkers import Measuring, as_json, captured_talkers, made_clips, measure_pack, voices
    from ..features.files import write_whole

    if arguments.seeds < 1:
        raise BadInput("At least one performance is needed.", field="seeds")
    talkers = captured_talkers(arguments.store, tuple(arguments.datasets)) if arguments.store else []
    if arguments.clips is not None:
        made = made_clips(arguments.clips)
        by_name = {talker.name: talker for talker in talkers}
        talkers += [talker for talker, _ in made if talker.name not in by_name]
        measuring = Measuring(talkers, arguments.judge)
        for talker, clip in made:
            measuring.add("made", by_name.get(talker.name, talker), clip, shifted=True)
    else:
        from ...backend.packs.finding import find_pack
        from ...backend.pipeline import Pipeline

        talkers += voices(arguments.voices)
        if not talkers:
            raise BadInput("There is nobody to measure.", hint="Give --store or --voices.", field="voices")
        pipeline = Pipeline(find_pack(arguments.pack), "cpu", arguments.engine)
        measuring = Measuring(talkers, arguments.judge)
        for name, seed, clip in measure_pack(
            pipeline, talkers, measuring, seeds=arguments.seeds, lower=arguments.lower
        ):
            if arguments.keep is not None:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                write_clip(clip, arguments.keep / f"{name}-{seed}.npz")
    counts = {group: len(rows) for group, rows in measuring.groups.items()}
    result = measuring.result()
    shown = {name for numbers in result.values() for name in numbers}
    page = table(result, counts) + "".join(
        f"\n- {heading}: {meaning}." for name, (heading, meaning) in METRICS.items() if name in shown
    )
    if arguments.out is not None:
        write_whole(arguments.out, (json.dumps(as_json(measuring, counts), indent=1) + "\n").encode())
    if arguments.page is not None:
        write_whole(arguments.page, (page + "\n").encode())
    print(page)
    return 0
