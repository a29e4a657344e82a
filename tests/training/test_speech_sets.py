"""Manifests of speech sets in their owners' layouts: what is listed, resumed, held out, broken and refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.training.cli import main
from understudy.training.speech import manifests
from understudy.training.speech.manifests import read_manifest, write_manifest
from understudy.training.speech.sets import Entry, held_out


def tone(path: Path, seconds: float = 0.5, rate: int = 16000) -> Path:
    """A recording in the format that the name's ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * rate)) / rate
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 220 * time), rate)
    return path


@pytest.fixture
def librispeech(tmp_path: Path) -> Path:
    root = tmp_path / "LibriSpeech"
    for subset, speaker in (
        ("train-clean-100", "103"),
        ("train-clean-100", "26"),
        ("dev-clean", "84"),
        ("test-other", "367"),
    ):
        folder = root / subset / speaker / "1240"
        lines = []
        for i in range(2):
            name = f"{speaker}-1240-{i:04d}"
            tone(folder / f"{name}.flac", 0.4 + 0.1 * i)
            lines.append(f"{name} CHAPTER ONE MISSUS RACHEL LYNDE {i}")
        (folder / f"{speaker}-1240.trans.txt").write_text("\n".join(lines) + "\n")
    (root / "SPEAKERS.TXT").write_text("; a comment\n103  | F | train-clean-100 | 20.31 | Karen\n")
    return root


