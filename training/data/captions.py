"""Captions: HumanML3D's text files and cut list, CMU's own descriptions, captions written for the sets.

HumanML3D (Guo et al., CVPR 2022): one caption a line, ``caption#token/POS token/POS#from#to``; from and
to are seconds inside the clip, ``0.0#0.0`` (or ``nan``) means the whole clip. A clip is
``start_frame`` to ``end_frame`` of its CMU trial at 20 frames a second, counted from the trial's first
mocap frame (no head trim for CMU), half-open.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from .item import Item, Split
from .raw import Raw

H3D_FPS = 20.0

VAL_TRIALS: frozenset[str] = frozenset(
    (Path(__file__).parent / "val_trials.txt").read_text(encoding="utf-8").split()
)
"""CMU trials kept out of training: every trial with a clip in HumanML3D's val list (its partner in a
two-person take goes with it). Fixed here so that no run can move one."""


class Caption(NamedTuple):
    text: str
    tokens: str
    start: float
    end: float | None


def split_of(trial: str) -> Split:
    return "val" if trial in VAL_TRIALS else "train"


def parse_captions(content: str) -> list[Caption]:
    """All captions of one HumanML3D text file; lines that are no caption are left out."""
    captions = []
    for line in content.splitlines():
        parts = line.strip().rsplit("#", 3)
        if len(parts) != 4 or not parts[0].strip():
            continue
        text, tokens, *times = parts
        try:
            start, end = (0.0 if math.isnan(float(t)) else float(t) for t in times)
        except ValueError:
            continue
        whole = end <= start
        captions.append(Caption(_tidy(text), tokens.strip(), 0.0 if whole else start, None if whole else end))
    return captions


def _tidy(text: str) -> str:
    """One line, single spaces, no stop at the end."""
    return re.sub(r"\s+", " ", text).strip().rstrip(".").strip()


def clean_description(description: str) -> str:
    """CMU's catalogue line as plain words; empty when CMU gave none.

    ``basketball - forward dribble`` -> ``basketball, forward dribble``; ``run/jog`` -> ``run or jog``.
    """
    text = _tidy(description)
    if not text or text.lower() == "unknown":
        return ""
    text = re.sub(r"\s+-\s+", ", ", text)
    text = re.sub(r"\s*/\s*", " or ", text)
    text = re.sub(r"\s*[;:]\s*", ", ", text)
    return text[0].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


class Captions:
    """Items of CMU trials from every source of captions.

    Args:
        raw: the data; wants ``humanml3d/`` and ``cmu/``.
    """

    def __init__(self, raw: Raw) -> None:
        self.cuts: dict[str, list[dict[str, str]]] = defaultdict(list)
        rows = raw.table("humanml3d/cmu_clips.csv")
        for row in rows:
            if row["in_cmu"] == "yes" or row["in_jump_cmu"] == "yes":
                self.cuts[row["trial"]].append(row)
        wanted = {row["clip_id"] for trial in self.cuts.values() for row in trial}
        self.texts = raw.texts("humanml3d/texts", "humanml3d/texts.tar.xz", wanted)
        self.extra: dict[str, list[str]] = defaultdict(list)
        for row in raw.table("cmu/captions_extra.csv"):
            self.extra[row["trial"]].append(_tidy(row["caption"]))

    def items(
        self, dataset: str, trial: str, description: str, *, offset: float, common: dict[str, str]
    ) -> list[Item]:
        """Items of one trial.

        Args:
            dataset: name of the data set of the clip file.
            trial: ``subject_trial``.
            description: CMU's own.
            offset: seconds of the trial that the clip file leaves out at its start.
            common: further fields of every item (source, licence).
        """
        split = split_of(trial)
        base = {"dataset": dataset, "trial": trial, "split": split, **common}
        items = []
        for cut in self.cuts.get(trial, ()):
            start = int(cut["start_frame"]) / H3D_FPS - offset
            end = int(cut["end_frame"]) / H3D_FPS - offset
            spans: dict[tuple[float, float | None], list[Caption]] = defaultdict(list)
            for caption in parse_captions(self.texts.get(cut["clip_id"], "")):
                spans[caption.start, caption.end].append(caption)
            for (first, last), captions in spans.items():
                name = cut["clip_id"] if last is None else f"{cut['clip_id']}_{first:g}_{last:g}"
                items.append(
                    Item(
                        motion_name=name,
                        text=[c.text for c in captions],
                        tokens=[c.tokens for c in captions],
                        start=max(start + first, 0.0),
                        end=end if last is None else min(start + last, end),
                        caption_source="humanml3d",
                        **base,  # type: ignore[arg-type]
                    )
                )
        own = [text for text in (*self.extra.get(trial, ()), clean_description(description)) if text]
        sources = "captions_extra" if self.extra.get(trial) else ("cmu_description" if own else "")
        items.append(Item(motion_name=trial, kind="whole", text=own, caption_source=sources, **base))  # type: ignore[arg-type]
        return items


_MIRRORED = {
    "left": "right",
    "right": "left",
    "clockwise": "counterclockwise",
    "counterclockwise": "clockwise",
    "counter-clockwise": "clockwise",
    "anticlockwise": "clockwise",
    "anti-clockwise": "clockwise",
}
_SIDES = re.compile(
    r"\b(counter-?clockwise|anti-?clockwise|clockwise|left|right)(?=\b|ward|side|hand)", re.IGNORECASE
)


def mirror_caption(text: str) -> str:
    """The caption of the mirrored motion: sides and turning senses exchanged, each word once."""

    def swap(match: re.Match[str]) -> str:
        word = match.group(0)
        swapped = _MIRRORED[word.lower()]
        return swapped.capitalize() if word[0].isupper() else swapped

    return _SIDES.sub(swap, text)
