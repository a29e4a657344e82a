"""Embeddings of captions: in parts, merged, continued, searched."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput, JobFailed
from understudy.training.cli import main
from understudy.training.data.item import Item
from understudy.training.formats.streamed import StreamWriter, read_blocks
from understudy.training.words import embeddings
from understudy.training.words.embeddings import (
    build,
    merge,
    part_of,
    plain,
    read_captions,
    read_table,
    search,
)

from .makers.vposer import write_store

WIDTH = 16
CAPTIONS = {
    "a": ["A person sneaks forward.", "someone walks on tiptoe"],
    "b": ["A person sneaks forward", "a person  jumps."],
    "c": ["a person waves with the left hand", "."],
    "d": ["a person plays the violin"],
    "e": ["eine Person läuft 🚶", "a person sits down"],
}


class Letters:
    """Counts letters: near texts are near, and the test sees what was embedded."""

    seen: list[str] = []

    def __init__(self, name: str) -> None:
        self.name = name

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        Letters.seen += texts
        rows = np.array(
            [[text.lower().count(chr(ord("a") + i)) + 0.01 for i in range(WIDTH)] for text in texts]
        )
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(autouse=True)
def _forget() -> None:
    Letters.seen = []


@pytest.fixture
def store(tmp_path: Path) -> Path:
    items = [Item(dataset="cmu", motion_name=name, text=texts) for name, texts in CAPTIONS.items()]
    items.append(Item(dataset="interx", motion_name="f", both_text=["two people shake hands."]))
    return write_store(tmp_path / "store", items)


def test_each_caption_once_without_its_full_stop(store: Path, tmp_path: Path) -> None:
    path = build(store, tmp_path / "out", encoder=Letters)
    assert path.name == "embeddings_1_0.npz"
    table = read_table(path)
    assert sorted(Letters.seen) == sorted(table.texts) and len(set(table.texts)) == len(table.texts) == 8
    assert not any(text.endswith(".") for text in table.texts)
    pairs = {(table.texts[i], table.motions[j]) for i, j in zip(table.text_of, table.motion_of, strict=True)}
    assert {motion for text, motion in pairs if text == "A person sneaks forward"} == {"cmu/a", "cmu/b"}
    assert ("two people shake hands", "interx/f") in pairs and ("eine Person läuft 🚶", "cmu/e") in pairs
    with np.load(path, allow_pickle=False) as file:  # every array, without a pickle
        rows = {key: file[key] for key in file.files}
    np.testing.assert_array_equal(rows["embeddings"], Letters("").encode(table.texts))


def test_parts_are_disjoint_complete_and_merge_to_the_whole(store: Path, tmp_path: Path) -> None:
    whole = search("sneaking", build(store, tmp_path / "one", encoder=Letters), top=99, encoder=Letters)
    Letters.seen = []
    for part in range(3):
        build(store, tmp_path / "three", period=3, part=part, encoder=Letters)
    assert len(Letters.seen) == len(set(Letters.seen)) == 8
    merged = merge(tmp_path / "three")
    assert merged == tmp_path / "three" / "embeddings.npz"
    found = search("sneaking", tmp_path / "three", top=99, encoder=Letters)
    assert {(hit.text, tuple(hit.motions)) for hit in found} == {(h.text, tuple(h.motions)) for h in whole}
    np.testing.assert_allclose([hit.score for hit in found], [hit.score for hit in whole], atol=1e-6)
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    one, other = (known(path) for path in (tmp_path / "one" / "embeddings_1_0.npz", merged))
    assert one.keys() == other.keys()
    for text, (row, motions) in one.items():
        np.testing.assert_array_equal(other[text][0], row)
        assert other[text][1] == motions


def known(path: Path) -> dict[str, tuple[np.ndarray, set[str]]]:
    """What a file knows of each caption: its row and its motions."""
    table = read_table(path)
    rows = np.concatenate(list(read_blocks(path, "embeddings", 4)))
    pairs = list(zip(table.text_of, table.motion_of, strict=True))
    return {
        text: (rows[i], {table.motions[motion] for caption, motion in pairs if caption == i})
        for i, text in enumerate(table.texts)
    }


def test_a_missing_or_foreign_part_is_named(store: Path, tmp_path: Path) -> None:
    build(store, tmp_path, period=3, part=0, encoder=Letters)
    build(store, tmp_path, period=3, part=2, encoder=Letters)
    with pytest.raises(BadInput, match="Of 3 parts, 1 are missing"):
        merge(tmp_path)
    build(store, tmp_path, model="other", period=2, part=0, encoder=Letters)
    with pytest.raises(BadInput, match="other in 2 parts"):
        merge(tmp_path)
    with pytest.raises(BadInput, match="no embeddings"):
        merge(tmp_path / "none")
    (tmp_path / "embeddings_2_0.npz").write_bytes(b"PK\x03\x04rubbish")
    with pytest.raises(BadInput, match=r"embeddings_2_0\.npz"):
        merge(tmp_path)
    for period, part in ((0, 0), (2, 2), (2, -1)):
        with pytest.raises(BadInput, match="--part"):
            build(store, tmp_path, period=period, part=part, encoder=Letters)


def test_a_stopped_run_continues(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "SHARD", 3)

    class Stopping(Letters):
        def encode(self, texts: Sequence[str]) -> np.ndarray:
            if len(Letters.seen) >= 6:
                raise KeyboardInterrupt
            return super().encode(texts)

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        build(store, out, encoder=Stopping)
    assert len(Letters.seen) == 6 and not list(out.glob("*.npz"))
    path = build(store, out, encoder=Letters)
    assert len(Letters.seen) == 8, "nothing is embedded twice"
    assert [entry.name for entry in out.iterdir()] == [path.name]
    stamp = path.stat().st_mtime_ns
    build(store, out, encoder=Letters)
    assert len(Letters.seen) == 8 and path.stat().st_mtime_ns == stamp, "a finished part is kept"
    build(store, out, model="other", encoder=Letters)
    assert len(Letters.seen) == 16, "another model's part is not"


def test_a_changed_store_is_embedded_again(store: Path, tmp_path: Path) -> None:
    path = build(store, tmp_path, encoder=Letters)
    write_store(store, [Item(dataset="cmu", motion_name="z", text=["a person bows"])])
    assert read_table(build(store, tmp_path, encoder=Letters)).texts == ["a person bows"]
    path.write_bytes(path.read_bytes()[:300])  # damaged: made again
    assert read_table(build(store, tmp_path, encoder=Letters)).texts == ["a person bows"]


def test_an_encoder_that_fails_leaves_no_file(store: Path, tmp_path: Path) -> None:
    class Broken(Letters):
        def encode(self, texts: Sequence[str]) -> np.ndarray:
            return np.full((len(texts), WIDTH), np.nan, np.float32)

    with pytest.raises(JobFailed, match="no embedding"):
        build(store, tmp_path / "out", encoder=Broken)
    assert not list((tmp_path / "out").glob("*.npz"))


@given(st.text(max_size=60))
def test_plain_captions(text: str) -> None:
    once = plain(text)
    assert plain(once) == once and not once.endswith((".", " ")) and "\n" not in once
    assert 0 <= part_of(once, 7) < 7


def test_search_by_blocks_finds_what_all_at_once_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [
        Item(dataset="set", motion_name=f"m{i}", text=["".join(chr(97 + (i * k) % 23) for k in range(2, 9)) + f" {i}"])
        for i in range(500)
    ]  # fmt: skip
    store = write_store(tmp_path / "store", items)
    path = build(store, tmp_path, encoder=Letters)
    monkeypatch.setattr(embeddings, "BLOCK", 37)
    found = search("cabbage", path, top=25, encoder=Letters)
    with np.load(path, allow_pickle=False) as file:
        scores = file["embeddings"] @ Letters("").encode(["cabbage"])[0]
    np.testing.assert_allclose([hit.score for hit in found], np.sort(scores)[::-1][:25], atol=1e-6)
    assert len(search("cabbage", path, top=10_000, encoder=Letters)) == 500


def test_memory_of_a_search_does_not_grow_with_the_file(tmp_path: Path) -> None:
    rows, width = 40_000, 256
    with StreamWriter(tmp_path / "large.npz") as file:
        blocks = (np.full((1000, width), i, np.float32) for i in range(rows // 1000))
        file.add_blocks("embeddings", (rows, width), np.dtype(np.float32), blocks)
    tracemalloc.start()
    total = sum(float(block[0, 0]) for block in read_blocks(tmp_path / "large.npz", "embeddings", 1000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == sum(range(rows // 1000)) and peak < 8 * 1000 * width * 4
    with np.load(tmp_path / "large.npz", allow_pickle=False) as file:
        assert file["embeddings"].shape == (rows, width) and file["embeddings"][-1, 0] == rows // 1000 - 1


def test_a_stream_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    for blocks in ([np.zeros((2, 3))], [np.zeros((4, 2))]):
        with pytest.raises(ValueError), StreamWriter(tmp_path / "x.npz") as file:
            file.add_blocks("a", (4, 3), np.dtype(np.float64), blocks)
    assert not list(tmp_path.iterdir())
    np.savez(tmp_path / "y.npz", o=np.array([{}], object), a=np.ones((3, 2)))
    with pytest.raises(BadInput):
        list(read_blocks(tmp_path / "y.npz", "o"))
    with pytest.raises(BadInput, match="has no b"):
        list(read_blocks(tmp_path / "y.npz", "b"))
    assert [len(block) for block in read_blocks(tmp_path / "y.npz", "a", 2)] == [2, 1]


def test_the_installed_model_knows_what_sneaking_is(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    for part in "01":
        assert (
            main(
                ["embeddings", "build", "--store", str(store), "--out", out, "--period", "2", "--part", part]
            )
            == 0
        )
    assert main(["embeddings", "search", "sneaking", "--embeddings", out]) == 2
    assert "merge" in capsys.readouterr().err
    assert main(["embeddings", "merge", out]) == 0
    capsys.readouterr()
    assert main(["embeddings", "search", "sneaking.", "--embeddings", out, "--top", "2"]) == 0
    first, _ = capsys.readouterr().out.splitlines()
    assert "A person sneaks forward  [cmu/a, cmu/b]" in first
    assert main(["embeddings", "search", "a violinist", "--embeddings", out, "--top", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["motions"] == ["cmu/d"]


def test_bad_usage(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "none.npz")
    np.savez(tmp_path / "foreign.npz", a=np.zeros(2))
    for words, sentence in (
        (["build", "--store", str(tmp_path), "--out", missing], "no store"),
        (
            ["build", "--store", str(store), "--out", str(tmp_path / "o"), "--model", "./nowhere"],
            "no model folder",
        ),
        (["search", "x", "--embeddings", missing], "does not exist"),
        (["search", "x", "--embeddings", str(tmp_path / "foreign.npz")], "no file of embeddings"),
        (["search", " . ", "--embeddings", missing], "Say what"),
        (["merge", str(tmp_path)], "no embeddings"),
    ):
        assert main(["embeddings", *words]) == 2, words
        assert sentence in capsys.readouterr().err
    empty = write_store(tmp_path / "empty", [Item(dataset="cmu", motion_name="a")])
    with pytest.raises(BadInput, match="no captions"):
        build(empty, tmp_path / "o", encoder=Letters)
    assert read_captions(empty).texts == []
