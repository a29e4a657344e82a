"""Folders of clips are searched by meaning; what was read stays known until the file changes."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from understudy.backend.cli.main import main
from understudy.backend.errors import BadInput, Cancelled
from understudy.backend.motion.bvh import clip_to_bvh
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.npz import clip_to_bytes, write_clip
from understudy.backend.packs.finding import read_pack
from understudy.backend.pipeline import Pipeline, load_pipeline
from understudy.backend.process.tasks import perform
from understudy.backend.protocol.library import DescribeParams, SearchParams
from understudy.backend.protocol.messages import parse
from understudy.backend.search import clip_index, searching
from understudy.backend.search.searching import Library
from understudy.backend.text import WIDTH, TextEmbedding

from .conftest import _swaying


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cache" / "search.sqlite"
    monkeypatch.setattr(clip_index, "cache_file", lambda: path)
    return path


def encode(sentences: list[str]) -> TextEmbedding:
    """Every word somewhere else, always at the same place."""
    rows = []
    for sentence in sentences:
        words = sentence.lower().split()
        seeds = [int.from_bytes(word.encode()[:6].ljust(6), "big") for word in words]
        rows.append(np.stack([np.random.default_rng(seed).standard_normal(WIDTH) for seed in seeds]))
    tokens = np.zeros((len(rows), max(map(len, rows)), WIDTH), np.float32)
    mask = np.zeros(tokens.shape[:2], bool)
    for i, row in enumerate(rows):
        tokens[i, : len(row)], mask[i, : len(row)] = row, True
    return TextEmbedding(tokens, mask)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Clips of several dialects, two of them with words, and files that are broken."""
    home = tmp_path / "clips"
    (home / "below").mkdir(parents=True)
    (home / ".hidden").mkdir()
    clip = _swaying(50)
    write_clip(clip.replace(meta={"prompt": "somebody sneaks"}), home / "one.npz")
    write_clip(
        clip.replace(meta={"captions": ["a wild dance", "dancing"]}), home / "two.npz", dialect="smplx"
    )
    write_clip(clip, home / ".hidden" / "no.npz")
    (home / "below" / "three.bvh").write_text(clip_to_bvh(clip))
    (home / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    (home / "notes.txt").write_text("nothing")
    np.savez(home / "else.npz", weights=np.zeros(3))
    return home


@pytest.fixture
def library(searching_pack: Path) -> Library:
    return Library(read_pack(searching_pack), encode)


def test_what_a_file_says_of_itself_is_found(library: Library, folder: Path) -> None:
    found = library.search("somebody sneaks", [folder])
    assert found.found[0].path == folder / "one.npz"
    assert found.found[0].score == pytest.approx(1, abs=1e-3)
    assert found.found[0].entry.text == "somebody sneaks"
    assert library.search("a wild dance; dancing", [folder]).found[0].path == folder / "two.npz"


def test_every_dialect_is_read_and_broken_files_are_named(library: Library, folder: Path) -> None:
    found = library.search("somebody sneaks", [folder])
    assert found.read == 3
    assert {one.path.name for one in found.found} == {"one.npz", "two.npz", "three.bvh"}
    assert {path.name for path, _ in found.skipped} == {"broken.npz", "else.npz"}
    assert all(why.endswith(".") and "\n" not in why for _, why in found.skipped)


def test_a_clip_lies_where_its_best_stretch_does(library: Library, tmp_path: Path) -> None:
    clip = _swaying(150)  # several stretches of the tiny space
    write_clip(clip, tmp_path / "long.npz")
    (one,) = library.search("anything", [tmp_path]).found
    words = library._space.embed_text(encode(["anything"]))[0]
    rows, spans = library._space.embed_clip(clip)
    assert len(rows) > 2
    best = int(np.argmax(rows @ words))
    assert (one.start, one.stop) == pytest.approx(spans[best])
    assert one.score == pytest.approx(float((rows @ words).max()), abs=1e-5)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the files that are really read."""
    names: list[str] = []
    real = searching.read_motion

    def counted(path: Path) -> object:
        names.append(Path(path).name)
        return real(path)

    monkeypatch.setattr(searching, "read_motion", counted)
    yield names


def test_a_second_search_reads_nothing_but_what_is_broken(
    library: Library, folder: Path, reads: list[str]
) -> None:
    first = library.search("somebody sneaks", [folder])
    reads.clear()
    second = library.search("somebody sneaks", [folder])
    assert sorted(reads) == ["broken.npz", "else.npz"]
    assert [(one.path, one.start) for one in first.found] == [(one.path, one.start) for one in second.found]
    assert [one.score for one in first.found] == pytest.approx([one.score for one in second.found], abs=1e-3)


def test_a_changed_file_is_read_again_and_a_moved_one_is_not(
    library: Library, folder: Path, reads: list[str]
) -> None:
    library.search("x", [folder])
    reads.clear()
    shutil.move(folder / "one.npz", folder / "moved.npz")
    write_clip(_swaying(60).replace(meta={"prompt": "a new one"}), folder / "two.npz")
    found = library.search("a new one", [folder])
    assert sorted(set(reads)) == ["broken.npz", "else.npz", "two.npz"]
    assert found.found[0].entry.text == "a new one"
    assert {one.path.name for one in found.found} == {"moved.npz", "two.npz", "three.bvh"}


def test_a_change_within_the_same_second_and_size_is_seen(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_clip(_swaying(50).replace(meta={"prompt": "aaa"}), path)
    library.search("x", [tmp_path])
    before = path.stat()
    write_clip(_swaying(50).replace(meta={"prompt": "bbb"}), path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert library.search("x", [tmp_path]).found[0].entry.text == "bbb"


@pytest.mark.parametrize("damage", ["garbage", "older", "folder"])
def test_a_damaged_cache_is_made_anew_or_done_without(
    library: Library, folder: Path, cache: Path, damage: str
) -> None:
    cache.parent.mkdir()
    if damage == "folder":
        cache.mkdir()
    else:
        cache.write_bytes(b"SQLite format 3\x00" + b"?" * 5000 if damage == "older" else b"nonsense " * 500)
    assert library.search("somebody sneaks", [folder]).found[0].path.name == "one.npz"
    assert library.search("somebody sneaks", [folder]).read == 3


def test_another_model_does_not_take_the_rows_of_the_first(
    library: Library, folder: Path, reads: list[str]
) -> None:
    library.search("x", [folder])
    reads.clear()
    library._model = "another"
    library.search("x", [folder])
    assert "one.npz" in reads


def test_a_search_can_be_cancelled_and_keeps_what_it_has_read(
    library: Library, folder: Path, reads: list[str]
) -> None:
    steps: list[tuple[str, int, int]] = []
    with pytest.raises(Cancelled):
        library.search("x", [folder], progress=lambda *s: steps.append(s), cancelled=lambda: len(steps) >= 4)
    assert steps[-1][1:] == (3, 5)
    done = {name for name in reads if name not in ("broken.npz", "else.npz")}
    reads.clear()
    library.search("x", [folder])
    assert not done & set(reads)


def test_folders_that_are_not_there_are_told(library: Library, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        library.search("x", [tmp_path / "nowhere"])
    assert library.search("x", [tmp_path]).read == 0


@pytest.fixture(scope="module")
def pipeline(searching_pack: Path) -> Pipeline:
    return load_pipeline(str(searching_pack), "cpu")


def test_the_requests(pipeline: Pipeline, folder: Path) -> None:
    asked = {"query": "somebody sneaks", "folder": str(folder), "limit": 2, "pack": "tiny"}
    steps: list[str] = []
    result = perform(parse(SearchParams, asked), pipeline, lambda *s: steps.append(s[0]), lambda: False)
    found = json.loads(result.model_dump_json())
    assert found["results"][0]["path"] == str(folder / "one.npz")
    assert found["results"][0].keys() >= {"path", "score", "text", "seconds", "frames"}
    assert len(found["results"]) == 2
    assert [set(one) for one in found["skipped"]] == [{"path", "why"}] * 2
    assert "read" in steps

    npz = base64.b64encode(clip_to_bytes(_swaying(64))).decode()
    told = perform(parse(DescribeParams, {"npz": npz}), pipeline, lambda *s: None, lambda: False)
    assert json.loads(told.model_dump_json())["texts"]


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"query": "x"}, "lacks its folder"),
        ({"query": " ", "folder": "x"}, "query is empty"),
        ({"query": "x", "folder": "x", "limit": 0}, "Limit must be between"),
        ({"query": "x", "folder": "x", "more": 1}, "Unknown setting"),
    ],
)
def test_bad_requests_are_refused_in_a_sentence(params: dict[str, object], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        parse(SearchParams, params)


@pytest.mark.parametrize("npz", ["", "not base64!", base64.b64encode(b"no archive").decode()])
def test_a_clip_that_is_none_is_not_described(pipeline: Pipeline, npz: str) -> None:
    with pytest.raises(BadInput):
        perform(parse(DescribeParams, {"npz": npz}), pipeline, lambda *s: None, lambda: False)


def test_the_command(
    searching_pack: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "text_encoder", lambda: encode)
    command = ["search", "somebody sneaks", "--library", str(folder), "--pack", str(searching_pack)]
    assert main([*command, "--limit", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "one.npz" in lines[0] and "“somebody sneaks”" in lines[0]
    assert len([line for line in lines if line.startswith("left out: ")]) == 2
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["read"] == 3 and len(found["results"]) == 3
    assert main(["search", "x", "--library", str(folder / "nowhere")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_a_clip_without_motion_of_the_body_is_left_out(library: Library, tmp_path: Path) -> None:
    clip = _swaying(50)
    write_clip(clip.replace(known={**dict.fromkeys(clip.known, False), "face": True}), tmp_path / "face.npz")
    found = library.search("x", [tmp_path])
    assert found.read == 0 and "nothing of the body" in found.skipped[0][1]


def test_a_script_is_what_a_clip_says(tmp_path: Path) -> None:
    clip = Clip(
        np.zeros((2, 55, 3)), np.zeros((2, 3)), 30.0, meta={"script": [{"prompt": "a"}, {"prompt": "b"}]}
    )
    assert searching.text_of(clip) == "a; b"
