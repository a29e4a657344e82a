"""The alignment space without torch: the same places as the trained model gives, from a pack in eight bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from understudy.backend.errors import BadInput
from understudy.backend.models.alignment import VIEWS, Alignment
from understudy.backend.models.alignment_config import AlignmentConfig
from understudy.backend.models.compact import compact, restored
from understudy.backend.motion.clip import resample
from understudy.backend.packs.finding import find_pack, read_pack
from understudy.backend.search.alignment_space import FILE, AlignmentSpace, stretches
from understudy.backend.text import WIDTH, TextEmbedding

from .conftest import _swaying

SIZES = {"lower_trans": 5, "upper": 7}


@pytest.fixture(scope="module")
def model() -> Alignment:
    torch.manual_seed(0)
    config = AlignmentConfig(
        parts=SIZES, width=16, layers=2, text_layers=1, decoder_layers=1, heads=2, feed_forward=32, max_frames=40
    )  # fmt: skip
    model = Alignment(config).eval()
    with torch.no_grad():  # zero as it begins, and shown only where a part is unknown
        for value in model.motion_tower.missing.values():
            value.normal_()
    return model


@pytest.fixture(scope="module")
def space(model: Alignment) -> AlignmentSpace:
    return AlignmentSpace(model.config, {key: value.numpy() for key, value in model.state_dict().items()})


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 30, 39, 40])
@pytest.mark.parametrize("view", list(VIEWS))
def test_motion_lies_where_the_model_puts_it(
    model: Alignment, space: AlignmentSpace, frames: int, view: str
) -> None:
    rng = np.random.default_rng(frames)
    features = {part: rng.standard_normal((frames, size)).astype(np.float32) for part, size in SIZES.items()}
    batch = {part: torch.from_numpy(values)[None] for part, values in features.items()}
    mask = torch.ones(1, frames, dtype=torch.bool)
    expected = model.embed_motion(batch, torch.tensor([[True, True]]), mask, view)[0].numpy()
    np.testing.assert_allclose(space.embed_features(features, view), expected, atol=2e-5)


def test_a_part_that_is_not_known_is_hidden(model: Alignment, space: AlignmentSpace) -> None:
    rng = np.random.default_rng(0)
    features = {part: rng.standard_normal((20, size)).astype(np.float32) for part, size in SIZES.items()}
    batch = {part: torch.from_numpy(values)[None] for part, values in features.items()}
    mask = torch.ones(1, 20, dtype=torch.bool)
    expected = model.embed_motion(batch, torch.tensor([[True, False]]), mask)[0].numpy()
    found = space.embed_features({"lower_trans": features["lower_trans"]})
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert np.abs(found - space.embed_features(features)).max() > 1e-3


@pytest.mark.parametrize("view", list(VIEWS))
def test_sentences_lie_where_the_model_puts_them(model: Alignment, space: AlignmentSpace, view: str) -> None:
    tokens = np.random.default_rng(1).standard_normal((2, 6, WIDTH)).astype(np.float32)
    mask = np.array([[True] * 6, [False] * 2 + [True] * 4])
    expected = model.embed_text(torch.from_numpy(tokens), torch.from_numpy(mask))[view].numpy()
    np.testing.assert_allclose(space.embed_text(TextEmbedding(tokens, mask), view), expected, atol=2e-5)


def test_eight_bits_are_restored(model: Alignment) -> None:
    small = compact(model.state_dict(), "", but=("mean", "std"))
    assert small["motion_tower.summary.mu.weight"].dtype == torch.int8
    space = AlignmentSpace(model.config, {key: value.numpy() for key, value in small.items()})
    other = Alignment(model.config).eval()
    other.load_state_dict(restored(small))
    values = {part: np.ones((12, size), np.float32) for part, size in SIZES.items()}
    batch = {part: torch.from_numpy(rows)[None] for part, rows in values.items()}
    expected = other.embed_motion(batch, torch.tensor([[True, True]]), torch.ones(1, 12, dtype=torch.bool))
    np.testing.assert_allclose(space.embed_features(values), expected[0].numpy(), atol=2e-5)


def test_long_clips_are_seen_in_stretches_whatever_their_frame_rate(searching_pack: Path) -> None:
    clip = _swaying(100)
    space = AlignmentSpace.of(read_pack(searching_pack))
    rows, spans = space.embed_clip(clip)
    assert len(rows) == len(spans) == len(stretches(len(clip), space.config.max_frames)) > 1
    assert spans[0][0] == 0 and spans[-1][1] == pytest.approx(len(clip) / 30)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    faster, _ = space.embed_clip(resample(clip, 60))
    assert (rows[: len(faster)] * faster).sum(1).min() > 0.99
    with pytest.raises(BadInput, match="nothing of the body"):
        space.embed_clip(clip.replace(known=dict.fromkeys(clip.known, False)))


def test_a_pack_carries_the_encoders_alone_and_small(searching_pack: Path) -> None:
    pack = find_pack(searching_pack)
    state = load_file(pack.file(FILE))
    assert not any(key.startswith("decoder") or ".logvar" in key for key in state)
    assert state["text_tower.summary.mu.weight"].dtype == torch.int8
    assert state["mean"].dtype == torch.float32


def test_a_pack_without_an_alignment_model_says_so(tiny_pack: Path) -> None:
    with pytest.raises(BadInput, match="cannot search by meaning"):
        AlignmentSpace.of(read_pack(tiny_pack))
