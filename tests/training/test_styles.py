"""Styles of segments, and motion played at another speed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from understudy.backend.models.style import FIELDS
from understudy.backend.motion.npz import write_clip
from understudy.training.corpus.dataset import load_corpus
from understudy.training.corpus.styles import SegmentStyles, StyleDropout
from understudy.training.data.item import Item
from understudy.training.data.metadata import Emotion, EnhancedMetadata
from understudy.training.data.prepare import write_index

from .test_stages import gait


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("styles")
    items = []
    for i, period in enumerate((2.0, 1.0, 0.6, 0.6)):
        path = f"clips/made/s{i}.npz"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        clip = gait(150, period=period)
        write_clip(clip if i < 3 else clip.replace(known={**clip.known, "upper": False}), folder / path)
        happy = EnhancedMetadata(emotion=Emotion(emotion_label="happy", valence=0.5, arousal=0.8))
        items.append(
            Item(dataset="made", motion_name=f"s{i}", split="val" if i == 2 else "train", path=path,
                 text=["a person walks"], end_frame=150, known=["lower_trans"],
                 metadata=happy if i == 0 else EnhancedMetadata())
        )  # fmt: skip
    write_index(folder, items)
    return folder


def test_ranks_follow_the_motion_and_only_what_is_known_is_told(store: Path) -> None:
    segments = load_corpus(store, mirrored=False, extended=False).segments
    styles = SegmentStyles(segments)
    slow, fast, faster, legs = (styles.of(segment) for segment in segments)
    assert slow["tempo"] < fast["tempo"] <= faster["tempo"] == 1.0  # held out: above all of training
    assert slow["valence"] == 0.75
    assert "valence" not in fast
    assert legs == {}
    values, known = styles.batch(segments)
    assert values.shape == known.shape == (4, len(FIELDS))
    assert known[0].all()
    assert not known[3].any()
    assert values[0, FIELDS.index("arousal")] == np.float32(0.8)


def test_styles_are_dropped_as_often_as_asked(store: Path) -> None:
    segments = load_corpus(store, mirrored=False, extended=False).segments[:1] * 4000
    _, known = SegmentStyles(segments).batch(
        segments, np.random.default_rng(0), StyleDropout(whole=0.2, field=0.5)
    )
    assert known.mean() == pytest.approx(0.4, abs=0.02)
    assert (~known.any(axis=1)).mean() == pytest.approx(0.2 + 0.8 * 0.5**5, abs=0.02)


def test_other_speeds_are_training_motion_of_another_tempo(store: Path) -> None:
    corpus = load_corpus(store, mirrored=False, extended=False, speeds=(0.5, 2.0))
    lengths = {segment.name: len(segment) for segment in corpus.segments}
    assert {"s0": 150, "s0--x0.5": 299, "s0--x2": 75}.items() <= lengths.items() or lengths["s0--x0.5"] in (
        299,
        300,
    )
    assert "s2--x2" not in lengths  # held out
    styles = SegmentStyles(corpus.segments)
    tempo = {segment.name: styles.of(segment).get("tempo") for segment in corpus.segments}
    assert tempo["s1--x0.5"] < tempo["s1"] < tempo["s1--x2"]  # type: ignore[operator]