@pytest.fixture
def commonvoice(tmp_path: Path) -> Path:
    root = tmp_path / "cv-corpus-17.0" / "de"
    head = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale\n"
    number = 0
    for table, speakers in (("train", "ab"), ("dev", "c"), ("test", "d")):
        rows = ""
        for speaker in speakers:
            name = f"common_voice_de_{number}.mp3"
            number += 1
            tone(root / "clips" / name, 0.6, 32000)
            rows += f'{speaker * 8}\t{name}\tEr sagte: "Größe" zählt.\t2\t0\t\t\t\tde\n'
        (root / f"{table}.tsv").write_text(head + rows, "utf-8")
    return root


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_librispeech(
    librispeech: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"libri.{suffix}"
    assert main(["manifest", "librispeech", "--root", str(librispeech), "--out", str(out)]) == 0
    assert "8 recordings of 4 speakers" in capsys.readouterr().out
    rows = read_manifest(out)
    assert {(row.speaker, row.split) for row in rows} == {
        ("103", "train"), ("26", "train"), ("84", "val"), ("367", "test"),
    }  # fmt: skip
    first = next(row for row in rows if row.path.endswith("103-1240-0001.flac"))
    assert first.text == "CHAPTER ONE MISSUS RACHEL LYNDE 1" and first.rate == 16000
    assert first.seconds == pytest.approx(0.5) and Path(first.path).is_file()
    for top in (librispeech.parent, librispeech / "train-clean-100"):
        report = write_manifest("librispeech", top, tmp_path / "again.jsonl")
        assert report.utterances == (8 if top == librispeech.parent else 4)


def test_a_manifest_moves_with_its_recordings(librispeech: Path, tmp_path: Path) -> None:
    write_manifest("librispeech", librispeech, librispeech / "list.jsonl")
    moved = librispeech.rename(tmp_path / "elsewhere")
    assert all(Path(row.path).is_file() for row in read_manifest(moved / "list.jsonl"))


def test_common_voice(commonvoice: Path, tmp_path: Path) -> None:
    out = tmp_path / "cv.jsonl"
    report = write_manifest("commonvoice", commonvoice.parent, out)
    assert (report.utterances, report.speakers, report.splits) == (4, 4, {"train": 2, "val": 1, "test": 1})
    row = read_manifest(out)[0]
    assert row.text == 'Er sagte: "Größe" zählt.' and row.rate == 32000
    assert row.seconds == pytest.approx(0.6, abs=0.12), "mp3 frames are whole"


def test_common_voice_without_splits_holds_speakers_out(commonvoice: Path, tmp_path: Path) -> None:
    rows = [
        (commonvoice / f"{name}.tsv").read_text("utf-8").splitlines() for name in ("train", "dev", "test")
    ]
    lines = [line for table in rows for line in table[1:]]
    lines += [lines[0].replace("aaaaaaaa", speaker * 8) for speaker in "efghij"]
    for name in ("train", "dev", "test"):
        (commonvoice / f"{name}.tsv").unlink()
    (commonvoice / "validated.tsv").write_text("\n".join([rows[0][0], *lines]) + "\n", "utf-8")
    out = tmp_path / "cv.jsonl"
    write_manifest("commonvoice", commonvoice, out)
    found = {row.speaker: row.split for row in read_manifest(out)}
    assert set(found.values()) == {"train", "val", "test"}


def test_own_folders(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    tone(root / "anna" / "scene1" / "a.wav", 0.5, 44100)
    (root / "anna" / "scene1" / "a.txt").write_text("Hello\n  there\n")
    tone(root / "ben" / "b.ogg")
    tone(root / "loose.flac")
    (root / "ben" / "notes.md").write_text("no recording")
    out = root / "all.parquet"
    report = write_manifest("folder", root, out)
    rows = {Path(row.path).name: row for row in read_manifest(out)}
    assert (report.utterances, report.without_text) == (3, 2)
    assert rows["a.wav"].speaker == "anna" and rows["a.wav"].text == "Hello there"
    assert rows["b.ogg"].speaker == "ben" and rows["loose.flac"].speaker == "mine"


def test_broken_recordings_are_counted_and_named(
    librispeech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chapter = librispeech / "dev-clean" / "84" / "1240"
    (chapter / "84-1240-0000.flac").write_bytes(b"no sound at all")
    (chapter / "84-1240-0002.flac").write_bytes(b"")
    out = tmp_path / "libri.jsonl"
    assert main(["manifest", "librispeech", "--root", str(librispeech), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "2 could not be used" in said and "dev-clean/84/1240/84-1240-0000.flac" in said
    report = json.loads((tmp_path / "libri.jsonl.report.json").read_text())
    assert [name.rpartition("/")[2] for name, _ in report["broken"]] == [
        "84-1240-0000.flac",
        "84-1240-0002.flac",
    ]
    assert len(read_manifest(out)) == 7


def test_what_is_cut_off_is_found_by_decoding(tmp_path: Path) -> None:
    whole = tone(tmp_path / "in" / "a" / "x.flac", 4.0)
    tone(tmp_path / "in" / "a" / "y.flac", 1.0)
    rng = np.random.default_rng(0)
    soundfile.write(whole, 0.1 * rng.normal(size=64000), 16000)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    assert not write_manifest("folder", tmp_path / "in", tmp_path / "head.jsonl").broken
    found = write_manifest("folder", tmp_path / "in", tmp_path / "all.jsonl", decode=True).broken
    assert [name for name, _ in found] == ["a/x.flac"]


def test_a_stopped_run_goes_on(librispeech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, seen = manifests.read_blocks, []

    def stopping(path: Path, *more: float) -> object:
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(path)
        return original(path, *more)

    out = tmp_path / "libri.jsonl"
    monkeypatch.setattr(manifests, "read_blocks", stopping)
    with pytest.raises(KeyboardInterrupt):
        write_manifest("librispeech", librispeech, out)
    assert not out.exists()
    journal = tmp_path / "libri.jsonl.partial"
    journal.write_text(journal.read_text() + '["torn')
    later: list[Path] = []
    monkeypatch.setattr(
        manifests, "read_blocks", lambda path, *more: later.append(path) or original(path, *more)
    )
    report = write_manifest("librispeech", librispeech, out)
    assert report.utterances == 8 and len(later) == 5 and not set(later) & set(seen)
    assert not journal.exists()
    fresh = tmp_path / "fresh.jsonl"
    write_manifest("librispeech", librispeech, fresh)
    assert fresh.read_text() == out.read_text(), "the same as without the stop"


def test_a_journal_of_another_set_is_not_taken(librispeech: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.jsonl"
    row = {"path": "a", "speaker": "b", "text": "", "seconds": 1.0, "rate": 1, "split": "train"}
    (tmp_path / "x.jsonl.partial").write_text(
        json.dumps({"kind": "folder", "root": "/"}) + "\n" + json.dumps(["a", row]) + "\n"
    )
    assert write_manifest("librispeech", librispeech, out).utterances == 8


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [("librispeech", "not laid out as LibriSpeech"), ("commonvoice", "not laid out as Common Voice"), ("folder", "holds no recordings")],
)  # fmt: skip
def test_another_layout_is_one_sentence(
    kind: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "readme.txt").write_text("nothing here")
    out = tmp_path / "out.jsonl"
    assert main(["manifest", kind, "--root", str(tmp_path / "in"), "--out", str(out)]) == 2
    assert sentence in capsys.readouterr().err and not out.exists()
    assert main(["manifest", kind, "--root", str(tmp_path / "gone"), "--out", str(out)]) == 2
    assert "is no folder" in capsys.readouterr().err
    assert main(["manifest", kind, "--root", str(tmp_path / "in"), "--out", str(tmp_path / "out.csv")]) == 2
    assert ".parquet or .jsonl" in capsys.readouterr().err


def test_a_table_without_its_columns_and_names_that_lead_elsewhere(commonvoice: Path, tmp_path: Path) -> None:
    table = commonvoice / "train.tsv"
    table.write_text(table.read_text("utf-8") + "x\t../../secret.mp3\twords\t0\t0\t\t\t\tde\n", "utf-8")
    assert write_manifest("commonvoice", commonvoice, tmp_path / "a.jsonl").utterances == 4
    table.write_text("path\tsentence\nx.mp3\ty\n")
    with pytest.raises(BadInput, match="no column client_id"):
        write_manifest("commonvoice", commonvoice, tmp_path / "b.jsonl")


def test_all_broken_is_said(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.wav").write_bytes(b"no sound")
    with pytest.raises(BadInput, match=r"None of 1 recordings can be used.*a\.wav"):
        write_manifest("folder", tmp_path / "in", tmp_path / "o.jsonl")


@pytest.mark.parametrize("text", ["no json", '{"path": "x"}', ""])
def test_what_is_no_manifest_is_refused(text: str, tmp_path: Path) -> None:
    for name in ("m.jsonl", "m.parquet"):
        (tmp_path / name).write_text(text)
        if text or name.endswith("parquet"):
            with pytest.raises(BadInput, match="manifest"):
                read_manifest(tmp_path / name)


@given(st.lists(st.tuples(st.sampled_from("abcdefghij"), st.integers(0, 99)), unique=True, min_size=3))
def test_held_out_speakers_are_in_one_split_alone(rows: list[tuple[str, int]]) -> None:
    entries = [Entry(Path(f"{speaker}/{i}-{speaker}.wav"), speaker, "", "train") for speaker, i in rows]
    found = held_out(entries)
    assert [entry.path for entry in found] == [entry.path for entry in entries]
    splits = {entry.split for entry in found}
    assert splits == {"train", "val", "test"}
    if len({speaker for speaker, _ in rows}) >= 5:
        for speaker in {speaker for speaker, _ in rows}:
            assert len({entry.split for entry in found if entry.speaker == speaker}) == 1
