"""What a pack can do, measured: does the motion do what was asked for, is it varied, is it physical.

Every caption is performed once; all metrics read the same clips. Beside the model stand the captured
motion itself and the motion of the nearest caption, which is what a search of the training set would give.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.errors import BadInput
from ...backend.models.alignment import Alignment
from ...backend.motion.features import clip_from_features
from ...backend.motion.style import Ranks, measure_features
from ...backend.performance.describing import describe_clip
from ...backend.pipeline import Pipeline, load_pipeline
from ...backend.protocol.messages import GenerateParams
from ..corpus.dataset import Corpus, load_corpus
from ..words.actions import ACTIONS, actions_of
from .captioning import measure_captions
from .cases import (
    LONGEST,
    Case,
    Made,
    Without,
    ablated,
    draw_balanced,
    draw_cases,
    draw_of_action,
    perform,
    reworded,
    right_answers,
    usable,
)
from .halves import measure_halves
from .library import Library, action_match, sentence_encoder
from .metrics import plausibility
from .progress import Progress
from .reconstruct import pack_tokenizers, reconstruction
from .retrieval import cut, load_alignment
from .sliders import crowd_of, differing, measure_sliders
from .summary import SPLITS, physics_table, tables
from .targets import targets
from .text_metrics import Space, hits, row, subset_fid, variety

TEXT = ("val", "reworded", "train")
"""Splits that get the table of text to motion."""
SAMPLES = 8
"""Clips of one prompt that multimodality looks at."""
PROMPTS = 6
"""Prompts, each of another action, that are performed so often."""


@dataclass(frozen=True)
class Options:
    """What ``evaluate`` is to measure.

    Attributes:
        cases: captions of each split.
        alignment: folder of a trained alignment model; without it, nothing is measured in its space.
        without: models to leave out, each in a run of its own.
        guidance: scales of the diffusion's guidance to try.
        steps: numbers of its steps to try.
        sliders: prompts that are performed with every style slider at every level; 0 for none.
        halves: perform the fifty pairs of prompts for the halves of the body.
    """

    cases: int = 20
    seed: int = 1
    datasets: tuple[str, ...] = ()
    alignment: Path | None = None
    replications: int = 20
    without: tuple[Without, ...] = ()
    guidance: tuple[float, ...] = ()
    steps: tuple[int, ...] = ()
    sliders: int = 0
    halves: bool = False


class _Evaluation:
    """One pack on one store: the motions, the space, and what is measured of performed cases."""

    def __init__(
        self,
        pipeline: Pipeline,
        corpus: Corpus,
        model: Alignment | None,
        options: Options,
        progress: Progress | None = None,
    ) -> None:
        self.pipeline, self.options, self.progress = pipeline, options, progress
        self.training = usable(corpus.split("train").segments)
        self.validation = usable(corpus.split("val").segments)
        if len({s.motion.name for s in self.training}) < 2:
            raise BadInput(
                "The store holds captioned training motion of fewer than two recordings.", field="store"
            )
        self.library = Library(corpus.split("train").segments)
        self.space = Space(model, sentence_encoder()) if model is not None else None
        self.real = self.validation or self.training
        """What FID compares with."""

    def draw(self) -> dict[str, list[Case]]:
        count, seed = self.options.cases, self.options.seed
        cases = {
            "train": draw_cases(self.training, count, seed),
            "balanced": draw_balanced(self.training, count, seed),
            "val": draw_cases(self.validation, count, seed),
        }
        cases["reworded"] = reworded(cases["val"])
        return {split: found for split, found in cases.items() if found}

    def perform(
        self,
        what: str,
        cases: Sequence[Case],
        *,
        samples: int = 1,
        guidance: float | None = None,
        steps: int | None = None,
    ) -> list[Made]:
        def on_case(done: int) -> None:
            if self.progress is not None:
                self.progress(what, done, len(cases))

        return perform(self.pipeline, cases, samples=samples, guidance=guidance, steps=steps, on_case=on_case)

    def _rights(self, cases: Sequence[Case]) -> dict[str, np.ndarray | None]:
        return {
            "": None,
            "_recording": right_answers(cases, action=False),
            "_action": right_answers(cases, action=True),
        }

    def text_rows(self, made: Sequence[Made], *, baselines: bool) -> dict[str, Any]:
        """Generated motion in the alignment space; with ``baselines``, captured and searched motion too."""
        assert self.space is not None
        cases = [each.case for each in made]
        text, real = self.space.texts([case.caption for case in cases]), self.space.segments(self.real)
        motions = {"generated": self.space.clips([each.clips[0] for each in made])}
        if baselines:
            motions["captured"] = self.space.segments([case.segment for case in cases])
            motions["search"] = self.space.segments(
                [self.library.segments[self.library.found(case)] for case in cases]
            )
        rights, options = self._rights(cases), self.options
        table: dict[str, Any] = {"captions": len(cases)}
        for name, rows in motions.items():
            table[name] = row(text, rows, real, rights, replications=options.replications, seed=options.seed)
        if baselines:
            table["training_subset_fid"] = subset_fid(
                real, self.space.segments(self.training), len(cases),
                replications=options.replications, seed=options.seed,
            )  # fmt: skip
        return table

    def case_rows(self, made: Sequence[Made]) -> list[dict[str, Any]]:
        """Every case with its own numbers."""
        cases = [each.case for each in made]
        found: list[dict[str, Any]] = [
            {
                "caption": case.caption,
                "told": list(case.segment.captions),
                "segment": case.segment.name,
                "action": case.action,
                "dataset": case.segment.motion.dataset,
                "seed": case.seed,
                "seconds": case.seconds,
                **plausibility(each.clips[0]),
                "captured": plausibility(case.captured_clip()),
            }
            for case, each in zip(cases, made, strict=True)
        ]
        if self.space is not None:
            text = self.space.texts([case.caption for case in cases])
            motion = self.space.clips([each.clips[0] for each in made])
            distances = np.linalg.norm(text - motion, axis=1)
            rights = self._rights(cases)
            shares = {
                f"R3{suffix}": hits(
                    text, motion, right, replications=self.options.replications, seed=self.options.seed
                )
                for suffix, right in rights.items()
            }
            for i, one in enumerate(found):
                one["mm_dist"] = float(distances[i])
                one |= {
                    name: None if np.isnan(share[i]) else float(share[i]) for name, share in shares.items()
                }
        return found

    def split(self, made: Sequence[Made]) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        """The action match of a split, and its cases."""
        match, rows = action_match(made, self.library), self.case_rows(made)
        named = iter(match["rows"] if match else ())
        for each in rows:
            each["match"] = float(next(named)["match"]) if each["action"] != "other" else None
        return match, rows

    def other_run(
        self, name: str, cases: Sequence[Case], *, guidance: float | None = None, steps: int | None = None
    ) -> dict[str, Any]:
        """The headline numbers of the cases performed in another way."""
        made = self.perform(name, cases, guidance=guidance, steps=steps)
        match = action_match(made, self.library)
        numbers: dict[str, Any] = {
            "match": match["match"] if match else None,
            "physics": physics_table(
                [plausibility(m.clips[0]) for m in made], [plausibility(c.captured_clip()) for c in cases]
            ),
        }
        if self.space is not None:
            numbers["text"] = self.text_rows(made, baselines=False)["generated"]
        return numbers

    def variety(self) -> dict[str, Any] | None:
        """Eight clips of one prompt, for some actions, against real clips of that action."""
        assert self.space is not None
        everything = [*self.training, *self.validation]
        members = {a: [s for s in everything if a in actions_of(s.captions)] for a in ACTIONS}
        rng = np.random.default_rng(self.options.seed)
        many = [a for a, segments in members.items() if len({id(s.motion) for s in segments}) >= SAMPLES]
        actions = [str(a) for a in rng.permutation(many)[:PROMPTS]]
        cases = [
            draw_of_action(members[action], action, self.options.seed + i) for i, action in enumerate(actions)
        ]
        if not cases:
            return None
        made = self.perform("variety", cases, samples=SAMPLES)
        return {
            "prompts": [case.caption for case in cases],
            "samples": SAMPLES,
            **variety(
                {a: self.space.clips(m.clips) for a, m in zip(actions, made, strict=True)},
                {a: self.space.segments(members[a]) for a in actions},
                replications=self.options.replications,
                seed=self.options.seed,
            ),
        }

    def sliders(self) -> dict[str, Any]:
        """Style sliders on prompts of different actions that the pack has been trained on: the question is
        whether the style is followed, not whether the caption is."""
        seed, count = self.options.seed, self.options.sliders
        told = self.progress or (lambda what, done, total: None)
        crowd = crowd_of(draw_cases(self.training, len(self.training), seed))
        return measure_sliders(
            self.pipeline, differing(draw_balanced(self.training, 2 * count, seed), count), crowd, self.space,
            ranks=Ranks.of([measure_features(case.captured()) for case in crowd]),
            replications=self.options.replications, seed=seed, progress=told,
        )  # fmt: skip

    def halves(self) -> dict[str, Any]:
        """Prompts of the halves, judged by rules that are tried on all captured motion."""
        told = self.progress or (lambda what, done, total: None)
        captured = [*self.training, *self.validation]
        return measure_halves(self.pipeline, captured, self.space, seed=self.options.seed, progress=told)

    def told(self) -> dict[str, Any]:
        """What the pack says of captured motion, against what people said of it.

        Raises:
            BadInput: the pack cannot tell motion.
        """
        segments = [s for s in self.real if len(s) <= LONGEST][: self.options.cases]
        if not segments:
            raise BadInput("There is no captured motion short enough to be told in words.", field="store")
        sentences = []
        for i, segment in enumerate(segments):
            if self.progress is not None:
                self.progress("told in words", i, len(segments))
            clip = clip_from_features(cut(segment)).replace(known=dict(segment.motion.known))
            sentences.append(" ".join(one.text for one in describe_clip(self.pipeline, clip)))
        references = [segment.captions for segment in segments]
        found = measure_captions(
            sentences,
            references,
            sentence_encoder(),
            replications=self.options.replications,
            seed=self.options.seed,
        )
        rows = [
            {"segment": s.name, "told": sentence, "captions": list(s.captions)}
            for s, sentence in zip(segments, sentences, strict=True)
        ]
        return {"clips": len(rows), **found, "rows": rows}


def speed(pipeline: Pipeline, *, seconds: float = 6.0, runs: int = 3) -> dict[str, Any]:
    """Seconds for one clip of six seconds when everything is loaded: the median of some runs.

    ``processor_seconds`` are those of all threads together; a machine that does other work as well takes
    longer by the clock, and no more of these.
    """
    import torch

    taken = []
    for seed in range(runs + 1):
        started, used = time.perf_counter(), time.process_time()
        pipeline.generate(GenerateParams(prompt="a person walks forward", seconds=seconds, seed=seed))
        taken.append((time.perf_counter() - started, time.process_time() - used))
    clock, processor = np.median(taken[1:], axis=0)
    return {
        "seconds": float(clock),
        "processor_seconds": float(processor),
        "threads": torch.get_num_threads(),
        "device": pipeline.engine.device,
    }


def evaluate(
    pack: str, store: Path, options: Options = Options(), progress: Progress | None = None
) -> dict[str, Any]:
    """All numbers of a pack on a store, ready for JSON.

    Raises:
        BadInput: the pack, the store or the alignment model is not there, or the store has no captions.
    """
    model = load_alignment(options.alignment) if options.alignment else None
    pipeline = load_pipeline(pack)
    corpus = load_corpus(store, datasets=options.datasets, mirrored=False, extended=False)
    evaluation = _Evaluation(pipeline, corpus, model, options, progress)
    numbers: dict[str, Any] = {
        "pack": pipeline.pack.name,
        "settings": {
            "cases": options.cases,
            "seed": options.seed,
            "replications": options.replications,
            "datasets": sorted({s.motion.dataset for s in corpus.segments}),
            "validation_segments": len(evaluation.validation),
            "alignment": options.alignment is not None,
            "candidates": pipeline.config.sampling.candidates,
            "missing": [],
        },
        "cases": {},
        "text": {},
        "physics": {},
    }
    cases = evaluation.draw()
    for split, chosen in cases.items():
        made = evaluation.perform(SPLITS[split], chosen)
        match, rows = evaluation.split(made)
        if match is not None:
            numbers[split] = match
        numbers["cases"][split] = rows
        numbers["physics"][split] = physics_table(
            [{key: each[key] for key in each["captured"]} for each in rows],
            [each["captured"] for each in rows],
        )
        if evaluation.space is not None and split in TEXT:
            numbers["text"][split] = evaluation.text_rows(made, baselines=True)
    asked = "val" if "val" in cases else "train"
    everything = [each for split in ("val", "balanced", "train") for each in numbers["cases"].get(split, ())]
    numbers["tables"] = {
        "action": tables(everything, "action"),
        "dataset": tables(numbers["cases"][asked], "dataset"),
    }
    if evaluation.space is not None:
        numbers["variety"] = evaluation.variety()
    motions = {id(s.motion): s.motion for s in evaluation.real}
    numbers["tokenizers"] = reconstruction(pack_tokenizers(pipeline.pack.path), list(motions.values()))
    numbers["speed"] = speed(pipeline)
    for name, measured in (("told", True), ("sliders", options.sliders), ("halves", options.halves)):
        try:
            numbers[name] = getattr(evaluation, name)() if measured else None
        except BadInput as error:  # what the pack cannot do is left out, and said
            numbers[name] = None
            numbers["settings"]["missing"].append(error.message)
    if numbers["halves"] and "missing" in numbers["halves"]:
        numbers["settings"]["missing"].append(numbers["halves"]["missing"])
    numbers["ablations"] = {}
    for without in options.without:
        if without == "best_of_n" and pipeline.config.sampling.candidates == 1:
            numbers["settings"]["missing"].append("The pack writes one plan per clip and chooses none.")
            continue
        with ablated(pipeline, without):
            numbers["ablations"][without] = evaluation.other_run(f"without {without}", cases[asked])
    numbers["guidance"] = {
        f"{scale:g}": evaluation.other_run(f"guidance {scale:g}", cases[asked], guidance=scale)
        for scale in options.guidance
    }
    numbers["steps"] = {
        str(count): evaluation.other_run(f"{count} steps", cases[asked], steps=count)
        for count in options.steps
    }
    numbers["targets"] = targets(numbers)
    return numbers
